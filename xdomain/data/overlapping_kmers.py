"""Sequences that came cut into overlapping k-mers, ``ACGT CGTA GTAC``, as DNABERT and ProtVec want them."""

from __future__ import annotations

from itertools import pairwise

import pyarrow as pa

from xdomain.data.rows import strings

SAMPLE = 200  # cells that decide before all are looked at


def overlap_of(cells: list[str]) -> int | None:
    """The k of sequences that are all cut into overlapping k-mers, each a symbol after the one before.

    Parameters
    ----------
    cells
        Sequences as text; empty ones are passed over.

    Returns
    -------
    int or None
        k from 2; None where any cell is made otherwise, or no cell has two k-mers.
    """
    k = None
    for cell in cells:
        words = cell.split()
        if not words:
            continue
        k = k or len(words[0])
        if k < 2 or any(len(word) != k or not word.isalpha() for word in words):
            return None
        if any(word[1:] != after[:-1] for word, after in pairwise(words)):
            return None
    return k if any(len(cell.split()) > 1 for cell in cells) else None


def undo_overlap(column: pa.Array) -> pa.Array:
    """The sequences of `column`, whose cells are overlapping k-mers, in one piece."""
    joined = [words[0] + "".join(word[-1] for word in words[1:]) if (words := cell.split()) else ""
              for cell in column.to_pylist()]  # fmt: skip
    return pa.array(joined, pa.string())


def without_overlap(table: pa.Table) -> tuple[pa.Table, list[str]]:
    """A raw table whose sequences are in one piece, and a sentence for each column that was mended.

    Parameters
    ----------
    table
        With string columns ``sequence`` and perhaps ``sequence_b``. Single k-mers among many are allowed for.
    """
    said: list[str] = []
    for name in ("sequence", "sequence_b"):
        if name not in table.column_names:
            continue
        column = strings(table, name)
        if overlap_of(column.slice(0, SAMPLE).to_pylist()) is None:
            continue
        k = overlap_of(column.to_pylist())
        if k is not None:
            place = table.column_names.index(name)
            table = table.set_column(place, name, undo_overlap(column))
            said.append(f"{name}: overlapping {k}-mers, a symbol apart, were put together again")
    return table, said
