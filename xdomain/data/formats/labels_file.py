"""Labels that lie in a file of their own, beside sequences that have only ids."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from xdomain.core.errors import DataError, nearest
from xdomain.core.progress import log
from xdomain.data.column_names import ID
from xdomain.data.formats.registry import FORMATS, format_of
from xdomain.data.formats.tables import raw_table
from xdomain.data.rows import short, strings

SHOWN = 3  # ids that a message names


def with_labels(path: Path, labels: Path, options: Mapping[str, Any] | None = None) -> pa.Table:
    """The records of `path`, each with its row of `labels`.

    Parameters
    ----------
    path
        Sequences with ids: FASTA or another of `xdomain.data.formats.registry.FORMATS`.
    labels
        A table with a column of ids, named ``id`` or the like, else its first, with or without a header; or a FASTA
        file with a tag for each symbol in place of the sequence. Ids may differ in one of the ways of `WAYS`, if they
        are then still different ones.
    options
        Of the reader of `path`.

    Returns
    -------
    pa.Table
        Strings: the columns of `path`, and those of `labels`; its ``sequence``, if it is FASTA, is called ``tags``.

    Raises
    ------
    DataError
        Ids that come again, a record without a label, or a label without a record.
    """
    records = FORMATS[format_of(path)].raw(path, **(options or {}))
    wanted = _ids(records, path)
    forms = {way(own) for own in wanted for way in WAYS.values()}
    rows = labels_table(labels, lambda cell: any(way(cell) in forms for way in WAYS.values()), "id")
    if "sequence" in rows.column_names and "sequence" in records.column_names:
        rows = rows.rename_columns(["tags" if name == "sequence" else name for name in rows.column_names])
    given = _ids(rows, labels)
    taken = rows.take(_matched(wanted, given, path, labels))
    for name in taken.column_names:
        if name != _id_column(rows) and name not in records.column_names:
            records = records.append_column(name, taken.column(name))
    return records


def labels_table(labels: Path, is_record: Callable[[str], bool], first: str) -> pa.Table:
    """The table `labels`, which may lack a header.

    Parameters
    ----------
    labels
        The file.
    is_record
        Whether a cell names a record. If one of the first line does, that line is no header.
    first
        What the first of two columns is then called, beside ``label``.
    """
    reader = format_of(labels)
    table = FORMATS[reader].raw(labels)
    if reader != "table" or not any(map(is_record, table.column_names)):
        return table
    width = len(table.column_names)
    log.info(f"{labels} has no header, as its first line names a record")
    return raw_table(labels, names=[first, "label"] if width == 2 else [f"column {i + 1}" for i in range(width)])


def _matched(wanted: Sequence[str], given: Sequence[str], path: Path, labels: Path) -> list[int]:
    """The row of labels for each record, by the first of `WAYS` in which all ids match."""
    for said, way in WAYS.items():
        place = {way(own): row for row, own in enumerate(given)}
        keys = [way(own) for own in wanted]
        if len(set(keys)) == len(wanted) == len(place) == len(given) and place.keys() == set(keys):
            if said:
                log.info(f"ids of {path.name} and {labels.name} match {said}, such as {wanted[0]!r}")
            return [place[key] for key in keys]
    lacking = [own for own in wanted if own not in set(given)]
    stray = [own for own in given if own not in set(wanted)]
    if lacking:
        raise DataError(
            f"{labels} has no row for {_shown(lacking)} of {path}" + _more(len(lacking)),
            expected="a row for every record, under the same id",
            nearest=nearest(lacking[0], stray),
            fix="add them, or delete the records; ids may differ by a version (.2), folders or a suffix, if all do",
        )
    raise DataError(
        f"{path} has no record {_shown(stray)}, which {labels} names" + _more(len(stray)),
        expected="a record for every row of labels",
        fix="delete those rows",
    )


def _shown(ids: Sequence[str]) -> str:
    return ", ".join(repr(short(own)) for own in ids[:SHOWN])


def _more(number: int) -> str:
    return f", and for {number - SHOWN:,} more" if number > SHOWN else ""


def _accession(own: str) -> str:
    """``P12345`` of UniProt's ``sp|P12345|NAME_HUMAN``."""
    parts = own.split("|")
    return parts[1] if len(parts) == 3 else own


def _file_stem(own: str) -> str:
    return PurePosixPath(own.replace("\\", "/")).stem


WAYS: Mapping[str, Callable[[str], str]] = {
    "": str,
    "without their versions": lambda own: re.sub(r"\.\d+$", "", own),
    "by the accession between bars": _accession,
    "without folders and suffixes": _file_stem,
}
"""How ids are compared, by what is said of it; the first in which all match is taken."""


def _id_column(table: pa.Table) -> str:
    return next((name for name in table.column_names if name.strip().lower() in ID), table.column_names[0])


def _ids(table: pa.Table, path: Path) -> list[str]:
    column: Any = strings(table, _id_column(table))
    ids: list[str] = column.to_pylist()
    if len(set(ids)) < len(ids):
        again = next(own for row, own in enumerate(ids) if own in ids[:row])
        raise DataError(f"{path}: several records are called {short(again)!r}", expected="different ids to join by")
    return ids
