"""Check a raw table from any reader: complete rows, unique ids, and targets that can be learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from xdomain.core.choices import PAIRS, PER_SYMBOL, PERHAPS_PAIRS, Problem
from xdomain.core.errors import DataError, nearest
from xdomain.core.recipe import SPLITS
from xdomain.data.label_sets import UNKNOWN, checked_lists, held_by, label_names
from xdomain.data.rows import check_filled, first_row, missing_column, row_name, short, strings
from xdomain.data.target_columns import checked_targets, target_matrix, target_names
from xdomain.data.targets import answers_of, labels_of, numbers_in, tags_of, values_of, weights_of

pc: Any = pyarrow.compute  # makes its functions at import, where a type checker cannot see them

MAX_CHARACTERS = 1_000_000
KINDS = {"regression": "target", "tagging": "tag", "profile": "value", "sequence": "target"}
"""What the targets of a problem are called in messages, where they are no classes."""
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "dev": "valid",
    "development": "valid",
    "eval": "valid",
    "test": "test",
    "testing": "test",
    "pred": "",
    "predict": "",
    "": "",
}
"""The values that the split column may have, in lower case; "" leaves the record out."""


def validated(
    table: pa.Table,
    problem: Problem,
    *,
    where: str,
    labelled: bool = True,
    max_characters: int = MAX_CHARACTERS,
) -> pa.Table:
    """Check a raw table, and bring its columns into the form that all further steps rely on.

    Parameters
    ----------
    table
        From a reader: ``id``, ``sequence``, ``sequence_b``; ``label``, ``tags`` or ``answers``; ``split``, ``group``,
        ``fold``, ``weight``. Ids default to the row number, from 1. ``sequence_b`` is required for pair and span,
        optional for regression and multilabel, and dropped otherwise. Other columns are dropped.
    problem
        What the labels are.
    where
        Name of the file or files in error messages.
    labelled
        Whether targets are required. If False, as for prediction, they are dropped.
    max_characters
        A longer sequence is an error: usually the file is damaged.

    Returns
    -------
    pa.Table
        String columns, except ``weight`` float64; ``label`` float64 for regression, a struct of float64 for multioutput
        and list<string> for multilabel, where also ``unknown_labels`` may be; ``tags`` list<string> for tagging and
        list<double> for profiles; and ``answers`` list<struct<start, end>>, float64, for span.

    Raises
    ------
    DataError
        A check failed. The message gives the row, counted from 1 without the header, and its id.
    """
    checked = row_checked(table, problem, where=where, labelled=labelled, max_characters=max_characters)
    _check_ids(checked, where)
    return checked


def row_checked(
    table: pa.Table,
    problem: Problem,
    *,
    where: str,
    labelled: bool = True,
    max_characters: int = MAX_CHARACTERS,
) -> pa.Table:
    """Check one of several files: as `validated`, but ids may occur twice.

    Parameters
    ----------
    table, problem, where, labelled, max_characters
        See `validated`.
    """
    if not table.num_rows:
        raise DataError(f"{where} holds no records", expected="at least one record")
    paired = problem in PAIRS or (problem in PERHAPS_PAIRS and "sequence_b" in table.column_names)
    sequences = ["sequence", "sequence_b"] if paired else ["sequence"]
    for name in [*sequences, *(target_columns(problem, table.column_names) if labelled else [])]:
        if name not in table.column_names:
            raise missing_column(name, table.column_names, where)
    columns: dict[str, pa.Array] = {"id": ids_of(table)}
    ids: list[str] = columns["id"].to_pylist()
    for name in sequences:  # answers count from the start of the untrimmed passage
        columns[name] = strings(table, name, trim=problem != "span")
        _check_lengths(columns[name], name, ids, where, max_characters)
    if labelled:
        columns |= _target(table, problem, columns["sequence"], ids, where)
        if "weight" in table.column_names:
            columns["weight"] = weights_of(table, ids, where)
    if "split" in table.column_names:
        columns["split"] = split_names(table, ids, where)
    for name in ("group", "fold"):
        if name in table.column_names:
            columns[name] = strings(table, name)
            check_filled(columns[name], name, ids, where)
    return pa.table(columns)


def target_columns(problem: Problem, columns: Sequence[str] = ()) -> list[str]:
    """The columns of the targets of `problem`; for span, ``answers`` if it is among `columns`, else start and end."""
    if problem == "span":
        return ["answers"] if "answers" in columns else ["start", "end"]
    return ["tags"] if problem in PER_SYMBOL else ["label"]


def _target(table: pa.Table, problem: Problem, sequences: pa.Array, ids: Sequence[str], where: str) -> dict[str, Any]:
    if problem == "span":
        return {"answers": answers_of(table, ids, where)}
    if problem in PER_SYMBOL:
        tags = tags_of(table, sequences, ids, where)
        return {"tags": tags if problem == "tagging" else numbers_in(tags, ids, where)}
    if problem == "multilabel":
        names = [name for name in ("label", UNKNOWN) if name in table.column_names]
        return {name: checked_lists(table, name, ids, where) for name in names}
    if problem == "multioutput":
        return {"label": checked_targets(table, where)}
    return {"label": (values_of if problem == "regression" else labels_of)(table, ids, where)}


def ids_of(table: pa.Table, first: int = 0) -> pa.Array:
    """The column id of a raw `table`, with the number of the row, from `first` + 1, where there is none."""
    numbers = pa.array([str(first + row + 1) for row in range(table.num_rows)])
    if "id" not in table.column_names:
        return numbers
    ids = strings(table, "id")
    return pc.if_else(pc.equal(ids, ""), numbers, ids)


def _check_lengths(column: pa.Array, name: str, ids: Sequence[str], where: str, most: int) -> None:
    check_filled(column, name, ids, where)
    lengths = pc.utf8_length(column)
    row = first_row(pc.greater(lengths, most))
    if row is not None:
        raise DataError(
            f"{row_name(where, row, ids)}: a {name} of {lengths[row].as_py():,} characters",
            expected=f"at most {most:,}",
            fix="cut it into shorter records, or raise the reader option max_characters",
        )


def split_names(table: pa.Table, ids: Sequence[str], where: str) -> pa.Array:
    """The column split of a `table` as train, valid, test, or "" for records that are left out.

    Parameters
    ----------
    table
        With a column ``split``.
    ids
        Of each row, for the message.
    where
        Name of the file in the message.

    Raises
    ------
    DataError
        A cell is none of `SPLIT_NAMES`.
    """
    cells = strings(table, "split")
    lower: list[str] = pc.utf8_lower(cells).to_pylist()
    known: dict[str, str | None] = {name: SPLIT_NAMES.get(name) for name in set(lower)}
    if None in known.values():
        row = next(i for i, name in enumerate(lower) if known[name] is None)
        raise DataError(
            f"{row_name(where, row, ids)}: unknown split {short(cells[row].as_py())!r}",
            expected=f"one of {', '.join(SPLITS)}, or nothing to leave the record out",
            nearest=nearest(lower[row], SPLIT_NAMES),
            fix="rename it, or name another column: --column split=NAME",
        )
    return pa.array([known[name] for name in lower], pa.string())


def _check_ids(table: pa.Table, where: str) -> None:
    ids: list[str] = table.column("id").to_pylist()
    if len(set(ids)) == len(ids):
        return
    rows: dict[str, int] = {}
    for row, name in enumerate(ids):
        if name in rows:
            raise DataError(
                f"{where}: rows {rows[name] + 1} and {row + 1} have the same id {short(name)!r}",
                expected=f"{len(ids)} different ids; there are {len(set(ids))}",
                fix="make the ids unique, or leave the id column out: rows are then numbered",
            )
        rows[name] = row


ONE_CLASS = (
    "; if all are of one class, --negatives shuffled, background=GENOME.fa (DNA) or proteins=FILE.fasta makes others"
)
"""What may be done about data without labels, or with one: the end of a `fix`."""


def check_variety(table: pa.Table, problem: Problem, where: str) -> None:
    """Refuse a validated `table` with fewer than two different targets of `problem`, as nothing can be learned from it.

    Raises
    ------
    DataError
        There are fewer than two; the message names the file `where`. Answers (span) are not checked.
    """
    if problem == "span":
        return
    (name,) = target_columns(problem)
    column = table.column(name).combine_chunks()
    if problem == "multilabel":
        _check_labels_vary(table, where)
        return
    if problem == "multioutput":
        _check_targets_vary(column, where)
        return
    values = pc.list_flatten(column) if problem in PER_SYMBOL else column
    distinct: list[object] = pc.unique(pc.drop_null(values)).to_pylist()
    if len(distinct) < 2:
        kind = KINDS.get(problem, "class")
        only = f"one {kind}, {distinct[0]!r}," if distinct else f"no {kind}"
        raise DataError(
            f"{where}: only {only} in {table.num_rows:,} records" if distinct else f"{where}: {only} in any record",
            expected=f"at least two different {kind}{'es' if kind == 'class' else 's'}",
            fix=f"check that --column {name}=NAME names the right column" + (ONE_CLASS if kind == "class" else ""),
        )


def _check_labels_vary(table: pa.Table, where: str) -> None:
    """Refuse labels all of which every record has, or none."""
    held = held_by(table.column("label"), label_names(table))
    if not held.any() or held.all():
        what = "no label in any record" if not held.any() else f"every label in each of {table.num_rows:,} records"
        raise DataError(
            f"{where}: {what}",
            expected="at least one label that some records have, and some have not",
            fix="check that --column label=NAME names the right column",
        )


def _check_targets_vary(column: pa.Array, where: str) -> None:
    names = target_names(column)
    for name, values in zip(names, target_matrix(column, names).T, strict=True):
        if len(np.unique(values[np.isfinite(values)])) < 2:
            raise DataError(
                f"{where}: the target {name!r} has fewer than two different values",
                expected="numbers that differ",
                fix="leave it out: --column label=NAME,NAME with the others",
            )
