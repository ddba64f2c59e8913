"""Plain text files in which each line is a record, without names of columns."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa

from xdomain.data.column_names import HEADERS, plain
from xdomain.data.formats.read_file import read_head, read_text

SHOWN = 10_000
"""Bytes in which the first line is looked at."""
ENDINGS = {".csv", ".tsv", ".tab", ".dat"}
"""Of tables."""


def raw_lines(path: Path) -> pa.Table:
    """Read the text file at `path`, whose lines are records; lines of white space alone are left out.

    Returns
    -------
    pa.Table
        The columns id, ``FILE:LINE``, and sequence, strings.
    """
    lines = [(number, line) for number, line in enumerate(read_text(path).decode().split("\n"), 1) if line.strip()]
    return pa.table({
        "id": pa.array([f"{path.stem}:{number}" for number, _ in lines], pa.string()),
        "sequence": pa.array([line.rstrip("\r") for _, line in lines], pa.string()),
    })  # fmt: skip


def has_plain_lines(path: Path) -> bool:
    """Whether the text file `path` has a record on each line and no header, as far as name and first line tell."""
    if ENDINGS & {suffix.lower() for suffix in path.suffixes}:
        return False
    head = read_head(path, SHOWN).removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").lstrip("\r\n")
    first = head.partition("\n")[0]
    if "\t" in first or not first.strip():
        return False
    words = {plain(word) for word in first.split()}
    cells = {plain(cell) for cell in re.split("[,;]", first)}
    return not (words <= HEADERS or cells & HEADERS)
