"""What a file says of all its records alike, in columns that are no part of them: the codebook they were made with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

KEY = b"constants"
LONGEST = 200  # characters; what is longer is a record


def constants(file: pa.Table) -> dict[str, str]:
    """By column, the cell that is the same in every row of a table of strings."""
    found: dict[str, str] = {}
    for name in file.column_names if file.num_rows else ():
        column: Any = file.column(name)
        cell = column[0].as_py()
        if cell and len(cell) <= LONGEST and pc.all(pc.equal(column, cell)).as_py():  # pyright: ignore
            found[name] = cell
    return found


def noted(table: pa.Table, files: Sequence[Mapping[str, str]]) -> pa.Table:
    """A raw table with the `constants` of the files that it was read from, for `constants_of`."""
    names = dict.fromkeys(name for file in files for name in file)
    told = {name: list(dict.fromkeys(file[name] for file in files if name in file)) for name in names}
    return table.replace_schema_metadata({**(table.schema.metadata or {}), KEY: json.dumps(told)})


def constants_of(table: pa.Table) -> dict[str, list[str]]:
    """By column, the different constants of the files that a raw table was read from; nothing where none were noted."""
    return json.loads((table.schema.metadata or {}).get(KEY, b"{}"))
