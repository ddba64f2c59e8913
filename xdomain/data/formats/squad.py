"""SQuAD's own JSON (Rajpurkar et al. 2016, 2018): questions on paragraphs, one row a question."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from xdomain.core.errors import DataError
from xdomain.core.json_text import parse_json
from xdomain.data.formats.read_file import read_text


def raw_squad(path: Path) -> pa.Table:
    """Read the questions of the file `path`.

    Returns
    -------
    pa.Table
        Strings: ``id``, ``question``, ``context``, ``answer_text`` and ``answer_start``, the character that the answer
        begins at; of several answers to a question a list in each, null for a question without one (version 2.0).

    Raises
    ------
    DataError
        No JSON, or not in the form of SQuAD.
    """
    try:
        tree = parse_json(read_text(path))
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
    names = ("id", "question", "context", "answer_text", "answer_start")
    return pa.table({name: pa.array([row[name] for row in rows], pa.string()) for name in names})


def _row(question: dict[str, Any], context: str) -> dict[str, str | None]:
    answers = [] if question.get("is_impossible") else question.get("answers") or []
    texts, starts = [answer["text"] for answer in answers], [answer["answer_start"] for answer in answers]
    if len(answers) == 1:
        cells = (texts[0], str(starts[0]))
    else:
        cells = (json.dumps(texts, ensure_ascii=False), json.dumps(starts)) if answers else (None, None)
    return {
        "id": str(question["id"]),
        "question": question["question"],
        "context": context,
        "answer_text": cells[0],
        "answer_start": cells[1],
    }
