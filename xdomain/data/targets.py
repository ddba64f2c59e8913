"""Read and check the targets of a table: class names, numbers, one tag per symbol, or answers in a passage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from xdomain.core.errors import DataError
from xdomain.data.cells import is_missing, is_quantity
from xdomain.data.rows import check_filled, column_of, row_name, short, strings

pc: Any = pyarrow.compute  # makes its functions at import, where a type checker cannot see them
BARE = "write the number alone, all in one unit; leave out rows with a bound such as >10, or keep the bound as a number"
"""What to do with a quantity."""
ANSWERS = pa.list_(pa.struct([("start", pa.float64()), ("end", pa.float64())]))


def labels_of(table: pa.Table, ids: Sequence[str], where: str) -> pa.Array:
    """The column ``label`` of `table` as class names. An error for an empty one names the row by `ids` and `where`."""
    labels = strings(table, "label")
    check_filled(labels, "label", ids, where)
    return labels


def values_of(table: pa.Table, ids: Sequence[str], where: str) -> pa.Array:
    """The column ``label`` of `table` as finite numbers. An error for others names the row by `ids` and `where`."""
    values: list[object] = column_of(table, "label").to_pylist()
    numbers = np.empty(len(values))
    for row, value in enumerate(values):
        numbers[row] = _number(value)
        if not math.isfinite(numbers[row]):
            shown = short(str(value).strip()) if value is not None else ""
            comma = isinstance(value, str) and math.isfinite(_number(value.replace(",", ".")))
            raise DataError(
                f"{row_name(where, row, ids)}: the target is {f'{shown!r}' if shown else 'empty'}",
                expected="a finite number, as the problem is regression",
                nearest=shown.replace(",", ".") if comma else None,
                fix=BARE if is_quantity(shown) else "fill or delete the row; for class names: --problem classification",
            )
    return pa.array(numbers)


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return math.nan


def tags_of(table: pa.Table, sequences: pa.Array, ids: Sequence[str], where: str) -> pa.Array:
    """The column ``tags`` of a table, as lists of strings.

    Parameters
    ----------
    table
        A raw table with a column of lists.
    sequences
        Shape (n,): the text of each record. A record has one tag per character; if any sequence consists of several
        words, one tag per word is accepted too.
    ids
        Of each record, for error messages.
    where
        Name of the file in error messages.

    Raises
    ------
    DataError
        The column holds no lists, or the number of tags does not fit the sequence.
    """
    column = column_of(table, "tags")
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        raise DataError(f"{where}: the tags are of type {column.type}", expected="a list of strings in every row")
    tags = column.cast(pa.list_(pa.string()))
    counts = pc.fill_null(pc.list_value_length(tags), 0)
    lengths = pc.utf8_length(sequences)
    of_words = bool(pc.any(pc.match_substring_regex(sequences, r"\S\s+\S")).as_py())
    for row in np.flatnonzero(pc.not_equal(counts, lengths).to_numpy(zero_copy_only=False)):
        words = sequences[row].as_py().split()
        if not of_words or counts[row].as_py() != len(words):
            symbols = f"{len(words)} words or " if len(words) > 1 else ""
            raise DataError(
                f"{row_name(where, int(row), ids)}: {counts[row].as_py()} tags for a sequence of "
                f"{symbols}{lengths[row].as_py()} symbols",
                expected="one tag a symbol",
            )
    return tags


def numbers_in(tags: pa.Array, ids: Sequence[str], where: str) -> pa.Array:
    """The entries of `tags_of` as numbers: lists of float64, null where unknown.

    Parameters
    ----------
    tags
        Shape (n,), lists of strings. What stands for a missing number (``nan``, ``NA``, ``-``, nothing) is unknown.
    ids
        Of each record, for error messages.
    where
        Name of the file in error messages.

    Raises
    ------
    DataError
        An entry is no finite number, or all of a record that must have one are unknown.
    """
    flat: list[str | None] = tags.flatten().to_pylist()
    kinds = {cell: _number(cell) for cell in set(flat) if cell is not None and not is_missing(cell, among_numbers=True)}
    wrong = {cell for cell, number in kinds.items() if not math.isfinite(number)}
    if wrong:
        place = next(i for i, cell in enumerate(flat) if cell in wrong)
        ends = np.cumsum(pc.list_value_length(tags).to_numpy())
        row = int(np.searchsorted(ends, place, side="right"))
        raise DataError(
            f"{row_name(where, row, ids)}: {short(str(flat[place]))!r} among its numbers",
            expected="a finite number a symbol; nan where it is unknown",
            fix="correct it; for names of classes: --problem tagging",
        )
    numbers = pa.array([None if cell is None else kinds.get(cell) for cell in flat], pa.float64())
    return pa.ListArray.from_arrays(tags.offsets, numbers)


def answers_of(table: pa.Table, ids: Sequence[str], where: str) -> pa.Array:
    """The answers to each question, as list<struct<start, end>>.

    Parameters
    ----------
    table
        A raw table with a column ``answers``, or with columns ``start`` and ``end`` for one answer per question.
    ids
        Of each record, for error messages.
    where
        Name of the file in error messages.

    Raises
    ------
    DataError
        A question has no answer, or an answer does not consist of two finite numbers with start < end.
    """
    if "answers" not in table.column_names:
        bounds = [_bounds(table, name, ids, where) for name in ("start", "end")]
        flat = pa.StructArray.from_arrays([pa.array(bound) for bound in bounds], ["start", "end"])
        answers = pa.ListArray.from_arrays(pa.array(np.arange(len(flat) + 1, dtype=np.int32)), flat)
    else:
        answers = column_of(table, "answers")
    try:
        answers = answers.cast(ANSWERS)
    except pa.ArrowException:
        raise DataError(
            f"{where}: the answers are of type {answers.type}", expected="a list of {start, end} in every row"
        ) from None
    counts = pc.fill_null(pc.list_value_length(answers), 0).to_numpy()
    if not counts.all():
        row = int(np.argmin(counts))
        raise DataError(f"{row_name(where, row, ids)}: no answer", expected="at least one", fix="delete the row")
    flat = answers.flatten()
    start, end = (flat.field(name).to_numpy(zero_copy_only=False) for name in ("start", "end"))
    wrong = np.flatnonzero(~(np.isfinite(start) & np.isfinite(end) & (start < end)))
    if len(wrong):
        row = int(np.searchsorted(np.cumsum(counts), wrong[0], side="right"))
        raise DataError(
            f"{row_name(where, row, ids)}: the answer reaches from {start[wrong[0]]:g} to {end[wrong[0]]:g}",
            expected="a start below its end, the end itself no longer part of the answer",
        )
    return answers


def _bounds(table: pa.Table, name: str, ids: Sequence[str], where: str) -> list[float]:
    values: list[object] = column_of(table, name).to_pylist()
    numbers = [_number(value) for value in values]
    row = next((row for row, number in enumerate(numbers) if not math.isfinite(number)), None)
    if row is not None:
        shown = short(str(values[row])) if values[row] is not None else ""
        raise DataError(
            f"{row_name(where, row, ids)}: the {name} of the answer is {f'{shown!r}' if shown else 'empty'}",
            expected="one number, in the passage's own coordinate (seconds, characters, nt)",
            fix="questions without an answer, and with several, cannot be learned yet: delete the row, or keep one",
        )
    return numbers
