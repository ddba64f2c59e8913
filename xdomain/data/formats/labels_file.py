"""Labels that lie in a file of their own, beside sequences that have only ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from xdomain.core.errors import DataError
from xdomain.data.formats.registry import FORMATS, format_of
from xdomain.data.infer_columns import ID
from xdomain.data.rows import short, strings


def with_labels(path: Path, labels: Path) -> pa.Table:
    """The records of `path`, each with its row of `labels`.

    Parameters
    ----------
    path
        Sequences with ids: FASTA or another of `xdomain.data.formats.registry.FORMATS`.
    labels
        A table with a column of ids, named ``id`` or the like, else its first; or a FASTA file with a tag for each
        symbol in place of the sequence.

    Returns
    -------
    pa.Table
        Strings: the columns of `path`, and those of `labels`; its ``sequence``, if it is FASTA, is called ``tags``.

    Raises
    ------
    DataError
        Ids that come again, a record without a label, or a label without a record.
    """
    records, rows = _raw(path), _raw(labels)
    if "sequence" in rows.column_names and "sequence" in records.column_names:
        rows = rows.rename_columns(["tags" if name == "sequence" else name for name in rows.column_names])
    wanted, given = _ids(records, path), _ids(rows, labels)
    place = {own: row for row, own in enumerate(given)}
    lacking = [own for own in wanted if own not in place]
    if lacking:
        raise DataError(
            f"{labels} has no row for {short(lacking[0])!r} of {path}" + _more(len(lacking)),
            expected="a row for every record, under the same id",
            fix="add them, or delete the records",
        )
    if len(given) > len(wanted):
        stray = next(own for own in given if own not in set(wanted))
        raise DataError(
            f"{path} has no record {short(stray)!r}, which {labels} names" + _more(len(given) - len(wanted)),
            expected="a record for every row of labels",
            fix="delete those rows",
        )
    taken = rows.take([place[own] for own in wanted])
    for name in taken.column_names:
        if name != _id_column(rows) and name not in records.column_names:
            records = records.append_column(name, taken.column(name))
    return records


def _more(number: int) -> str:
    return f", and for {number - 1:,} more" if number > 1 else ""


def _raw(path: Path) -> pa.Table:
    return FORMATS[format_of(path)].raw(path)


def _id_column(table: pa.Table) -> str:
    return next((name for name in table.column_names if name.strip().lower() in ID), table.column_names[0])


def _ids(table: pa.Table, path: Path) -> list[str]:
    column: Any = strings(table, _id_column(table))
    ids: list[str] = column.to_pylist()
    if len(set(ids)) < len(ids):
        again = next(own for row, own in enumerate(ids) if own in ids[:row])
        raise DataError(f"{path}: several records are called {short(again)!r}", expected="different ids to join by")
    return ids
