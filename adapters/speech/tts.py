"""Turn text into audio by the program espeak-ng, with the seconds at which each part is said."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import wave
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa

from xdomain.core.disk import writing
from xdomain.core.errors import DataError, MissingError

from .files import rows_to

Seconds = tuple[float, float]
COLUMNS = ("id", "question", "passage", "start", "end")
KEPT = ("split", "group")


def speak(text: str | Sequence[str], path: Path, *, voice: str = "en", words_per_minute: int = 175) -> list[Seconds]:
    """Write a wav file (mono, 16 bits, 22,050 Hz) in which a text is said, and return when each part is said.

    Each part is synthesised on its own and the recordings are joined, so that borders are exact to a sample. (The
    program's own events say only where words begin, and only to programs that link its library.) The disadvantage:
    intonation does not cross a border, and each part begins and ends as a phrase of its own.

    Parameters
    ----------
    text
        One text, or parts that are said one after another.
    path
        The wav file to write.
    voice
        One of those that ``espeak-ng --voices`` lists.
    words_per_minute
        Speaking rate, 80 to 450.

    Returns
    -------
    list
        Start and end of each part in seconds, half-open; equal for a part with nothing to say.

    Raises
    ------
    MissingError
        espeak-ng is not installed.
    DataError
        espeak-ng does not have the voice, the rate is out of range, or no part has anything to say.
    OutputError
        `path` cannot be written.
    """
    program = shutil.which("espeak-ng")
    if program is None:
        raise MissingError(
            "espeak-ng is not installed", expected="the program that speaks text", fix="apt install espeak-ng"
        )
    if not 80 <= words_per_minute <= 450:
        raise DataError(f"{words_per_minute} words per minute", expected="80 to 450")
    parts = [text] if isinstance(text, str) else list(text)
    whole = bytearray()
    rate = 22050
    borders = [0]
    with tempfile.TemporaryDirectory() as folder:
        for part in parts:
            if part.strip():
                rate, samples = _said(program, part, Path(folder) / "part.wav", voice, words_per_minute)
                whole += samples
            borders.append(len(whole) // 2)
    if not whole:
        raise DataError(f"nothing to say in {str(text)[:60]!r}", expected="a text with words")
    with writing(path), path.open("wb") as raw, wave.open(raw, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", "not compressed"))
        file.writeframes(bytes(whole))
    return [(start / rate, end / rate) for start, end in pairwise(borders)]


def speak_questions(
    table: pa.Table,
    out: Path,
    *,
    voices: Sequence[str] = ("en",),
    words_per_minute: int = 175,
    progress: Callable[[int, float], None] = lambda done, seconds: None,
) -> Path:
    """Write questions and passages as wav files, and a table of the seconds at which the answers are said.

    Parameters
    ----------
    table
        A raw table of the problem ``span``: id, sequence (the question), sequence_b (the passage), answers (their
        characters in the passage, half-open; of several the most frequent is kept), and optionally split and group.
    out
        The CSV to write: id, question and passage (paths relative to it), start and end (seconds in the passage),
        split and group. The wav files go into a folder beside it with the same name.
    voices
        Voices of espeak-ng, used in turn; the question has the one after its passage's.
    words_per_minute
        Speaking rate, 80 to 450.
    progress
        Called after each question with how many are said, and their seconds of audio.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    DataError
        An answer does not lie in its passage, or nothing in it can be said; or see `speak`.
    OutputError
        A file or the folder cannot be written.
    """
    folder = out.with_suffix("")
    with writing(folder, expected="a place for wav files"):
        folder.mkdir(parents=True, exist_ok=True)
    kept = [name for name in KEPT if name in table.column_names]
    seconds = 0.0
    with rows_to(out, (*COLUMNS, *kept)) as write:
        for number, row in enumerate(table.to_pylist()):
            start, end = _answer(row)
            text = str(row["sequence_b"])
            question, passage = (folder / f"{side}-{number}.wav" for side in ("question", "passage"))
            voice, other = (voices[(number + i) % len(voices)] for i in (0, 1))
            asked = speak(str(row["sequence"]), question, voice=other, words_per_minute=words_per_minute)
            parts = (text[:start], text[start:end], text[end:])
            said = speak(parts, passage, voice=voice, words_per_minute=words_per_minute)
            times = (f"{second:.6f}" for second in said[1])
            paths = (f"{folder.name}/{path.name}" for path in (question, passage))
            write(dict(zip(COLUMNS, (row["id"], *paths, *times), strict=True)) | {name: row[name] for name in kept})
            seconds += asked[-1][1] + said[-1][1]
            progress(number + 1, seconds)
    return out


def _answer(row: Mapping[str, Any]) -> tuple[int, int]:
    """Start and end, in the passage, of the most frequent answer; of equally frequent ones the first."""
    text, answers = str(row["sequence_b"]), [(round(one["start"]), round(one["end"])) for one in row["answers"]]
    start, end = max(answers, key=answers.count)
    if not (0 <= start < end <= len(text) and text[start:end].strip()):
        raise DataError(
            f"record {row['id']!r}: an answer from character {start} to {end} of {len(text)}",
            expected="0 ≤ start < end ≤ the passage's length, and something to say there",
        )
    return start, end


def _said(program: str, text: str, path: Path, voice: str, words_per_minute: int) -> tuple[int, bytes]:
    """Sample rate and samples, without the pause that ends a sentence."""
    result = subprocess.run(
        [program, "-z", "-b", "1", "-v", voice, "-s", str(words_per_minute), "-w", str(path), "--stdin"],
        input=text,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if result.returncode or not path.is_file():
        raise DataError(
            f"espeak-ng does not say {text[:40]!r} with the voice {voice!r} ({result.stderr.strip()[:80]})",
            expected="one of the voices that `espeak-ng --voices` lists",
        )
    with wave.open(str(path), "rb") as file:
        return file.getframerate(), file.readframes(file.getnframes())
