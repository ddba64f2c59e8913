"""Helpers for the rows and columns of a raw table: their names in error messages, and simple checks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from xdomain.core.errors import DataError, listed_names, nearest
from xdomain.core.sequences import offsets_of

pc: Any = pyarrow.compute  # makes its functions at import, where a type checker cannot see them


def missing_column(name: str, columns: Sequence[str], where: str, *, role: str | None = None) -> DataError:
    """The error for a column that does not exist.

    Parameters
    ----------
    name
        Name of the column.
    columns
        Names of all columns of the table.
    where
        Name of the file.
    role
        What the column should hold; None if that is its name.
    """
    shown = listed_names(short(column) for column in columns)
    return DataError(
        f"{where} has no column {short(name)!r}" + (f" for the {role}" if role and role != name else ""),
        expected=f"one of its columns: {shown}",
        nearest=nearest(name, columns),
        fix=f"--column {role or name}=NAME (columns.{role or name} in a recipe)",
    )


def row_name(where: str, row: int, ids: Sequence[str]) -> str:
    """The name of a row in messages: its number from 1, and its id where that differs.

    `where` is the name of the file, `row` the number from 0, and `ids` has the id of every row.
    """
    number = str(row + 1)
    return f"{where}: row {number}" + (f" (id {short(ids[row])!r})" if ids[row] != number else "")


def noting(table: pa.Table, *sentences: str) -> pa.Table:
    """`table` with `sentences` about how it was read in its metadata, where `xdomain.data.assemble.said` finds them."""
    metadata = table.schema.metadata or {}
    known: list[str] = json.loads(metadata.get(b"said", b"[]"))
    return (
        table.replace_schema_metadata({**metadata, b"said": json.dumps([*known, *sentences])}) if sentences else table
    )


def short(text: str, limit: int = 60) -> str:
    """`text`, truncated to `limit` characters for a message."""
    return text if len(text) <= limit else f"{text[:limit]}…"


def column_of(table: pa.Table, name: str) -> pa.Array:
    """The column `name` of `table` as a single array."""
    column = table.column(name).combine_chunks()
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def strings(table: pa.Table, name: str, *, trim: bool = True) -> pa.Array:
    """The column `name` of `table` as strings, null as ""; `trim` removes blanks at both ends."""
    filled = pc.fill_null(column_of(table, name).cast(pa.string()), "")
    return pc.utf8_trim_whitespace(filled) if trim else filled


def lists_by_length(flat: pa.Array, lengths: Sequence[int] | NDArray[np.integer[Any]]) -> pa.Array:
    """Shape (n,): `flat`, shape (total,), cut into lists of these `lengths`, shape (n,), one after another."""
    return pa.ListArray.from_arrays(pa.array(offsets_of(np.asarray(lengths)).astype(np.int32)), flat)


def first_row(mask: pa.Array) -> int | None:
    """The first row where `mask` is true, from 0; None if there is none."""
    row = pc.index(mask, True).as_py()
    return None if row < 0 else int(row)


def check_filled(column: pa.Array, name: str, ids: Sequence[str], where: str) -> None:
    """Refuse a column with an empty cell.

    Parameters
    ----------
    column
        Shape (n,): strings without nulls.
    name
        Name of the column in the message.
    ids
        Of each row, for the message.
    where
        Name of the file in the message.

    Raises
    ------
    DataError
        A cell is "".
    """
    row = first_row(pc.equal(column, ""))
    if row is not None:
        many = int(pc.sum(pc.equal(column, "")).as_py())
        raise DataError(
            f"{row_name(where, row, ids)}: empty {name}" + (f", and {many - 1} more" if many > 1 else ""),
            expected=f"a {name} in every row",
            fix="fill or delete the row" + ("s" if many > 1 else ""),
        )
