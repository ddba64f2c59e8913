"""SQuAD's own JSON (Rajpurkar et al. 2016, 2018): questions on paragraphs, one row a question."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from xdomain.core.errors import DataError
from xdomain.data.formats.read_file import read_text


def raw_squad(path: Path) -> pa.Table:
    """Read the questions of the file `path`.

    Returns
    -------
    pa.Table
        Strings: ``id``, ``question``, ``context``, ``answer_text`` and ``answer_start``, the character that the answer
        begins at; of several answers to a question, the first.

    Raises
    ------
    DataError
        No JSON, not in the form of SQuAD, or a question without an answer (version 2.0).
    """
    try:
        tree = json.loads(read_text(path))
        rows = [
            _row(question, paragraph["context"])
            for article in tree["data"]
            for paragraph in article["paragraphs"]
            for question in paragraph["qas"]
        ]
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: line {error.lineno} is no JSON ({error.msg})", expected="SQuAD's JSON") from None
    except (KeyError, TypeError, IndexError) as error:
        raise DataError(
            f"{path} is not in the form of SQuAD ({type(error).__name__}: {error})",
            expected='{"data": [{"paragraphs": [{"context": …, "qas": [{"id", "question", "answers"}]}]}]}',
        ) from None
    unanswered = [row["id"] for row in rows if row["answer_start"] is None]
    if unanswered:
        raise DataError(
            f"{path}: question {unanswered[0]} has no answer"
            + (f", and {len(unanswered) - 1:,} more" if unanswered[1:] else ""),
            expected="an answer to every question: those without one (SQuAD 2.0) cannot be learned yet",
            fix="leave them out, or use version 1.1",
        )
    names = ("id", "question", "context", "answer_text", "answer_start")
    return pa.table({name: pa.array([row[name] for row in rows], pa.string()) for name in names})


def _row(question: dict[str, Any], context: str) -> dict[str, str | None]:
    answers = question.get("answers") or []
    first = answers[0] if answers else {"text": None, "answer_start": None}
    start = first["answer_start"]
    return {
        "id": str(question["id"]),
        "question": question["question"],
        "context": context,
        "answer_text": first["text"],
        "answer_start": None if start is None else str(start),
    }
