"""Turn records into padded tensors: cut into windows, in the layout that the backbone expects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from xdomain.core.choices import PER_SYMBOL
from xdomain.core.errors import DataError
from xdomain.core.sequences import Ids, Ragged
from xdomain.core.train_options import Train
from xdomain.data.dataset import Examples
from xdomain.data.known_labels import IGNORED
from xdomain.data.windows import Windows, answer_held, plan_windows

Pieces = tuple[NDArray[np.int64], ...]
MEGABATCH = 50
"""Batches that are sorted by length together: enough to reduce padding, few enough to keep the order random."""


@dataclass(frozen=True)
class SpecialTokenLayout:
    """Where the special tokens go: ``start a end`` or ``start a middle b end``, as vocabulary rows.

    Parameters
    ----------
    start, middle, end
        Rows before the first sequence, between the two, and after the last.
    pad
        Row of the padding.
    second_type
        Token type of b and what follows it; None where the backbone has no token types.
    """

    start: tuple[int, ...]
    middle: tuple[int, ...]
    end: tuple[int, ...]
    pad: int
    second_type: int | None

    def room(self, positions: int, *, paired: bool) -> int:
        """Symbols that fit in `positions` beside the special tokens; `paired` adds those between two sequences."""
        return positions - len(self.start) - len(self.end) - (len(self.middle) if paired else 0)

    def rows(self) -> tuple[int, ...]:
        """The rows of the special tokens, each once, without the padding."""
        return tuple(dict.fromkeys((*self.start, *self.middle, *self.end)))

    def moved(self, compact: Ids) -> SpecialTokenLayout:
        """The same layout with row r replaced by ``compact[r]``; `compact` has shape (v,)."""
        start, middle, end = (tuple(int(compact[r]) for r in part) for part in (self.start, self.middle, self.end))
        return SpecialTokenLayout(start, middle, end, int(compact[self.pad]), self.second_type)


class Indices(Dataset[int]):
    """The data set of a loader: record numbers, which a `Collator` turns into tensors.

    Parameters
    ----------
    indices
        Shape (n,): the record numbers.
    """

    def __init__(self, indices: NDArray[np.int64]) -> None:
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, item: int) -> int:
        """The record number at position `item`; for ``~item``, its complement (see `LengthGrouped`)."""
        return int(self.indices[item]) if item >= 0 else ~int(self.indices[~item])


class LengthGrouped(Sampler[int]):
    """Records in random order, grouped by similar length. The order depends only on seed and epoch.

    Parameters
    ----------
    lengths
        Shape (n,): symbols of each record.
    batch_size
        Records per batch.
    seed
        Of the random order, together with the epoch.
    epoch
        Returns the current epoch. Called at the start of each pass, so that a resumed run continues in the same order.
    fill
        Whether to fill up a last, incomplete batch with the complement ``~r`` of one of its records r, to which a
        `Collator` gives no labels. Processes that share a batch need equally many records each.
    chances
        Shape (n,): the probability of each record to be drawn, n times with replacement; None: each comes once.
    """

    def __init__(
        self,
        lengths: NDArray[np.int64],
        batch_size: int,
        seed: int,
        epoch: Callable[[], int],
        *,
        fill: bool = False,
        chances: NDArray[np.float64] | None = None,
    ) -> None:
        self.lengths, self.batch_size, self.seed, self.epoch, self.fill = lengths, batch_size, seed, epoch, fill
        self.chances = chances

    def __len__(self) -> int:
        return len(self.lengths) + (-len(self.lengths) % self.batch_size if self.fill else 0)

    def __iter__(self) -> Iterator[int]:
        rng = np.random.Generator(np.random.PCG64([self.seed, self.epoch()]))
        n = len(self.lengths)
        order = rng.permutation(n) if self.chances is None else rng.choice(n, n, p=self.chances)
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
            if self.fill:
                yield from [~int(batch[-1])] * (self.batch_size - len(batch))


@dataclass(frozen=True)
class Collator:
    """Turn record numbers into a batch.

    Parameters
    ----------
    examples
        All records.
    targets
        `Examples.labels`, or values in their place (standardised ones); None: the batch has no labels.
    rows
        Shape (alphabet,): the embedding row of each symbol.
    layout
        Where the special tokens go.
    windows
        Of all records, see `fit_windows`.
    shares
        `Examples.shares`, for training; None: the batch has no weights.
    change
        Called with a record's number and symbols, returns the symbols to use this time; None: no change. Not used for
        records of two sequences.
    choose
        Called with a record's number, returns its windows to read this time; None: all.
    """

    examples: Examples
    targets: NDArray[Any] | None
    rows: NDArray[np.int64]
    layout: SpecialTokenLayout
    windows: Windows
    shares: NDArray[np.float32] | None = None
    change: Callable[[int, Ids], Ids] | None = None
    choose: Callable[[int], Sequence[int]] | None = None

    def __call__(self, records: Sequence[int]) -> dict[str, Tensor]:
        """The batch of b records in w windows of at most s positions.

        Parameters
        ----------
        records
            Record numbers; ``~r`` stands for record r without labels.

        Returns
        -------
        dict
            labels (b,), or (w, s) for tagging and profiles, or (w, 2) for span; input_ids, attention_mask and, where
            the backbone has token types, token_type_ids, each (w, s); windows (b,), the number of windows of each
            record; owned (w, s): for tagging and profiles the positions to score in this window, for span those that
            hold the passage; with `shares` also weights, (b,), or (w,) where each window has labels.
        """
        unlabelled = np.fromiter((r < 0 for r in records), bool, len(records))
        records = [max(r, ~r) for r in records]
        chosen = [self.choose(r) if self.choose else self.windows.of(r) for r in records]
        places = [(r, w) for r, windows in zip(records, chosen, strict=True) for w in windows]
        batch: dict[str, Any] = self.inputs(places)
        batch["windows"] = np.fromiter(map(len, chosen), np.int64, len(records))
        if self.examples.problem in PER_SYMBOL:
            batch |= self._tagged(places, batch["input_ids"].shape)
        elif self.examples.problem == "span":
            batch |= self._spanned(places, batch["input_ids"].shape)
        elif self.targets is not None:
            batch["labels"] = self.targets[records]
        windowed = self.examples.problem in (*PER_SYMBOL, "span")
        if self.shares is not None:
            batch["weights"] = self.shares[[r for r, _ in places] if windowed else records]
        if unlabelled.any():
            batch["labels"][np.repeat(unlabelled, batch["windows"]) if windowed else unlabelled] = IGNORED
        return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in batch.items()}

    def inputs(self, places: Sequence[tuple[int, int]]) -> dict[str, NDArray[Any]]:
        """What a model reads of windows, those of a record one after another.

        Parameters
        ----------
        places
            Pairs of record and window.

        Returns
        -------
        dict
            input_ids, attention_mask and, where the backbone has them, token_type_ids, each (w, s).
        """
        sequences = {r: self.rows[self._symbols(r)] for r in dict.fromkeys(r for r, _ in places)}
        ids, mask, types = _padded([self._pieces(sequences, r, w) for r, w in places], self.layout)
        given = {"input_ids": ids, "attention_mask": mask}
        return given if types is None else given | {"token_type_ids": types}

    def _symbols(self, record: int) -> Ids:
        """The sequence of a record that is cut into windows: of two, the second."""
        second = self.examples.symbols_b
        if second is not None:
            return second[record]
        symbols = self.examples.symbols[record]
        return self.change(record, symbols) if self.change else symbols

    def _pieces(self, sequences: dict[int, NDArray[np.int64]], record: int, window: int) -> Pieces:
        plan = self.windows
        piece = sequences[record][plan.start[window] : plan.stop[window]]
        if plan.first is None:
            return (piece,)
        return self.rows[self.examples.symbols[record][: plan.first[record]]], piece

    def _tagged(self, places: Sequence[tuple[int, int]], shape: tuple[int, ...]) -> dict[str, NDArray[Any]]:
        plan, offsets, before = self.windows, self.examples.symbols.offsets, len(self.layout.start)
        owned = np.zeros(shape, bool)
        labels = np.full(shape, IGNORED, np.int64 if self.targets is None else self.targets.dtype)
        for row, (r, w) in enumerate(places):
            first, last = plan.own_start[w], plan.own_stop[w]
            here = slice(before + first - plan.start[w], before + last - plan.start[w])
            owned[row, here] = True
            if self.targets is not None:
                labels[row, here] = self.targets[offsets[r] + first : offsets[r] + last]
        return {"labels": labels, "owned": owned}

    def _spanned(self, places: Sequence[tuple[int, int]], shape: tuple[int, ...]) -> dict[str, NDArray[Any]]:
        """Labels are the first and last position of the answer, or 0, the start token, where the window has none."""
        plan, joints = self.windows, len(self.layout.start) + len(self.layout.middle)
        owned = np.zeros(shape, bool)
        labels = np.zeros((len(places), 2), np.int64)
        for row, (r, w) in enumerate(places):
            before = joints + (plan.first[r] if plan.first is not None else 0)
            owned[row, before : before + plan.stop[w] - plan.start[w]] = True
            if self.targets is not None:
                held = answer_held(plan, w, self.targets[r])
                if held != "none":
                    labels[row] = self.targets[r] - (0, 1) - plan.start[w] + before if held == "whole" else IGNORED
        return {"labels": labels, "owned": owned} if self.targets is not None else {"owned": owned}

    def lengths(self) -> NDArray[np.int64]:
        """Shape (n,): symbols of every record; for a pair, of both sequences together."""
        second = self.examples.symbols_b
        return self.examples.symbols.lengths + (second.lengths if second is not None else 0)

    def grouping(self) -> NDArray[np.int64]:
        """Shape (n,): by what records are brought together in batches of `LengthGrouped`: what each costs."""
        return self.costs()

    def costs(self) -> NDArray[np.int64]:
        """Shape (n,): symbols of every record that are read in one epoch of training."""
        plan = self.windows
        if self.examples.problem != "span" or plan.first is None:
            return self.lengths()
        windows = np.diff(plan.offsets)  # training reads at most two of them, see `training_windows`
        each = plan.first + np.add.reduceat(plan.stop - plan.start, plan.offsets[:-1]) // windows
        lacking = self.targets is not None and self.targets[:, 1] < 0  # of which it reads one
        return each * np.minimum(windows, np.where(lacking, 1, 2))


def _padded(
    pieces: Sequence[Pieces], layout: SpecialTokenLayout
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


def fit_windows(examples: Examples, layout: SpecialTokenLayout, positions: int, train: Train) -> Windows:
    """Plan the windows of all records.

    A pair is read in one window and never split over several. A passage is cut into windows, each with the whole
    question before it.

    Parameters
    ----------
    examples
        All records.
    layout
        The special tokens that a window must hold too.
    positions
        Positions of the backbone, special tokens included; `train.max_length` may lower it.
    train
        Its `max_length`, `window_overlap`, `max_windows` and `too_long` apply.

    Raises
    ------
    DataError
        The positions hold no symbol, or a record is too long and `train.too_long` is "error".
    """
    limit = min(positions, train.max_length or positions)
    second = examples.symbols_b
    room = layout.room(limit, paired=second is not None)
    if room < 1 + (second is not None):
        raise DataError(f"{limit} positions hold no symbol beside the special tokens", expected="a larger max_length")
    if second is None:
        return _planned(examples.symbols.lengths, room, train, examples.ids)
    if examples.problem == "span":
        return _fit_passages(examples.symbols, second, room, train, examples.ids)
    return _fit_pairs(examples.symbols.lengths, second.lengths, room, train, examples.ids)


def _planned(lengths: NDArray[np.int64], room: int | NDArray[np.int64], train: Train, ids: Sequence[str]) -> Windows:
    return plan_windows(
        lengths,
        room=room,
        overlap=train.window_overlap,
        max_windows=train.max_windows,
        too_long=train.too_long,
        ids=ids,
    )


def _fit_passages(questions: Ragged, passages: Ragged, room: int, train: Train, ids: Sequence[str]) -> Windows:
    """The windows of passages. A question takes at most half of a window."""
    asked = questions.lengths
    beyond = np.flatnonzero(asked > room // 2)
    if len(beyond) and train.too_long == "error":
        first = int(beyond[0])
        raise DataError(
            f"the question of record {ids[first]!r} has {asked[first]} symbols, more than half of a window of {room}"
            + (f" ({len(beyond)} questions are too long)" if len(beyond) > 1 else ""),
            expected="questions that leave as much room for the passage",
            fix="--set train.too_long=truncate, or a backbone with more positions",
        )
    kept = np.minimum(asked, room // 2)
    plan = _planned(passages.lengths, room - kept, train, ids)
    return replace(plan, first=kept, truncated=plan.truncated + len(beyond))


def _fit_pairs(a: NDArray[np.int64], b: NDArray[np.int64], room: int, train: Train, ids: Sequence[str]) -> Windows:
    """One window per pair. If a pair does not fit, its longer half is truncated first."""
    beyond = np.flatnonzero(a + b > room)
    if len(beyond) and train.too_long == "error":
        first = int(beyond[0])
        raise DataError(
            f"record {ids[first]!r} is a pair of {a[first]} and {b[first]} symbols, which do not fit in {room}"
            + (f" ({len(beyond)} pairs are too long)" if len(beyond) > 1 else ""),
            expected="pairs that fit the backbone's positions, since halves are not read apart",
            fix="--set train.too_long=truncate",
        )
    kept_a = np.minimum(a, np.maximum(room - b, room - room // 2))
    kept_b = np.minimum(b, room - kept_a)
    zeros = np.zeros_like(a)
    return Windows(np.arange(len(a) + 1), zeros, kept_b, zeros, kept_b, len(beyond), kept_a)
