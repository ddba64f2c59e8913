"""Rows of somebody's table: how a message names one, and what a cell must at least be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute

from xdomain.core.errors import DataError, nearest

pc: Any = pyarrow.compute  # makes its functions at import, where a type checker cannot see them


def missing_column(name: str, columns: Sequence[str], where: str, *, role: str | None = None) -> DataError:
    """The error for a column that does not exist; `role` is what it was to hold, where its name differs."""
    shown = ", ".join(short(column) for column in columns)
    return DataError(
        f"{where} has no column {short(name)!r}" + (f" for the {role}" if role and role != name else ""),
        expected=f"one of its columns: {shown}",
        nearest=nearest(name, columns),
        fix=f"--column {role or name}=NAME (columns.{role or name} in a recipe)",
    )


def row_name(where: str, row: int, ids: Sequence[str]) -> str:
    """How a message names a row: its number from 1, and its id where that is another."""
    number = str(row + 1)
    return f"{where}: row {number}" + (f" (id {short(ids[row])!r})" if ids[row] != number else "")


def short(text: str, limit: int = 60) -> str:
    """A text, or as much of it as a message has room for."""
    return text if len(text) <= limit else f"{text[:limit]}…"


def column_of(table: pa.Table, name: str) -> pa.Array:
    """A column in one piece."""
    column = table.column(name).combine_chunks()
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def strings(table: pa.Table, name: str, *, trim: bool = True) -> pa.Array:
    """A column as strings, what is null as "", blanks around them cut off."""
    filled = pc.fill_null(column_of(table, name).cast(pa.string()), "")
    return pc.utf8_trim_whitespace(filled) if trim else filled


def first_row(mask: pa.Array) -> int | None:
    """The first row where `mask` holds."""
    row = pc.index(mask, True).as_py()
    return None if row < 0 else int(row)


def check_filled(column: pa.Array, name: str, ids: Sequence[str], where: str) -> None:
    """Refuse a column with an empty cell."""
    row = first_row(pc.equal(column, ""))
    if row is not None:
        many = int(pc.sum(pc.equal(column, "")).as_py())
        raise DataError(
            f"{row_name(where, row, ids)}: empty {name}" + (f", and {many - 1} more" if many > 1 else ""),
            expected=f"a {name} in every row",
            fix="fill or delete the row" + ("s" if many > 1 else ""),
        )
