"""What the readers share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from xdomain.core.errors import DataError, RecipeError


def wanted(files: Mapping[str, Path], *names: str) -> list[Path]:
    """The files of these names; a recipe that lacks one is a `RecipeError`."""
    for name in names:
        if name not in files:
            raise RecipeError(f"the reader needs source.files.{name}", expected=f"files named {', '.join(names)}")
    return [files[name] for name in names]


def lines_of(path: Path) -> list[str]:
    """The lines of a text file, blank ones left out."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    if not lines:
        raise DataError(f"{path} is empty", expected="at least one record")
    return lines


def unique(ids: Sequence[str]) -> list[str]:
    """The same names, the second of a kind with #2 behind it, and so on."""
    seen: Counter[str] = Counter()
    found: list[str] = []
    for name in ids:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return found


def table(rows: Sequence[Mapping[str, object]]) -> pa.Table:
    """Rows as a table, their ids made unique."""
    ids = unique([str(row["id"]) for row in rows])
    return pa.Table.from_pylist([{**row, "id": name} for row, name in zip(rows, ids, strict=True)])
