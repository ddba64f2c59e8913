"""Random numbers for made-up sequences: those of sequence i depend on the seed and on i alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

LENGTHS, PARTS, TOKENS, ORDER, STEPS, POOL, TABLE, RACE, AGAIN = range(1, 10)
"""Streams of their own, so that what one of them is asked for does not move another. AGAIN and beyond: more tokens."""
LONGEST = 2**16 - 2
"""Tokens of the longest sequence: positions are packed into 16 bits, and one more is made where one is cut off."""


def stream_words(stream: int, seed: int, columns: int, first: int, count: int) -> Words:
    """Shape (count, columns): the raw words of sequences ``first`` to ``first + count``.

    A stream is one run of a PCG64, of which sequence i owns the words from ``i * columns`` on. numpy keeps raw
    words from version to version, but not what its `Generator` makes of them (NEP 19).
    """
    source = np.random.PCG64([stream, columns, seed]).advance(first * columns)
    return source.random_raw(count * columns).reshape(count, columns)


@dataclass(frozen=True, eq=False)
class Draws:
    """What some sequences are made from.

    Parameters
    ----------
    seed
        ≥ 0.
    first, count
        The range of sequences that these are of.
    rows
        Shape (rows,): which of the range, counted from `first`, growing.
    lengths
        Shape (rows,): tokens that each may have.
    width
        Tokens that any sequence of the corpus may have; a row's words depend on it, not on its neighbours.
    distinct
        Whether tokens that stand for pairs must differ within a sequence.
    """

    seed: int
    first: int
    count: int
    rows: Integers
    lengths: Integers
    width: int
    distinct: bool

    def words(self, stream: int, columns: int) -> Words:
        """Shape (rows, columns)."""
        drawn = stream_words(stream, self.seed, columns, self.first, self.count)
        return drawn if len(self.rows) == self.count else drawn[self.rows]

    def words_of(self, row: int, stream: int, columns: int) -> Words:
        """Shape (columns,): those of one row."""
        return stream_words(stream, self.seed, columns, self.first + int(self.rows[row]), 1)[0]

    def upto(self, lengths: Integers) -> Flags:
        """Shape (rows, width): the places of sequences of `lengths` tokens."""
        return np.arange(self.width) < lengths[:, None]


@dataclass(frozen=True, eq=False)
class Grid:
    """Sequences side by side.

    Parameters
    ----------
    values
        Shape (rows, columns): tokens, and anything where `used` is false.
    used
        Shape (rows, columns): a row's sequence is ``values[row, used[row]]``.
    """

    values: NDArray[np.integer[Any]]
    used: Flags


def units(words: Words) -> NDArray[np.float64]:
    """In [0, 1), from the upper 53 bits."""
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def below(words: Words, limit: int | Integers) -> Integers:
    """In [0, limit), from the upper 32 bits; no number's share is off by more than 2**-32."""
    return (((words >> np.uint64(32)) * np.asarray(limit, np.uint64)) >> np.uint64(32)).astype(np.int64)


def order(words: Words, groups: Integers, used: Flags) -> Integers:
    """Shape (rows, columns): the columns in random order inside each group, unused ones last.

    Parameters
    ----------
    words
        Shape (rows, columns): random words that decide the order.
    groups
        Shape (columns,): growing numbers below 2**16 - 1.
    used
        Shape (rows, columns): which columns a row uses.
    """
    columns = np.arange(words.shape[1], dtype=np.uint64)
    group = np.where(used, groups.astype(np.uint64), np.uint64(2**16 - 1))
    keys = group << np.uint64(48) | (words >> np.uint64(32)) << np.uint64(16) | columns
    keys.sort(axis=1)
    return (keys & np.uint64(2**16 - 1)).astype(np.int64)


def first_seen(values: Integers) -> Flags:
    """Shape as `values`: whether a row's value has not come before in that row. Values are below 2**32."""
    columns = np.arange(values.shape[1])
    bits = values.shape[1].bit_length()
    keys = np.sort(values << bits | columns, axis=1)
    new = np.ones(values.shape, bool)
    new[:, 1:] = keys[:, 1:] >> bits != keys[:, :-1] >> bits
    seen = np.empty(values.shape, bool)
    np.put_along_axis(seen, keys & ((1 << bits) - 1), new, axis=1)
    return seen
