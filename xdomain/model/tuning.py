"""What of a model is trained."""

from __future__ import annotations

from importlib.util import find_spec

import torch
from torch import nn
from transformers import PreTrainedModel

from xdomain.core.errors import MissingError
from xdomain.model.bottleneck import fold_bottlenecks, insert_bottlenecks
from xdomain.model.initialise import parameter_group
from xdomain.model.layer_mix import insert_mix
from xdomain.model.reprogramming import Mixture, mixture_of

LORA_RANK = 8
BYTES = 4  # of a float32
BOTTLENECK = 32
MIXTURE = ".mixture."
"""In the name of a learned mapping's weights, which are trained whatever else is."""


def freeze_for(model: PreTrainedModel, tune: str, *, seed: int = 0) -> nn.Module:
    """Freeze what is not to be trained, in place; LoRA comes as a `peft` model around it.

    head: the classifier, and the pooler below it, which a masked-LM checkpoint does not have;
    mix: the head, which reads a learned mix of all layers (`xdomain.model.layer_mix`);
    norms: layer norms, word and position rows and the head (Lu et al. 2021, the frozen transformer);
    lora: rank-8 updates of the attention's matrices, and the head (Hu et al. 2021);
    bottleneck: small layers beside the frozen feed-forward blocks, layer norms and the head
    (Houlsby et al. 2019, in the parallel form of He et al. 2022: see `xdomain.model.bottleneck`).

    What is drawn for LoRA and bottlenecks hangs on `seed` alone; the global random state is left as it was.
    """
    if tune == "full":
        return model
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _frozen(model, tune)


def _frozen(model: PreTrainedModel, tune: str) -> nn.Module:
    if tune == "lora":
        return _with_lora(model)
    trained = {"head": (), "mix": (), "norms": ("norms", "words", "positions"), "bottleneck": ("norms",)}[tune]
    if tune == "bottleneck":
        insert_bottlenecks(model, BOTTLENECK)
    if tune == "mix":
        insert_mix(model)
    prefix = model.base_model_prefix + "."
    for name, parameter in model.named_parameters():
        inner = name.removeprefix(prefix)
        head = inner == name or inner.startswith("pooler") or ".extra." in inner or MIXTURE in name
        parameter.requires_grad_(head or parameter_group(inner) in trained)
    return model


def merge_adapters(model: nn.Module) -> PreTrainedModel:
    """The stock model, with what was learned beside it folded in."""
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload()  # pyright: ignore
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    if not isinstance(model, PreTrainedModel):
        raise TypeError(f"{type(model).__name__} is no stock model")
    fold_bottlenecks(model)
    return model


def trainable(model: nn.Module, rows_in_use: int | None = None) -> dict[str, int]:
    """How many values there are, how many are trained, and the bytes that this task alone would have to store.

    bytes_per_task: 4 for every trained value, beside a backbone that many tasks share. Of a table of word rows only
    the rows in use count (`rows_in_use`; None: all), as the others stay the backbone's; of a learned mapping not its
    weights but the rows that they make. Where all is trained that is the whole model but for unused rows.

    LoRA keeps the head that it started from beside the one that it trains: that is counted in neither.
    """
    named = [(name, value) for name, value in model.named_parameters() if ".original_module." not in name]
    trained = [(name, value) for name, value in named if value.requires_grad]
    table = model.get_input_embeddings()  # pyright: ignore
    stored = sum(value.numel() for _, value in trained)
    mixed = mixture_of(model)
    own = (mixed.plain if mixed else table).weight
    if own.requires_grad and rows_in_use is not None:
        stored -= (len(own) - min(rows_in_use, len(own))) * own.shape[1]
    if mixed:
        symbols = len(mixed.places)
        stored -= sum(value.numel() for name, value in trained if MIXTURE in name)
        stored += 0 if own.requires_grad else symbols * own.shape[1]  # else its rows are counted with the table's
    return {
        "all": sum(value.numel() for _, value in named),
        "trained": sum(value.numel() for _, value in trained),
        "bytes_per_task": BYTES * stored,
    }


def _with_lora(model: PreTrainedModel) -> nn.Module:
    if find_spec("peft") is None:
        raise MissingError("tune lora needs the package peft", mend="pip install 'xdomain[peft]'")
    import peft

    prefix = model.base_model_prefix + "."
    dense = [n for n, m in model.named_modules() if isinstance(m, nn.Linear) and n.startswith(prefix)]
    heads = [n for n, m in model.named_children() if n + "." != prefix and any(True for _ in m.parameters())]
    if any(n.startswith(f"{prefix}pooler") for n in dense):
        heads.append("pooler")
    heads += [name for name, part in model.named_modules() if isinstance(part, Mixture)]
    config = peft.LoraConfig(
        r=LORA_RANK,
        lora_alpha=2 * LORA_RANK,
        target_modules=[n for n in dense if parameter_group(n.removeprefix(prefix)) == "attention"],
        modules_to_save=heads,
    )
    return peft.get_peft_model(model, config)
