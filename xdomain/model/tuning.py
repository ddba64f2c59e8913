"""Choose what is trained: all, parts, LoRA, or bottleneck layers that fold back into a stock checkpoint."""

from __future__ import annotations

from importlib.util import find_spec

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from xdomain.core.errors import BackboneError, MissingError
from xdomain.model.layer_mix import insert_mix
from xdomain.model.parameter_groups import parameter_group
from xdomain.model.reprogramming import Mixture, mixture_of

PAIRS = (("intermediate.dense", "output.dense"), ("ffn.lin1", "ffn.lin2"), ("ffn", "ffn_output"), ("fc1", "fc2"))
"""Names of the first and second layer of a feed-forward block below their parent module, one pair for each family."""
SIZES = ("intermediate_size", "hidden_dim", "ffn_dim")
"""What a configuration calls the number of units of a feed-forward block."""
LORA_RANK = 8
BYTES = 4  # of a float32
BOTTLENECK = 32
MIXTURE = ".mixture."
"""Part of the names of a learned mapping's weights, which are trained under every `tune`."""


class _WidenedIn(nn.Module):
    """The first layer with `rank` more outputs; only these are trained."""

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
    """The second layer with `rank` more inputs, whose weights start at zero: at first the output is the same."""

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
    """Give every feed-forward block of `model` `rank` more hidden units, in place, to be trained while it is frozen.

    This is a bottleneck in parallel to the block (He et al. 2022, arXiv 2110.04366, eq. 7 and table 1), with the
    block's own non-linearity; Houlsby et al. 2019 put theirs behind the block. In parallel, a bottleneck is the same
    as more hidden units: `fold_bottlenecks` makes it part of a stock model, exactly.

    Raises
    ------
    BackboneError
        The model has no plain feed-forward blocks.
    """
    blocks = feed_forward_blocks(model)
    for parent, first, second, inner, outer in blocks:
        _put(parent, first, _WidenedIn(inner, rank))
        _put(parent, second, _WidenedOut(outer, rank))
    if not blocks:
        raise BackboneError(
            f"a {model.config.model_type} model has no plain feed-forward blocks to put bottlenecks beside",
            expected="tune full, head, norms or lora for it",
        )


def feed_forward_blocks(model: PreTrainedModel) -> list[tuple[nn.Module, str, str, nn.Linear, nn.Linear]]:
    """The plain feed-forward blocks of `model`: their module, the names of both layers below it, and the layers.

    Families with gates, such as ModernBERT, have none.
    """
    found: list[tuple[nn.Module, str, str, nn.Linear, nn.Linear]] = []
    for parent in list(model.base_model.modules()):
        for first, second in PAIRS:
            inner, outer = _child(parent, first), _child(parent, second)
            if isinstance(inner, nn.Linear) and isinstance(outer, nn.Linear):
                found.append((parent, first, second, inner, outer))
    return found


@torch.no_grad()
def fold_bottlenecks(model: PreTrainedModel) -> int:
    """Make the bottlenecks of `model` plain hidden units, in place; return how many each block got, 0 without any."""
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
    module: nn.Module | None = parent
    for step in path.split("."):
        module = getattr(module, step, None)
        if not isinstance(module, nn.Module):
            return None
    return module


def _put(parent: nn.Module, path: str, module: nn.Module) -> None:
    *above, last = path.split(".")
    for step in above:
        parent = getattr(parent, step)
    setattr(parent, last, module)


def freeze_for(model: PreTrainedModel, tune: str, *, seed: int = 0) -> nn.Module:
    """Freeze what is not to be trained, in place, and add what a way of tuning adds.

    The global random state is left as it was.

    Parameters
    ----------
    model
        A stock model, all of which can be trained.
    tune
        full: all;
        head: the classifier and the pooler below it, which a masked-LM checkpoint does not have;
        mix: the head, which reads a learned mix of all layers (`xdomain.model.layer_mix`);
        norms: layer norms, word and position rows and the head (Lu et al. 2021, the frozen transformer);
        lora: rank-8 updates of the attention's matrices, and the head (Hu et al. 2021);
        bottleneck: small layers beside the frozen feed-forward blocks, layer norms and the head (Houlsby et al. 2019,
        in the parallel form of He et al. 2022: see `insert_bottlenecks`).
    seed
        Decides alone what is drawn for LoRA and bottlenecks.

    Returns
    -------
    Module
        What to train: `model` itself, or for lora a `peft` model around it.

    Raises
    ------
    MissingError
        LoRA without the package peft.
    BackboneError
        A bottleneck for a model without plain feed-forward blocks.
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
    """Fold LoRA updates or bottlenecks into the stock model, and make all of it trainable.

    `model` is what `freeze_for` returned. The stock model is returned; a layer mix and a learned mapping stay on it.
    """
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload()  # pyright: ignore
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    if not isinstance(model, PreTrainedModel):
        raise TypeError(f"{type(model).__name__} is no stock model")
    fold_bottlenecks(model)
    return model


def trainable(model: nn.Module, rows_in_use: int | None = None) -> dict[str, int]:
    """Count the values of a model, those that are trained, and the bytes that a task needs beside the backbone.

    LoRA keeps the head that it started from beside the one that it trains; the former is not counted at all.

    Parameters
    ----------
    model
        As `freeze_for` returned it.
    rows_in_use
        How many rows of the embedding table occur in the data; None: all.

    Returns
    -------
    dict
        `all` and `trained`, numbers of values. `bytes_per_task`: 4 for every trained value, where many tasks share a
        backbone. Of the word rows only those in use count, as the others stay as in the backbone; of a learned mapping
        not its weights but the rows that they make. Under ``full`` this is the whole model less the unused rows.
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
    prefix = model.base_model_prefix + "."
    dense = [n for n, m in model.named_modules() if isinstance(m, (nn.Linear, Conv1D)) and n.startswith(prefix)]
    heads = [n for n, m in model.named_children() if n + "." != prefix and any(True for _ in m.parameters())]
    if any(n.startswith(f"{prefix}pooler") for n in dense):
        heads.append("pooler")
    heads += [name for name, part in model.named_modules() if isinstance(part, Mixture)]
    return lora_around(model, [n for n in dense if parameter_group(n.removeprefix(prefix)) == "attention"], heads)


def lora_around(model: PreTrainedModel, targets: list[str], trained: list[str]) -> nn.Module:
    """Put a `peft` model around `model`, all of which is frozen but for what is named.

    Parameters
    ----------
    model
        A stock model.
    targets
        Names of the dense layers that get updates of rank 8.
    trained
        Names of the modules that are trained as a whole.

    Raises
    ------
    MissingError
        The package peft is not installed.
    """
    if find_spec("peft") is None:
        raise MissingError("tune lora needs the package peft", fix="pip install 'xdomain[peft]'")
    import peft

    config = peft.LoraConfig(
        r=LORA_RANK,
        lora_alpha=2 * LORA_RANK,
        target_modules=targets,
        modules_to_save=trained or None,
        fan_in_fan_out=any(isinstance(part, Conv1D) for part in model.modules()),
    )
    return peft.get_peft_model(model, config)
