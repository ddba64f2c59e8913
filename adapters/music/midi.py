"""MIDI files to pieces, through symusic or miditoolkit, and pieces to MIDI files.

Both libraries get the tracks of a file one by one, so both give the same parts in the same order. Where a program
changes while a note sounds, symusic assigns the note to the old program, miditoolkit to the new: the notes are the
same, but that one is in another part.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from xdomain.core.disk import writing
from xdomain.core.errors import DataError, MissingError

from .notes import DENOMINATORS, MAX_TICKS, Ints, Piece, meter_map, tempo_map
from .walk import END_OF_TRACK, SET_TEMPO, TIME_SIGNATURE, Event, clipped, layout_of, unended, walk

END, TEMPO, METER = bytes([0xFF, END_OF_TRACK, 0]), bytes([0xFF, SET_TEMPO]), bytes([0xFF, TIME_SIGNATURE])
SUFFIXES = (".mid", ".midi")
Reader = Literal["symusic", "miditoolkit"]


@dataclass(frozen=True)
class Part:
    """The notes of one program in one track.

    Parameters
    ----------
    program
        The General MIDI instrument, 0 to 127.
    drum
        Whether the notes are drums.
    notes
        Shape (n, 4): pitch, start and duration in ticks, velocity.
    """

    program: int
    drum: bool
    notes: Ints


@dataclass(frozen=True)
class Track:
    """The contents of one track.

    Parameters
    ----------
    parts
        One for each program.
    tempos
        Tempo changes as (tick, microseconds a beat); None where the library does not tell them.
    meter
        Time signatures as (tick, numerator, denominator); None where the library does not tell them.
    clipped
        How many values above 127 were read as 127.
    """

    parts: tuple[Part, ...]
    tempos: tuple[tuple[int, int], ...] | None
    meter: tuple[tuple[int, int, int], ...] | None = None
    clipped: int = 0


def _by_symusic(data: bytes) -> Track:
    symusic = library("symusic")
    score = symusic.Score.from_midi(data)
    meter = tuple((int(t.time), int(t.numerator), int(t.denominator)) for t in score.time_signatures)
    return Track(tuple(map(part_of, score.tracks)), tuple((int(t.time), int(t.mspq)) for t in score.tempos), meter)


def _by_miditoolkit(data: bytes) -> Track:
    """The parts only: of tempos and time signatures it does not distinguish the track's from a default of its own."""
    midi = library("miditoolkit").MidiFile(file=io.BytesIO(data))
    parts: list[Part] = []
    for instrument in midi.instruments:
        notes = [(n.pitch, n.start, n.end - n.start, n.velocity) for n in instrument.notes]
        parts.append(Part(int(instrument.program), bool(instrument.is_drum), np.array(notes, np.int64).reshape(-1, 4)))
    return Track(tuple(parts), None)


READERS: Mapping[str, Callable[[bytes], Track]] = {"symusic": _by_symusic, "miditoolkit": _by_miditoolkit}


def library(name: str) -> Any:
    """Import the optional package `name`; a `MissingError` where it is not installed."""
    try:
        return __import__(name)
    except ImportError:
        extra = "'xdomain[music]'" if name in READERS else name
        raise MissingError(f"{name} is not installed", fix=f"pip install {extra}") from None


def read_midi(path: Path, *, reader: Reader = "symusic") -> Piece:
    """The piece of `read_and_clip`, with its `path` and `reader`, without clipping."""
    return read_and_clip(path, reader=reader, clip=False)[0]


def read_and_clip(path: Path, *, reader: Reader, clip: bool) -> tuple[Piece, int]:
    """Read the notes of a file, in order of onset, and how many of its values were clipped.

    Notes that begin and never end are left out, as both libraries do. Of two notes of one pitch that sound at once, the
    first to begin is the first to end.

    Parameters
    ----------
    path
        A MIDI file.
    reader
        symusic, or miditoolkit, which is slower and refuses a few files more, such as those with an odd key.
    clip
        Whether to read a value above 127, such as a note's pitch or velocity, as 127 instead of refusing the file.

    Raises
    ------
    DataError
        The file is not a complete MIDI file of format 0 or 1 in ticks a beat, has no notes or a number out of range, or
        two of its tracks have different tempos at one tick; the message names the track and the event.
    MissingError
        The library is not installed.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})", expected="a MIDI file (.mid, .midi)") from None
    layout = layout_of(data, path)
    tracks = [
        _read_track(events, layout.ticks, reader, path, number, clip=clip)
        for number, events in enumerate(layout.tracks, 1)
    ]
    _check_tempos(tracks, layout.tracks, path)
    piece = _joined(tracks, layout.ticks)
    if not len(piece):
        _refuse_silence(layout.tracks, path)
    if piece.start.min() < 0 or piece.stop.max() > MAX_TICKS:
        raise DataError(
            f"{path}: a note lies beyond tick {MAX_TICKS:,}, the last that can be counted",
            expected="times below 2^31 ticks",
        )
    return piece.in_order(), sum(track.clipped for track in tracks)


def _read_track(events: bytes, ticks: int, reader: Reader, path: Path, number: int, *, clip: bool) -> Track:
    """Read one track as a file of its own, so that the result does not depend on the other tracks."""
    if events.find(END) not in (-1, len(events) - len(END)):
        events = _ended(events, path, number)
    head = b"MThd" + (6).to_bytes(4) + (0).to_bytes(2) + (1).to_bytes(2) + ticks.to_bytes(2)
    try:
        track = READERS[reader](head + b"MTrk" + len(events).to_bytes(4) + events)
    except MissingError:
        raise
    except Exception as error:  # RuntimeError of symusic; OSError, EOFError and others of mido
        mended, found = clipped(events, path, number) if clip else (events, 0)
        if found:
            return replace(_read_track(mended, ticks, reader, path, number, clip=False), clipped=found)
        _walked(events, path, number)
        raise DataError(
            f"{path}, track {number}: {reader} cannot read it ({str(error) or type(error).__name__})",
            expected="a Standard MIDI File",
            fix=f"try the other reader: --set adapter.options.reader={_other(reader)}",
        ) from None
    if track.meter is None:
        walked = _walked(events, path, number) if METER in events else []
        track = replace(track, meter=tuple((e.tick, e.data[0], 2 ** e.data[1]) for e in walked if _is_meter(e)))
    odd = events.count(TEMPO) != events.count(TEMPO + b"\x03")
    if odd or (track.tempos is None and TEMPO in events):
        walked = _walked(events, path, number)
        return replace(track, tempos=tuple((e.tick, int.from_bytes(e.data)) for e in walked if e.meta == SET_TEMPO))
    return replace(track, tempos=track.tempos or ())


def _is_meter(event: Event) -> bool:
    return event.meta == TIME_SIGNATURE and len(event.data) == 4


def _ended(events: bytes, path: Path, number: int) -> bytes:
    """The track up to its end event; some files have more after it, which symusic ignores and mido reads."""
    for event in walk(events, path, number):
        if event.meta == END_OF_TRACK:
            return events[: event.stop]
    return events


def _walked(events: bytes, path: Path, number: int) -> list[Event]:
    """All events of a track; a `DataError` with the event's number where one is wrong."""
    return list(walk(events, path, number))


def _other(reader: Reader) -> Reader:
    return "miditoolkit" if reader == "symusic" else "symusic"


def _joined(tracks: Sequence[Track], ticks: int) -> Piece:
    """All parts with notes: tracks in the file's order, the parts of a track in the order in which they begin."""
    parts: list[Part] = []
    for track in tracks:
        sounding = [part for part in track.parts if len(part.notes)]
        parts += sorted(sounding, key=lambda part: (*_first(part.notes), part.drum, part.program))
    notes = np.concatenate([part.notes for part in parts]) if parts else np.empty((0, 4), np.int64)
    sizes = [len(part.notes) for part in parts]
    pitch, start, duration, velocity = notes.T
    meter = [change for track in tracks for change in track.meter or () if change[1] and change[2] in DENOMINATORS]
    return Piece(
        ticks,
        tempo_map([change for track in tracks for change in track.tempos or ()]),
        tuple(part.program for part in parts) or (0,),
        pitch,
        start,
        duration,
        velocity,
        np.repeat(np.arange(len(parts)), sizes),
        np.repeat([part.drum for part in parts], sizes).astype(bool),
        meter_map(meter),
    )


def _first(notes: Ints) -> tuple[int, int]:
    """The tick at which the first note begins, and the lowest pitch of those that begin there."""
    start = int(notes[:, 1].min())
    return start, int(notes[notes[:, 1] == start, 0].min())


def _check_tempos(tracks: Sequence[Track], raw: Sequence[bytes], path: Path) -> None:
    """Accept several tempo maps where they agree; two tempos at one tick are an error."""
    known: dict[int, tuple[int, int]] = {}
    for number, track in enumerate(tracks, 1):
        tempos = dict(track.tempos or ())  # of two at one tick in one track the last holds
        for tick, lasting in tempos.items():
            if lasting < 1:
                _walked(raw[number - 1], path, number)  # raises at the event that says so
                raise DataError(f"{path}, track {number}: a tempo of 0", expected="1 to 16777215 microseconds a beat")
            if tick in known and known[tick][1] != lasting:
                first, other = known[tick]
                events = _walked(raw[number - 1], path, number)
                event = [e.number for e in events if e.meta == SET_TEMPO and e.tick == tick][-1]
                raise DataError(
                    f"{path} has a second tempo map: track {number}, event {event} (tick {tick}) says {_bpm(lasting)}, "
                    f"track {first} says {_bpm(other)}",
                    expected="one tempo at one tick",
                    fix="delete the tempo events of one of these tracks",
                )
        known |= {tick: (number, lasting) for tick, lasting in tempos.items()}


def _bpm(microseconds: int) -> str:
    return f"{6e7 / microseconds:.4g} beats a minute"


def _refuse_silence(tracks: Sequence[bytes], path: Path) -> None:
    lost = sum(unended(track, path, number) for number, track in enumerate(tracks, 1))
    why = f": {lost} begin{'s' if lost == 1 else ''} and never end{'s' if lost == 1 else ''}" if lost else ""
    raise DataError(f"{path} has no notes in {len(tracks)} track{'s' if len(tracks) != 1 else ''}{why}",
                    expected="at least one note with its end", fix="leave the file out")  # fmt: skip


def write_midi(piece: Piece, path: Path) -> None:
    """Write `piece` to the MIDI file `path`: format 1, a track for each part, drums on the channel for drums.

    Notes of a part that overlap on one pitch go to further tracks: in one track none could tell which of them ends.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    with writing(path, expected="a folder that is there"):
        path.write_bytes(score_of(_without_overlaps(piece)).dumps_midi())


def _without_overlaps(piece: Piece) -> Piece:
    """The same notes, those that overlap another of their part and pitch in parts of their own behind the others."""
    stop = piece.start + np.maximum(piece.duration, 1)  # as `score_of` writes them
    ends: dict[tuple[int, bool, int], list[int]] = {}  # of each layer
    parts = dict.fromkeys((number, 0) for number in range(len(piece.programs)))
    layers: list[tuple[int, int]] = [(0, 0)] * len(piece)
    for note in np.lexsort((stop, piece.start)).tolist():
        part, begin = int(piece.part[note]), int(piece.start[note])
        busy = ends.setdefault((part, bool(piece.drum[note]), int(piece.pitch[note])), [])
        layer = next((number for number, end in enumerate(busy) if end <= begin), len(busy))
        busy[layer : layer + 1] = [int(stop[note])]
        layers[note] = part, layer
        parts[part, layer] = None
    numbers = {key: number for number, key in enumerate(parts)}
    programs = tuple(piece.programs[part] for part, _ in parts)
    return replace(piece, programs=programs, part=np.array([numbers[key] for key in layers], np.int64))


def score_of(piece: Piece) -> Any:
    """The `piece` as a ``symusic.Score`` in ticks."""
    symusic = library("symusic")
    score = symusic.Score(piece.ticks)
    score.tempos.extend(symusic.Tempo(int(tick), mspq=int(lasting)) for tick, lasting in piece.tempo)
    score.time_signatures.extend(symusic.TimeSignature(*change) for change in piece.meter.tolist())
    for number, program in enumerate(piece.programs):
        for drum in (False, True):
            part = piece.take((piece.part == number) & (piece.drum == drum))
            if not len(part):
                continue
            track = symusic.Track("", program, drum)
            # a player would see a note without duration end before it begins
            columns = (part.start, np.maximum(part.duration, 1), part.pitch, part.velocity)
            track.notes.extend(symusic.Note(*row) for row in zip(*(c.tolist() for c in columns), strict=True))
            score.tracks.append(track)
    return score


def part_of(track: Any) -> Part:
    """The notes of `track`, a ``symusic.Track`` in ticks."""
    fields = track.notes.numpy()
    columns = [fields[name].astype(np.int64) for name in ("pitch", "time", "duration", "velocity")]
    return Part(int(track.program), bool(track.is_drum), np.stack(columns, axis=1))
