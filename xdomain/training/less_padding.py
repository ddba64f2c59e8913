"""Read the short windows of a batch apart from its long ones: the same logits from less padding.

Records are brought together by length, so that batches hold little padding, but for one kind: those of several windows,
whose last is as short as it happens to be. There a fifth of the positions may be padding. Logits and gradients are
those of one pass but for the order in which floats are added; with dropout, other random numbers are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from operator import itemgetter

import torch
from torch import Tensor, nn

READ = ("input_ids", "attention_mask", "token_type_ids")
LEAST, FEWEST = 0.02, 256
"""What a further part must save, as it costs a call of each layer: a share of the batch's positions, and so many."""
MOST = 4
"""Parts of a batch."""


def parts_by_length(lengths: Sequence[int]) -> list[list[int]]:
    """Divide rows into parts, the longest rows first, so that each part can be as narrow as its longest row.

    Parameters
    ----------
    lengths
        Positions of each row that are no padding.

    Returns
    -------
    list of list of int
        The rows of each part; a single part where further ones would save less than `LEAST` or `FEWEST` each.
    """
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    widths, bounds = [lengths[row] for row in order], [0, len(order)]
    least = max(LEAST * len(order) * widths[0], FEWEST)
    while len(bounds) <= MOST:
        cuts = (
            ((end - cut) * (widths[first] - widths[cut]), cut)
            for first, end in pairwise(bounds)
            for cut in range(first, end)
        )
        saved, cut = max(cuts, key=itemgetter(0))
        if saved < least:
            break
        bounds = sorted([*bounds, cut])
    return [order[first:end] for first, end in pairwise(bounds)]


def by_length(model: nn.Module, inputs: dict[str, Tensor]) -> list[list[int]]:
    """As `parts_by_length`, for what `model` reads; a single part where it must read all at once.

    So it is on a GPU, where reading the lengths would make it wait, where several processes share a batch, and where
    padding stands before the tokens, or something else than tokens is read.

    Parameters
    ----------
    model
        An encoder with its head.
    inputs
        What it reads, with as many rows each.
    """
    mask = inputs.get("attention_mask")
    shared = isinstance(model, nn.parallel.DistributedDataParallel)
    if mask is None or shared or mask.device.type != "cpu" or inputs.keys() - set(READ) or not mask[:, 0].all():
        return [list(range(len(next(iter(inputs.values())))))]
    return parts_by_length(mask.sum(1).tolist())


def part_of(inputs: dict[str, Tensor], rows: list[int]) -> dict[str, Tensor]:
    """The `rows` of `inputs`, a part of `by_length`, as narrow as the first and longest of them."""
    width = int(inputs["attention_mask"][rows[0]].sum())
    return {name: value[rows, :width] for name, value in inputs.items()}


def joined(logits: Sequence[Tensor], parts: Sequence[Sequence[int]], width: int) -> Tensor:
    """The `logits` of `parts` in the order of the rows; those of each position are filled up with 0 to `width`."""
    place = torch.tensor([row for part in parts for row in part]).argsort()
    if logits[0].ndim == 3:
        logits = [nn.functional.pad(one, (0, 0, 0, width - one.shape[1])) for one in logits]
    return torch.cat(list(logits))[place]
