"""A sample of the rows of a user's table, and what its columns look like: numbers, tags, other sequences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import pyarrow as pa

from xdomain.data.cell_text import numbers_of

ROWS = 2000  # at most in the sample
CHARACTERS = 2000  # kept of each cell of the sample


class Sample:
    """A sample of at most `ROWS` rows, at equal steps, of `table`, whose columns are strings.

    Attributes
    ----------
    rows
        Number of rows in the sample.
    cells
        By column: the first `CHARACTERS` + 1 characters of each cell, stripped.
    """

    def __init__(self, table: pa.Table) -> None:
        rows = min(ROWS, table.num_rows)
        chosen = [row * table.num_rows // rows for row in range(rows)]
        columns = table.take(chosen)
        self.table = table
        self.rows = len(chosen)
        self.cells: dict[str, list[str]] = {
            name: [_cut(cell) for cell in columns.column(name).to_pylist()] for name in table.column_names
        }

    def distinct(self, name: str) -> int:
        """The number of distinct cells in column `name`; empty cells do not count."""
        return len({cell for cell in self.cells[name] if cell})

    def mean_length(self, name: str) -> float:
        """The mean number of characters per cell in column `name`."""
        return sum(map(len, self.cells[name])) / max(1, self.rows)

    def numbers(self, name: str) -> list[float] | None:
        """The finite numbers in column `name`; None if there are none, or if any non-empty cell is not a number."""
        return numbers_of(self.cells[name])

    def all_cells(self, name: str) -> list[str]:
        """All cells of column `name`, not only those of the sample."""
        return [_cut(cell) for cell in self.table.column(name).to_pylist()]

    def are_tags(self, name: str, sequence: str, *, share: float = 1.0) -> bool:
        """Whether column `name` holds tags of the sequences in column `sequence`.

        At least this `share` of the cells must have one entry per character or per word of its sequence, and the cells
        must not look like classes or numbers.
        """
        pairs = list(zip(self.cells[name], self.cells[sequence], strict=True))
        whole = [pair for pair in pairs if max(map(len, pair)) <= CHARACTERS] or pairs
        if self.numbers(name) is not None and len(set("".join(cell for cell, _ in whole))) > 3:
            return False
        same_length = len({len(text) for _, text in whole}) == 1
        called_so = name.strip().lower() == "tags"
        if same_length and not called_so and len({cell for cell, _ in whole}) <= max(2, len(whole) // 4):
            return False  # classes whose names are as long as the sequences
        parted = are_parted([cell for cell, _ in whole])
        if not parted and alike("".join(cell for cell, _ in whole), "".join(text for _, text in whole)):
            return False  # other sequences of the domain
        fitting = 0
        for cell, text in whole:
            entries = len(split_tags(cell, parted=parted))
            fitting += entries == len(text) or (parted and entries == len(text.split()))
        longest = max(len(split_tags(cell, parted=parted)) for cell, _ in whole)
        return longest > 1 and fitting >= max(1, share * len(whole))


def tell_apart(cells: Sequence[str | None]) -> bool:
    """Whether `cells`, one or more, tell their rows apart: no two are the same, and none is empty."""
    kept = {_cut(cell) for cell in cells}
    return bool(kept) and "" not in kept and len(kept) == len(cells)


def are_parted(cells: Iterable[str]) -> bool:
    """Whether blanks or commas separate the tags in a column, given its `cells`; one cell that has some is enough."""
    return any(re.search(r"[\s,]", cell.strip()) for cell in cells)


def split_tags(cell: str, *, parted: bool) -> list[str]:
    """The tags in `cell`: separated by blanks or commas if `parted`, otherwise one per character.

    A tag that is not known may be left out between commas; it is "".
    """
    cell = cell.strip()
    if cell.startswith("[") and cell.endswith("]"):  # a list as Python, JSON or numpy write it
        return [entry.strip("'\"") for entry in re.split(r"[\s,]+", cell[1:-1].strip()) if entry]
    if not parted or not cell:
        return list(cell)
    between = re.split(r"\s*,\s*", cell)  # where commas separate, nothing between two of them is an empty tag
    return between if between[1:] and not any(re.search(r"\s", tag) for tag in between) else re.split(r"[\s,]+", cell)


def alike(one: str, other: str) -> bool:
    """Whether `one` and `other` are written in the same letters: more than eight of them, or those of nucleic acids."""
    first, second = set(one.upper()) - {" "}, set(other.upper()) - {" "}
    shared, either = len(first & second), len(first | second)
    return shared > 0.7 * either and (shared > 8 or first | second <= set("ACGTUN"))


def _cut(cell: str | None) -> str:
    return (cell or "")[: CHARACTERS + 1].strip()
