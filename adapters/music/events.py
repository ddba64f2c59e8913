"""Two ways to write notes as symbols: the pitch alone, or also the note's place, duration and loudness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xdomain.core.sequences import Alphabet, Ids, offsets_of

from .bars import Bars, Signature, bars_by, even_bars, signatures_of
from .notes import Ints, Piece, meter_map, piece_of

MAX_EMPTY_BARS = 16
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

    ``Bar`` begins a bar; ``TimeSig_n/d``, where time signatures are read, follows the first bar and each whose time
    signature is not that of the bar before; ``Pos_i`` is the step of the bar at which the following notes lie; a note
    is ``Pitch_p`` (or ``Drum_p``), ``Dur_n`` in steps, and ``Vel_v``, its velocity bin. Unlike in REMI there are no
    chords and no tempo.

    Parameters
    ----------
    drums
        Whether there are symbols for drums.
    grid
        Steps of a beat.
    bar
        Beats of a bar; with `signatures` only where there is no time signature, or one without a symbol (see
        `xdomain.adapters.music.bars.signatures_of`), counted as ``time_signatures_unknown``.
    longest
        Beats of the longest duration; longer ones are cut to it, counted as ``durations_cut``.
    velocities
        Number of bins of equal width for the velocities 1 to 127.
    signatures
        Whether bars follow the time signatures of the piece. A bar within which they change ends there, counted as
        ``bars_cut_short``.

    Onsets are rounded to the nearest step, halves up; so are durations, to at least one step. Of more than 16 bars
    without an onset 16 are written, and the others counted as ``empty_bars_dropped``.
    """

    drums: bool
    grid: int
    bar: int
    longest: int
    velocities: int
    signatures: bool = False

    @cached_property
    def _signatures(self) -> tuple[Signature, ...]:
        return signatures_of(self.grid, self.bar) if self.signatures else ()

    @property
    def _steps(self) -> int:
        """Of the longest bar."""
        return max([self.grid * self.bar, *(4 * self.grid * n // d for n, d in self._signatures)])

    @cached_property
    def _first(self) -> dict[str, int]:
        """The id of the first symbol of each kind."""
        sizes = {"Bar": 1, "Pos": self._steps, "Pitch": 128, "Dur": self.grid * self.longest, "Vel": self.velocities}
        sizes |= {"Drum": 128} if self.drums else {}
        sizes |= {"TimeSig": len(self._signatures)} if self.signatures else {}
        ends = offsets_of(np.array(list(sizes.values()))).tolist()
        return dict(zip([*sizes, "end"], ends, strict=True))

    @cached_property
    def alphabet(self) -> Alphabet:
        """Bar, the steps of a bar, the pitches, durations and velocities, and drums and time signatures if kept."""
        symbols = ["Bar", *(f"Pos_{i}" for i in range(self._steps)), *(f"Pitch_{p}" for p in range(128))]
        symbols += [f"Dur_{n}" for n in range(1, self.grid * self.longest + 1)]
        symbols += [f"Vel_{v}" for v in range(self.velocities)]
        symbols += [f"Drum_{p}" for p in range(128) if self.drums]
        return Alphabet((*symbols, *(f"TimeSig_{n}/{d}" for n, d in self._signatures)), "event")

    def _on_grid(self, piece: Piece) -> tuple[Piece, dict[str, int]]:
        """The piece in steps, quantised and in order, and counts."""
        step = (2 * piece.start * self.grid + piece.ticks) // (2 * piece.ticks)
        wanted = np.maximum((2 * piece.duration * self.grid + piece.ticks) // (2 * piece.ticks), 1)
        most = self.grid * self.longest
        bins = (piece.velocity - 1) * self.velocities // 127
        quantised = replace(piece, ticks=self.grid, start=step, duration=np.minimum(wanted, most), velocity=bins)
        return quantised.in_order(), {"durations_cut": int((wanted > most).sum())}

    def _laid_out(self, piece: Piece) -> tuple[_Layout, dict[str, int]]:
        """Where the symbols of `piece`, which has notes, stand; and counts."""
        steps, counts = self._on_grid(piece)
        if self.signatures:
            bars, counts["time_signatures_unknown"] = bars_by(piece.meter, piece.ticks, grid=self.grid, bar=self.bar)
            counts["bars_cut_short"] = bars.cut_short(int(steps.start[-1]))
        else:
            bars = even_bars(self._steps)
        number = bars.number(steps.start)
        ahead = np.diff(number, prepend=-1)
        over = np.maximum(ahead - 1 - MAX_EMPTY_BARS, 0)
        counts["empty_bars_dropped"] = int(over.sum())
        ahead -= over
        owner = np.repeat(np.arange(len(steps)), ahead)
        # the last bar written before a note is its own; those before it count down from there
        back = np.repeat(np.cumsum(ahead), ahead) - 1 - np.arange(len(owner))
        written = number[owner] - back
        signature = bars.signature[bars.stretch_of(written)]
        told = np.diff(signature, prepend=-1) != 0 if self.signatures else np.zeros(len(owner), bool)
        new = np.diff(steps.start, prepend=-1) > 0
        before = np.cumsum(new) - new  # places written before a note's own
        heads = np.cumsum(1 + told) - (1 + told)
        telling = np.bincount(owner, told, minlength=len(steps)).astype(np.int64)
        return _Layout(
            steps, bars, written, signature, told, new,
            bar=heads + 3 * owner + before[owner], note=np.cumsum(ahead + telling + new + 3) - 3,
        ), counts  # fmt: skip

    def encode(self, piece: Piece) -> tuple[Ids, Mapping[str, int]]:
        """All symbols of `piece` (bars, in them places, at these notes from low to high), and counts of changes."""
        if not len(piece):
            return np.empty(0, np.int64), {}
        at, counts = self._laid_out(piece)
        steps, place, first = at.steps, at.note, self._first
        ids = np.full(int(place[-1]) + 3, first["Bar"], np.int64)
        ids[at.bar[at.told] + 1] = first.get("TimeSig", 0) + at.signature[at.told]
        ids[place[at.new] - 1] = first["Pos"] + at.bars.place(steps.start[at.new])
        ids[place] = steps.pitch + np.where(steps.drum, first.get("Drum", 0), first["Pitch"])
        ids[place + 1] = first["Dur"] + steps.duration - 1
        ids[place + 2] = first["Vel"] + steps.velocity
        return ids, counts

    def decode(self, ids: Ids) -> Piece:
        """The notes of the symbols `ids`: on the grid, at 120 beats a minute, velocities in the middle of their bins.

        An order that `encode` never writes is read as well as possible: a pitch without duration lasts a step, one
        without velocity gets the middle one, and what comes before the first bar belongs to it.
        """
        kinds = [*self._first][:-1]
        firsts = np.array([*self._first.values()][:-1])
        which = np.searchsorted(firsts, ids, side="right") - 1
        values = np.asarray(ids, np.int64) - firsts[which]
        bar, step, lasting = 0, 0, self.grid * self.bar
        begun = False
        notes: list[list[int]] = []
        meter: list[tuple[int, int, int]] = []
        for number, value in zip(which.tolist(), values.tolist(), strict=True):
            kind = kinds[number]
            if kind == "Bar":
                bar, step, begun = bar + begun * lasting, 0, True
            elif kind == "TimeSig":
                above, below = self._signatures[value]
                meter.append((bar * TICKS_A_STEP, above, below))
                lasting = 4 * self.grid * above // below
            elif kind == "Pos":
                step = value
            elif kind in ("Pitch", "Drum"):
                notes.append([value, bar + step, 1, self.velocities // 2, kind == "Drum"])
            elif notes:
                notes[-1][2 if kind == "Dur" else 3] = value + (kind == "Dur")
        table = np.array(notes, np.int64).reshape(-1, 5)
        piece = piece_of(table[:, 0], start=table[:, 1] * TICKS_A_STEP, drum=table[:, 4].astype(bool))
        middle = (2 * table[:, 3] + 1) * 127 // (2 * self.velocities)
        # where a bin is hardly wider than 1, the middle may lie below it
        lowest = -(-table[:, 3] * 127 // self.velocities)
        velocity = 1 + np.maximum(middle, lowest)
        duration = table[:, 2] * TICKS_A_STEP
        whole = replace(piece, ticks=self.grid * TICKS_A_STEP, duration=duration, velocity=velocity)
        return replace(whole, meter=meter_map(meter)).in_order()

    def spans(self, piece: Piece) -> NDArray[np.float64]:
        """Shape (symbols, 2): start and end of each symbol in the ticks of `piece`, half-open, as quantised.

        ``Bar`` and ``TimeSig`` last a bar, ``Pos`` a step, and the three symbols of a note as long as the note.
        """
        if not len(piece):
            return np.empty((0, 2))
        at, _ = self._laid_out(piece)
        steps, place = at.steps, at.note
        edges = np.empty((int(place[-1]) + 3, 2))
        for i in range(3):
            edges[place + i] = np.stack([steps.start, steps.stop], axis=1)
        edges[place[at.new] - 1] = np.stack([steps.start[at.new], steps.start[at.new] + 1], axis=1)
        edges[at.bar] = at.bars.edges(at.written)
        edges[at.bar[at.told] + 1] = edges[at.bar[at.told]]
        return edges * piece.ticks / self.grid


@dataclass(frozen=True)
class _Layout:
    """Where symbols stand: for n notes, and for the m bars that are written before them.

    Parameters
    ----------
    steps
        The notes, on the grid and in order.
    bars
        All bars.
    written, signature, told
        Shape (m,): number and time signature of each bar, and whether it has a symbol for that.
    new
        Shape (n,): whether a note has a symbol for its place.
    bar, note
        Shape (m,) and (n,): where ``Bar`` and ``Pitch`` stand among the symbols.
    """

    steps: Piece
    bars: Bars
    written: Ints
    signature: Ints
    told: NDArray[np.bool_]
    new: NDArray[np.bool_]
    bar: Ints
    note: Ints
