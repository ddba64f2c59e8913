"""Helpers that the readers share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from xdomain.core.errors import DataError, RecipeError, nearest
from xdomain.data.cells import parse_number
from xdomain.data.formats.read_file import read_text
from xdomain.data.rows import short, strings


def wanted(files: Mapping[str, Path], *names: str) -> list[Path]:
    """The files of `names` among `files`, in that order; a `RecipeError` where the recipe does not name one."""
    for name in names:
        if name not in files:
            raise RecipeError(f"the reader needs source.files.{name}", expected=f"files named {', '.join(names)}")
    return [files[name] for name in names]


def check_columns(read: pa.Table, path: Path, *names: str) -> None:
    """Refuse a table `read` from the file `path` that lacks one of the columns `names`."""
    if lost := [name for name in names if name not in read.column_names]:
        raise DataError(
            f"{path} has no column {', '.join(lost)}", expected=f"columns {', '.join(names)}",
            nearest=nearest(lost[0], read.column_names),
        )  # fmt: skip


def lines_of(path: Path) -> list[str]:
    """The lines of the text file `path` without blank ones; a `DataError` where there are none, or it is no text."""
    return [line for line in read_text(path).decode().splitlines() if line.strip()]


def numbers_of(read: pa.Table, name: str, path: Path, missing: Collection[str] = ()) -> pa.Array:
    """A column of strings as numbers.

    Parameters
    ----------
    read
        As `xdomain.data.formats.tables.raw_table` read it from `path`.
    name
        The column.
    path
        The file, for messages.
    missing
        Cells that stand for no number.

    Returns
    -------
    pa.Array
        Shape (n,), float64; null where a number is missing.

    Raises
    ------
    DataError
        A cell is no number. The message gives its row.
    """
    cells: list[str] = strings(read, name).to_pylist()
    numbers = [None if cell in missing else parse_number(cell) for cell in cells]
    for row, (cell, number) in enumerate(zip(cells, numbers, strict=True), 1):
        if number is None and cell not in missing:
            raise DataError(f"{path}: row {row}: {short(cell)!r} in the column {name!r}", expected="a number")
    return pa.array(numbers, pa.float64())


def unique(ids: Sequence[str]) -> list[str]:
    """The same `ids` made unique: the second occurrence of a name gets ``#2`` appended, and so on."""
    seen: Counter[str] = Counter()
    names: list[str] = []
    for name in ids:
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return names


def table(rows: Sequence[Mapping[str, object]]) -> pa.Table:
    """The `rows`, each with an ``id``, as a table with unique ids."""
    ids = unique([str(row["id"]) for row in rows])
    return pa.Table.from_pylist([{**row, "id": name} for row, name in zip(rows, ids, strict=True)])
