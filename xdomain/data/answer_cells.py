"""Answers as people write them into cells: one, several or none, by start and end, by start and text, as objects."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from xdomain.core.errors import DataError
from xdomain.core.json_text import parse_literal
from xdomain.core.recipe_sections import Columns
from xdomain.data.cell_text import MISSING, parse_number
from xdomain.data.column_names import plain
from xdomain.data.rows import short

ANSWERS = pa.list_(pa.struct([("start", pa.float64()), ("end", pa.float64())]))
NOTHING = {*MISSING, "none", "null", "[]", "{}", "['']", '[""]'}
"""In lower case: cells of a question without an answer."""
NOWHERE = -1.0
"""Start and end of a question without an answer, in many data sets."""
HOW = "several answers as [10, 16] or 10;16 in every column; none as empty cells"
STRING = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", re.DOTALL)
STRINGS = re.compile(rf"\[\s*(?:{STRING.pattern})(?:[\s,]+(?:{STRING.pattern}))*\s*,?\s*\]", re.DOTALL)
PARTED = re.compile(r"\s*[;|]\s*|,\s*")
MAX_PARTED = 200
"""Answers to a question in a list without quotes: more are not looked for."""
ARRAY = re.compile(r"array\((\[.*?\])(?:,\s*dtype=[^)]*)?\)", re.DOTALL)
OBJECT = re.compile(r"\s*\[?\s*\{.*start", re.DOTALL)
TRUE = {"true", "1", "1.0", "yes"}


def numbers_in_cell(cell: object) -> list[float] | None:
    """The numbers in a `cell` for one, several or no answers; None if something else stands there.

    Several are parted by ``;`` or ``|``, or in brackets by blanks or commas, as numpy, JSON and Python write them.
    """
    if isinstance(cell, (int, float)):
        return [] if math.isnan(cell) else [float(cell)]
    text = ARRAY.sub(r"\1", str("" if cell is None else cell).strip())
    if text.lower() in NOTHING:
        return []
    bracketed = re.fullmatch(r"[\[(](.*)[\])]", text, re.DOTALL)
    parts = re.split(r"[\s,;|]+", bracketed[1].strip(" \n,")) if bracketed else re.split(r"\s*[;|]\s*|,\s+", text)
    numbers = [parse_number(part) for part in parts if part.lower() not in NOTHING]
    return None if None in numbers else [number for number in numbers if number is not None]


def counted(number: int, what: str) -> str:
    """A `number` of things, `what` being the word for one: ``1 start``, ``no starts``."""
    return f"{number or 'no'} {what}{'s' * (number != 1)}"


def are_objects(cells: Sequence[str]) -> bool:
    """Whether `cells` hold answers as objects, such as ``{"text": […], "answer_start": […]}``, or nothing."""
    filled = [cell for cell in cells if cell.strip().lower() not in NOTHING]
    return bool(filled) and all(OBJECT.match(cell) for cell in filled)


def without_impossible(table: pa.Table, columns: Columns) -> pa.Table:
    """A `table` without the answers of questions that its column ``is_impossible`` says have none, as in SQuAD 2.0.

    Such questions may come with answers that are merely plausible. `columns` names those of the answers.
    """
    mark = next((name for name in table.column_names if plain(name) == "is_impossible"), None)
    if mark is None:
        return table
    possible = [str(cell).strip().lower() not in TRUE for cell in table.column(mark).to_pylist()]
    for name in filter(None, (columns.start, columns.end, columns.answer)):
        cells = zip(table.column(name).to_pylist(), possible, strict=True)
        kept = pa.array([cell if there else None for cell, there in cells], pa.string())
        table = table.set_column(table.column_names.index(name), name, kept)
    return table


def answers_by_text(texts: Sequence[str | None], starts: Sequence[str | None] | None, passages: Sequence[str | None],
                    where: str) -> pa.Array:  # fmt: skip
    """Read answers that begin at a character of their passage and stand there to the letter.

    Parameters
    ----------
    texts
        A cell for each question: the text of its answer, or of several in a list. Without `starts` an object with texts
        and starts, as Hugging Face has SQuAD, or a list of such objects.
    starts
        A cell for each question: the character that its answer begins at, from 0, or a list. None: see `texts`.
    passages
        The passage of each question.
    where
        Name of the file in error messages.

    Returns
    -------
    pa.Array
        Type list<struct<start, end>>; an empty list where a question has no answer.

    Raises
    ------
    DataError
        A cell cannot be understood, or an answer does not stand where it should begin. The message gives the row.
    """
    found: list[list[dict[str, float]]] = []
    for row, (text, passage) in enumerate(zip(texts, passages, strict=True)):
        place, cell, held = f"{where}: row {row + 1}", text or "", passage or ""
        entries = _in_object(cell, place) if starts is None else _beside(cell, starts[row], held, place)
        found.append([_placed(entry, held, place) for entry in entries])
    return pa.array(found, ANSWERS)


def hold_objects(cells: Sequence[str | None]) -> bool:
    """Whether any of `cells` holds answers as an object."""
    return any(OBJECT.match(cell or "") for cell in cells)


def located_answers(texts: Sequence[str | None], passages: Sequence[str | None], where: str) -> pa.Array:
    """Find answers of which only the text is known: each at its only occurrence in its passage.

    Parameters
    ----------
    texts
        A cell for each question: the text of its answer to the letter, or of several in a list or parted by ``;``.
    passages, where
        As for `answers_by_text`, and so is what is returned.

    Raises
    ------
    DataError
        A text occurs several times in its passage, or never. The message gives the row.
    """
    found: list[list[dict[str, float]]] = []
    for row, (text, passage) in enumerate(zip(texts, passages, strict=True)):
        place, cell, held = f"{where}: row {row + 1}", (text or "").strip(), passage or ""
        answers = _texts_alone(cell, held) if _says_something(cell) else []
        found.append([_placed((one, _only_place(one, held, place)), held, place) for one in answers])
    return pa.array(found, ANSWERS)


def _texts_alone(cell: str, passage: str) -> list[str]:
    if cell in passage:
        return [cell]
    parts = _texts_in(cell, [0, 0], "")
    return parts if parts != [cell] else [part for part in re.split(r"\s*[;|]\s*", cell) if part]


def _only_place(text: str, passage: str, place: str) -> float:
    places = [at for at in range(len(passage)) if passage.startswith(text, at)] if text in passage else []
    if len(places) != 1:
        times = f"occurs {len(places):,} times" if places else "does not occur"
        raise DataError(
            f"{place}: the answer {short(text)!r} {times} in the passage",
            expected="one occurrence to the letter, as no column says where answers start",
            fix="a column start says which: the character that the answer begins at, from 0 (--column start=NAME)"
            if places else "correct the answer, or empty the cell if the passage holds none",
        )  # fmt: skip
    return float(places[0])


Entry = tuple[str, float] | tuple[float, float]
"""An answer's text and start; or its start and end."""


def _beside(text: str, start: str | None, passage: str, place: str) -> list[Entry]:
    """The answers of a question, whose texts and starts stand in a cell each."""
    starts = numbers_in_cell(start)
    if starts is not None and not _says_something(text) and set(starts) <= {NOWHERE, 0.0}:
        return []
    if not starts or not text.strip() or set(starts) == {NOWHERE} or not all(map(float.is_integer, starts)):
        raise DataError(
            f"{place}: the answer {short(text)!r} begins at {short(start or '')!r}",
            expected="the text of the answer, and the character of the passage that it begins at, from 0",
            fix=HOW,
        )
    texts = _texts_in(text, [int(at) for at in starts], passage)
    if len(texts) != len(starts):
        raise DataError(
            f"{place}: {counted(len(texts), 'text')} and {counted(len(starts), 'start')} of answers, "
            f"{short(text)!r} at {short(start or '')}",
            expected="as many texts as starts",
            fix=HOW,
        )
    return [(one, at) for one, at in zip(texts, starts, strict=True) if at != NOWHERE]


def _says_something(text: str) -> bool:
    return ARRAY.sub(r"\1", text.strip()).lower() not in NOTHING


def _texts_in(cell: str, starts: Sequence[int], passage: str) -> list[str]:
    """The texts in a cell, one for each of `starts` unless there is another number of them."""
    if len(starts) == 1 and _stands(cell, starts[0], passage):
        return [cell]
    text = ARRAY.sub(r"\1", cell.strip())
    if STRINGS.fullmatch(text):
        read = _parsed(text)  # of numpy's list, without commas, Python would make one text
        alone = [str(_parsed(one) or one[1:-1]) for one in STRING.findall(text)]
        return read if isinstance(read, list) and len(read) == len(alone) else alone
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    return _parted(inner, starts, passage) or [cell]


def _parted(text: str, starts: Sequence[int], passage: str) -> list[str]:
    """A list that was written without quotes, cut so that each text stands at its start; empty if that cannot be."""
    first, *later = starts
    if not later or len(later) > MAX_PARTED:
        return [text] if _stands(text, first, passage) else []
    for cut in PARTED.finditer(text):
        before = text[: cut.start()]
        if _stands(before, first, passage) and (rest := _parted(text[cut.end() :], later, passage)):
            return [before, *rest]
    return []


def _stands(text: str, at: int, passage: str) -> bool:
    return bool(text) and at >= 0 and passage[at : at + len(text)] == text


def _in_object(cell: str, place: str) -> list[Entry]:
    """The answers in a cell like ``{"text": […], "answer_start": […]}``, or in a list of objects, an answer each."""
    if not _says_something(cell):
        return []
    read = _parsed(ARRAY.sub(r"\1", cell.strip()))
    objects: list[Any] = read if isinstance(read, list) else [read]  # pyright: ignore[reportUnknownVariableType]
    entries = [_entries_of(one) for one in objects]
    if None in entries:
        raise DataError(
            f"{place}: the answers are {short(cell)!r}",
            expected='{"text": ["a", "b"], "answer_start": [10, 16]}, or [{"text": "a", "answer_start": 10}]',
            fix="empty lists, or an empty cell, where a question has no answer",
        )
    return [entry for one in entries for entry in one or () if NOWHERE not in entry and "" not in entry]


def _entries_of(answer: Any) -> list[Entry] | None:
    """The answers in an object of lists, or of one answer; None if it has no starts, or not as many ends or texts."""
    if not isinstance(answer, dict):
        return None
    lists: dict[str, list[Any]] = {
        str(name).removeprefix("answer_"): list(cell) if isinstance(cell, list | tuple) else [cell]  # pyright: ignore
        for name, cell in answer.items()  # pyright: ignore[reportUnknownVariableType]
    }
    starts, ends, texts = (lists.get(name) for name in ("start", "end", "text"))
    if starts is None or (ends is None and texts is None):
        return None
    try:
        numbers = [float(start) for start in starts]
        entries = [(number, float(end)) for number, end in zip(numbers, ends, strict=True)] if ends is not None else []
        named = [(str(text), number) for text, number in zip(texts or [], numbers, strict=ends is None)]
    except (TypeError, ValueError, OverflowError):
        return None
    return [*entries] if ends is not None else [*named]


def _parsed(text: str) -> Any:
    """What JSON or else Python reads in `text`; None if neither can."""
    try:
        return parse_literal(text)
    except ValueError:
        return None


def _placed(entry: Entry, passage: str, place: str) -> dict[str, float]:
    first, second = entry
    if not isinstance(first, str):
        return {"start": first, "end": second}
    at = int(second) if math.isfinite(second) else -1
    if at != second or (there := passage[at : at + len(first)]) != first or at < 0:
        raise DataError(
            f"{place}: the passage holds {short(passage[max(at, 0) : at + len(first)])!r} at {second:g}, "
            f"not the answer {short(first)!r}",
            expected="the character that the answer begins at, counted from 0",
        )
    return {"start": float(at), "end": float(at + len(there))}
