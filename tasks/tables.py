"""Helpers of the readers of tasks: required files, checked columns, numbers, rows and questions made into a table."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from xdomain.core.errors import DataError, RecipeError, nearest
from xdomain.data.cell_text import parse_number
from xdomain.data.formats.read_file import read_text
from xdomain.data.rows import short, strings
from xdomain.data.targets import ANSWERS


def required_files(files: Mapping[str, Path], *names: str) -> list[Path]:
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


def numeric_column(read: pa.Table, name: str, path: Path, missing: Collection[str] = ()) -> pa.Array:
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


def with_unique_ids(ids: Sequence[str]) -> list[str]:
    """The same `ids` made unique: the second occurrence of a name gets ``#2`` appended, and so on."""
    seen: Counter[str] = Counter()
    names: list[str] = []
    for name in ids:
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return names


def table_of_rows(rows: Sequence[Mapping[str, object]]) -> pa.Table:
    """The `rows`, each with an ``id``, as a table with unique ids."""
    ids = with_unique_ids([str(row["id"]) for row in rows])
    return pa.Table.from_pylist([{**row, "id": name} for row, name in zip(rows, ids, strict=True)])


def table_of_questions(rows: Sequence[Mapping[str, object]], said: Sequence[str] = ()) -> pa.Table:
    """Make a table of the problem ``span`` from questions.

    Parameters
    ----------
    rows
        Each with ``id``, ``sequence`` (the question), ``sequence_b`` (the passage), ``answers`` (pairs of start and
        end in seconds or characters) and optionally, all or none, ``split`` and ``group``.
    said
        Sentences about the reading that the user should see; they travel in the table's metadata.
    """
    names = ["id", "sequence", "sequence_b", *(name for name in ("split", "group") if rows and name in rows[0])]
    columns: dict[str, pa.Array] = {name: pa.array([row[name] for row in rows], pa.string()) for name in names}
    spans: list[Any] = [row["answers"] for row in rows]
    columns["answers"] = pa.array(
        [[{"start": float(a), "end": float(b)} for a, b in each] for each in spans],
        ANSWERS,
    )
    return pa.table(columns).replace_schema_metadata({"said": json.dumps(list(said))})
