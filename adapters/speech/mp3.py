"""The frames of an MPEG audio file (mp3), counted: libsndfile trusts the file's size where the file does not tell.

A file without a count of its frames (a Xing or Info frame) may have tags before, between and behind its frames, or
frames of several bit rates. libsndfile divides the size of all by the first bit rate, which is too long in the first
case and in the second may be too short, so that the rest is not read.
"""

from __future__ import annotations

import io
import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from xdomain.core.errors import DataError

LAYER_1 = (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448)
LAYER_2 = (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384)
LAYER_3 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
LOW_LAYER_1 = (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256)
LOW = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # by version: 1, 2, 2.5
COUNTING = re.compile(b"Xing|Info|VBRI")
TAG = re.compile(rb"TAG|ID3|APETAGEX|LYRICSBEGIN|\0")
NOISE = 1024
"""Bytes before the first frame and behind the last that are skipped: a recorded stream begins amid a frame."""
SLACK = 4
"""Frames more than a file tells that are not worth counting anew: some writers do not count the first."""


class Frame(NamedTuple):
    """One frame of MPEG audio.

    Parameters
    ----------
    start, stop
        Its bytes in the file, half-open.
    rate
        Samples a second.
    samples
        Samples of one channel that it holds.
    """

    start: int
    stop: int
    rate: int
    samples: int


def with_count(path: Path) -> io.BytesIO | None:
    """The MPEG audio file `path` without tags; where its bit rate varies, with a count of its frames in front.

    Returns
    -------
    io.BytesIO
        All of its frames, in memory; None where the file itself tells how many there are, or has a free bit rate.
        A decoder that is told the count leaves out its own delay, the first 529 samples.

    Raises
    ------
    DataError
        The file does not tell, and is cut off amid a frame, or holds something that is neither a frame nor a tag.
    """
    data = path.read_bytes()
    frames, fault = _frames(data, path)
    sounding = [frame for frame in frames if _count(data, frame) is None]
    told = next((_count(data, frame) for frame in frames), None) or 0
    if not sounding or (told and len(sounding) <= told + SLACK):  # fewer than told: a cut, which reading finds
        return None
    if fault:
        raise fault
    body = b"".join(data[frame.start : frame.stop] for frame in sounding)
    return io.BytesIO(_counted(data, sounding) + body)


def _frames(data: bytes, path: Path) -> tuple[list[Frame], DataError | None]:
    """All frames, those without sound too, none where the bit rate is free; and what is wrong behind them."""
    frames: list[Frame] = []
    first = _first(data, _behind_tags(data, 0))
    place, seconds = first.start if first else len(data), 0.0
    while place < len(data):
        frame = _frame(data, place)
        if frame is None:
            behind = _behind_tags(data, place)
            if behind == place and len(data) - place > NOISE:
                what = f"is damaged at {seconds:.2f} s: byte {place:,} begins neither a frame of sound nor a tag"
                return frames, _fault(path, what)
            place = behind if behind > place else len(data)
            continue
        if frame.stop > len(data):
            size = f"{len(data) - place} of {frame.stop - place} bytes"
            return frames, _fault(path, f"is cut off after {seconds:.2f} s: its last frame has {size}")
        frames.append(frame)
        seconds += frame.samples / frame.rate
        place = frame.stop
    return frames, None


def _fault(path: Path, what: str) -> DataError:
    fix = f"get it again, or keep what is there: ffmpeg -i {path.name} {path.stem}-fixed.wav"
    return DataError(f"{path} {what}", expected="a whole file", fix=fix)


def _first(data: bytes, place: int) -> Frame | None:
    """The first frame, after at most `NOISE` bytes, that another or the end follows; None: there is none."""
    for start in range(place, min(place + NOISE, len(data) - 3)):
        frame = _frame(data, start)
        if frame and (frame.stop >= len(data) or _frame(data, frame.stop) or TAG.match(data, frame.stop)):
            return frame
    return None


def _frame(data: bytes, place: int) -> Frame | None:
    """The frame whose header stands at `place`; None where there is none, or its bit rate is free."""
    kind = _kind(data[place : place + 3])
    return Frame(place, place + kind[0], *kind[1:]) if kind and place + 4 <= len(data) else None


@lru_cache(4096)
def _kind(header: bytes) -> tuple[int, int, int] | None:
    """Bytes, samples a second and samples of a frame, by the first three bytes of its header."""
    if len(header) < 3 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    speed, rate, padded = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer == 4 or speed in (0, 15) or rate == 3:
        return None
    one = version == 3
    speeds = (LAYER_1, LAYER_2, LAYER_3)[layer - 1] if one else LOW_LAYER_1 if layer == 1 else LOW
    samples = 384 if layer == 1 else 576 if layer == 3 and not one else 1152
    hertz, bits = RATES[version][rate], 1000 * speeds[speed - 1]
    size = (12 * bits // hertz + padded) * 4 if layer == 1 else samples * bits // (8 * hertz) + padded
    return size, hertz, samples


def _behind_tags(data: bytes, place: int) -> int:
    """The first byte from `place` on that belongs to no tag and is not 0."""
    while place < len(data) and TAG.match(data, place):
        if data.startswith(b"ID3", place) and place + 10 <= len(data):
            a, b, c, d = data[place + 6 : place + 10]
            place += 10 + (a << 21 | b << 14 | c << 7 | d) + (10 if data[place + 5] & 0x10 else 0)
        elif data.startswith(b"APETAGEX", place):
            size = int.from_bytes(data[place + 12 : place + 16], "little")
            begins = bool(int.from_bytes(data[place + 20 : place + 24], "little") & 1 << 29)
            place += 32 + (size if begins else 0)
        elif data.startswith(b"LYRICSBEGIN", place):
            ends = re.compile(rb"LYRICS200|LYRICSEND").search(data, place)
            place = ends.end() if ends else len(data)
        elif data.startswith(b"TAG", place):
            place += 128
        else:
            place = next((at.start() for at in (re.compile(rb"[^\0]").search(data, place),) if at), len(data))
    return place


def _side(data: bytes, frame: Frame) -> int:
    """Where a frame of layer III has its sound: behind the header and the side information."""
    one, mono = data[frame.start + 1] & 8, data[frame.start + 3] >> 6 == 3
    return frame.start + 4 + ((17 if mono else 32) if one else (9 if mono else 17))


def _count(data: bytes, frame: Frame) -> int | None:
    """How many frames follow by what a frame without sound (Xing, Info, VBRI) tells, 0 where not; None: it sounds."""
    if not COUNTING.search(data, frame.start, frame.start + 44):
        return None
    side = _side(data, frame)
    for place in (side, side + 2):  # behind a checksum
        if data[place : place + 4] in (b"Xing", b"Info"):
            known = data[place + 7] & 1
            return int.from_bytes(data[place + 8 : place + 12]) if known else 0
    return 0 if data.startswith(b"VBRI", frame.start + 36) else None


def _counted(data: bytes, frames: list[Frame]) -> bytes:
    """A frame without sound that tells how many `frames` follow; none for layers I and II, or a constant bit rate."""
    first = frames[0]
    if data[first.start + 1] >> 1 & 3 != 1 or len({data[frame.start + 2] >> 4 for frame in frames}) == 1:
        return b""
    size = _side(data, first) + 12 - first.start
    shape = next((frame for frame in frames if frame.stop - frame.start >= size), None)
    if shape is None:
        return b""
    header = bytearray(data[shape.start : shape.start + 4])
    header[1] |= 1  # no checksum
    place = _side(data, shape) - shape.start
    told = b"Xing" + (1).to_bytes(4) + len(frames).to_bytes(4)
    return bytes(header).ljust(place, b"\0") + told.ljust(shape.stop - shape.start - place, b"\0")
