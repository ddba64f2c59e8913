"""Two ways to write notes as symbols: the pitch alone, or also the note's place, duration and loudness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xdomain.core.sequences import Alphabet, Ids, offsets_of

from .notes import Ints, Piece, piece_of

MOST_EMPTY_BARS = 16
TICKS_A_STEP = 120


@dataclass(frozen=True)
class Pitches:
    """One symbol a note: its MIDI pitch, as text ``0`` to ``127``; with `drums` also drums, ``d0`` to ``d127``."""

    drums: bool

    @cached_property
    def alphabet(self) -> Alphabet:
        """128 pitches, and 128 drums where they are kept."""
        names = [str(pitch) for pitch in range(128)]
        return Alphabet((*names, *(f"d{name}" for name in names if self.drums)), "note")

    def encode(self, piece: Piece) -> tuple[Ids, Mapping[str, int]]:
        """The symbols of `piece`, which is in order of onset, and no counts."""
        return piece.pitch + 128 * piece.drum, {}

    def decode(self, ids: Ids) -> Piece:
        """Notes of the pitches `ids`, a beat each, one after another: pitches do not say when they sounded."""
        return piece_of(np.asarray(ids, np.int64) % 128, drum=np.asarray(ids) >= 128)

    def spans(self, piece: Piece) -> NDArray[np.float64]:
        """Shape (n, 2): start and end of each note in ticks, half-open."""
        return np.stack([piece.start, piece.stop], axis=1).astype(np.float64)


@dataclass(frozen=True)
class Events:
    """Bars, places in the bar, and notes of pitch, duration and velocity, after REMI (Huang & Yang 2020).

    ``Bar`` begins a bar; ``Pos_i`` is the step of the bar at which the following notes lie; a note is ``Pitch_p`` (or
    ``Drum_p``), ``Dur_n`` in steps, and ``Vel_v``, its velocity bin. Unlike in REMI there are no chords and no tempo.

    Parameters
    ----------
    drums
        Whether there are symbols for drums.
    grid
        Steps of a beat.
    bar
        Beats of a bar, whatever the time signature says.
    longest
        Beats of the longest duration; longer ones are cut to it, counted as ``durations_cut``.
    velocities
        Number of bins of equal width for the velocities 1 to 127.

    Onsets are rounded to the nearest step, halves up; so are durations, to at least one step. Of more than 16 bars
    without an onset 16 are written, and the others counted as ``empty_bars_dropped``.
    """

    drums: bool
    grid: int
    bar: int
    longest: int
    velocities: int

    @property
    def _steps(self) -> int:
        return self.grid * self.bar

    @cached_property
    def _first(self) -> dict[str, int]:
        """The id of the first symbol of each kind."""
        sizes = {"Bar": 1, "Pos": self._steps, "Pitch": 128, "Dur": self.grid * self.longest, "Vel": self.velocities}
        sizes |= {"Drum": 128} if self.drums else {}
        ends = offsets_of(np.array(list(sizes.values()))).tolist()
        return dict(zip([*sizes, "end"], ends, strict=True))

    @cached_property
    def alphabet(self) -> Alphabet:
        """Bar, the steps of a bar, the pitches, durations and velocities, and the drums where they are kept."""
        symbols = ["Bar", *(f"Pos_{i}" for i in range(self._steps)), *(f"Pitch_{p}" for p in range(128))]
        symbols += [f"Dur_{n}" for n in range(1, self.grid * self.longest + 1)]
        symbols += [f"Vel_{v}" for v in range(self.velocities)]
        return Alphabet((*symbols, *(f"Drum_{p}" for p in range(128) if self.drums)), "event")

    def _on_grid(self, piece: Piece) -> tuple[Piece, Ints, dict[str, int]]:
        """The piece in steps, quantised and in order; the number of ``Bar`` before each note; and counts."""
        step = (2 * piece.start * self.grid + piece.ticks) // (2 * piece.ticks)
        wanted = np.maximum((2 * piece.duration * self.grid + piece.ticks) // (2 * piece.ticks), 1)
        most = self.grid * self.longest
        bins = (piece.velocity - 1) * self.velocities // 127
        quantised = replace(piece, ticks=self.grid, start=step, duration=np.minimum(wanted, most), velocity=bins)
        ordered = quantised.in_order()
        ahead = np.diff(ordered.start // self._steps, prepend=-1)
        over = np.maximum(ahead - 1 - MOST_EMPTY_BARS, 0)
        counts = {"durations_cut": int((wanted > most).sum()), "empty_bars_dropped": int(over.sum())}
        return ordered, ahead - over, counts

    def _layout(self, piece: Piece, ahead: Ints) -> tuple[NDArray[np.bool_], Ints]:
        """Shape (n,) each: whether a note needs a ``Pos``, and where its pitch stands among the symbols."""
        new = np.diff(piece.start, prepend=-1) > 0
        return new, np.cumsum(ahead + new + 3) - 3

    def encode(self, piece: Piece) -> tuple[Ids, Mapping[str, int]]:
        """All symbols of `piece` (bars, in them places, at these notes from low to high), and counts of changes."""
        steps, ahead, counts = self._on_grid(piece)
        if not len(steps):
            return np.empty(0, np.int64), counts
        new, place = self._layout(steps, ahead)
        first = self._first
        ids = np.full(int(place[-1]) + 3, first["Bar"], np.int64)
        ids[place[new] - 1] = first["Pos"] + steps.start[new] % self._steps
        ids[place] = steps.pitch + np.where(steps.drum, first.get("Drum", 0), first["Pitch"])
        ids[place + 1] = first["Dur"] + steps.duration - 1
        ids[place + 2] = first["Vel"] + steps.velocity
        return ids, counts

    def decode(self, ids: Ids) -> Piece:
        """The notes of the symbols `ids`: on the grid, at 120 beats a minute, velocities in the middle of their bins.

        An order that `encode` never writes is read as well as possible: a pitch without duration lasts a step, one
        without velocity gets the middle one, and what comes before the first bar belongs to it.
        """
        names = np.array([*self._first.values()][:-1])
        kinds = np.searchsorted(names, ids, side="right") - 1
        values = np.asarray(ids, np.int64) - names[kinds]
        bar, step = 0, 0
        begun = False
        notes: list[list[int]] = []
        for kind, value in zip(kinds.tolist(), values.tolist(), strict=True):
            if kind == 0:
                bar, step, begun = bar + begun, 0, True
            elif kind == 1:
                step = value
            elif kind in (2, 5):
                notes.append([value, bar * self._steps + step, 1, self.velocities // 2, kind == 5])
            elif notes:
                notes[-1][kind - 1] = value + (kind == 3)
        table = np.array(notes, np.int64).reshape(-1, 5)
        piece = piece_of(table[:, 0], start=table[:, 1] * TICKS_A_STEP, drum=table[:, 4].astype(bool))
        middle = (2 * table[:, 3] + 1) * 127 // (2 * self.velocities)
        # where a bin is hardly wider than 1, the middle may lie below it
        lowest = -(-table[:, 3] * 127 // self.velocities)
        velocity = 1 + np.maximum(middle, lowest)
        duration = table[:, 2] * TICKS_A_STEP
        return replace(piece, ticks=self.grid * TICKS_A_STEP, duration=duration, velocity=velocity).in_order()

    def spans(self, piece: Piece) -> NDArray[np.float64]:
        """Shape (symbols, 2): start and end of each symbol in the ticks of `piece`, half-open, as quantised.

        ``Bar`` lasts a bar, ``Pos`` a step, and the three symbols of a note as long as the note.
        """
        steps, ahead, _ = self._on_grid(piece)
        if not len(steps):
            return np.empty((0, 2))
        new, place = self._layout(steps, ahead)
        edges = np.empty((int(place[-1]) + 3, 2))
        bars = np.ones(len(edges), bool)
        for i in range(3):
            edges[place + i] = np.stack([steps.start, steps.stop], axis=1)
            bars[place + i] = False
        edges[place[new] - 1] = np.stack([steps.start[new], steps.start[new] + 1], axis=1)
        bars[place[new] - 1] = False
        # the last bar written before a note is its own; those before it count down from there
        owner = np.repeat(np.arange(len(steps)), ahead)
        back = np.repeat(np.cumsum(ahead), ahead) - 1 - np.arange(int(ahead.sum()))
        number = steps.start[owner] // self._steps - back
        edges[bars] = np.stack([number, number + 1], axis=1) * self._steps
        return edges * piece.ticks / self.grid
