"""Mutations of proteins or DNA, as a table: a sequence, and what is changed in it, as in ``A23T``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from xdomain.core.errors import DataError
from xdomain.core.progress import log
from xdomain.core.recipe_sections import Columns
from xdomain.data.column_names import ID, SEQUENCE, plain
from xdomain.data.formats.fasta import raw_fasta
from xdomain.data.formats.registry import format_of, raw_file
from xdomain.data.rows import missing_column
from xdomain.inference.variants.notation import read_mutation
from xdomain.inference.variants.variant import Row, Variant, checked

OF_SEQUENCES = tuple(name for name in SEQUENCE if name != "mutated_sequence")
MUTATION = ("mutation", "mutations", "mutant", "mutants", "variant", "variants")


def read_mutations(
    path: Path,
    *,
    columns: Columns | None = None,
    mutation: str | None = None,
    sequences: Path | None = None,
    residues: bool = False,
) -> Iterator[Variant]:
    """Read the mutations of a table.

    Parameters
    ----------
    path
        A table (CSV, TSV, Parquet, Excel, …) with a column of mutations, ``A23T`` or several joined by ``:`` or ``;``,
        and a column of sequences, or with `sequences` one of their ids.
    columns
        Its columns `sequence` and `id`; None: known by their names.
    mutation
        The column of mutations; None: known by its name, one of `MUTATION`.
    sequences
        A FASTA file with the sequences.
    residues
        Whether the sequences are proteins, see `xdomain.inference.variants.notation`.

    Yields
    ------
    Variant
        In file order, with the columns id (or row, from 1) and mutation. One that cannot be scored says why.

    Raises
    ------
    DataError
        The table lacks a column.
    """
    table = raw_file(format_of(path), path, columns=columns or Columns(), labelled=False)
    asked = columns or Columns()
    name = _column(table, mutation, MUTATION, "mutation", path)
    if name is None:
        error = missing_column("mutation", table.column_names, str(path))
        raise DataError(error.what, expected=f"{error.expected}, called {', '.join(MUTATION)}", fix="--mutation NAME")
    ids = _column(table, asked.id, tuple(ID), "id", path)
    texts = None if sequences else _column(table, asked.sequence, OF_SEQUENCES, "sequence", path)
    if sequences and ids is None:
        raise missing_column("id", table.column_names, str(path), role="id")
    if not sequences and texts is None:
        error = missing_column("sequence", table.column_names, str(path), role="sequence")
        raise DataError(error.what, expected=error.expected, nearest=error.nearest,
                        fix="--column sequence=NAME; or --sequences FILE.fasta, where the table has ids")  # fmt: skip
    known = _by_id(sequences) if sequences else {}
    log.info(f"mutations: column {name!r} of {path.name}, places from 1")
    for number, record in enumerate(table.to_pylist(), 1):
        row: Row = {"id": (record[ids] if ids else None) or str(number), "mutation": record[name] or ""}
        text = known.get(str(row["id"])) if sequences else record[texts]
        if not text:
            yield Variant(row, error=f"{sequences.name} has no {row['id']!r}" if sequences else "no sequence")
            continue
        yield _variant(row, "".join(text.split()), residues=residues)


def _variant(row: Row, text: str, *, residues: bool) -> Variant:
    try:
        edits = read_mutation(str(row["mutation"]), residues=residues)
    except DataError as error:
        return Variant(row, error=error.what)
    part = lambda start, end: text[start:end]  # noqa: E731 - a function of two places, as a genome has one
    return checked(row, edits, len(text), part, what="the sequence", place="letter")


def _column(table: pa.Table, asked: str | None, names: tuple[str, ...], role: str, path: Path) -> str | None:
    if asked and asked not in table.column_names:
        raise missing_column(asked, table.column_names, str(path), role=role)
    called = {plain(name): name for name in reversed(table.column_names)}
    return asked or next((called[name] for name in names if name in called), None)


def _by_id(sequences: Path) -> Mapping[str, str]:
    table = raw_fasta(sequences)
    return dict(zip(table.column("id").to_pylist(), table.column("sequence").to_pylist(), strict=True))
