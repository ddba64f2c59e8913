"""Read and check the targets of a table: class names, numbers, one tag per symbol, or answers in a passage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from xdomain.core.errors import DataError
from xdomain.core.sequences import offsets_of
from xdomain.data.answer_cells import ANSWERS, HOW, NOWHERE, counted, numbers_in_cell
from xdomain.data.cell_text import LARGEST, is_missing, is_quantity, is_usable, spelling_of
from xdomain.data.rows import check_filled, column_of, row_name, short, strings

pc: Any = pyarrow.compute  # makes its functions at import, where a type checker cannot see them
BARE = "write the number alone, all in one unit; leave out rows with a bound such as >10, or keep the bound as a number"
"""What to do with a quantity."""


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
        if not is_usable(numbers[row]):
            shown = short(str(value).strip()) if value is not None else ""
            comma = isinstance(value, str) and math.isfinite(_number(value.replace(",", ".")))
            raise DataError(
                f"{row_name(where, row, ids)}: the target is {f'{shown!r}' if shown else 'empty'}",
                expected=f"a finite number (below {LARGEST:g}), as the problem is regression",
                nearest=shown.replace(",", ".") if comma else None,
                fix=BARE if is_quantity(shown) else "fill or delete the row; for class names: --problem classification",
            )
    return pa.array(numbers)


def weights_of(table: pa.Table, ids: Sequence[str], where: str) -> pa.Array:
    """The column ``weight`` of `table` as numbers from 0. An error for others names the row by `ids` and `where`."""
    values: list[object] = column_of(table, "weight").to_pylist()
    cells = ["" if value is None else str(value) for value in values]
    spelling = spelling_of(cells)  # perhaps with decimal commas
    numbers = np.array([_number(spelling.plain(cell)) for cell in cells])
    wrong = np.flatnonzero(~(np.isfinite(numbers) & (numbers >= 0)))
    if len(wrong):
        row = int(wrong[0])
        cell = cells[row].strip()
        raise DataError(
            f"{row_name(where, row, ids)}: the weight is {repr(short(cell)) if cell else 'empty'}",
            expected="a number, 0 or more: how much the record counts in the loss",
            fix="fill or correct it; or leave --column weight=NAME out",
        )
    return pa.array(numbers, pa.float64())


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
        An entry is neither a finite number nor missing.
    """
    flat: list[str | None] = tags.flatten().to_pylist()
    kinds = {cell: _number(cell) for cell in set(flat) if cell is not None and not is_missing(cell, among_numbers=True)}
    wrong = {cell for cell, number in kinds.items() if not is_usable(number)}
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
    """The answers to each question, as list<struct<start, end>>; an empty list for a question that has none.

    Parameters
    ----------
    table
        A raw table with a column ``answers``, or with columns ``start`` and ``end``, whose cells hold a number, several
        (see `numbers_in_cell`), or none. Start and end of -1 stand for no answer.
    ids
        Of each record, for error messages.
    where
        Name of the file in error messages.

    Raises
    ------
    DataError
        An answer does not consist of two finite numbers with start < end.
    """
    answers = column_of(table, "answers") if "answers" in table.column_names else _from_bounds(table, ids, where)
    try:
        answers = answers.cast(ANSWERS)
    except pa.ArrowException:
        raise DataError(
            f"{where}: the answers are of type {answers.type}", expected="a list of {start, end} in every row"
        ) from None
    counts = pc.fill_null(pc.list_value_length(answers), 0).to_numpy()
    record, flat = np.repeat(np.arange(len(counts)), counts), answers.flatten()
    start, end = (flat.field(name).to_numpy(zero_copy_only=False) for name in ("start", "end"))
    none = (np.isnan(start) & np.isnan(end)) | ((start == NOWHERE) & (end == NOWHERE))
    wrong = np.flatnonzero(~(none | (np.isfinite(start) & np.isfinite(end) & (start < end))))
    if len(wrong):
        raise DataError(
            f"{row_name(where, int(record[wrong[0]]), ids)}: the answer reaches from {start[wrong[0]]:g} to "
            f"{end[wrong[0]]:g}",
            expected="a start below its end, the end itself no longer part of the answer",
        )
    offsets = offsets_of(np.bincount(record[~none], minlength=len(counts)))
    kept = pa.StructArray.from_arrays([pa.array(start[~none]), pa.array(end[~none])], ["start", "end"])
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), kept)


def _from_bounds(table: pa.Table, ids: Sequence[str], where: str) -> pa.Array:
    """The answers in the columns ``start`` and ``end``."""
    starts, ends = (_bounds(table, name, ids, where) for name in ("start", "end"))
    for row, (first, last) in enumerate(zip(starts, ends, strict=True)):
        if len(first) != len(last):
            found = f"{counted(len(first), 'start')} and {counted(len(last), 'end')}"
            raise DataError(
                f"{row_name(where, row, ids)}: {found} of answers",
                expected="as many starts as ends, or none of both",
                fix=HOW,
            )
    pairs = zip(starts, ends, strict=True)
    return pa.array([[{"start": a, "end": b} for a, b in zip(*pair, strict=True)] for pair in pairs], ANSWERS)


def _bounds(table: pa.Table, name: str, ids: Sequence[str], where: str) -> list[list[float]]:
    values: list[object] = column_of(table, name).to_pylist()
    numbers = [numbers_in_cell(value) for value in values]
    for row, several in enumerate(numbers):
        if several is None or not all(map(math.isfinite, several)):
            raise DataError(
                f"{row_name(where, row, ids)}: the {name} of the answer is {short(str(values[row]))!r}",
                expected="a number, in the passage's own coordinate (seconds, characters, nt)",
                fix=HOW,
            )
    return [several or [] for several in numbers]
