"""What the cells of a table's columns look like: numbers, tags, names of splits."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

import pyarrow as pa

from xdomain.data.validate import SPLIT_NAMES

ROWS = 2000  # that are looked at, spread over the table
CHARACTERS = 2000  # of each cell that are looked at


class Sample:
    """Some rows of a table of strings.

    Attributes
    ----------
    rows
        How many.
    cells
        By column, stripped, and cut where they are longer than anyone looks.
    """

    def __init__(self, table: pa.Table) -> None:
        step = max(1, table.num_rows // ROWS)
        chosen = list(range(0, table.num_rows, step))[:ROWS]
        columns = table.take(chosen)
        self.rows = len(chosen)
        self.cells: dict[str, list[str]] = {
            name: [_cut(cell) for cell in columns.column(name).to_pylist()] for name in table.column_names
        }

    def distinct(self, name: str) -> int:
        """Different cells of a column; empty ones do not count."""
        return len({cell for cell in self.cells[name] if cell})

    def mean_length(self, name: str) -> float:
        """Characters a cell."""
        return sum(map(len, self.cells[name])) / max(1, self.rows)

    def numbers(self, name: str) -> list[float] | None:
        """The cells as numbers, or None where one is none; empty ones and NaN are passed over."""
        numbers: list[float] = []
        for cell in self.cells[name]:
            if not cell:
                continue
            try:
                number = float(cell)
            except ValueError:
                return None
            if math.isfinite(number):
                numbers.append(number)
        return numbers or None

    def are_splits(self, name: str) -> bool:
        """Whether every cell names a split."""
        return all(cell.lower() in SPLIT_NAMES for cell in self.cells[name])

    def are_tags(self, name: str, sequence: str) -> bool:
        """Whether every cell has an entry a symbol of the sequence (or a word of it), and is no class or number."""
        pairs = list(zip(self.cells[name], self.cells[sequence], strict=True))
        whole = [pair for pair in pairs if max(map(len, pair)) <= CHARACTERS] or pairs
        if self.numbers(name) is not None and len(set("".join(cell for cell, _ in whole))) > 3:
            return False
        same_length = len({len(text) for _, text in whole}) == 1
        if same_length and len({cell for cell, _ in whole}) <= max(2, len(whole) // 4):
            return False  # classes whose names happen to be as long as the sequences
        parted = are_parted([cell for cell, _ in whole])
        for cell, text in whole:
            entries = len(split_tags(cell, parted=parted))
            if entries != len(text) and not (parted and entries == len(text.split())):
                return False
        return max(len(split_tags(cell, parted=parted)) for cell, _ in whole) > 1


def are_parted(cells: Iterable[str]) -> bool:
    """Whether blanks or commas part the tags of a column's cells: where any has some, one tag may stand alone."""
    return any(re.search(r"[\s,]", cell.strip()) for cell in cells)


def split_tags(cell: str, *, parted: bool) -> list[str]:
    """Tags in one cell: parted by blanks or commas, or one a character."""
    cell = cell.strip()
    return re.split(r"[\s,]+", cell) if parted and cell else list(cell)


def _cut(cell: str | None) -> str:
    return (cell or "")[: CHARACTERS + 1].strip()
