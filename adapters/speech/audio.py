"""Sound files as mono samples at one rate: read whole, streamed in flat memory, or cut."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xdomain.core.errors import DataError, OutputError
from xdomain.core.paths import is_file, is_folder
from xdomain.data.sources import neighbour

from .mp3 import with_count
from .optional_deps import library

Samples = NDArray[np.float32]

SILENCE = 2.0**-15
"""Greatest amplitude of silence: the lowest bit of a 16-bit file."""
LOUDEST = 100.0
"""Greatest amplitude that is taken for sound: full scale is 1, and no recording is 40 dB above it."""
SLACK = 4 * 1152
"""Samples, four frames of an mp3: the greatest error of a header without a count."""
BLOCK = 10.0  # seconds
UNKNOWN_SIZE = 0x7FFFFF00  # bytes; a program that writes wav to a pipe gives such a size instead of the true one
READS = "wav, flac, ogg, opus, mp3 or aiff"


@dataclass(frozen=True)
class Sound:
    """What the header of a sound file says.

    Parameters
    ----------
    path
        The file.
    rate
        Samples a second.
    channels
        1 or more; the mean of the channels is read.
    samples
        Samples of one channel, at least 1.
    """

    path: Path
    rate: int
    channels: int
    samples: int

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.samples / self.rate


def describe(path: Path) -> Sound:
    """Read the header of the sound file `path`.

    Raises
    ------
    DataError
        It is missing, not a sound file, cut off, or holds no samples.
    """
    with _opened(path) as file:
        return _described(path, file)


def check_samples(path: Path) -> Sound:
    """Read the header of a sound file, and all samples where they are floats, which alone can be no sound.

    Parameters
    ----------
    path
        The sound file.

    Raises
    ------
    DataError
        See `blocks`.
    """
    with _opened(path) as file:
        sound = _described(path, file)
        if file.subtype in ("FLOAT", "DOUBLE"):
            read = 0
            while number := len(_next(path, file, sound, read, round(BLOCK * sound.rate))):
                read += number
    return sound


def read_audio(path: Path, *, rate: int) -> Samples:
    """Read all samples of the sound file `path`, the mean of its channels, at `rate` samples a second.

    Returns
    -------
    numpy.ndarray
        Shape (samples,), float32, full scale ±1.

    Raises
    ------
    DataError
        See `blocks`.
    """
    return np.concatenate(list(blocks(path, rate=rate)))


def blocks(path: Path, *, rate: int, seconds: float = BLOCK) -> Iterator[Samples]:
    """Yield the samples of a file at `rate` in consecutive pieces.

    Joined, they are the same samples, to the bit, whatever the length of the pieces: the resampler (soxr, HQ) keeps
    its state between them. Integers of n bits are divided by 2**(n - 1).

    Parameters
    ----------
    path
        A sound file.
    rate
        Samples a second to yield.
    seconds
        Length of a piece before resampling; memory grows with it, not with the file.

    Raises
    ------
    DataError
        See `describe`; or a sample is not finite or beyond ±100, or the file ends before its header says.
    """
    with _opened(path) as file:
        sound = _described(path, file)
        resample = _resampler(sound.rate, rate)
        read = 0
        while len(block := _next(path, file, sound, read, max(1, round(seconds * sound.rate)))):
            read += len(block)
            yield resample(block, False)
        if sound.samples - read > (SLACK if file.format == "MP3" else 0):
            raise _cut(sound, read)
        yield resample(np.empty(0, np.float32), True)


def is_silent(samples: Samples) -> bool:
    """Whether none of `samples` (full scale ±1) is louder than the lowest bit of a 16-bit file."""
    return not len(samples) or float(np.abs(samples).max()) <= SILENCE


def cut_audio(path: Path, start: float, end: float, out: Path) -> None:
    """Write the seconds [start, end) of a sound file to another, with the same rate, channels and, in a wav, width.

    Integer samples stay unchanged. `out` is written completely or not at all.

    Parameters
    ----------
    path
        The sound file to cut from.
    start, end
        Seconds from the beginning of the file, half-open, within it.
    out
        The file to write; its ending decides the format: wav, flac, ogg or mp3.

    Raises
    ------
    DataError
        `path` cannot be read, or the seconds are not all within it.
    OutputError
        `out` cannot be written.
    """
    soundfile = library("soundfile")
    with _opened(path) as file:
        sound = _described(path, file)
        first, last = round(start * sound.rate), round(end * sound.rate)
        if not 0 <= first < last <= sound.samples:
            raise DataError(
                f"{path} cannot be cut from {start:.3f} s to {end:.3f} s",
                expected=f"a start before the end, both within its {sound.duration:.3f} s",
            )
        _go_to(file, first)
        whole = file.subtype.startswith("PCM")
        samples = file.read(last - first, dtype="int32" if whole else "float64", always_2d=True)
        kept = (whole or file.subtype in ("FLOAT", "DOUBLE")) and soundfile.check_format(out.suffix[1:], file.subtype)
        subtype = file.subtype if kept else None
    if len(samples) < last - first:
        raise _cut(sound, first + len(samples))
    part = out.with_name(f"{out.stem}.part{out.suffix}")
    try:
        soundfile.write(str(part), samples, sound.rate, subtype)
        part.replace(out)
    except (soundfile.SoundFileError, OSError, ValueError, TypeError) as error:
        part.unlink(missing_ok=True)
        raise OutputError(
            f"{out} cannot be written ({error})", expected="a name that ends in .wav, .flac, .ogg or .mp3"
        ) from None


def _opened(path: Path) -> Any:
    soundfile = library("soundfile")
    if is_folder(path):
        raise DataError(f"{path} is a folder", expected=f"a file: {READS}")
    if not is_file(path):
        raise DataError(f"{path} does not exist", expected=f"a file: {READS}", nearest=neighbour(path))
    try:
        file = soundfile.SoundFile(str(path))
        if file.format == "MP3" and (counted := with_count(path)):
            file = soundfile.SoundFile(counted)
    except (soundfile.SoundFileError, TypeError, OSError) as error:  # TypeError: a headerless .raw
        raise DataError(
            f"{path} is no sound file that can be read: {_looks(path) or str(error).split(': ', 1)[-1]}",
            expected=READS,
            fix=f"ffmpeg -i {path.name} {path.stem}-fixed.wav, if it is sound of another kind",
        ) from None
    if file.format == "MP3":
        # otherwise soundfile seeks to the current place after every read, and after a seek an mp3 decoder lacks the
        # bits that the next frames take from earlier ones
        file.seekable = lambda: False
    return file


def _looks(path: Path) -> str | None:
    """What a file that is not sound seems to be: empty, or text such as a web page or a Git LFS pointer."""
    try:
        with path.open("rb") as file:
            start = file.read(400)
    except OSError as error:
        return error.strerror
    if not start:
        return "it is empty"
    text = start.decode("utf-8", "ignore")
    if len(text.encode()) < len(start) - 3 or not all(c.isprintable() or c.isspace() for c in text):
        return None
    return f"it holds text, {' '.join(text.split())[:40]!r} …"


def _described(path: Path, file: Any) -> Sound:
    sound = Sound(path, int(file.samplerate), int(file.channels), int(file.frames))
    if sound.samples < 1:
        raise DataError(f"{path} holds no samples", expected="at least one")
    sizes = re.search(r"^data : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    if sizes and int(sizes[2]) < int(sizes[1]) < UNKNOWN_SIZE:
        raise DataError(
            f"{path} is cut off: its header tells {int(sizes[1]):,} bytes of sound, it holds {int(sizes[2]):,}",
            expected="a whole file",
            fix=_fix_cut(path),
        )
    if "lacks an end-of-stream bit" in file.extra_info:
        raise DataError(
            f"{path} is cut off after {sound.duration:.2f} s: its last page is missing",
            expected="a whole file",
            fix=_fix_cut(path),
        )
    return sound


def _go_to(file: Any, sample: int) -> None:
    """Make `sample` the next to be read; an mp3 is read up to there, because it must not seek."""
    if file.format != "MP3":
        file.seek(sample)
        return
    for start in range(0, sample, 2**16):
        file.read(min(sample - start, 2**16))


def _resampler(given: int, wanted: int) -> Any:
    """A function (samples, last) -> samples that keeps its state between calls."""
    if given == wanted:
        return lambda samples, last: samples
    stream = library("soxr").ResampleStream(given, wanted, 1, dtype="float32", quality="HQ")
    return lambda samples, last: stream.resample_chunk(samples, last=last)


def _next(path: Path, file: Any, sound: Sound, start: int, number: int) -> Samples:
    """Read the next samples as mono; `start` is how many came before."""
    try:
        block: Samples = file.read(number, dtype="float32", always_2d=True)
    except library("soundfile").SoundFileError:
        raise _cut(sound, start) from None
    sane = (np.abs(block) <= LOUDEST).all(axis=1)  # not for nan
    if not sane.all():
        at = int(sane.argmin())
        value = block[at][~(np.abs(block[at]) <= LOUDEST)][0]
        raise DataError(
            f"{path}: the sample at {(start + at) / sound.rate:.4f} s is {value:g}",
            expected=f"samples between -1 and 1, none beyond ±{LOUDEST:g}",
            fix="write the file anew from its source, with floats of full scale 1, or leave it out",
        )
    return block[:, 0] if sound.channels == 1 else block.mean(axis=1)


def _cut(sound: Sound, read: int) -> DataError:
    return DataError(
        f"{sound.path} is cut off or damaged: its header tells {sound.samples:,} samples ({sound.duration:.2f} s), "
        f"{read:,} ({read / sound.rate:.2f} s) could be read",
        expected="a whole file",
        fix=_fix_cut(sound.path),
    )


def _fix_cut(path: Path) -> str:
    return f"get it again, or keep what is there: ffmpeg -i {path.name} {path.stem}-fixed.wav"
