"""Random numbers for made-up sequences; those of sequence i depend only on the seed and on i."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RawBits = NDArray[np.uint64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

LENGTHS, PARTS, TOKENS, ORDER, STEPS, POOL, TABLE, RACE, AGAIN = range(1, 10)
"""Independent streams: how much is drawn from one does not move another. AGAIN and beyond: more tokens."""
MAX_TOKENS = 2**16 - 2
"""Tokens of the longest sequence: positions are packed into 16 bits, and one more is made where one is cut off."""


def stream_words(stream: int, seed: int, columns: int, first: int, count: int) -> RawBits:
    """Draw the raw words of sequences ``first`` to ``first + count``.

    A stream is one run of a PCG64, in which sequence i owns the words from ``i * columns`` on. numpy keeps raw
    words from version to version, but not what its `Generator` makes of them (NEP 19).

    Parameters
    ----------
    stream
        Number of the stream: LENGTHS, PARTS, ….
    seed
        Seed of the corpus, 0 or more.
    columns
        Words of each sequence. Other numbers of columns are other streams.
    first, count
        The number of the first sequence, and how many sequences.

    Returns
    -------
    numpy.ndarray
        Shape (count, columns), uint64.
    """
    source = np.random.PCG64([stream, columns, seed]).advance(first * columns)
    return source.random_raw(count * columns).reshape(count, columns)


@dataclass(frozen=True, eq=False)
class Draws:
    """The random numbers and sizes from which some sequences are made.

    Parameters
    ----------
    seed
        Seed of the corpus, 0 or more.
    first, count
        A range of sequences: the number of its first, and how many.
    rows
        Shape (rows,): the sequences to make, counted from `first`, increasing.
    lengths
        Shape (rows,): the most tokens that each may have.
    width
        The most tokens that any sequence of the corpus may have. The words of a row depend on it, but not on the
        other rows.
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

    def words(self, stream: int, columns: int) -> RawBits:
        """Shape (rows, columns): the words of all rows in `stream`, `columns` words each."""
        drawn = stream_words(stream, self.seed, columns, self.first, self.count)
        return drawn if len(self.rows) == self.count else drawn[self.rows]

    def words_of(self, row: int, stream: int, columns: int) -> RawBits:
        """Shape (columns,): the words of one `row` in `stream`, `columns` of them."""
        return stream_words(stream, self.seed, columns, self.first + int(self.rows[row]), 1)[0]

    def upto(self, lengths: Integers) -> Flags:
        """Shape (rows, width): true in the first `lengths` places of each row."""
        return np.arange(self.width) < lengths[:, None]


@dataclass(frozen=True, eq=False)
class Grid:
    """Sequences side by side.

    Parameters
    ----------
    values
        Shape (rows, columns): tokens; arbitrary where `used` is false.
    used
        Shape (rows, columns): a row's sequence is ``values[row, used[row]]``.
    """

    values: NDArray[np.integer[Any]]
    used: Flags


def units(words: RawBits) -> NDArray[np.float64]:
    """Numbers in [0, 1), one for each of `words`, from its upper 53 bits."""
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def below(words: RawBits, limit: int | Integers) -> Integers:
    """Integers in [0, `limit`), one for each of `words`, from its upper 32 bits.

    `limit` is below 2**32, one for all or one for each. The probability of a number is off by less than 2**-32.
    """
    return (((words >> np.uint64(32)) * np.asarray(limit, np.uint64)) >> np.uint64(32)).astype(np.int64)


def order(words: RawBits, groups: Integers, used: Flags) -> Integers:
    """Shape (rows, columns): the columns in random order within each group, unused ones last.

    Parameters
    ----------
    words
        Shape (rows, columns): random words that decide the order.
    groups
        Shape (columns,): the group of each column, not decreasing, below 2**16 - 1.
    used
        Shape (rows, columns): which columns a row uses.
    """
    columns = np.arange(words.shape[1], dtype=np.uint64)
    group = np.where(used, groups.astype(np.uint64), np.uint64(2**16 - 1))
    keys = group << np.uint64(48) | (words >> np.uint64(32)) << np.uint64(16) | columns
    keys.sort(axis=1)
    return (keys & np.uint64(2**16 - 1)).astype(np.int64)


def first_seen(values: Integers) -> Flags:
    """Shape as `values`, which are below 2**32: true where a value occurs for the first time in its row."""
    columns = np.arange(values.shape[1])
    bits = values.shape[1].bit_length()
    keys = np.sort(values << bits | columns, axis=1)
    new = np.ones(values.shape, bool)
    new[:, 1:] = keys[:, 1:] >> bits != keys[:, :-1] >> bits
    seen = np.empty(values.shape, bool)
    np.put_along_axis(seen, keys & ((1 << bits) - 1), new, axis=1)
    return seen
