"""Regions of a genome, drawn at random, as long as given ones and apart from them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from xdomain.core.errors import DataError
from xdomain.data.cell_text import parse_number
from xdomain.data.formats.genome import Genome
from xdomain.data.formats.intervals import interval_columns

Place = tuple[str, int, int]
"""Contig, start and end, from 0, the end left out."""
NAMED = re.compile(r"(?:.*::)?([^\s:]+):([\d,]+)-([\d,]+)(?:\([+\-.]\))?")
"""What `bedtools getfasta` and samtools call a sequence that they cut out of a genome."""
DRAWS = 10_000
"""Regions that are drawn, at most, until one is free of N and of others."""


class Taken:
    """Intervals of a genome that nothing may overlap, none of them over another."""

    def __init__(self, places: Iterable[Place] = ()) -> None:
        self.of: dict[str, tuple[list[int], list[int]]] = {}
        by_contig: dict[str, list[tuple[int, int]]] = {}
        for contig, start, end in places:
            by_contig.setdefault(contig, []).append((start, end))
        for contig, own in by_contig.items():
            starts, ends = self.of.setdefault(contig, ([], []))
            for start, end in sorted(own):
                if ends and start <= ends[-1]:
                    ends[-1] = max(ends[-1], end)
                else:
                    starts.append(start)
                    ends.append(end)

    def take(self, contig: str, start: int, end: int) -> bool:
        """Add the interval from `start` to `end` of `contig`, unless it overlaps another; whether it was added."""
        starts, ends = self.of.setdefault(contig, ([], []))
        place = bisect_left(starts, end)
        if place and ends[place - 1] > start:
            return False
        starts.insert(place, start)
        ends.insert(place, end)
        return True


def places_in(columns: dict[str, Sequence[str | None]], genome: Genome) -> list[Place]:
    """Where records lie in a genome, as far as their table tells.

    Parameters
    ----------
    columns
        Of a raw table, by name: chromosome, start and end, which may be counted as in BED or as in GTF, so that one
        base more is taken; or ids such as ``chr1:100-200``.
    genome
        Other contigs than its own are passed over.
    """
    found: list[Place] = []
    named = interval_columns(list(columns))
    if named is not None:
        for contig, *bounds in zip(*(columns[name] for name in named), strict=True):
            start, end = (parse_number(bound or "") for bound in bounds)
            if contig in genome.lengths and start is not None and end is not None:
                found.append((str(contig), max(0, int(start) - 1), int(end)))
        return found
    for cells in columns.values():
        told = [NAMED.fullmatch((cell or "").strip()) for cell in cells]
        if any(told):
            found += [(m[1], max(0, _whole(m[2]) - 1), _whole(m[3])) for m in told if m and m[1] in genome.lengths]
    return found


def _whole(text: str) -> int:
    return int(text.replace(",", ""))


def draw_regions(lengths: Sequence[int], genome: Genome, taken: Taken, rng: np.random.Generator) -> Iterator[Place]:
    """Draw a region for each length, all starts in the genome being equally likely.

    Parameters
    ----------
    lengths
        Of the regions.
    genome
        Where they are drawn.
    taken
        What they may not overlap; each region is added, so that none overlaps another.
    rng
        The source of random numbers.

    Yields
    ------
    tuple
        Contig, start and end. On the forward strand, without N.

    Raises
    ------
    DataError
        None is found: the genome is too small, or full of N.
    """
    names = list(genome.lengths)
    sizes = np.array([genome.lengths[name] for name in names], np.int64)
    for length in lengths:
        room = np.cumsum(np.maximum(sizes - length + 1, 0))
        for _ in range(DRAWS if len(room) and room[-1] else 0):
            draw = int(rng.integers(room[-1]))
            contig = int(np.searchsorted(room, draw, side="right"))
            start = draw - (int(room[contig - 1]) if contig else 0)
            name, end = names[contig], start + length
            if "N" not in genome.part(name, start, end).upper() and taken.take(name, start, end):
                yield name, start, end
                break
        else:
            raise DataError(
                f"{genome.path}: no region of {length:,} bases is free of N and apart from the others",
                expected="a genome with room for as many negatives as there are records, at their lengths",
            )
