"""Records to padded tensors, in the order and the layout that the backbone expects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from xdomain.data.examples import IGNORED, Examples
from xdomain.data.sequences import Ids
from xdomain.data.windows import Windows, plan_windows
from xdomain.errors import DataError
from xdomain.recipe import Train

MEGABATCH = 50
"""Batches whose records are sorted by length together: large enough to cut padding, small enough to stay random."""


@dataclass(frozen=True)
class Layout:
    """Where the special tokens go: ``start a end`` or ``start a middle b end``, as vocabulary rows.

    `second_type` is the token type of b and what follows it; None where the backbone has no token types.
    """

    start: tuple[int, ...]
    middle: tuple[int, ...]
    end: tuple[int, ...]
    pad: int
    second_type: int | None

    def room(self, positions: int, *, paired: bool) -> int:
        """Symbols that fit beside the special tokens."""
        return positions - len(self.start) - len(self.end) - (len(self.middle) if paired else 0)

    def rows(self) -> tuple[int, ...]:
        """The special rows that a frame uses, each once; the padding's is not among them."""
        return tuple(dict.fromkeys((*self.start, *self.middle, *self.end)))

    def moved(self, compact: Ids) -> Layout:
        """The same layout with row r at ``compact[r]``."""
        start, middle, end = (tuple(int(compact[r]) for r in part) for part in (self.start, self.middle, self.end))
        return Layout(start, middle, end, int(compact[self.pad]), self.second_type)


class Indices(Dataset[int]):
    """The data set that a loader draws from: record numbers, turned into tensors by a `Collator`."""

    def __init__(self, indices: NDArray[np.int64]) -> None:
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, item: int) -> int:
        return int(self.indices[item])


class LengthGrouped(Sampler[int]):
    """Records in random order, neighbours of like length: a function of seed and epoch alone.

    `epoch` is asked anew at the start of each pass, so that a resumed run goes on in the same order.
    """

    def __init__(self, lengths: NDArray[np.int64], batch_size: int, seed: int, epoch: Callable[[], int]) -> None:
        self.lengths, self.batch_size, self.seed, self.epoch = lengths, batch_size, seed, epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        rng = np.random.Generator(np.random.PCG64([self.seed, self.epoch()]))
        order = rng.permutation(len(self.lengths))
        group = self.batch_size * MEGABATCH
        batches: list[NDArray[np.int64]] = []
        for first in range(0, len(order), group):
            block = order[first : first + group]
            block = block[np.argsort(-self.lengths[block], kind="stable")]
            batches += [block[i : i + self.batch_size] for i in range(0, len(block), self.batch_size)]
        full = [b for b in batches if len(b) == self.batch_size]
        rest = [b for b in batches if len(b) < self.batch_size]
        for batch in [*(full[i] for i in rng.permutation(len(full))), *rest]:
            yield from batch.tolist()


@dataclass(frozen=True)
class Collator:
    """Record numbers to a batch.

    Parameters
    ----------
    rows
        Shape (alphabet,): the embedding row of each symbol.
    targets
        `Examples.labels`, or what stands in for them (standardised values).
    positions
        Positions a window may take, special tokens included.
    flip
        Which records to replace by their reverse complement this time, and the function that does it.
    """

    examples: Examples
    targets: NDArray[Any] | None
    rows: NDArray[np.int64]
    layout: Layout
    windows: Windows
    flip: tuple[Callable[[int], bool], Callable[[Ids], Ids]] | None = None

    def __call__(self, records: Sequence[int]) -> dict[str, Tensor]:
        """The batch of b records in w windows of at most s positions.

        Returns
        -------
        dict
            labels (b,), or (w, s) for tagging; input_ids, attention_mask and, where the backbone has them,
            token_type_ids, each (w, s); windows (b,), the windows of each record; owned (w, s), for tagging:
            the positions that hold a symbol to be tagged here.
        """
        paired = self.examples.symbols_b is not None
        return self._pairs(records) if paired else self._singles(records)

    def _symbols(self, record: int) -> Ids:
        symbols = self.examples.symbols[record]
        if self.flip and self.flip[0](record):
            return self.flip[1](symbols)
        return symbols

    def _singles(self, records: Sequence[int]) -> dict[str, Tensor]:
        plan, layout = self.windows, self.layout
        spans = [(r, w) for r in records for w in range(plan.offsets[r], plan.offsets[r + 1])]
        sequences = {r: self.rows[self._symbols(r)] for r in records}
        pieces = [sequences[r][plan.start[w] : plan.stop[w]] for r, w in spans]
        ids, mask, types = _padded([(piece,) for piece in pieces], layout)
        counts = np.fromiter((plan.offsets[r + 1] - plan.offsets[r] for r in records), np.int64, len(records))
        batch: dict[str, Any] = {}
        if self.examples.problem == "tagging":
            owned = np.zeros(ids.shape, bool)
            labels = np.full(ids.shape, IGNORED, np.int64)
            offsets, before = self.examples.symbols.offsets, len(layout.start)
            for row, (r, w) in enumerate(spans):
                first, last = plan.own_start[w], plan.own_stop[w]
                here = slice(before + first - plan.start[w], before + last - plan.start[w])
                owned[row, here] = True
                if self.targets is not None:
                    labels[row, here] = self.targets[offsets[r] + first : offsets[r] + last]
            batch = {"labels": labels, "owned": owned}
        elif self.targets is not None:
            batch = {"labels": self.targets[list(records)]}
        batch |= {"input_ids": ids, "attention_mask": mask, "windows": counts}
        if types is not None:
            batch["token_type_ids"] = types
        return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in batch.items()}

    def _pairs(self, records: Sequence[int]) -> dict[str, Tensor]:
        second = self.examples.symbols_b
        if second is None:  # `__call__` chose this path by it
            raise RuntimeError("records are no pairs")
        plan = self.windows
        cut = {r: (int(plan.stop[r]), int(plan.own_stop[r])) for r in records}
        pieces = [(self.rows[self._symbols(r)[: cut[r][0]]], self.rows[second[r][: cut[r][1]]]) for r in records]
        ids, mask, types = _padded(pieces, self.layout)
        batch: dict[str, Any] = {"labels": self.targets[list(records)]} if self.targets is not None else {}
        batch |= {"input_ids": ids, "attention_mask": mask, "windows": np.ones(len(records), np.int64)}
        if types is not None:
            batch["token_type_ids"] = types
        return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in batch.items()}

    def lengths(self) -> NDArray[np.int64]:
        """Shape (n,): symbols of every record, of both sequences of a pair."""
        second = self.examples.symbols_b
        return self.examples.symbols.lengths + (second.lengths if second is not None else 0)


def _padded(
    pieces: Sequence[tuple[NDArray[np.int64], ...]], layout: Layout
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64] | None]:
    joints = (layout.start, layout.middle)
    lines = [
        np.concatenate([*(np.concatenate((joints[i], part)) for i, part in enumerate(parts)), layout.end])
        for parts in pieces
    ]
    width = max(len(line) for line in lines)
    ids = np.full((len(lines), width), layout.pad, np.int64)
    mask = np.zeros((len(lines), width), np.int64)
    types = np.zeros((len(lines), width), np.int64) if layout.second_type is not None else None
    for row, (line, parts) in enumerate(zip(lines, pieces, strict=True)):
        ids[row, : len(line)] = line
        mask[row, : len(line)] = 1
        if types is not None and len(parts) == 2:
            types[row, len(line) - len(parts[1]) - len(layout.end) : len(line)] = layout.second_type or 0
    return ids, mask, types


def fit_windows(examples: Examples, layout: Layout, positions: int, train: Train) -> Windows:
    """The windows of all records; of pairs, which are never cut apart, how much of each half fits."""
    limit = min(positions, train.max_length or positions)
    room = layout.room(limit, paired=examples.symbols_b is not None)
    if room < 1:
        raise DataError(f"{limit} positions hold no symbol beside the special tokens", expected="a larger max_length")
    if examples.symbols_b is None:
        return plan_windows(
            examples.symbols.lengths,
            room=room,
            overlap=train.window_overlap,
            max_windows=train.max_windows,
            too_long=train.too_long,
            ids=examples.ids,
        )
    return _fit_pairs(examples.symbols.lengths, examples.symbols_b.lengths, room, train, examples.ids)


def _fit_pairs(a: NDArray[np.int64], b: NDArray[np.int64], room: int, train: Train, ids: Sequence[str]) -> Windows:
    """Each pair in one window: `stop` is what is kept of the first, `own_stop` of the second, longest cut first."""
    beyond = np.flatnonzero(a + b > room)
    if len(beyond) and train.too_long == "error":
        first = int(beyond[0])
        raise DataError(
            f"record {ids[first]!r} is a pair of {a[first]} and {b[first]} symbols, which do not fit in {room}"
            + (f" ({len(beyond)} pairs are too long)" if len(beyond) > 1 else ""),
            expected="pairs that fit the backbone's positions, since halves are not read apart",
            mend="--set train.too_long=truncate",
        )
    kept_a = np.minimum(a, np.maximum(room - b, room - room // 2))
    kept_b = np.minimum(b, room - kept_a)
    zeros = np.zeros_like(a)
    return Windows(np.arange(len(a) + 1), zeros, kept_a, zeros, kept_b, len(beyond))
