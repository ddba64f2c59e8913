"""What is known before it is asked: sequences that stand in two splits."""

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
    """What two splits share.

    Parameters
    ----------
    first, second
        Names of the splits.
    exact
        Distinct sequences that are in both as they are.
    reverse_complement
        Distinct sequences that are in both on opposite strands only.
    records
        How many records of `first` and of `second` hold any of these.
    examples
        Ids of the first few, in `first` and in `second`.
    """

    first: str
    second: str
    exact: int = 0
    reverse_complement: int = 0
    records: tuple[int, int] = (0, 0)
    examples: tuple[tuple[str, str], ...] = ()

    @property
    def sequences(self) -> int:
        """Distinct sequences that are shared, on whichever strand."""
        return self.exact + self.reverse_complement


@dataclass(frozen=True)
class Leakage:
    """What each two of the splits share, in the order of `PAIRS`."""

    overlaps: tuple[Overlap, ...]

    def between(self, first: str, second: str) -> Overlap:
        """The overlap of two splits, as in ``between("train", "test")``."""
        return next(found for found in self.overlaps if {found.first, found.second} == {first, second})

    def lines(self) -> list[str]:
        """A sentence for each two splits that share anything."""
        told: list[str] = []
        for found in self.overlaps:
            if not found.sequences:
                continue
            many = f"{_count(found.sequences, 'sequence')} {'are' if found.sequences > 1 else 'is'}"
            strands = f", {found.reverse_complement:,} of them as reverse complement" * bool(found.reverse_complement)
            told.append(
                f"{many} in both {found.first} and {found.second}{strands} "
                f"({_count(found.records[0], 'record')} of {found.first}, {found.records[1]:,} of {found.second}; "
                f"first: {' = '.join(found.examples[0])})"
            )
        return told

    def as_dict(self) -> dict[str, Any]:
        """For ``result.json``: by ``first/second``."""
        return {
            f"{found.first}/{found.second}": {
                "sequences": found.sequences,
                "exact": found.exact,
                "reverse_complement": found.reverse_complement,
                "records": {found.first: found.records[0], found.second: found.records[1]},
                "examples": [list(ids) for ids in found.examples],
            }
            for found in self.overlaps
        }


def leakage(
    sequences: Sequences,
    sequences_b: Sequences | None,
    splits: NDArray[np.str_] | Sequence[str],
    reverse_complement: Flip | None = None,
    *,
    ids: Sequence[str] | None = None,
) -> Leakage:
    """Sequences that are in two splits, exactly or as reverse complement.

    Parameters
    ----------
    sequences
        n sequences: text, compared without regard to case, or the symbols that an adapter made of it.
    sequences_b
        The second ones of pairs: then only equal pairs count, and a pair is on the opposite strand where either is.
    splits
        Shape (n,); records of no split are passed over.
    reverse_complement
        Of one sequence, as `sequences` holds it: upper-case text to text, or symbol ids to symbol ids.
        None: only exact duplicates count.
    ids
        Names for the examples; None: row numbers from 1.
    """
    firsts = _canonical(sequences, reverse_complement)
    seconds = _canonical(sequences_b, reverse_complement) if sequences_b is not None else None
    # by canonical sequence: in each split the rows, and the strands that they show
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
