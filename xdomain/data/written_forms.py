"""Sequences as they are written by hand: residues in three letters, and strands between 5' and 3'."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import pyarrow as pa

from xdomain.core.errors import DataError
from xdomain.data.rows import short, strings
from xdomain.data.validate import ids_of

LOOKED_AT = 50
"""Sequences that decide how a column is written."""
FIRST, LAST = re.compile(r"^(?:H|H2N|Ac|Acetyl|Fmoc|Boc)-"), re.compile(r"-(?:OH|NH2|COOH|amide|acid)$")
"""What may stand before and behind the residues of a peptide."""
PRIME = "['\N{RIGHT SINGLE QUOTATION MARK}\N{LEFT SINGLE QUOTATION MARK}\N{PRIME}\N{ACUTE ACCENT}`]"
DASH = "[-\N{EN DASH}\N{HYPHEN}\N{NON-BREAKING HYPHEN}]"
STRAND = re.compile(rf"5{PRIME}?(?:-?[pP]-?)?\s*{DASH}?\s*([A-Za-z][A-Za-z\s-]*?)\s*{DASH}?\s*3{PRIME}?")
BACKWARDS = re.compile(rf"3{PRIME}?\s*{DASH}?\s*([A-Za-z][A-Za-z\s-]*?)\s*{DASH}?\s*5{PRIME}?")


def in_plain_letters(table: pa.Table, domain: str) -> tuple[pa.Table, list[str]]:
    """A raw table whose sequences have a letter a symbol, and a sentence for each column that was rewritten.

    Parameters
    ----------
    table
        With string columns ``sequence`` and perhaps ``sequence_b``.
    domain
        The name of the adapter: residues may be ``Ala-Cys-Asp`` in ``protein``, strands ``5'-ACGT-3'`` in ``dna``. A
        column is taken for such where half of its first sequences are.

    Raises
    ------
    DataError
        Among residues in three letters, a sequence that is written otherwise; or a strand from 3' to 5'.
    """
    said: list[str] = []
    ways = {"protein": (_three_letters, _residues), "dna": (_ends_named, _strand)}
    if domain not in ways:
        return table, said
    applies, rewrite = ways[domain]
    for name in ("sequence", "sequence_b"):
        if name not in table.column_names:
            continue
        column = strings(table, name)
        filled = [cell for cell in column[:LOOKED_AT].to_pylist() if cell]
        if not filled or 2 * sum(map(applies, filled)) < len(filled):
            continue
        cells: list[str] = column.to_pylist()
        written, how = rewrite(cells, ids_of(table).to_pylist())
        table = table.set_column(table.column_names.index(name), name, pa.array(written, pa.string()))
        said.append(f"{name}: {how}")
    return table, said


@cache
def _codes() -> dict[str, str]:
    """Letters by codes of residues, in upper case."""
    from Bio.Data.IUPACData import protein_letters_3to1_extended

    return {code.upper(): letter for code, letter in protein_letters_3to1_extended.items()} | {"TER": "*"}


def _parts(cell: str) -> list[str] | None:
    """The codes of the residues in `cell`, at least two, without what ends a peptide; None where it is no such."""
    text = LAST.sub("", FIRST.sub("", cell.strip()))
    parts = re.split(r"[\s-]+", text) if re.search(r"[\s-]", text) else re.findall(r"[A-Z][a-z]{2}", text)
    joined = "".join(parts)
    whole = len(joined) == len(re.sub(r"[\s-]+", "", text))
    return parts if whole and len(parts) > 1 and all(part.upper() in _codes() for part in parts) else None


def _three_letters(cell: str) -> bool:
    return _parts(cell) is not None


def _residues(cells: Sequence[str], ids: Sequence[object]) -> tuple[list[str], str]:
    written: list[str] = []
    for cell, own in zip(cells, ids, strict=True):
        parts = _parts(cell) or ([cell.strip()] if cell.strip().upper() in _codes() else None)
        if parts is None and cell.strip():
            raise DataError(
                f"record {own!r}: {short(cell)!r} among residues in three letters, such as Ala-Cys",
                expected="codes of residues (Ala, Cys, …) in each sequence, with hyphens, with blanks or without",
                fix="write it so, or all sequences with a letter a residue",
            )
        written.append("".join(_codes()[part.upper()] for part in parts or ()))
    return written, "residues in three letters, such as Ala-Cys, are read as one letter each"


def _ends_named(cell: str) -> bool:
    return STRAND.fullmatch(cell.strip()) is not None or BACKWARDS.fullmatch(cell.strip()) is not None


def _strand(cells: Sequence[str], ids: Sequence[object]) -> tuple[list[str], str]:
    written: list[str] = []
    for cell, own in zip(cells, ids, strict=True):
        if BACKWARDS.fullmatch(cell.strip()):
            raise DataError(
                f"record {own!r}: {short(cell)!r} is written from 3' to 5'", expected="all strands from 5' to 3'",
                fix="turn it round",
            )  # fmt: skip
        found = STRAND.fullmatch(cell.strip())
        written.append(found[1] if found else cell)
    return written, "what names the ends of a strand, 5' and 3', is left out"
