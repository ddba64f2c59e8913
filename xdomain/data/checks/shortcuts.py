"""Shortcuts: classes that a part of the record gives away, such as one side of a pair, or the length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xdomain.core.sequences import Ragged
from xdomain.data.checks.contradictions import contents
from xdomain.data.dataset import Examples

STRIKING = 0.5
"""Share of the errors of a constant answer that a shortcut must avoid to be told."""
MIN_SAVED_ERRORS = 10
"""Number of errors that it must avoid at least."""
BINS = 32
"""Ranges of length, each with about as many records."""


@dataclass(frozen=True)
class Shortcut:
    """How often a majority vote over the other training records with the same property is right.

    Parameters
    ----------
    by
        The property: ``sequence``, ``sequence_b``, ``length of sequence`` or ``length of sequence_b``.
    right
        Number of training records for which the vote is right; `constant` where that is more.
    constant
        Number of training records of the most frequent class.
    records
        Number of training records.
    """

    by: str
    right: int
    constant: int
    records: int

    @property
    def striking(self) -> bool:
        """Whether the vote avoids `STRIKING` of the errors of the most frequent class, `MIN_SAVED_ERRORS` or more."""
        fewer = self.right - self.constant
        return fewer >= MIN_SAVED_ERRORS and fewer >= STRIKING * (self.records - self.constant)

    def as_dict(self) -> dict[str, float]:
        """The shares of training records for ``result.json``."""
        return {"right": self.right / self.records, "most_frequent": self.constant / self.records}

    def line(self, kind: str) -> str:
        """A sentence on it; `kind` is what the records are, ``record`` or ``pair``."""
        right, constant = (f"{100 * part / self.records:.0f} %" for part in (self.right, self.constant))
        return (
            f"a majority vote by {self.by} alone is right on {right} of the training {kind}s "
            f"(the most frequent class: {constant}): a model may ignore all else"
        )


def shortcuts(examples: Examples) -> tuple[Shortcut, ...]:
    """The shortcuts that there may be, striking or not: of pairs each sequence; its length for classes of any records.

    The votes are among training records, each without the record's own label. A record without others like it is given
    the most frequent class.

    Parameters
    ----------
    examples
        All records, with labels. Problems other than classification and pair have none.
    """
    labels, train = examples.labels, examples.indices("train")
    if examples.problem not in ("classification", "pair") or labels is None or not len(train):
        return ()
    sides = {"sequence": examples.symbols.take(train)}
    properties: dict[str, NDArray[np.int64]] = {}
    if examples.symbols_b is not None:
        sides["sequence_b"] = examples.symbols_b.take(train)
        properties |= {name: contents(side) for name, side in sides.items()}
    properties |= {f"length of {name}": _length_ranges(side) for name, side in sides.items()}
    classes = labels[train].astype(np.int64)
    constant = int(np.bincount(classes).max())
    return tuple(
        Shortcut(name, max(vote_right(values, classes), constant), constant, len(train))
        for name, values in properties.items()
    )


def vote_right(values: NDArray[np.int64], classes: NDArray[np.int64]) -> int:
    """For how many records the most frequent class among the other records of the same value is the right one.

    Parameters
    ----------
    values
        Shape (n,): a property of each record, 0 or more.
    classes
        Shape (n,): the class of each record, 0 or more. On a tie the more frequent of all records is voted for.
    """
    sizes = np.bincount(classes)
    rank = np.empty(len(sizes), np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    codes, counts = np.unique(values * len(sizes) + rank[classes], return_counts=True)
    value, place = np.divmod(codes, len(sizes))
    order = np.lexsort((place, -counts, value))  # of each value the most frequent class first
    value, place, counts = value[order], place[order], counts[order]
    firsts = np.flatnonzero(np.concatenate(([True], value[1:] != value[:-1])))
    nexts = np.minimum(firsts + 1, len(value) - 1)
    has_next = (nexts > firsts) & (value[nexts] == value[firsts])
    # a value without a second class competes with the most frequent class of all
    rival = np.where(has_next, counts[nexts], 0)
    rival_place = np.where(has_next, place[nexts], 0)
    left = counts[firsts] - 1  # without the record's own label
    wins = (left > rival) | ((left == rival) & (place[firsts] <= rival_place))
    return int(counts[firsts][wins].sum())


def _length_ranges(side: Ragged) -> NDArray[np.int64]:
    """Shape (n,): the number of the range of each sequence's length."""
    edges = np.unique(np.quantile(side.lengths, np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.searchsorted(edges, side.lengths, side="right").astype(np.int64)
