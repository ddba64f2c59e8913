"""Bottleneck layers beside frozen feed-forward blocks, which fold back into a stock checkpoint."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from xdomain.core.errors import BackboneError

PAIRS = (("intermediate.dense", "output.dense"), ("ffn.lin1", "ffn.lin2"), ("ffn", "ffn_output"))
"""Names of a feed-forward block's first and second layer, family by family, below a common parent."""
SIZES = ("intermediate_size", "hidden_dim")


class _In(nn.Module):
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


class _Out(nn.Module):
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
                _put(parent, first, _In(inner, rank))
                _put(parent, second, _Out(outer, rank))
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
                if isinstance(part, (_In, _Out)):
                    rank = part.extra.out_features if isinstance(part, _In) else part.extra.in_features
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
