"""Batches for models that write a sequence: what goes in, and what is to come out, moved by one position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xdomain.core.errors import DataError
from xdomain.core.train_options import Train
from xdomain.data.collate import Collator, SpecialTokenLayout
from xdomain.data.dataset import Examples
from xdomain.data.known_labels import IGNORED
from xdomain.data.outputs import Outputs
from xdomain.data.windows import Windows


def frame_of(layout: SpecialTokenLayout) -> tuple[int, int]:
    """The rows of the tokens before and after an output: by `layout` those around a sequence, or else between two."""
    return (layout.start or layout.middle)[0], (layout.end or layout.middle)[-1]


@dataclass(frozen=True)
class SequenceCollator(Collator):
    """A `Collator` for the problem ``sequence``; each record has one window.

    Parameters
    ----------
    prefix
        Whether one model reads the input, a separator, and goes on with the output, as decoders do. Otherwise an
        encoder reads the input, and a decoder writes the output.
    """

    prefix: bool = False

    @property
    def outputs(self) -> Outputs:
        """What is to come out of the records."""
        if self.examples.outputs is None:
            raise ValueError(f"the problem {self.examples.problem} has no outputs")
        return self.examples.outputs

    @property
    def target_rows(self) -> NDArray[np.int64]:
        """The row of each symbol that may come out, in the order of the target's own alphabet."""
        first = self.outputs.first
        return self.rows[first : first + len(self.outputs.adapter.alphabet)]

    def __call__(self, records: Sequence[int]) -> dict[str, Tensor]:
        """The batch to learn b records from.

        Parameters
        ----------
        records
            Record numbers; ``~r`` stands for record r without labels.

        Returns
        -------
        dict
            input_ids and attention_mask (b, s); labels (b, t), or with `prefix` (b, s): at each position the row of
            the token that comes next, `IGNORED` where none is to be learned; without `prefix` also decoder_input_ids
            (b, t); with `shares` also weights (b,).
        """
        start, end = frame_of(self.layout)
        numbers = [max(r, ~r) for r in records]
        heads = [self._prompt(r) for r in numbers]
        tails = [np.append(self.target_rows[self.outputs.targets()[r]], end) for r in numbers]
        lines = [np.concatenate(both) for both in zip(heads, tails, strict=True)] if self.prefix else heads
        batch: dict[str, Any] = self._padded(lines)
        if self.prefix:  # the last token of the prompt is followed by the first of the output
            nexts = [np.append(np.full(len(a) - 1, IGNORED), b) for a, b in zip(heads, tails, strict=True)]
        else:
            nexts = tails
            fed = [np.append(start, tail[:-1]) for tail in tails]
            batch["decoder_input_ids"] = _filled(fed, self.layout.pad)
        batch["labels"] = _filled(nexts, IGNORED, batch["input_ids"].shape[1] if self.prefix else 0)
        if self.shares is not None:
            batch["weights"] = self.shares[numbers]
        batch["labels"][np.array(records) < 0] = IGNORED
        return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in batch.items()}

    def prompts(self, records: Sequence[int]) -> dict[str, Tensor]:
        """What the model reads of `records` to write outputs: input_ids and attention_mask (b, s).

        With `prefix` the padding stands on the left, so that all outputs begin at the same position.
        """
        batch = self._padded([self._prompt(r) for r in records], left=self.prefix)
        return {name: torch.from_numpy(array) for name, array in batch.items()}

    def lengths(self) -> NDArray[np.int64]:
        """Shape (n,): symbols of every record, of what goes in and, where that is known, of what is to come out."""
        symbols = self.outputs.symbols
        return self.examples.symbols.lengths + (0 if symbols is None else symbols.lengths)

    def grouping(self) -> NDArray[np.int64]:
        """Shape (n,): alike for all. Batches of one length each would teach where to look for that length alone.

        A decoder that goes on after its input then learns several times as slowly.
        """
        return np.zeros(len(self.examples), np.int64)

    def _prompt(self, record: int) -> NDArray[np.int64]:
        kept = int(self.windows.stop[record])
        after = self.layout.middle if self.prefix else self.layout.end
        return np.concatenate([self.layout.start, self.rows[self.examples.symbols[record][:kept]], after]).astype(
            np.int64
        )

    def _padded(self, lines: Sequence[NDArray[np.int64]], *, left: bool = False) -> dict[str, NDArray[np.int64]]:
        ids = _filled(lines, self.layout.pad, left=left)
        mask = _filled([np.ones_like(line) for line in lines], 0, left=left)
        return {"input_ids": ids, "attention_mask": mask}


def _filled(lines: Sequence[NDArray[np.int64]], value: int, width: int = 0, *, left: bool = False) -> NDArray[np.int64]:
    """Shape (b, s): `lines` filled up with `value` to one width, at least `width`, on their right or `left`."""
    width = max(width, *map(len, lines))
    filled = np.full((len(lines), width), value, np.int64)
    for row, line in enumerate(lines):
        filled[row, width - len(line) if left else 0 : width if left else len(line)] = line
    return filled


def fit_sequences(
    examples: Examples, layout: SpecialTokenLayout, positions: int, train: Train, *, longest: int, prefix: bool
) -> Windows:
    """Plan one window for what goes in of each record.

    Parameters
    ----------
    examples
        All records.
    layout
        The special tokens that a window must hold too.
    positions
        Positions of the backbone, special tokens included; `train.max_length` may lower it.
    train
        Its `max_length` and `too_long` apply.
    longest
        Symbols of the longest output that is learned or may be written.
    prefix
        As for `SequenceCollator`: input and output then share the positions.

    Raises
    ------
    DataError
        An output does not fit, or an input does not and `train.too_long` is "error".
    """
    limit = min(positions, train.max_length or positions)
    room = limit - len(layout.start) - len(layout.end)
    if prefix:
        room = limit - len(layout.start) - len(layout.middle) - longest - 1
    if longest + 1 > limit or room < 1:
        raise DataError(
            f"outputs of up to {longest:,} symbols do not fit in {limit} positions" + (" beside an input" * prefix),
            expected="shorter outputs, or a backbone with more positions",
            fix="--set train.max_output=N, if longer targets are not in train",
        )
    lengths = examples.symbols.lengths
    beyond = np.flatnonzero(lengths > room)
    if len(beyond) and train.too_long == "error":
        first = int(beyond[0])
        raise DataError(
            f"record {examples.ids[first]!r} has {lengths[first]:,} symbols, more than the {room} that fit"
            + (f" ({len(beyond):,} records are too long)" if beyond[1:].size else ""),
            expected="inputs that are read as a whole, since an output is written once",
            fix="--set train.too_long=truncate, or a backbone with more positions",
        )
    kept = np.minimum(lengths, room)
    zeros = np.zeros_like(kept)
    return Windows(np.arange(len(kept) + 1), zeros, kept, zeros, kept, len(beyond))
