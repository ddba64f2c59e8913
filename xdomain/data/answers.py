"""Answers as spans of their passages: in the passage's own coordinate (seconds, characters, nt) and in symbols."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xdomain.core.errors import DataError
from xdomain.core.sequences import Ragged

Spans = NDArray[np.float64]
NONE = -1
"""First symbol and end of an answer that is not there."""


@dataclass(frozen=True)
class Answers:
    """The references of n questions: none where the passage holds no answer, several if several people have answered.

    Parameters
    ----------
    offsets
        Shape (n + 1,): the references of question i are ``offsets[i]:offsets[i + 1]``.
    spans
        Shape (m, 2): half-open, in the passage's own coordinate: seconds, characters, nt.
    symbols
        Shape (m, 2): the same spans in symbols of the passage, half-open.
    chosen
        Shape (n,): the row of the reference to learn from: the most frequent one, or the first of several; -1 where
        there is none.
    """

    offsets: NDArray[np.int64]
    spans: Spans
    symbols: NDArray[np.int64]
    chosen: NDArray[np.int64]

    @property
    def learned(self) -> NDArray[np.int64]:
        """Shape (n, 2): the answers to learn from, in symbols, half-open; `NONE` twice where there is none."""
        return np.concatenate([self.symbols, [(NONE, NONE)]])[self.chosen]  # of which -1 is the last row

    @property
    def lacking(self) -> NDArray[np.bool_]:
        """Shape (n,): whether a question has no answer."""
        return self.chosen < 0

    def references(self, records: NDArray[np.int64]) -> Spans:
        """Shape (records, most references, 2): the spans of `records`, padded with NaN where there are fewer."""
        counts = np.diff(self.offsets)[records]
        padded = np.full((len(records), max(1, int(counts.max(initial=0))), 2), np.nan)
        for row, record in enumerate(records):
            padded[row, : counts[row]] = self.spans[self.offsets[record] : self.offsets[record + 1]]
        return padded


def place_answers(column: pa.Array, passages: Ragged, edges: Spans, ids: Sequence[str]) -> Answers:
    """Locate the answers of a table in the symbols of their passages.

    Parameters
    ----------
    column
        Type list<struct<start, end>>: the references of each question, one row per question.
    passages
        The symbols of each passage.
    edges
        Shape (symbols of all passages, 2): start and end of each symbol, see `HasSpans.spans`.
    ids
        Of each record; error messages name it.

    Raises
    ------
    DataError
        An answer reaches beyond its passage.
    """
    offsets = column.offsets.to_numpy().astype(np.int64)
    offsets = offsets - offsets[0]
    flat = column.flatten()
    spans = np.column_stack([flat.field(name).to_numpy(zero_copy_only=False) for name in ("start", "end")])
    symbols = np.zeros((len(spans), 2), np.int64)
    chosen = np.zeros(len(column), np.int64)
    for record, name in enumerate(ids):
        own = edges[passages.offsets[record] : passages.offsets[record + 1]]
        rows = range(offsets[record], offsets[record + 1])
        for row in rows:
            _check_inside(spans[row], own, name)
            symbols[row] = to_symbols(spans[row], own)
        often = Counter(tuple(spans[row]) for row in rows)
        chosen[record] = max(rows, key=lambda row: (often[tuple(spans[row])], -row), default=-1)
    return Answers(offsets, spans, symbols, chosen)


def to_symbols(span: Spans, edges: Spans) -> tuple[int, int]:
    """The run of symbols whose borders are nearest to those of a span; at least the symbol that holds its middle.

    Parameters
    ----------
    span
        Start and end, half-open, in the coordinate of `edges`.
    edges
        Shape (symbols, 2): start and end of each symbol of the passage, ascending.

    Returns
    -------
    tuple
        First symbol and end, half-open.
    """
    first, last = _nearest(edges[:, 0], span[0]), _nearest(edges[:, 1], span[1])
    if first > last:
        first = last = min(int(np.searchsorted(edges[:, 1], span.mean(), side="right")), len(edges) - 1)
    return first, last + 1


def _nearest(sorted_values: Spans, value: float) -> int:
    """The index of the nearest of ascending values; of two equally near ones, the lower."""
    after = int(np.searchsorted(sorted_values, value))
    if after == 0:
        return 0
    if after == len(sorted_values):
        return after - 1
    return after - int(value - sorted_values[after - 1] <= sorted_values[after] - value)


def _check_inside(span: Spans, edges: Spans, name: str) -> None:
    """Refuse a span outside its passage. One symbol of excess is accepted, as clocks and frames do not end together."""
    length = edges[-1, 1]
    slack = float((edges[:, 1] - edges[:, 0]).max())
    if span[0] < 0 or span[0] >= length or span[1] > length + slack:
        raise DataError(
            f"record {name!r}: the answer reaches from {span[0]:g} to {span[1]:g}, but its passage ends at {length:g}",
            expected="answers inside their passages, in the passage's own coordinate (seconds, characters, nt)",
            fix="fix the answer's start and end, or the rate of the units (adapter.options.rate)",
        )
