"""Sequences that were typed on the command line, as a file that is read like any other."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written(sequences: Sequence[str]) -> Generator[list[Path]]:
    """A context with the file that holds `sequences`, a record each, named from 1 on; without a file for none."""
    if not sequences:
        yield []
        return
    with tempfile.TemporaryDirectory(prefix="xdomain-") as folder:
        path = Path(folder) / "typed.jsonl"
        rows = ({"id": str(number), "sequence": sequence} for number, sequence in enumerate(sequences, 1))
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
        yield [path]
