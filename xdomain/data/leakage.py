"""Leakage: find sequences that are in two splits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xdomain.core.sequences import Ragged

PAIRS = (("train", "test"), ("train", "valid"), ("valid", "test"))
EXAMPLES = 3

Sequences = Ragged | Sequence[str] | pa.Array | pa.ChunkedArray
Flip = Callable[[Any], Any]


@dataclass(frozen=True)
class Overlap:
    """The sequences that two splits share.

    Parameters
    ----------
    first, second
        Names of the splits.
    exact
        Number of distinct sequences that are in both splits unchanged.
    reverse_complement
        Number of distinct sequences that are in both splits, but only on opposite strands.
    records
        Number of records of `first` and of `second` that have one of these sequences.
    examples
        For up to `EXAMPLES` shared sequences, the id of a record in `first` and of one in `second`.
    """

    first: str
    second: str
    exact: int = 0
    reverse_complement: int = 0
    records: tuple[int, int] = (0, 0)
    examples: tuple[tuple[str, str], ...] = ()

    @property
    def sequences(self) -> int:
        """Number of distinct sequences that are shared, on either strand."""
        return self.exact + self.reverse_complement


@dataclass(frozen=True)
class Leakage:
    """The overlaps of all pairs of splits, in the order of `PAIRS`."""

    overlaps: tuple[Overlap, ...]

    def between(self, first: str, second: str) -> Overlap:
        """The overlap of the splits `first` and `second`, in either order."""
        return next(overlap for overlap in self.overlaps if {overlap.first, overlap.second} == {first, second})

    def lines(self) -> list[str]:
        """One sentence for each pair of splits that share sequences."""
        sentences: list[str] = []
        for overlap in self.overlaps:
            if not overlap.sequences:
                continue
            many = f"{_count(overlap.sequences, 'sequence')} {'are' if overlap.sequences > 1 else 'is'}"
            flipped = overlap.reverse_complement
            strands = f", {flipped:,} of them as reverse complement" * bool(flipped)
            sentences.append(
                f"{many} in both {overlap.first} and {overlap.second}{strands} "
                f"({_count(overlap.records[0], 'record')} of {overlap.first}, "
                f"{overlap.records[1]:,} of {overlap.second}; "
                f"first: {' = '.join(overlap.examples[0])})"
            )
        return sentences

    def as_dict(self) -> dict[str, Any]:
        """The overlaps for ``result.json``, by ``first/second``."""
        return {
            f"{overlap.first}/{overlap.second}": {
                "sequences": overlap.sequences,
                "exact": overlap.exact,
                "reverse_complement": overlap.reverse_complement,
                "records": {overlap.first: overlap.records[0], overlap.second: overlap.records[1]},
                "examples": [list(ids) for ids in overlap.examples],
            }
            for overlap in self.overlaps
        }


def leakage(
    sequences: Sequences,
    sequences_b: Sequences | None,
    splits: NDArray[np.str_] | Sequence[str],
    reverse_complement: Flip | None = None,
    *,
    ids: Sequence[str] | None = None,
) -> Leakage:
    """Find sequences that are in two splits, exactly or as reverse complement.

    Parameters
    ----------
    sequences
        n sequences: text, compared case-insensitively, or symbols from an adapter.
    sequences_b
        The second sequences of pairs. Then only equal pairs count, and a pair is on the opposite strand if either of
        its sequences is. None: records of one sequence.
    splits
        Shape (n,): the split of each record; records whose split is empty are ignored.
    reverse_complement
        Maps a sequence to its reverse complement: upper-case text to text, or symbol ids to symbol ids, as in
        `sequences`. None: only exact duplicates count.
    ids
        Of each record, for the examples; None: row numbers from 1.
    """
    firsts = _canonical(sequences, reverse_complement)
    seconds = _canonical(sequences_b, reverse_complement) if sequences_b is not None else None
    # by canonical sequence, then by split: the rows and the strands on which they have it
    seen: dict[Any, dict[str, tuple[list[int], set[Any]]]] = {}
    for row, (name, first) in enumerate(zip(splits, firsts, strict=True)):
        second = next(seconds) if seconds is not None else (b"", True)
        if name:
            place = seen.setdefault((first[0], second[0]), {})
            rows, strands = place.setdefault(str(name), ([], set()))
            rows.append(row)
            strands.add((first[1], second[1]))
    shared = [place for place in seen.values() if len(place) > 1]
    return Leakage(tuple(_overlap(first, second, shared, ids) for first, second in PAIRS))


def _overlap(first: str, second: str, shared: list[dict[str, Any]], ids: Sequence[str] | None) -> Overlap:
    exact = flipped = here = there = 0
    examples: list[tuple[str, str]] = []
    for place in shared:
        if first not in place or second not in place:
            continue
        (rows, strands), (others, other_strands) = place[first], place[second]
        if strands & other_strands:
            exact += 1
        else:
            flipped += 1
        here, there = here + len(rows), there + len(others)
        if len(examples) < EXAMPLES:
            examples.append((_name(rows[0], ids), _name(others[0], ids)))
    return Overlap(first, second, exact, flipped, (here, there), tuple(examples))


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' if number != 1 else ''}"


def _name(row: int, ids: Sequence[str] | None) -> str:
    return ids[row] if ids is not None else str(row + 1)


def _canonical(sequences: Sequences, flip: Flip | None) -> Iterator[tuple[bytes, bool]]:
    """The smaller of each sequence and its reverse complement, and whether that is the sequence itself."""
    for forward, backward in _strands(sequences, flip):
        yield (forward, True) if backward is None or forward <= backward else (backward, False)


def _strands(sequences: Sequences, flip: Flip | None) -> Iterator[tuple[bytes, bytes | None]]:
    if isinstance(sequences, Ragged):
        kind = sequences.values.dtype
        for symbols in sequences:
            yield symbols.tobytes(), None if flip is None else np.asarray(flip(symbols)).astype(kind).tobytes()
        return
    column: Any = sequences
    for text in column.to_pylist() if isinstance(column, pa.Array | pa.ChunkedArray) else column:
        upper = text.upper()
        yield upper.encode(), None if flip is None else flip(upper).encode()
