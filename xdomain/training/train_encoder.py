"""The encoder in a run: mapping, arm, vocabulary slice, fine-tuning, stock checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast, TrainerCallback

from xdomain.core.adapter_protocols import ReverseComplements, Transposes
from xdomain.core.choices import OF_VALUES
from xdomain.core.errors import RecipeError
from xdomain.core.progress import log
from xdomain.core.recipe import Recipe
from xdomain.core.run_dir import MAPPING, MODEL, TARGET
from xdomain.core.sequences import Adapter, Ragged
from xdomain.data.collate import Collator, fit_windows
from xdomain.data.dataset import Examples
from xdomain.data.outputs import joint_alphabet
from xdomain.data.windows import Windows, cut_answers
from xdomain.model.backbone import Backbone
from xdomain.model.checkpoints import domain_of
from xdomain.model.families import can_slice_vocabulary, check_head, max_positions
from xdomain.model.initialise import EncoderArm, build_model, transferred
from xdomain.model.last_layer import last_layer_at_first_position
from xdomain.model.layer_mix import remove_mix, save_mix
from xdomain.model.make_mapping import make_mapping
from xdomain.model.reprogramming import check_size, describe_mixture, fold_mixture, insert_mixture
from xdomain.model.token_mapping import TokenMapping, learned_kind, search_seeds
from xdomain.model.tokenizer import SpecialTokenLayout, check_tokenizer, export_tokenizer, for_prompts, layout_of
from xdomain.model.tuning import freeze_for, merge_adapters, trainable
from xdomain.model.vocabulary import Slice, Vocabulary, restore_vocabulary, slice_vocabulary
from xdomain.training.aligned_rows import Aligned, align_rows, check_aligned
from xdomain.training.arguments import batch_share, make_trackers
from xdomain.training.device import Device, best_device, is_first, quick_attention
from xdomain.training.frozen_states import reading_once
from xdomain.training.mapping_search import check_search, choose_mapping
from xdomain.training.saved_encoder import save_model
from xdomain.training.sequence_learner import check_sequence, fit_outputs, goes_on, learn_to_write
from xdomain.training.trainer import Augment, FitResult, TargetScaler, fit

CHECKED_RECORDS = 64
MAX_LACKING = 0.1
"""Share of the symbols up to which a model may lack pieces for them."""
LOWEST, SEMITONES = -5, 12  # transpositions: the lowest, and how many there are


@dataclass(frozen=True)
class TrainResult:
    """What training returns beside the saved model: the course of the fit, and facts for the result."""

    fit: FitResult
    facts: dict[str, Any]


@dataclass(frozen=True)
class EncoderPlan:
    """What is decided before training starts or a file is written.

    Parameters
    ----------
    search
        For the result: how the mapping was chosen among several; None where there was nothing to choose.
    positions
        Of a window, special tokens included.
    layout
        Where the special tokens stand, by the backbone's own rows.
    windows
        Of all records.
    counts
        For the result: what was cut into windows or truncated.
    aligned
        The rows of the symbols; None unless the arm is ``aligned``.
    """

    arm: EncoderArm
    vocabulary: Vocabulary
    mapping: TokenMapping
    search: dict[str, Any] | None
    positions: int
    layout: SpecialTokenLayout
    windows: Windows
    counts: dict[str, int]
    trackers: list[TrainerCallback]
    aligned: Aligned | None = None


def plan_encoder(
    recipe: Recipe, backbone: Backbone, adapter: Adapter, examples: Examples, *, folder: Path
) -> EncoderPlan:
    """Choose the arm, the mapping, the windows and the trackers of a run, and refuse what cannot work.

    A mapping that is searched is chosen here, which takes a while; no files are written.

    Parameters
    ----------
    recipe
        The task and the options of the run.
    backbone
        The checkpoint to start from.
    adapter
        Its alphabet is mapped.
    examples
        All encoded records.
    folder
        The run folder, for trackers that will write there.

    Raises
    ------
    RecipeError, DataError, BackboneError
        Options contradict each other, the records, or the backbone.
    """
    options, train = recipe.run, recipe.train
    batch_share(train)
    if train.augment != "none" and examples.symbols_b is not None:
        raise RecipeError(
            f"train.augment: {train.augment} is not for pairs, and there are two columns of sequences",
            fix="--set train.augment=none",
        )
    arm = EncoderArm.of(options)
    check_head(backbone.name, backbone.config, recipe.problem)
    if options.init == "aligned":
        check_aligned(recipe)
    positions = min(max_positions(backbone.config), train.max_length or max_positions(backbone.config))
    layout = layout_of(backbone.tokenizer)
    vocabulary = Vocabulary.of(backbone.tokenizer)
    target = examples.outputs.adapter if examples.outputs else None
    candidates = mappings_of(recipe, vocabulary, adapter, target)
    if target:
        check_sequence(recipe, backbone, candidates[0])
    if candidates[1:]:
        check_search(recipe, arm)
    if learned_kind(options.mapping):
        check_size(len(candidates[0].ids), len(vocabulary.ordinary))
    if examples.outputs:
        windows = fit_outputs(recipe, backbone, examples, layout, positions)
    else:
        windows = fit_windows(examples, layout, positions, train)
    mapping, search = candidates[0], None
    if candidates[1:]:
        start = start_model(recipe, backbone, examples)
        mapping, search = choose_mapping(candidates, start, recipe, examples, layout, windows)
    if mapping.lacking:
        _tell_lacking(mapping, examples)
    if options.mapping == "random" and domain_of(backbone.path) == adapter.name != "synthetic":
        log.warning(f"{backbone.name} was pre-trained on {adapter.name}, and its symbols get random rows: --mapping "
                    "own reads each by the row that it learned")  # fmt: skip
    own = backbone.tokenizer.unk_token_id if options.mapping in ("identity", "own") else None  # where text has it
    if shared := mapping.special_token_collisions([row for row in backbone.tokenizer.all_special_ids if row != own]):
        log.warning(f"mapping {options.mapping} puts {', '.join(shared)} on rows of special tokens")
    cut = {} if examples.answers is None else cut_answers(windows, examples.answers.learned)
    if lost := cut.get("answers_in_no_window"):
        log.warning(f"{lost:,} answers fit into no window; a wider train.window_overlap holds more")
    trackers = make_trackers(train.report_to, folder)
    plan = EncoderPlan(arm, vocabulary, mapping, search, positions, layout, windows, windows.counts | cut, trackers)
    return replace(plan, aligned=_aligned(recipe, backbone, examples, plan)) if options.init == "aligned" else plan


def _aligned(recipe: Recipe, backbone: Backbone, examples: Examples, plan: EncoderPlan) -> Aligned:
    """Train the rows of the symbols of the arm ``aligned``."""
    rows = plan.mapping.ids.astype(np.int64)
    collate, _ = training_batches(recipe, examples, rows, plan.layout, plan.windows, None)
    return align_rows(
        start_model(recipe, backbone, examples), rows, collate, backbone.tokenizer,
        records=examples.indices("train"), steps=recipe.train.align_steps, batch_size=recipe.train.batch_size,
        seed=recipe.run.seed, device=best_device(recipe.train.precision).name,
    )  # fmt: skip


def train_encoder(
    recipe: Recipe,
    backbone: Backbone,
    adapter: Adapter,
    examples: Examples,
    plan: EncoderPlan,
    *,
    folder: Path,
    device: Device,
    resume: bool,
) -> TrainResult:
    """Fine-tune one arm of a backbone and save it in ``folder/model`` as a stock checkpoint with the full vocabulary.

    Where processes share a run, all of them call this; the first one saves.

    Parameters
    ----------
    recipe
        With settled options of training, see `xdomain.training.defaults.settle`.
    backbone
        The checkpoint to start from.
    adapter
        For the tokenizer, and for changes to training sequences (``train.augment``).
    examples
        All encoded records.
    plan
        What `plan_encoder` chose.
    folder
        The run folder, which exists.
    device
        Where to train, and in which number format.
    resume
        Whether to go on from the last checkpoint in `folder`.

    Returns
    -------
    TrainResult
        The course of the fit, and facts for the result: mapping, backbone, numbers of parameters, counts.

    Raises
    ------
    TrainingError
        Training has diverged.
    """
    options, mapping = recipe.run, plan.mapping
    built = build_learner(recipe, backbone, examples, plan)
    model, cut, collate = built.model, built.cut, built.collate
    positions = collate.lengths().sum() / len(plan.windows.start)
    with (
        quick_attention(model, device, positions),
        last_layer_at_first_position(model),
        reading_once(model, collate, examples, recipe, device=device, folder=folder) as batches,
    ):
        course = fit(
            built.learner,
            examples,
            batches,
            recipe,
            seed=options.seed,
            device=device,
            folder=folder,
            resume=resume,
            scale=built.scale,
            augment=augmentation_of(recipe.train.augment, adapter),
            trackers=plan.trackers,
        )
    stock = merge_adapters(built.learner).cpu()
    layers = remove_mix(stock)
    mixtures = describe_mixture(stock, mapping, plan.vocabulary)
    fold_mixture(stock)
    if built.scale:
        built.scale.fold_into(stock)
    if cut:
        restore_vocabulary(stock, cut)
    if is_first():
        outputs, own = examples.outputs, mapping.part(0, adapter.alphabet.symbols)
        tokenizer = _checked_tokenizer(adapter, own, backbone, examples.symbols, plan)
        if outputs:
            tokenizer = for_prompts(tokenizer, plan.layout, prefix=goes_on(backbone))
            names = mapping.part(outputs.first, outputs.adapter.alphabet.symbols)
            target = _checked_tokenizer(outputs.adapter, names, backbone, outputs.targets(), plan)
            target.save_pretrained(folder / MODEL / TARGET)
        mapping.save(folder / MAPPING)
        save_model(stock, tokenizer, folder)
        if layers:
            from xdomain.training.plots import LAYER_PLOT, plot_mix  # slow to load

            save_mix(layers, folder / MODEL)
            plot_mix(layers, path=folder / MODEL / LAYER_PLOT, title=f"{recipe.name}, {plan.arm.label}")
    return TrainResult(
        course,
        {
            "mapping": {"strategy": mapping.strategy, "seed": mapping.seed, "sha256": mapping.sha256},
            "backbone": {
                "name": backbone.name,
                "sha256": backbone.sha256,
                "type": backbone.config.model_type,
                "domain": domain_of(backbone.path),
            },
            "parameters": {
                **built.parameters,
                **transferred(backbone, plan.arm, stock, decoder=recipe.train.decoder),
            },
            "counts": plan.counts,
            **({"search": plan.search} if plan.search else {}),
            **({"alignment": plan.aligned.facts} if plan.aligned else {}),
            **({"learned_mapping": mixtures} if mixtures else {}),
            **({"layer_mix": layers} if layers else {}),
        },
    )


def _checked_tokenizer(
    adapter: Adapter, mapping: TokenMapping, backbone: Backbone, sequences: Ragged, plan: EncoderPlan
) -> PreTrainedTokenizerFast:
    """The tokenizer of an `adapter`, which reads the first of its `sequences` as the adapter does."""
    tokenizer = export_tokenizer(adapter, mapping, backbone.tokenizer, max_length=plan.positions)
    sample = [adapter.decode(sequences[i]) for i in range(min(len(sequences), CHECKED_RECORDS))]
    check_tokenizer(tokenizer, adapter, mapping, sample)
    return tokenizer


@dataclass(frozen=True)
class Built:
    """A model before its first step, and the batches it is trained on.

    Parameters
    ----------
    model, learner
        The stock model, and the same with what `tune` puts around it, which is what is trained. They are one object
        except under LoRA.
    collate
        Makes batches of the model's rows: those of the slice where the vocabulary was cut.
    cut
        What was cut out of the vocabulary; None where the model has it whole.
    scale
        Only for regression: of the labels.
    parameters
        As `xdomain.model.tuning.trainable` counts them.
    """

    model: PreTrainedModel
    learner: nn.Module
    collate: Collator
    cut: Slice | None
    scale: TargetScaler | None
    parameters: dict[str, Any]


def build_learner(recipe: Recipe, backbone: Backbone, examples: Examples, plan: EncoderPlan) -> Built:
    """Build what a run trains; the same arguments always give the same model and batches.

    Parameters
    ----------
    recipe
        The task, the arm and the seed.
    backbone
        The checkpoint to start from.
    examples
        All encoded records.
    plan
        What `plan_encoder` chose.
    """
    options, layout = recipe.run, plan.layout
    rows = plan.mapping.ids.astype(np.int64)
    model = start_model(recipe, backbone, examples)
    if plan.aligned:
        table: Any = model.get_input_embeddings().weight  # pyright: ignore
        table.data[torch.from_numpy(rows)] = plan.aligned.rows
    in_use = [*rows.tolist(), *layout.rows(), layout.pad]
    # LoRA freezes the rows, so slicing would save nothing, and peft writes a resized table into every checkpoint
    whole = options.tune == "lora" or examples.outputs is not None  # any row could come out
    sliced = recipe.train.slice_vocabulary and not whole and can_slice_vocabulary(model)
    cut = slice_vocabulary(model, in_use) if sliced else None
    if kind := learned_kind(options.mapping):
        words: Any = cut.table if cut else model.get_input_embeddings().weight  # pyright: ignore
        compact = cut.compact if cut else None
        insert_mixture(model, plan.mapping, plan.vocabulary, words, compact, sparse=kind == "sparse")
    if examples.outputs:
        write, learner = learn_to_write(recipe, backbone, model, examples, rows, layout, plan.windows)
        return Built(model, learner, write, None, None, trainable(learner))
    learner = freeze_for(model, options.tune, seed=options.seed)
    parameters = trainable(learner, len(set(in_use)))
    collate, scale = training_batches(recipe, examples, rows, layout, plan.windows, cut)
    return Built(model, learner, collate, cut, scale, parameters)


def training_batches(
    recipe: Recipe,
    examples: Examples,
    rows: NDArray[np.int64],
    layout: SpecialTokenLayout,
    windows: Windows,
    cut: Slice | None,
) -> tuple[Collator, TargetScaler | None]:
    """The batches that a model is trained on, and the scale of their labels, None unless these are numbers.

    Parameters
    ----------
    recipe
        Its problem says what the labels are.
    examples, windows
        All encoded records, and their windows.
    rows
        Shape (alphabet,): the row of each symbol in the whole vocabulary.
    layout
        Where the special tokens stand, by rows of the whole vocabulary.
    cut
        What was cut out of it; None: the model has it whole.
    """
    scale = TargetScaler.of(examples) if recipe.problem in OF_VALUES else None
    collate = Collator(
        examples,
        scale.apply(examples.labels) if scale and examples.labels is not None else examples.labels,
        cut.compact[rows] if cut else rows,
        layout.moved(cut.compact) if cut else layout,
        windows,
        examples.shares(),
    )
    return collate, scale


def mappings_of(
    recipe: Recipe, vocabulary: Vocabulary, adapter: Adapter, target: Adapter | None = None
) -> list[TokenMapping]:
    """The mapping that `recipe` names, or all candidates of a search.

    Parameters
    ----------
    recipe
        Its part `run` names the mapping and the mapping seed.
    vocabulary
        Of the backbone.
    adapter
        Its alphabet is mapped.
    target
        Only for sequence: the symbols of this adapter get wordpieces of their own beside those of `adapter`.

    Raises
    ------
    RecipeError
        The alphabet does not fit the vocabulary, or a table written by hand does not hold.
    """
    options = recipe.run
    alphabet = joint_alphabet(adapter, target)[0] if target else adapter.alphabet
    return [
        make_mapping(alphabet, vocabulary, strategy=options.mapping, seed=seed, given=options.mapping_table or None)
        for seed in search_seeds(options.mapping, options.mapping_seed)
    ]


def start_model(recipe: Recipe, backbone: Backbone, examples: Examples) -> PreTrainedModel:
    """The stock model that a run starts from: nothing is frozen, sliced or added yet.

    `recipe` names the arm, the seed and the rates of dropout, `backbone` is the checkpoint, `examples` has the classes.
    """
    train = recipe.train
    return build_model(
        backbone,
        EncoderArm.of(recipe.run),
        problem=recipe.problem,
        classes=examples.classes,
        seed=recipe.run.seed,
        attention_dropout=train.attention_dropout,
        hidden_dropout=train.hidden_dropout,
        attention=train.attention,
        decoder=train.decoder,
    )


def _tell_lacking(mapping: TokenMapping, examples: Examples) -> None:
    """Say how many symbols of the data the model has no pieces for, and refuse where they are many."""
    lacking = np.array([symbol in mapping.lacking for symbol in mapping.symbols])
    sides = [side.values for side in (examples.symbols, examples.symbols_b) if side is not None]
    found = sum(int(lacking[values].sum()) for values in sides)
    share = found / max(1, sum(map(len, sides)))
    which = sorted({mapping.symbols[i] for values in sides for i in np.unique(values[lacking[values]]).tolist()})
    told = f"the vocabulary has no pieces for {', '.join(which[:5])}, {share:.2%} of all symbols"
    if share > MAX_LACKING:
        raise RecipeError(
            f"mapping own: {told}",
            expected="a model that was pre-trained on records with these symbols",
            fix="--mapping random, or pre-train anew",
        )
    if found:
        log.warning(f"{told}: they are read as its unknown token")


def augmentation_of(name: str, adapter: Adapter) -> Augment | None:
    """What `train.augment` names by `name`, done by the `adapter` to a sequence and a number drawn from [0, 1).

    Raises
    ------
    RecipeError
        The adapter cannot do it.
    """
    if name == "transpose" and isinstance(adapter, Transposes):
        return lambda ids, drawn: adapter.transpose(ids, LOWEST + int(drawn * SEMITONES))
    if name == "reverse_complement" and isinstance(adapter, ReverseComplements):
        return lambda ids, drawn: adapter.reverse_complement(ids) if drawn < 0.5 else ids
    if name == "none":
        return None
    raise RecipeError(f"train.augment: {name} for the domain {adapter.name}", expected="an adapter that can do it")
