"""What of a model is trained."""

from __future__ import annotations

from importlib.util import find_spec

from torch import nn
from transformers import PreTrainedModel

from xdomain.errors import MissingError
from xdomain.model.arms import part_of
from xdomain.model.bottleneck import fold_bottlenecks, insert_bottlenecks

LORA_RANK = 8
BOTTLENECK = 32


def apply_tuning(model: PreTrainedModel, tune: str) -> nn.Module:
    """Freeze what is not to be trained, in place; LoRA comes as a `peft` model around it.

    head: the classifier, and the pooler below it, which a masked-LM checkpoint does not have;
    norms: layer norms, word and position rows and the head (Lu et al. 2021, the frozen transformer);
    lora: rank-8 updates of the attention's matrices, and the head (Hu et al. 2021);
    bottleneck: small layers beside the frozen feed-forward blocks, layer norms and the head
    (Houlsby et al. 2019, in the parallel form of He et al. 2022: see `xdomain.model.bottleneck`).
    """
    if tune == "full":
        return model
    if tune == "lora":
        return _with_lora(model)
    trained = {"head": (), "norms": ("norms", "words", "positions"), "bottleneck": ("norms",)}[tune]
    if tune == "bottleneck":
        insert_bottlenecks(model, BOTTLENECK)
    prefix = model.base_model_prefix + "."
    for name, parameter in model.named_parameters():
        inner = name.removeprefix(prefix)
        head = inner == name or inner.startswith("pooler") or ".extra." in inner
        parameter.requires_grad_(head or part_of(inner) in trained)
    return model


def merged(model: nn.Module) -> PreTrainedModel:
    """The stock model, with what was learned beside it folded in."""
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload()  # pyright: ignore
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    if not isinstance(model, PreTrainedModel):
        raise TypeError(f"{type(model).__name__} is no stock model")
    fold_bottlenecks(model)
    return model


def trainable(model: nn.Module) -> dict[str, int]:
    """How many values there are, and how many are trained."""
    return {
        "all": sum(p.numel() for p in model.parameters()),
        "trained": sum(p.numel() for p in model.parameters() if p.requires_grad),
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
    config = peft.LoraConfig(
        r=LORA_RANK,
        lora_alpha=2 * LORA_RANK,
        target_modules=[n for n in dense if part_of(n.removeprefix(prefix)) == "attention"],
        modules_to_save=heads,
    )
    return peft.get_peft_model(model, config)
