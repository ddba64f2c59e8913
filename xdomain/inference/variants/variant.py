"""A change to a sequence, and the two windows about it that a model compares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from xdomain.core.errors import DataError
from xdomain.data.rows import short

Row = Mapping[str, str | int]
"""What names a variant in the file that it is from, by column."""


@dataclass(frozen=True)
class Edit:
    """Some letters of a sequence that others take the place of.

    Parameters
    ----------
    start
        The first of these letters, from 0.
    ref, alt
        The letters that are there, and those that are put there; one of the two may be empty.
    """

    start: int
    ref: str
    alt: str

    @property
    def end(self) -> int:
        """Behind the last of the letters that are there."""
        return self.start + len(self.ref)

    def trimmed(self) -> Edit:
        """The same change without the letters at either end that both have, as VCF adds one before a deletion."""
        ref, alt, same = self.ref, self.alt, 0
        while same < min(len(ref), len(alt)) and ref[same] == alt[same]:
            same += 1
        ref, alt = ref[same:], alt[same:]
        while ref and alt and ref[-1] == alt[-1]:
            ref, alt = ref[:-1], alt[:-1]
        return Edit(self.start + same, ref, alt)


@dataclass(frozen=True)
class Variant:
    """A row of a file of variants.

    Parameters
    ----------
    row
        Its columns.
    edits
        The changes, trimmed, in the order of the sequence, none over another.
    length
        Letters of the whole sequence.
    part
        Reads the sequence from one place to another, from 0, the end left out.
    error
        Why it cannot be scored; empty if it can.
    """

    row: Row
    edits: tuple[Edit, ...] = ()
    length: int = 0
    part: Callable[[int, int], str] = lambda start, end: ""
    error: str = ""

    @property
    def substitutes(self) -> bool:
        """Whether each change puts as many letters as it takes away."""
        return all(len(edit.ref) == len(edit.alt) for edit in self.edits)

    def windows(self, width: int | None) -> tuple[str, str]:
        """The sequence without and with the changes, in a window about them.

        The longer allele stands in the middle. Both windows have `width` letters and begin at the same letter: where
        letters are deleted, more of the sequence comes in at the right end, and where some are inserted, as many go
        out. A window that would reach beyond an end of its sequence is moved back to it; a sequence shorter than
        `width` is taken whole.

        Parameters
        ----------
        width
            Letters of a window; None: the whole sequence.

        Raises
        ------
        DataError
            The changes together are wider than a window.
        """
        grown = sum(len(edit.alt) - len(edit.ref) for edit in self.edits)
        wide = max(self.length, self.length + grown) if width is None else width
        first, last = (self.edits[0].start, self.edits[-1].end) if self.edits else (0, 0)
        longest = max(last - first, last - first + grown)
        if longest > wide:
            raise DataError(f"the change takes {longest:,} letters, more than the window of {wide:,}")
        left = first + longest // 2 - wide // 2
        before, after = (max(0, min(left, length - wide)) for length in (self.length, self.length + grown))
        changed = self.part(after, first) + self._changed(first) + self.part(last, min(self.length, last + wide))
        return self.part(before, min(self.length, before + wide)), changed[:wide]

    def _changed(self, place: int) -> str:
        """From the first change, at `place`, to the last, with the changes."""
        pieces: list[str] = []
        for edit in self.edits:
            pieces += [self.part(place, edit.start), edit.alt]
            place = edit.end
        return "".join(pieces)


def checked(
    row: Row, edits: Sequence[Edit], length: int, part: Callable[[int, int], str], *, what: str, place: str
) -> Variant:
    """Make a variant whose changes fit its sequence, or one that says why they do not.

    Parameters
    ----------
    row, edits, length, part
        As for `Variant`; `edits` in any order and not trimmed.
    what
        The name of the sequence, for the message.
    place
        What stands there: ``base`` or ``residue``.
    """
    ordered = sorted(edits, key=lambda edit: edit.start)
    for edit in ordered:
        if edit.start < 0 or edit.end > length:
            return Variant(row, error=f"{what} has {length:,} {place}s, none at {max(edit.end, edit.start + 1):,}")
        there = part(edit.start, edit.end)
        if there.upper() != edit.ref.upper():
            return Variant(
                row, error=f"{what} has {short(there)} at {edit.start + 1:,}, not {short(edit.ref)}: another {place}"
            )
    if any(a.end > b.start for a, b in pairwise(ordered)):
        return Variant(row, error="two changes at one place")
    return Variant(row, tuple(edit.trimmed() for edit in ordered), length, part)
