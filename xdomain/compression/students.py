"""The smaller model that a run is distilled into, before it has learned: some of its layers, or another checkpoint."""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers import PreTrainedModel

from xdomain.compression.original import Original, Smaller
from xdomain.core.choices import OF_VALUES, PARTS
from xdomain.core.errors import RecipeError
from xdomain.core.progress import log
from xdomain.core.run_dir import MODEL
from xdomain.model.backbone import load_backbone
from xdomain.model.families import max_positions
from xdomain.model.layer_mix import LAYER_MIX
from xdomain.model.make_mapping import make_mapping
from xdomain.model.tokenizer import export_tokenizer, layout_of
from xdomain.model.vocabulary import Vocabulary
from xdomain.training.train_encoder import start_model
from xdomain.training.trainer import TargetScaler


def with_fewer_layers(original: Original, layers: int | None) -> Smaller:
    """The model of a run with some of its layers, spread evenly, the last one included.

    Parameters
    ----------
    original
        The run.
    layers
        How many; None: half of them.

    Raises
    ------
    RecipeError
        There are not more than so many, or the head reads a mix of all of them.
    """
    if (original.folder / MODEL / LAYER_MIX).is_file():
        raise RecipeError("distil for a run of --tune mix, whose head reads all layers", expected="another --tune",
                          fix="another --how, such as vocabulary, prune or units")  # fmt: skip
    smaller = original.copy()
    config: Any = smaller.model.config
    held: int = config.num_hidden_layers
    wanted = max(1, held // 2) if layers is None else layers
    if not 1 <= wanted < held:
        raise RecipeError(
            f"{wanted} layers of a run that has {held}", expected=f"1 to {held - 1}" if held > 1 else "fewer layers",
            fix=None if held > 1 else "--backbone with a narrower checkpoint",
        )  # fmt: skip
    chosen = layers_between(held, wanted)
    for parent, name, whole in _stacks(smaller.model, held):  # none in ALBERT, which uses one layer several times
        left = nn.ModuleList(whole[i - 1] for i in chosen)
        if hasattr(left[0], "attn_norm"):  # ModernBERT has none in its first layer
            left[0].attn_norm = nn.Identity()
        setattr(parent, name, left)
    if contacts := getattr(smaller.model.base_model, "contact_head", None):  # ESM's, of the attention of every layer
        weight = contacts.regression.weight
        kept = weight.view(len(weight), held, -1)[:, [i - 1 for i in chosen]].flatten(1)
        contacts.regression.weight = nn.Parameter(kept.detach().contiguous())
    config.num_hidden_layers = wanted
    for per_layer in ("layer_types", "attention_window"):  # ModernBERT's kinds of attention, Longformer's windows
        if isinstance(told := getattr(config, per_layer, None), list):
            setattr(config, per_layer, [told[i - 1] for i in chosen])
    log.info(f"starting from layers {', '.join(map(str, chosen))} of {held}")
    return smaller


def layers_between(held: int, wanted: int) -> list[int]:
    """Which of `held` layers, from 1, `wanted` layers stand for: as evenly as can be, the last one included."""
    return [round((i + 1) * held / wanted) for i in range(wanted)]


def _stacks(model: PreTrainedModel, held: int) -> list[tuple[nn.Module, str, nn.ModuleList]]:
    """Where the layers of `model` are: the module that has them, their name in it, and they themselves."""
    return [
        (parent, name, child)
        for parent in list(model.base_model.modules())
        for name, child in parent.named_children()
        if isinstance(child, nn.ModuleList) and len(child) == held and name in ("layer", "layers", "h")
    ]


def from_backbone(original: Original, name: str) -> Smaller:
    """Another checkpoint with a head for the run's problem, and with a mapping of the run's symbols.

    The mapping is made as that of the run was; where that one was learned or searched for, it is a random one.

    Parameters
    ----------
    original
        The run.
    name
        The checkpoint, as ``--backbone`` takes it.

    Raises
    ------
    BackboneError
        It cannot be loaded.
    RecipeError
        It frames sequences otherwise than the run's model, so that both cannot read the same windows.
    """
    backbone = load_backbone(name)
    recipe, examples, adapter = original.recipe, original.examples, original.adapter
    own, theirs = layout_of(backbone.tokenizer), original.saved.layout
    alike = all(len(getattr(own, part)) == len(getattr(theirs, part)) for part in ("start", "middle", "end"))
    if not alike or (own.second_type is None and theirs.second_type is not None):
        raise RecipeError(
            f"{name} frames sequences with other special tokens than the run does",
            expected="special tokens at the same places, so that both read the same windows",
            fix="for the run of a BERT a BERT, for that of a RoBERTa a RoBERTa",
        )
    options = recipe.run
    strategy = "random" if options.mapping.startswith(("learned", "search")) else options.mapping
    mapping = make_mapping(
        adapter.alphabet, Vocabulary.of(backbone.tokenizer), strategy=strategy, seed=options.mapping_seed,
        given=options.mapping_table or None,
    )  # fmt: skip
    arm = {"init": "pretrained", "transfer": list(PARTS), "tune": "full"}
    started = recipe.model_copy(update={"run": options.model_copy(update=arm)})
    model = start_model(started, backbone, examples)
    if recipe.problem in OF_VALUES:
        TargetScaler.of(examples).fold_into(model)
    most = max_positions(backbone.config)
    positions = min(most, recipe.train.max_length or most)
    log.info(f"starting from {backbone.name}, mapping {strategy} with mapping seed {options.mapping_seed}")
    tokenizer = export_tokenizer(adapter, mapping, backbone.tokenizer, max_length=positions)
    told = {"name": backbone.name, "sha256": backbone.sha256, "type": backbone.config.model_type}
    return Smaller(model, tokenizer, mapping, told)
