"""Leakage: find sequences, or pairs of them, that are in two splits."""

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
Canonical = tuple[bytes, bool]
"""The smaller of a sequence and its reverse complement, and whether that is the sequence itself."""
Form = tuple[bool, bool, bool]
"""Whether the two sequences of a record stand the other way round, and the strand of each."""


@dataclass(frozen=True)
class Overlap:
    """The sequences that two splits share; for pairs, the pairs.

    Parameters
    ----------
    first, second
        Names of the splits.
    exact
        Number of distinct sequences that are in both splits unchanged.
    reverse_complement
        Number of distinct sequences that are in both splits, but only on opposite strands.
    other_way_round
        Number of distinct pairs that are in both splits, but only as (A, B) in one and (B, A) in the other.
    records
        Number of records of `first` and of `second` that have one of these sequences.
    examples
        For up to `EXAMPLES` shared sequences, the id of a record in `first` and of one in `second`.
    """

    first: str
    second: str
    exact: int = 0
    reverse_complement: int = 0
    other_way_round: int = 0
    records: tuple[int, int] = (0, 0)
    examples: tuple[tuple[str, str], ...] = ()

    @property
    def sequences(self) -> int:
        """Number of distinct sequences or pairs that are shared, on either strand and in either order."""
        return self.exact + self.reverse_complement + self.other_way_round


@dataclass(frozen=True)
class SharedMembers:
    """How many pairs of one split have sequences that another split has too: in any pair, on either side.

    Parameters
    ----------
    first, second
        Names of the splits.
    pairs
        Number of records of `second`.
    one_or_both
        Number of these of which at least one sequence is in `first`.
    both
        Number of these of which both sequences are in `first`.
    """

    first: str
    second: str
    pairs: int
    one_or_both: int
    both: int


@dataclass(frozen=True)
class Leakage:
    """What splits share.

    Parameters
    ----------
    overlaps
        For all pairs of splits, in the order of `PAIRS`.
    members
        The same for the single sequences of pairs; empty where records have one sequence.
    """

    overlaps: tuple[Overlap, ...]
    members: tuple[SharedMembers, ...] = ()

    def between(self, first: str, second: str) -> Overlap:
        """The overlap of the splits `first` and `second`, in either order."""
        return next(overlap for overlap in self.overlaps if {overlap.first, overlap.second} == {first, second})

    def lines(self) -> list[str]:
        """One sentence for each pair of splits that share sequences."""
        sentences: list[str] = []
        what = "pair" if self.members else "sequence"
        for overlap in self.overlaps:
            if not overlap.sequences:
                continue
            many = f"{_count(overlap.sequences, what)} {'are' if overlap.sequences > 1 else 'is'}"
            flipped, turned = overlap.reverse_complement, overlap.other_way_round
            changed = f", {flipped:,} of them as reverse complement" * bool(flipped)
            changed += f", {turned:,} of them the other way round" * bool(turned)
            sentences.append(
                f"{many} in both {overlap.first} and {overlap.second}{changed} "
                f"({_count(overlap.records[0], 'record')} of {overlap.first}, "
                f"{overlap.records[1]:,} of {overlap.second}; "
                f"first: {' = '.join(overlap.examples[0])})"
            )
        return sentences

    def member_lines(self) -> list[str]:
        """A sentence on the test pairs with sequences of train, if there are any."""
        return [
            f"{shared.one_or_both:,} of {_count(shared.pairs, f'{shared.second} pair')} have a sequence that "
            f"{shared.first} has too, {shared.both:,} of them both; to judge by new sequences: --set split.rule=entity"
            for shared in self.members
            if shared.one_or_both and (shared.first, shared.second) == PAIRS[0]
        ]

    def members_as_dict(self) -> dict[str, Any]:
        """The members that are shared for ``result.json``, by ``first/second``; empty for single sequences."""
        return {
            f"{shared.first}/{shared.second}": {
                "pairs": shared.pairs,
                "one_or_both": shared.one_or_both,
                "both": shared.both,
            }
            for shared in self.members
        }

    def as_dict(self) -> dict[str, Any]:
        """The overlaps for ``result.json``, by ``first/second``."""
        return {
            f"{overlap.first}/{overlap.second}": {
                "sequences": overlap.sequences,
                "exact": overlap.exact,
                "reverse_complement": overlap.reverse_complement,
                **({"other_way_round": overlap.other_way_round} if self.members else {}),
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
        The second sequences of pairs. Then only equal pairs count, in either order, and a pair is on the opposite
        strand if either of its sequences is; members that are shared are counted beside. None: records of one sequence.
    splits
        Shape (n,): the split of each record; records whose split is empty are ignored.
    reverse_complement
        Maps a sequence to its reverse complement: upper-case text to text, or symbol ids to symbol ids, as in
        `sequences`. None: only exact duplicates count.
    ids
        Of each record, for the examples; None: row numbers from 1.
    """
    firsts = list(_canonical(sequences, reverse_complement))
    seconds = None if sequences_b is None else list(_canonical(sequences_b, reverse_complement))
    names = [str(name) for name in splits]
    # by sequence or pair, then by split: the rows that have it, and in which forms
    seen: dict[Any, dict[str, tuple[list[int], set[Form]]]] = {}
    for row, name in enumerate(names):
        if name:
            key, form = _content(firsts[row], seconds[row] if seconds else None)
            rows, forms = seen.setdefault(key, {}).setdefault(name, ([], set()))
            rows.append(row)
            forms.add(form)
    shared = [place for place in seen.values() if len(place) > 1]
    overlaps = tuple(_overlap(first, second, shared, ids) for first, second in PAIRS)
    return Leakage(overlaps, () if seconds is None else _members(firsts, seconds, names))


def _content(first: Canonical, second: Canonical | None) -> tuple[Any, Form]:
    """What a record is known by, whatever its strands and the order of its two sequences; and the form that it has."""
    if second is None:
        return first[0], (False, first[1], True)
    turned = second[0] < first[0]
    a, b = (second, first) if turned else (first, second)
    return (a[0], b[0]), (turned, a[1], b[1])


def _overlap(first: str, second: str, shared: list[dict[str, Any]], ids: Sequence[str] | None) -> Overlap:
    exact = flipped = turned = here = there = 0
    examples: list[tuple[str, str]] = []
    for place in shared:
        if first not in place or second not in place:
            continue
        (rows, forms), (others, other_forms) = place[first], place[second]
        if forms & other_forms:
            exact += 1
        elif {order for order, *_ in forms} & {order for order, *_ in other_forms}:
            flipped += 1
        else:
            turned += 1
        here, there = here + len(rows), there + len(others)
        if len(examples) < EXAMPLES:
            examples.append((_name(rows[0], ids), _name(others[0], ids)))
    return Overlap(first, second, exact, flipped, turned, (here, there), tuple(examples))


def _members(
    firsts: Sequence[Canonical], seconds: Sequence[Canonical], splits: Sequence[str]
) -> tuple[SharedMembers, ...]:
    of_split: dict[str, list[tuple[bytes, bytes]]] = {}
    for (a, _), (b, _), split in zip(firsts, seconds, splits, strict=True):
        of_split.setdefault(split, []).append((a, b))
    known = {split: {member for pair in pairs for member in pair} for split, pairs in of_split.items()}
    found: list[SharedMembers] = []
    for first, second in PAIRS:
        pairs, there = of_split.get(second, []), known.get(first, set[bytes]())
        hits = [(a in there) + (b in there) for a, b in pairs]
        found.append(SharedMembers(first, second, len(pairs), sum(map(bool, hits)), hits.count(2)))
    return tuple(found)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' if number != 1 else ''}"


def _name(row: int, ids: Sequence[str] | None) -> str:
    return ids[row] if ids is not None else str(row + 1)


def _canonical(sequences: Sequences, flip: Flip | None) -> Iterator[Canonical]:
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
