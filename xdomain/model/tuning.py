"""Choose what is trained: all, parts, LoRA, or bottleneck layers that fold back into a stock checkpoint."""

from __future__ import annotations

from importlib.util import find_spec

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from xdomain.core.errors import BackboneError, MissingError
from xdomain.model.initialise import parameter_group
from xdomain.model.layer_mix import insert_mix
from xdomain.model.reprogramming import Mixture, mixture_of

PAIRS = (("intermediate.dense", "output.dense"), ("ffn.lin1", "ffn.lin2"), ("ffn", "ffn_output"))
"""Names of a feed-forward block's first and second layer, family by family, below a common parent."""
SIZES = ("intermediate_size", "hidden_dim")
LORA_RANK = 8
BYTES = 4  # of a float32
BOTTLENECK = 32
MIXTURE = ".mixture."
"""In the name of a learned mapping's weights, which are trained whatever else is."""


class _WidenedIn(nn.Module):
    """The first layer with r more outputs, which alone are trained."""

    def __init__(self, frozen: nn.Linear, rank: int) -> None:
        super().__init__()
        self.frozen, self.extra = frozen, nn.Linear(frozen.in_features, rank)
        nn.init.normal_(self.extra.weight, std=0.02)
        nn.init.zeros_(self.extra.bias)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((self.frozen(x), self.extra(x)), -1)

    def folded(self) -> nn.Linear:
        whole = nn.Linear(self.frozen.in_features, self.frozen.out_features + self.extra.out_features)
        whole.weight.copy_(torch.cat((self.frozen.weight, self.extra.weight)))
        whole.bias.copy_(torch.cat((self.frozen.bias, self.extra.bias)))
        return whole


class _WidenedOut(nn.Module):
    """The second layer, reading r more inputs; its own part is zero at the start, so nothing changes at first."""

    def __init__(self, frozen: nn.Linear, rank: int) -> None:
        super().__init__()
        self.frozen, self.extra = frozen, nn.Linear(rank, frozen.out_features, bias=False)
        nn.init.zeros_(self.extra.weight)

    def forward(self, x: Tensor) -> Tensor:
        width = self.frozen.in_features
        return self.frozen(x[..., :width]) + self.extra(x[..., width:])

    def folded(self) -> nn.Linear:
        whole = nn.Linear(self.frozen.in_features + self.extra.in_features, self.frozen.out_features)
        whole.weight.copy_(torch.cat((self.frozen.weight, self.extra.weight), 1))
        whole.bias.copy_(self.frozen.bias)
        return whole


def insert_bottlenecks(model: PreTrainedModel, rank: int) -> None:
    """Give every feed-forward block r more hidden units, trained while the block itself is frozen.

    A bottleneck in parallel to the block (He et al. 2022, arXiv 2110.04366, eq. 7 and table 1), of the kind
    that Houlsby et al. 2019 put behind it, with the block's own non-linearity. In parallel, it is nothing
    but r more hidden units: `fold_bottlenecks` makes it part of a stock model, exactly.
    """
    found = 0
    for parent in list(model.base_model.modules()):
        for first, second in PAIRS:
            inner, outer = _child(parent, first), _child(parent, second)
            if isinstance(inner, nn.Linear) and isinstance(outer, nn.Linear):
                _put(parent, first, _WidenedIn(inner, rank))
                _put(parent, second, _WidenedOut(outer, rank))
                found += 1
    if not found:
        raise BackboneError(
            f"a {model.config.model_type} model has no plain feed-forward blocks to put bottlenecks beside",
            expected="tune full, head, norms or lora for it",
        )


@torch.no_grad()
def fold_bottlenecks(model: PreTrainedModel) -> int:
    """Make bottlenecks hidden units of a stock model, in place; their number a block, 0 where there are none."""
    rank = 0
    for parent in list(model.base_model.modules()):
        for names in PAIRS:
            for name in names:
                part = _child(parent, name)
                if isinstance(part, (_WidenedIn, _WidenedOut)):
                    rank = part.extra.out_features if isinstance(part, _WidenedIn) else part.extra.in_features
                    _put(parent, name, part.folded())
    for size in SIZES:
        if rank and hasattr(model.config, size):
            setattr(model.config, size, getattr(model.config, size) + rank)
    return rank


def _child(parent: nn.Module, path: str) -> nn.Module | None:
    found: nn.Module | None = parent
    for step in path.split("."):
        found = getattr(found, step, None)
        if not isinstance(found, nn.Module):
            return None
    return found


def _put(parent: nn.Module, path: str, module: nn.Module) -> None:
    *above, last = path.split(".")
    for step in above:
        parent = getattr(parent, step)
    setattr(parent, last, module)


def freeze_for(model: PreTrainedModel, tune: str, *, seed: int = 0) -> nn.Module:
    """Freeze what is not to be trained, in place; LoRA comes as a `peft` model around it.

    head: the classifier, and the pooler below it, which a masked-LM checkpoint does not have;
    mix: the head, which reads a learned mix of all layers (`xdomain.model.layer_mix`);
    norms: layer norms, word and position rows and the head (Lu et al. 2021, the frozen transformer);
    lora: rank-8 updates of the attention's matrices, and the head (Hu et al. 2021);
    bottleneck: small layers beside the frozen feed-forward blocks, layer norms and the head
    (Houlsby et al. 2019, in the parallel form of He et al. 2022: see `xdomain.model.tuning`).

    What is drawn for LoRA and bottlenecks depends on `seed` alone; the global random state is left as it was.
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
        raise MissingError("tune lora needs the package peft", fix="pip install 'xdomain[peft]'")
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
