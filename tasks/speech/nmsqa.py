"""NMSQA: SQuAD's questions and passages read aloud, with the seconds at which each answer is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from xdomain.core.errors import DataError

PARQUET = "NMSQA's parquet: id, question, context, answers with their characters and seconds"


@dataclass(frozen=True)
class Question:
    """A question of NMSQA.

    Parameters
    ----------
    id, title, text, passage
        As in SQuAD; the title, of a Wikipedia article, may be empty.
    characters
        The reference answers as characters of `passage`, half-open, duplicates kept.
    seconds
        The distinct reference answers in the recording, half-open. In the published dev set these count from the
        beginning of the `segment`, although the field is called full.
    in_segment
        Whether `seconds` count from the beginning of the segment.
    segment, recording, spoken
        File names without endings: of the segment that holds the answer, of the whole passage, and of the question.
    """

    id: str
    title: str
    text: str
    passage: str
    characters: tuple[tuple[int, int], ...]
    seconds: tuple[tuple[float, float], ...]
    in_segment: bool
    segment: str
    recording: str
    spoken: str


def read_questions(path: Path) -> list[Question]:
    """Read all questions of `path`, a parquet file of NMSQA; where no answer was located, there are no seconds."""
    return [question_of(row, path, number) for number, row in enumerate(parquet_rows(path), 1)]


def by_title(path: Path) -> dict[str, list[Question]]:
    """The questions of the parquet file `path` by the title of their article; without a title, by passage."""
    questions: dict[str, list[Question]] = {}
    for question in read_questions(path):
        questions.setdefault(question.title or question.recording or question.passage, []).append(question)
    if not questions:
        raise DataError(f"{path} holds no question", expected=PARQUET)
    return questions


def parquet_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of the parquet file `path`; a `DataError` where it cannot be read."""
    try:
        return pq.read_table(path).to_pylist()
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:  # ValueError: text that is not UTF-8
        raise DataError(f"{path} cannot be read ({str(error)[:80]})", expected=PARQUET) from None


def question_of(row: Mapping[str, Any], path: Path, number: int) -> Question:
    """Read a question from `row` of NMSQA; `path` and `number`, which counts rows from 1, are for messages."""
    try:
        answers = row["answers"]
        passage = str(row["context"])
        starts = answers["audio_full_answer_start"] or []
        seconds = tuple(zip(starts, answers["audio_full_answer_end"] or [], strict=True))
        question = Question(
            id=str(row["id"]), title=row.get("title") or "", text=str(row["question"]), passage=passage,
            characters=tuple(
                (start, start + len(text))
                for start, text in zip(answers["answer_start"] or [], answers["text"] or [], strict=True)
                if passage[start : start + len(text)] == text
            ),
            seconds=seconds,
            in_segment=starts == (answers.get("audio_segment_answer_start") or []),
            segment=Path(row.get("content_segment_audio_path") or "").stem,
            recording=Path(row.get("content_full_audio_path") or "").stem,
            spoken=Path(row.get("question_audio_path") or "").stem,
        )  # fmt: skip
        bad = next((span for span in seconds if not 0 <= span[0] < span[1]), None)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path}, row {number}: {type(error).__name__}: {str(error)[:60]}", expected=PARQUET) from None
    if bad is not None:
        raise DataError(
            f"{path}, row {number} (id {question.id!r}): an answer from {bad[0]:g} to {bad[1]:g} seconds",
            expected="0 ≤ start < end",
        )
    return question


def segment_name(question: Question) -> str:
    """What identifies the segment of `question` within its passage: usually a number, "" where it is the only one."""
    return question.segment.removeprefix(question.recording).lstrip("-_")
