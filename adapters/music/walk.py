"""Find what is wrong with a MIDI file: check its chunks before it is read, and walk its events when that fails.

After the Standard MIDI File 1.0 (MIDI Manufacturers Association, 1988). Libraries do the reading: they are a thousand
times as fast, but name neither the track nor the event that they cannot read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from xdomain.core.errors import DataError

OPEN_END = "a MIDI file, whole, with notes"
DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}
KINDS = {0x8: "note off", 0x9: "note on", 0xA: "key pressure", 0xB: "control change", 0xC: "program change",
         0xD: "channel pressure", 0xE: "pitch bend"}  # fmt: skip
SET_TEMPO, END_OF_TRACK, TIME_SIGNATURE = 0x51, 0x2F, 0x58


@dataclass(frozen=True)
class Layout:
    """The parts of a MIDI file.

    Parameters
    ----------
    ticks
        Ticks of a beat, 1 to 32767.
    tracks
        The bytes of each track chunk without its header: its events.
    """

    ticks: int
    tracks: tuple[bytes, ...]


@dataclass(frozen=True)
class Event:
    """One event of a track.

    Parameters
    ----------
    number
        Its number in the track, from 1.
    tick
        Its time, from the start of the track.
    status
        The status byte.
    data
        Its bytes without status, type and length.
    meta
        The type of a meta event, else -1.
    stop
        How many bytes of the track it and those before it take.
    """

    number: int
    tick: int
    status: int
    data: bytes
    meta: int
    stop: int


def layout_of(data: bytes, path: Path) -> Layout:
    """Find the tracks of a MIDI file; chunks of other kinds are skipped, as the standard asks.

    Parameters
    ----------
    data
        All bytes of the file.
    path
        The file, for messages.

    Raises
    ------
    DataError
        It is empty, not a MIDI file, broken off, of format 2, or not in ticks a beat.
    """
    if not data:
        raise DataError(f"{path} is empty (0 bytes)", expected=OPEN_END, fix="copy the file anew")
    if data[:4] != b"MThd":
        raise DataError(f"{path} is not a MIDI file: it begins with {data[:4]!r}", expected="b'MThd' (.mid, .midi)")
    if len(data) < 14:
        raise _cut(path, f"the header has {len(data)} bytes of 14")
    length, kind, count, ticks = (int.from_bytes(data[a:b]) for a, b in ((4, 8), (8, 10), (10, 12), (12, 14)))
    if length < 6:
        raise DataError(f"{path}: the header says that it has {length} bytes", expected="6 bytes")
    if kind == 2:
        raise DataError(
            f"{path} is of MIDI format 2: {count} pieces in one file, each with a tempo map of its own",
            expected="format 0 or 1: one piece a file",
            fix="write each of its tracks to a file of format 0",
        )
    if kind > 2:
        raise DataError(f"{path} says that it is of MIDI format {kind}", expected="format 0 or 1")
    if ticks & 0x8000:
        raise DataError(
            f"{path} counts time in film frames (SMPTE, division 0x{ticks:04X})",
            expected="ticks a beat",
            fix="save it anew with ticks a beat (pulses per quarter note)",
        )
    if not ticks:
        raise DataError(f"{path} has 0 ticks a beat: its notes have no time", expected="1 to 32767 ticks a beat")
    return Layout(ticks, _tracks(data, 8 + length, count, path))


def _tracks(data: bytes, place: int, count: int, path: Path) -> tuple[bytes, ...]:
    tracks: list[bytes] = []
    while place + 8 <= len(data) and len(tracks) < count:
        kind, length = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8])
        inside = data[place + 8 : place + 8 + length]
        if len(inside) < length:
            last = ""
            if kind == b"MTrk":
                for event in walk(inside, path, len(tracks) + 1, broken_off=True):
                    last = f"; its last whole event is number {event.number} at tick {event.tick}"
            raise _cut(path, f"track {len(tracks) + 1} says {length} bytes and has {len(inside)}{last}")
        if kind == b"MTrk":
            tracks.append(inside)
        place += 8 + length
    if len(tracks) < count:
        raise _cut(path, f"the header says {count} track{'s' if count > 1 else ''} and there {_are(len(tracks))}")
    return tuple(tracks)


def _are(number: int) -> str:
    return "is 1" if number == 1 else f"are {number}"


def _cut(path: Path, why: str) -> DataError:
    return DataError(f"{path} is broken off: {why}", expected=OPEN_END, fix="copy the file anew")


def walk(
    track: bytes, path: Path, number: int, *, broken_off: bool = False, any_value: bool = False
) -> Iterator[Event]:
    """Yield the events of a track one after another: slow, and exact about what is wrong.

    Parameters
    ----------
    track
        The bytes of a track, without its header.
    path
        The file that it comes from, for messages.
    number
        Number of the track, from 1, for messages.
    broken_off
        Whether to stop where the bytes end, instead of raising an error.
    any_value
        Whether to let values above 127, such as a note's pitch or velocity, pass.

    Raises
    ------
    DataError
        An event is not valid; the message names it and its tick.
    """
    place, tick, running, count = 0, 0, 0, 0
    while place < len(track):
        count += 1
        where = f"{path}, track {number}, event {count}"
        try:
            delta, place = _variable(track, place, where)
            tick += delta
            where = f"{where} (tick {tick})"
            status = track[place]
            if status >= 0x80:
                place += 1
            elif running:
                status = running  # running status: the last one still holds
            else:
                raise DataError(f"{where}: data byte {status} without a status before it", expected="a status byte")
            meta = -1
            if status < 0xF0:
                running = status
                length = DATA_BYTES[status >> 4]
            elif status in (0xF0, 0xF7, 0xFF):
                running = 0 if status != 0xFF else running  # many files keep the running status after a meta event
                if status == 0xFF:
                    meta, place = track[place], place + 1
                length, place = _variable(track, place, where)
            else:
                raise DataError(f"{where}: status byte 0x{status:02X}", expected="one that a MIDI file may hold")
            inside = track[place : place + length]
            if len(inside) < length:
                raise IndexError
        except IndexError:
            if broken_off:
                return
            raise DataError(f"{where} is broken off", expected=OPEN_END, fix="copy the file anew") from None
        place += length
        if status >= 0xF0 or not any_value:
            _check(status, meta, inside, where)
        yield Event(count, tick, status, inside, meta, place)
        if meta == END_OF_TRACK:
            return


def _variable(track: bytes, place: int, where: str) -> tuple[int, int]:
    """Read a number of one to four bytes, 7 bits each; return it and the place after it."""
    value = 0
    for i in range(place, place + 4):
        value = value << 7 | track[i] & 0x7F
        if track[i] < 0x80:
            return value, i + 1
    raise DataError(f"{where}: a number of more than four bytes", expected="at most four bytes of 7 bits")


def _check(status: int, meta: int, data: bytes, where: str) -> None:
    if status < 0xF0:
        kind = KINDS[status >> 4]
        for role, value in zip(_roles(status >> 4), data, strict=False):
            if value > 127:
                raise DataError(f"{where}: {kind} with {role} {value}", expected=f"{role} 0 to 127",
                                fix="--set adapter.options.clip_values=true reads such values as 127")  # fmt: skip
    elif meta == SET_TEMPO and (len(data) != 3 or not any(data)):
        what = f"{len(data)} bytes" if len(data) != 3 else "0 microseconds a beat"
        raise DataError(f"{where}: a tempo of {what}", expected="3 bytes, 1 to 16777215 microseconds a beat")


def _roles(kind: int) -> tuple[str, ...]:
    return {0x8: ("pitch", "velocity"), 0x9: ("pitch", "velocity"), 0xA: ("pitch", "pressure"),
            0xB: ("controller", "value")}.get(kind, ("value", "value"))  # fmt: skip


def clipped(track: bytes, path: Path, number: int) -> tuple[bytes, int]:
    """The `track` with values above 127 as 127, and how many these are; `path` and `number` are those of `walk`."""
    mended, found = bytearray(track), 0
    for event in walk(track, path, number, any_value=True):
        for place in range(event.stop - len(event.data), event.stop) if event.status < 0xF0 else ():
            found += mended[place] > 127
            mended[place] = min(mended[place], 127)
    return bytes(mended), found


def unended(track: bytes, path: Path, number: int) -> int:
    """How many notes of a track begin and never end; `track`, `path` and `number` are those of `walk`."""
    open_notes: dict[tuple[int, int], int] = {}
    for event in walk(track, path, number):
        key = (event.status & 0xF, event.data[0]) if event.status >> 4 in (0x8, 0x9) else None
        if key is None:
            continue
        if event.status >> 4 == 0x9 and event.data[1]:
            open_notes[key] = open_notes.get(key, 0) + 1
        elif open_notes.get(key):
            open_notes[key] -= 1
    return sum(open_notes.values())
