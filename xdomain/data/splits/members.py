"""The distinct sequences of a table, which are the members of its pairs, and what hangs together by links."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from xdomain.data.splits.drawing import Indices


def members_of(table: pa.Table) -> tuple[list[str], Indices]:
    """The distinct sequences of a validated raw `table`, and which of them each record has.

    Sequences are the same where they are so in upper case, on whichever side of a pair.

    Returns
    -------
    tuple
        The sequences in upper case, in order of their first records; and shape (n, 1), or (n, 2) for pairs: the number
        of each.
    """
    sides = [name for name in ("sequence", "sequence_b") if name in table.column_names]
    cells: list[list[str]] = [[text.strip().upper() for text in table.column(name).to_pylist()] for name in sides]
    numbers: dict[str, int] = {}
    rows = [[numbers.setdefault(text, len(numbers)) for text in row] for row in zip(*cells, strict=True)]
    return list(numbers), np.array(rows, np.int64)


def joined(links: NDArray[np.integer], number: int) -> Indices:
    """Shape (number,): which part each of `number` things is in, where `links`, shape (m, 2), connect some.

    Parts are the connected components, numbered from 0.
    """
    graph = coo_array((np.ones(len(links), np.int8), (links[:, 0], links[:, 1])), shape=(number, number))
    return connected_components(graph, directed=False)[1].astype(np.int64)
