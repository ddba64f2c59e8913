"""Readers of DNA data sets that are not plain tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from xdomain.core.errors import DataError

from ..tables import lines_of, required_files, table_of_rows


def read_uci(files: Mapping[str, Path]) -> pa.Table:
    """The molecular-biology sets of UCI; ``all`` of `files` has lines ``label, name, sequence``."""
    (path,) = required_files(files, "all")
    rows: list[dict[str, object]] = []
    for number, line in enumerate(lines_of(path), 1):
        parts = [part.strip() for part in line.split(",")]
        if len(parts) != 3 or not all(parts):
            raise DataError(f"{path}, line {number}: {line[:60]!r}", expected="label, name, sequence")
        rows.append({"id": parts[1], "sequence": parts[2], "label": parts[0]})
    return table_of_rows(rows)


READERS = {"uci": read_uci}
