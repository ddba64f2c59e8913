"""The core's readers by name, and which of them a file wants."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from xdomain.core.plugins import Reader
from xdomain.core.recipe import Columns, Problem
from xdomain.data.fasta import fasta_columns, raw_fasta, read_fasta
from xdomain.data.infer_columns import Guess, guess_columns
from xdomain.data.read_file import read_text
from xdomain.data.tables import raw_table, read_table

CORE: Mapping[str, Reader] = {"table": read_table, "fasta": read_fasta}


def reader_for(path: Path) -> str:
    """``fasta`` where the first character is '>', else ``table``."""
    return "fasta" if read_text(path).lstrip().startswith(b">") else "table"


def guess_file(
    path: Path, columns: Columns | None = None, problem: Problem | None = None, *, labelled: bool = True
) -> tuple[str, Guess]:
    """The reader that a file wants, and what its columns hold."""
    name = reader_for(path)
    told = columns or Columns()
    table: pa.Table
    if name == "fasta":
        table = raw_fasta(path, label=told.label or told.tags, labelled=labelled)
        told = fasta_columns(told, labelled=labelled)
    else:
        table = raw_table(path)
    return name, guess_columns(table, told, problem, where=str(path), labelled=labelled)
