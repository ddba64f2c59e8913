"""Sequences that came cut into overlapping k-mers, ``ACGT CGTA GTAC``, as DNABERT and ProtVec want them."""

from __future__ import annotations

from itertools import pairwise

import pyarrow as pa

from xdomain.core.errors import DataError
from xdomain.data.rows import short, strings

EVIDENCE = 8
"""Letters in which neighbours must agree, over a whole column: fewer may do so by chance."""


def stride_of(cell: str) -> tuple[int, int] | None:
    """The k of a sequence that is cut into overlapping k-mers, and how many symbols each is after the one before.

    None where `cell` is made otherwise: a single word, words of different lengths, or words that do not overlap.
    """
    words = cell.split()
    k = len(words[0]) if words else 0
    if len(words) < 2 or k < 2 or any(len(word) != k or not word.isalpha() for word in words):
        return None
    fits = (s for s in range(1, k) if all(word[s:] == after[: k - s] for word, after in pairwise(words)))
    stride = next(fits, None)
    return None if stride is None else (k, stride)


def without_overlap(table: pa.Table) -> tuple[pa.Table, list[str]]:
    """A raw table whose sequences are in one piece, and a sentence for each column that was mended.

    A column is taken for k-mers where most of its cells with blanks are; sequences without blanks stay as they are.

    Parameters
    ----------
    table
        With string columns ``sequence`` and perhaps ``sequence_b``.

    Raises
    ------
    DataError
        Among k-mers, a sequence with blanks that is made otherwise.
    """
    said: list[str] = []
    for name in ("sequence", "sequence_b"):
        if name not in table.column_names:
            continue
        cells: list[str] = strings(table, name).to_pylist()
        strides = {row: stride_of(cell) for row, cell in enumerate(cells) if " " in cell}
        known = [stride for stride in strides.values() if stride is not None]
        if not known or 2 * len(known) < len(strides):
            continue
        usual = max(set(known), key=known.count)
        joints = sum(len(cells[row].split()) - 1 for row, stride in strides.items() if stride == usual)
        if joints * (usual[0] - usual[1]) < EVIDENCE:
            continue
        for row, stride in strides.items():
            if stride != usual and not (stride is None and _is_short(cells[row], *usual)):
                own = table.column("id")[row].as_py()
                raise DataError(
                    f"record {own!r}: {short(cells[row])!r} among overlapping {usual[0]}-mers",
                    expected=f"{usual[0]}-mers, {usual[1]} symbols apart, or a sequence without blanks",
                )
            cells[row] = _joined(cells[row], usual[1])
        table = table.set_column(table.column_names.index(name), name, pa.array(cells, pa.string()))
        apart = "a symbol" if usual[1] == 1 else f"{usual[1]} symbols"
        said.append(f"{name}: overlapping {usual[0]}-mers, {apart} apart, were put together again")
    return table, said


def _is_short(cell: str, k: int, stride: int) -> bool:
    """Whether the last k-mer alone is shorter, as where a cutter keeps the rest."""
    *words, last = cell.split()
    whole = stride_of(" ".join(words)) == (k, stride)
    return whole and len(last) < k and words[-1][stride:].startswith(last[: k - stride])


def _joined(cell: str, stride: int) -> str:
    first, *others = cell.split()
    k = len(first)
    return first + "".join(word[k - stride :] for word in others)
