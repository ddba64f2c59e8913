"""A piece of music as notes, and as the line of text that a table holds.

A line is a header of ``name=value`` words, each of which may be left out, and then one word for each note, with blanks
between::

    ticks=480 tempo=0:500000,960:400000 meter=0:3/4 programs=0,32 60:0:480:64 d36:0:120:90:1

Header: ``ticks``, the ticks of a beat (a quarter note), 1 to 32767, by default 480; ``tempo``, pairs of a tick and the
microseconds of a beat from there on, by default 500000, which is 120 beats a minute; ``meter``, pairs of a tick and the
time signature from there on, by default none; ``programs``, the General MIDI instrument of each part, 0 to 127, by
default 0. Note: pitch (MIDI: 60 is middle C; with ``d`` before it a drum), start
and duration in ticks, velocity 1 to 127, and the number of its part where there are several. Where the words are
pitches alone, the notes follow one another, a beat each, at velocity 64: ``60 62 64``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from xdomain.core.errors import DataError, nearest
from xdomain.core.sequences import Payload

pc: Any = pyarrow.compute  # its functions are made at import and have no types
Ints = NDArray[np.int64]

TICKS, TEMPO, VELOCITY = 480, 500_000, 64
MAX_TICKS = 2**31 - 1
HEADER = ("ticks", "tempo", "meter", "programs")
NO_METER: Ints = np.empty((0, 3), np.int64)
DENOMINATORS = (1, 2, 4, 8, 16, 32, 64, 128)
HEADER_WORD = re.compile(rb"\s*([a-z]+)=(\S*)")
FIELDS = "pitch:start:duration:velocity[:part], such as 60:0:480:64, or pitches alone"
LIMITS = (("pitch", 0, 127), ("start", 0, MAX_TICKS), ("duration", 0, MAX_TICKS), ("velocity", 1, 127))
MAX_DIGITS = 15
TO_SPACES = bytes.maketrans(b":d\t\r\n\v\f", b"       ")


@dataclass(frozen=True)
class Piece:
    """n notes and what their ticks mean.

    Parameters
    ----------
    ticks
        Ticks of a beat, which is a quarter note.
    tempo
        Shape (changes, 2): a tick, and the microseconds of a beat from there on; the first tick is 0, ticks increase.
    programs
        General MIDI program of every part.
    pitch, start, duration, velocity, part
        Shape (n,): 0 to 127; ticks; ticks; 1 to 127; index into `programs`.
    drum
        Shape (n,): whether `pitch` names a drum.
    meter
        Shape (changes, 3): a tick, and numerator and denominator of the time signature from there on; ticks increase.
    """

    ticks: int
    tempo: Ints
    programs: tuple[int, ...]
    pitch: Ints
    start: Ints
    duration: Ints
    velocity: Ints
    part: Ints
    drum: NDArray[np.bool_]
    meter: Ints = field(default_factory=NO_METER.copy)

    def __len__(self) -> int:
        return len(self.pitch)

    @property
    def stop(self) -> Ints:
        """Shape (n,): the tick at which a note ends."""
        return self.start + self.duration

    def take(self, which: NDArray[Any]) -> Piece:
        """The notes at `which`: indices, or a mask."""
        return replace(
            self, pitch=self.pitch[which], start=self.start[which], duration=self.duration[which],
            velocity=self.velocity[which], part=self.part[which], drum=self.drum[which],
        )  # fmt: skip

    def in_order(self) -> Piece:
        """The notes by onset; at one onset from low to high, drums after other notes of a pitch, shorter ones first."""
        later, higher = np.diff(self.start), np.diff(self.pitch)
        if ((later > 0) | (later == 0) & (higher > 0)).all():
            return self
        keys = (self.part, self.velocity, self.duration, self.drum, self.pitch, self.start)
        return self.take(np.lexsort(keys))

    def seconds(self, ticks: Ints) -> NDArray[np.float64]:
        """Shape (n,): the seconds at which `ticks`, shape (n,), come by the tempo map."""
        changes, lasting = self.tempo[:, 0], self.tempo[:, 1] / (1e6 * self.ticks)
        begun = np.concatenate(([0.0], np.cumsum(np.diff(changes) * lasting[:-1])))
        which = np.searchsorted(changes, ticks, side="right") - 1
        return begun[which] + (ticks - changes[which]) * lasting[which]

    def at_even_tempo(self, ticks: int = 10_000) -> Piece:
        """The same sounds at 120 beats a minute, without bars; times are rounded to `ticks` in half a second."""
        start, stop = (np.rint(self.seconds(t) * 2 * ticks).astype(np.int64) for t in (self.start, self.stop))
        return replace(self, ticks=ticks, tempo=even_tempo(), meter=NO_METER, start=start, duration=stop - start)


def even_tempo(microseconds: int = TEMPO) -> Ints:
    """Shape (1, 2): one tempo for the whole piece, of `microseconds` a beat."""
    return np.array([[0, microseconds]], np.int64)


def tempo_map(changes: Sequence[tuple[int, int]]) -> Ints:
    """Shape (changes, 2): `changes`, pairs of a tick and microseconds a beat, in order of ticks from tick 0 on.

    Of two changes at one tick the last holds; one that repeats the tempo before it is left out.
    """
    tempos = {0: TEMPO} | dict(sorted(changes, key=lambda change: change[0]))
    ordered = sorted(tempos.items())
    kept = [change for i, change in enumerate(ordered) if not i or change[1] != ordered[i - 1][1]]
    return np.array(kept, np.int64)


def meter_map(changes: Sequence[tuple[int, int, int]]) -> Ints:
    """Shape (changes, 3): `changes`, each a tick, numerator and denominator, in order of ticks.

    Of two changes at one tick the last holds; one that repeats the time signature before it is left out.
    """
    ordered = sorted({tick: (above, below) for tick, above, below in changes}.items())
    kept = [(tick, *s) for i, (tick, s) in enumerate(ordered) if not i or s != ordered[i - 1][1]]
    return np.array(kept, np.int64).reshape(-1, 3)


def piece_of(pitch: Ints, *, start: Ints | None = None, drum: NDArray[np.bool_] | None = None) -> Piece:
    """Notes of a beat each, at one velocity and an even tempo, as a single part.

    Parameters
    ----------
    pitch
        Shape (n,), 0 to 127.
    start
        Shape (n,), in ticks; None: one after another.
    drum
        Shape (n,); None: no drums.
    """
    pitch = pitch.astype(np.int64)
    number = len(pitch)
    return Piece(
        TICKS, even_tempo(), (0,), pitch, np.arange(number) * TICKS if start is None else start,
        np.full(number, TICKS), np.full(number, VELOCITY), np.zeros(number, np.int64),
        np.zeros(number, bool) if drum is None else drum,
    )  # fmt: skip


def written(piece: Piece) -> str:
    """The line of text of `piece`, which `parsed` reads back."""
    words = [f"ticks={piece.ticks}", "tempo=" + ",".join(f"{tick}:{lasting}" for tick, lasting in piece.tempo)]
    if len(piece.meter):
        words.append("meter=" + ",".join(f"{tick}:{above}/{below}" for tick, above, below in piece.meter))
    several = len(piece.programs) > 1
    if several or any(piece.programs):
        words.append("programs=" + ",".join(map(str, piece.programs)))
    if len(piece):
        columns = [piece.start, piece.duration, piece.velocity, *([piece.part] if several else [])]
        pitches = pc.binary_join_element_wise(
            pa.array(np.where(piece.drum, "d", "")), pa.array(piece.pitch).cast(pa.string()), ""
        )
        notes = pc.binary_join_element_wise(pitches, *(pa.array(c).cast(pa.string()) for c in columns), ":")
        words.append(" ".join(notes.to_pylist()))
    return " ".join(words)


def parsed(payload: Payload, *, record: int = 0) -> Piece:
    """Read a piece from a line of text.

    Parameters
    ----------
    payload
        A line of ASCII text, or its bytes.
    record
        Its number from 0, for messages.

    Raises
    ------
    DataError
        It is not such a line, or a number is out of range; the message names the note, counted from 1.
    """
    where = f"record {record + 1}"
    try:
        text = payload if isinstance(payload, str) else payload.decode("ascii")
        raw = text.encode("ascii")
    except UnicodeError:
        raise DataError(f"{where}: letters beyond ASCII", expected=FIELDS) from None
    header, body = _headed(raw, where)
    ticks = _number(header.get("ticks", str(TICKS)), (1, 32767), f"{where}: ticks")
    programs = [_number(p, (0, 127), f"{where}: programs") for p in header.get("programs", "0").split(",")]
    numbers, drum = _numbers(body, where)
    _check_ranges(numbers, len(programs) - 1, where)
    if numbers.shape[1] == 1:
        piece = piece_of(numbers[:, 0], drum=drum)
        beats = np.arange(len(piece)) * ticks
        piece = replace(piece, ticks=ticks, start=beats, duration=np.full(len(piece), ticks))
    else:
        pitch, start, duration, velocity = numbers[:, :4].T
        part = numbers[:, 4] if numbers.shape[1] == 5 else np.zeros(len(numbers), np.int64)
        piece = Piece(ticks, even_tempo(), (0,), pitch, start, duration, velocity, part, drum)
    tempo, meter = _tempo(header.get("tempo"), where), _meter(header.get("meter"), where)
    return replace(piece, tempo=tempo, meter=meter, programs=tuple(programs))


def _headed(raw: bytes, where: str) -> tuple[dict[str, str], bytes]:
    """The words ``name=value`` at the start, and the rest."""
    header: dict[str, str] = {}
    end = 0
    while word := HEADER_WORD.match(raw, end):
        name = word[1].decode()
        if name not in HEADER:
            raise DataError(f"{where}: {name}= is not known", expected=f"one of {', '.join(HEADER)}, then notes",
                            nearest=nearest(name, HEADER))  # fmt: skip
        header[name], end = word[2].decode(), word.end()
    return header, raw[end:]


def _numbers(body: bytes, where: str) -> tuple[Ints, NDArray[np.bool_]]:
    """Shape (notes, 1, 4 or 5): the fields of every note; and which are drums."""
    letters = np.frombuffer(b" " + body, np.uint8)
    blank = (letters == 32) | ((letters >= 9) & (letters <= 13))
    begins = np.flatnonzero(blank[:-1] & ~blank[1:])  # in `body`
    if not len(begins):
        return np.empty((0, 4), np.int64), np.empty(0, bool)
    letters, blank = letters[1:], blank[1:]
    digit = (letters >= ord("0")) & (letters <= ord("9"))
    drum = letters[begins] == ord("d")
    colon = letters == ord(":")
    known = digit | blank | colon
    known[begins[drum]] = True
    colons = np.diff(np.append(np.searchsorted(np.flatnonzero(colon), begins), int(colon.sum())))
    digits_follow = np.append(digit[1:], False)
    whole = known.all() and (digit[begins] | drum).all() and digits_follow[colon | (letters == ord("d"))].all()
    longest = np.diff(np.concatenate(([-1], np.flatnonzero(~digit), [len(digit)]))).max() - 1
    if not whole or longest > MAX_DIGITS or colons[0] not in (0, 3, 4) or (colons != colons[0]).any():
        raise _odd_note(body, int(colons[0]), where)
    flat = np.fromstring(body.translate(TO_SPACES).decode(), np.int64, sep=" ")
    return flat.reshape(len(begins), colons[0] + 1), drum


def _odd_note(body: bytes, colons: int, where: str) -> DataError:
    for number, word in enumerate(body.decode().split(), 1):
        fields = word.count(":") + 1
        if not re.fullmatch(r"d?\d{1,15}(:\d{1,15}){0,4}", word) or fields in (2, 3):
            return DataError(f"{where}: note {number} is {word[:40]!r}", expected=FIELDS)
        if fields != colons + 1:
            return DataError(
                f"{where}: note {number}, {word[:40]!r}, has {fields} fields and those before it {colons + 1}",
                expected=FIELDS,
            )
    return DataError(f"{where}: these are no notes: {body[:40].decode()!r}", expected=FIELDS)


def _check_ranges(numbers: Ints, last_part: int, where: str) -> None:
    for values, (name, low, high) in zip(numbers.T, (*LIMITS, ("part", 0, last_part)), strict=False):
        wrong = np.flatnonzero((values < low) | (values > high))
        if len(wrong):
            _refuse(f"{where}: note {wrong[0] + 1}: {name}", values[wrong[0]], low, high)


def _number(text: str, limits: tuple[int, int], where: str) -> int:
    low, high = limits
    if not re.fullmatch(r"\d{1,15}", text) or not low <= int(text) <= high:
        _refuse(where, repr(text), low, high)
    return int(text)


def _refuse(where: str, value: object, low: int, high: int) -> NoReturn:
    raise DataError(f"{where} {value}", expected=f"a whole number from {low} to {high}")


def _tempo(text: str | None, where: str) -> Ints:
    if text is None:
        return even_tempo()
    changes: list[tuple[int, int]] = []
    for change in text.split(","):
        tick, _, lasting = change.partition(":")
        at = f"{where}: tempo={change[:40]}:"
        changes.append((_number(tick, (0, MAX_TICKS), at), _number(lasting, (1, 2**24 - 1), at)))
    return tempo_map(changes)


def _meter(text: str | None, where: str) -> Ints:
    changes: list[tuple[int, int, int]] = []
    for change in text.split(",") if text else ():
        tick, _, signature = change.partition(":")
        above, _, below = signature.partition("/")
        at = f"{where}: meter={change[:40]}:"
        if below not in map(str, DENOMINATORS):
            raise DataError(f"{at} denominator {below!r}", expected=f"one of {', '.join(map(str, DENOMINATORS))}")
        changes.append((_number(tick, (0, MAX_TICKS), at), _number(above, (1, 255), at), int(below)))
    return meter_map(changes)
