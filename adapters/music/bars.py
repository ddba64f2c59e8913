"""Where the bars of a piece lie: all of one length, or by its time signatures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .notes import Ints

MAX_BEATS = 8
"""Of a bar with a time signature that has a symbol."""
Signature = tuple[int, int]
"""Numerator and denominator."""


@lru_cache
def signatures_of(grid: int, bar: int) -> tuple[Signature, ...]:
    """The time signatures that have a symbol.

    Parameters
    ----------
    grid
        Steps of a beat, which is a quarter note.
    bar
        Beats of a bar where there is no time signature.

    Returns
    -------
    tuple
        `bar`/4; then those of 1 to 16 halves, quarters, eighths and sixteenths whose bar lasts at most 8 beats and a
        whole number of steps.
    """
    usual = [(n, d) for d in (2, 4, 8, 16) for n in range(1, 17) if 4 * n <= MAX_BEATS * d and not 4 * grid * n % d]
    return tuple(dict.fromkeys([(bar, 4), *usual]))


@dataclass(frozen=True)
class Bars:
    """The bars of a piece, in stretches of equal ones.

    Parameters
    ----------
    begin, first
        Shape (stretches,): the step at which each begins, and the number of its first bar.
    steps, signature
        Shape (stretches,): steps of its bars, and their time signature, an index into `signatures_of`.
    """

    begin: Ints
    first: Ints
    steps: Ints
    signature: Ints

    def stretch_at(self, step: Ints) -> Ints:
        """The stretch in which each of the steps `step` lies."""
        return np.searchsorted(self.begin, step, side="right") - 1

    def stretch_of(self, number: Ints) -> Ints:
        """The stretch of each of the bars `number`."""
        return np.searchsorted(self.first, number, side="right") - 1

    def number(self, step: Ints) -> Ints:
        """The number of the bar in which each of the steps `step` lies, from 0."""
        which = self.stretch_at(step)
        return self.first[which] + (step - self.begin[which]) // self.steps[which]

    def place(self, step: Ints) -> Ints:
        """The place of each of the steps `step` in its bar, from 0."""
        which = self.stretch_at(step)
        return (step - self.begin[which]) % self.steps[which]

    def edges(self, number: Ints) -> Ints:
        """Shape (n, 2): the step at which each of the bars `number` begins, and that at which it ends."""
        which = self.stretch_of(number)
        start = self.begin[which] + (number - self.first[which]) * self.steps[which]
        after = np.append(self.begin[1:], np.iinfo(np.int64).max)[which]
        return np.stack([start, np.minimum(start + self.steps[which], after)], axis=1)

    def cut_short(self, last: int) -> int:
        """How many bars up to the step `last` end early, because the time signature changes within them."""
        lasting = np.diff(self.begin)
        return int(((lasting % self.steps[:-1] > 0) & (self.begin[1:] <= last)).sum())


def even_bars(steps: int) -> Bars:
    """Bars of `steps` each."""
    zero = np.zeros(1, np.int64)
    return Bars(zero, zero, np.array([steps]), zero)


def bars_by(meter: Ints, ticks: int, *, grid: int, bar: int) -> tuple[Bars, int]:
    """Bars by time signatures.

    Parameters
    ----------
    meter
        Shape (changes, 3), as in `xdomain.adapters.music.notes.Piece`. A change begins a bar.
    ticks
        Ticks of a beat.
    grid, bar
        As for `signatures_of`. Before the first change, bars have `bar` beats.

    Returns
    -------
    tuple
        The bars; and how many changes have no symbol: they count as `bar`/4.
    """
    known = {signature: number for number, signature in enumerate(signatures_of(grid, bar))}
    stretches, unknown = {0: 0}, 0
    for tick, numerator, denominator in meter.tolist():
        step = (2 * tick * grid + ticks) // (2 * ticks)
        stretches[step] = known.get((numerator, denominator), 0)  # of two at one step the last
        unknown += (numerator, denominator) not in known
    kept: list[tuple[int, int]] = []
    for step, signature in sorted(stretches.items()):
        if not kept or kept[-1][1] != signature:
            kept.append((step, signature))
    begin, signature = np.array(kept, np.int64).T
    lengths = np.array([4 * grid * n // d for n, d in signatures_of(grid, bar)])
    steps = lengths[signature]
    first = np.concatenate([[0], np.cumsum(-(-np.diff(begin) // steps[:-1]))])
    return Bars(begin, first, steps, signature), unknown
