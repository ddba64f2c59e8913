"""Records with several numbers: read from a column each, as a struct of floats, and as a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xdomain.core.errors import DataError
from xdomain.data.cell_text import is_missing, is_usable, parse_number, spelling_of
from xdomain.data.rows import missing_column, row_name, short, strings


def targets_in_columns(table: pa.Table, names: Sequence[str], where: str, said: list[str]) -> pa.Array:
    """Join columns of numbers.

    Parameters
    ----------
    table
        String columns under the file's own names.
    names
        The columns, one for each target.
    where
        Name of the file in messages.
    said
        Gets a sentence on numbers that are unknown.

    Returns
    -------
    pa.Array
        Shape (n,), struct of float64 with a field for each target; null where it is unknown.

    Raises
    ------
    DataError
        A column does not exist, or a cell is neither a finite number nor missing.
    """
    ids = [str(row + 1) for row in range(table.num_rows)]
    fields: list[pa.Array] = []
    for name in names:
        if name not in table.column_names:
            raise missing_column(name, table.column_names, where, role="label")
        cells: list[str] = strings(table, name).to_pylist()
        spelling = spelling_of(cells)
        values: list[float | None] = []
        for row, cell in enumerate(cells):
            if is_missing(cell, among_numbers=True):
                values.append(None)
                continue
            value = parse_number(spelling.plain(cell))
            if value is None or not is_usable(value):
                raise DataError(
                    f"{row_name(where, row, ids)}: {short(cell)!r} in the target {name!r}",
                    expected="a finite number, or nothing where it is unknown",
                    fix="correct or empty the cell",
                )
            values.append(value)
        fields.append(pa.array(values, pa.float64()))
    unknown = sum(field.null_count for field in fields)
    if unknown:
        cells = len(names) * table.num_rows
        said.append(f"label: {unknown:,} of {cells:,} numbers are missing: unknown, neither learned nor judged")
    return pa.StructArray.from_arrays(fields, list(names))


def checked_targets(table: pa.Table, where: str) -> pa.Array:
    """The column ``label`` of a raw `table`, from the file `where`, as a struct of float64.

    Raises
    ------
    DataError
        It is no struct of two numbers or more.
    """
    column: Any = table.column("label")
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not pa.types.is_struct(column.type) or column.type.num_fields < 2:
        raise DataError(f"{where}: the targets are of type {column.type}", expected="a struct of several numbers")
    fields = [column.type.field(i).name for i in range(column.type.num_fields)]
    return column.cast(pa.struct([(name, pa.float64()) for name in fields]))


def target_names(column: pa.Array | pa.ChunkedArray) -> tuple[str, ...]:
    """The names of the targets in a struct `column`, in their order."""
    return tuple(column.type.field(i).name for i in range(column.type.num_fields))


def target_matrix(column: pa.Array | pa.ChunkedArray, names: Sequence[str]) -> NDArray[np.float64]:
    """Shape (n, k): the k targets `names` of a struct `column`, NaN where unknown."""
    whole: Any = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return np.column_stack([whole.field(name).to_numpy(zero_copy_only=False).astype(np.float64) for name in names])


def targets_of(values: NDArray[Any], names: Sequence[str]) -> pa.Array:
    """The struct column of `values`, shape (n, k), NaN where unknown, with fields `names`."""
    columns = [pa.array(one.astype(np.float64), mask=~np.isfinite(one)) for one in values.T]
    return pa.StructArray.from_arrays(columns, list(names))
