"""What every raw table must be, whoever read it: complete, unique and learnable from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from xdomain.errors import DataError, nearest
from xdomain.recipe import SPLITS, Problem

pc: Any = pyarrow.compute  # makes its functions at import, where a type checker cannot see them

MAX_CHARACTERS = 1_000_000
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "dev": "valid",
    "test": "test",
    "testing": "test",
    "": "",
}
"""What the split column may say, in lower case; "" leaves the record out."""


def validated(
    table: pa.Table,
    problem: Problem,
    *,
    where: str,
    labelled: bool = True,
    max_characters: int = MAX_CHARACTERS,
) -> pa.Table:
    """The raw table that all further steps can rely on.

    Parameters
    ----------
    table
        What a reader returned: ``id, sequence[, sequence_b]``, ``label`` or ``tags``, ``split``, ``group``;
        ids default to the row number, from 1. Other columns are dropped; ``sequence_b`` is one of them but for pair,
        which needs it, and regression, which may have it.
    where
        Names the file or files in messages.
    labelled
        False where there is nothing to learn from, as in prediction: labels and tags are then dropped.
    max_characters
        A longer sequence is an error: it is more often a broken file than a record.

    Returns
    -------
    A table of string columns, but ``label`` float64 for regression and ``tags`` list<string> for tagging.

    Raises
    ------
    DataError
        With the row, counted from 1 without the header, and its id.
    """
    checked = row_checked(table, problem, where=where, labelled=labelled, max_characters=max_characters)
    _check_ids(checked, where)
    if labelled:
        _check_variety(checked, problem, where)
    return checked


def row_checked(
    table: pa.Table,
    problem: Problem,
    *,
    where: str,
    labelled: bool = True,
    max_characters: int = MAX_CHARACTERS,
) -> pa.Table:
    """`validated` without what concerns a data set as a whole: for one of several files."""
    if not table.num_rows:
        raise DataError(f"{where} holds no records", expected="at least one record")
    target = target_column(problem) if labelled else None
    paired = problem == "pair" or (problem == "regression" and "sequence_b" in table.column_names)
    sequences = ["sequence", "sequence_b"] if paired else ["sequence"]
    for name in [*sequences, *([target] if target else [])]:
        if name not in table.column_names:
            raise missing_column(name, table.column_names, where)
    columns: dict[str, pa.Array] = {"id": _ids(table)}
    ids: list[str] = columns["id"].to_pylist()
    for name in sequences:
        columns[name] = _strings(table, name)
        _check_lengths(columns[name], name, ids, where, max_characters)
    if target == "tags":
        columns["tags"] = _tags(table, columns["sequence"], ids, where)
    elif target:
        columns["label"] = (_targets if problem == "regression" else _labels)(table, ids, where)
    if "split" in table.column_names:
        columns["split"] = _split_names(table, ids, where)
    if "group" in table.column_names:
        columns["group"] = _strings(table, "group")
        _check_filled(columns["group"], "group", ids, where)
    return pa.table(columns)


def target_column(problem: Problem) -> str:
    """The column that holds what is learned."""
    return "tags" if problem == "tagging" else "label"


def missing_column(name: str, columns: Sequence[str], where: str, *, role: str | None = None) -> DataError:
    """The error for a column that is not there; `role` is what it was to hold, where its name differs."""
    shown = ", ".join(_short(column) for column in columns)
    return DataError(
        f"{where} has no column {_short(name)!r}" + (f" for the {role}" if role and role != name else ""),
        expected=f"one of its columns: {shown}",
        nearest=nearest(name, columns),
        mend=f"--column {role or name}=NAME (columns.{role or name} in a recipe)",
    )


def row_name(where: str, row: int, ids: Sequence[str]) -> str:
    """How a message names a row: its number from 1, and its id where that is another."""
    number = str(row + 1)
    return f"{where}: row {number}" + (f" (id {_short(ids[row])!r})" if ids[row] != number else "")


def _short(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"


def _column(table: pa.Table, name: str) -> pa.Array:
    column = table.column(name).combine_chunks()
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _strings(table: pa.Table, name: str) -> pa.Array:
    """A column as trimmed strings, what is null as ""."""
    column = _column(table, name)
    return pc.utf8_trim_whitespace(pc.fill_null(column.cast(pa.string()), ""))


def _ids(table: pa.Table) -> pa.Array:
    numbers = pa.array([str(row + 1) for row in range(table.num_rows)])
    if "id" not in table.column_names:
        return numbers
    ids = _strings(table, "id")
    return pc.if_else(pc.equal(ids, ""), numbers, ids)


def _first(mask: pa.Array) -> int | None:
    """The first row where `mask` holds."""
    row = pc.index(mask, True).as_py()
    return None if row < 0 else int(row)


def _check_filled(column: pa.Array, name: str, ids: Sequence[str], where: str) -> None:
    row = _first(pc.equal(column, ""))
    if row is not None:
        many = int(pc.sum(pc.equal(column, "")).as_py())
        raise DataError(
            f"{row_name(where, row, ids)}: empty {name}" + (f", and {many - 1} more" if many > 1 else ""),
            expected=f"a {name} in every row",
            mend="fill or delete the row" + ("s" if many > 1 else ""),
        )


def _check_lengths(column: pa.Array, name: str, ids: Sequence[str], where: str, most: int) -> None:
    _check_filled(column, name, ids, where)
    lengths = pc.utf8_length(column)
    row = _first(pc.greater(lengths, most))
    if row is not None:
        raise DataError(
            f"{row_name(where, row, ids)}: a {name} of {lengths[row].as_py():,} characters",
            expected=f"at most {most:,}",
            mend="cut it into shorter records, or raise the reader option max_characters",
        )


def _labels(table: pa.Table, ids: Sequence[str], where: str) -> pa.Array:
    labels = _strings(table, "label")
    _check_filled(labels, "label", ids, where)
    return labels


def _targets(table: pa.Table, ids: Sequence[str], where: str) -> pa.Array:
    told: list[object] = _column(table, "label").to_pylist()
    numbers = np.empty(len(told))
    for row, value in enumerate(told):
        numbers[row] = _number(value)
        if not math.isfinite(numbers[row]):
            shown = _short(str(value).strip()) if value is not None else ""
            comma = isinstance(value, str) and math.isfinite(_number(value.replace(",", ".")))
            raise DataError(
                f"{row_name(where, row, ids)}: the target is {f'{shown!r}' if shown else 'empty'}",
                expected="a finite number, as the problem is regression",
                nearest=shown.replace(",", ".") if comma else None,
                mend="fill or delete the row; for class names: --problem classification",
            )
    return pa.array(numbers)


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return math.nan


def _tags(table: pa.Table, sequences: pa.Array, ids: Sequence[str], where: str) -> pa.Array:
    """Tags, one a character, or one a word where the sequences are made of words."""
    column = _column(table, "tags")
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


def _split_names(table: pa.Table, ids: Sequence[str], where: str) -> pa.Array:
    told = _strings(table, "split")
    lower: list[str] = pc.utf8_lower(told).to_pylist()
    known: dict[str, str | None] = {name: SPLIT_NAMES.get(name) for name in set(lower)}
    if None in known.values():
        row = next(i for i, name in enumerate(lower) if known[name] is None)
        raise DataError(
            f"{row_name(where, row, ids)}: unknown split {_short(told[row].as_py())!r}",
            expected=f"one of {', '.join(SPLITS)}, or nothing to leave the record out",
            nearest=nearest(lower[row], SPLIT_NAMES),
            mend="rename it, or name another column: --column split=NAME",
        )
    return pa.array([known[name] for name in lower], pa.string())


def _check_ids(table: pa.Table, where: str) -> None:
    ids: list[str] = table.column("id").to_pylist()
    if len(set(ids)) == len(ids):
        return
    rows: dict[str, int] = {}
    for row, name in enumerate(ids):
        if name in rows:
            raise DataError(
                f"{where}: rows {rows[name] + 1} and {row + 1} have the same id {_short(name)!r}",
                expected=f"{len(ids)} different ids; there are {len(set(ids))}",
                mend="make the ids unique, or leave the id column out: rows are then numbered",
            )
        rows[name] = row


def _check_variety(table: pa.Table, problem: Problem, where: str) -> None:
    """At least two different targets, or there is nothing to learn."""
    column = table.column(target_column(problem)).combine_chunks()
    values = pc.list_flatten(column) if problem == "tagging" else column
    found: list[object] = pc.unique(pc.drop_null(values)).to_pylist()
    if len(found) < 2:
        kind = {"regression": "target", "tagging": "tag"}.get(problem, "class")
        only = f"one {kind}, {found[0]!r}," if found else f"no {kind}"
        raise DataError(
            f"{where}: only {only} in {table.num_rows:,} records" if found else f"{where}: {only} in any record",
            expected=f"at least two different {kind}{'es' if kind == 'class' else 's'}",
            mend=f"check that --column {target_column(problem)}=NAME names the right column",
        )
