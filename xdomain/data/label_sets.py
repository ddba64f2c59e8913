"""Records with any number of labels: read from one column or several, as lists of names, and as a matrix."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from xdomain.core.errors import DataError
from xdomain.core.json_text import parse_json
from xdomain.data.cell_text import MISSING, SEPARATORS, is_missing, natural_order, several_labels
from xdomain.data.formats.write import joined_by
from xdomain.data.rows import lists_by_length, missing_column, row_name, short, strings

pc: Any = pyarrow.compute  # its functions are made at import and have no types
UNKNOWN = "unknown_labels"
"""The column of lists of those labels of which it is unknown whether a record has them; it may be missing."""
YES_OR_NO = {
    "1": True, "1.0": True, "true": True, "yes": True, "y": True, "t": True,
    "0": False, "0.0": False, "false": False, "no": False, "n": False, "f": False,
}  # fmt: skip
"""In lower case, what a column of one label may hold, besides nothing."""
LISTS = pa.list_(pa.string())
JOINTS = (";", "|", "/", "\t", " + ", "||")


def are_yes_or_no(cells: Sequence[str], *, alone: bool = False) -> bool:
    """Whether `cells` are those of one label: yes or no, both of them, and perhaps some missing.

    With `alone`, yes and missing cells are enough.
    """
    known = {cell.strip().lower() for cell in cells if not is_missing(cell, among_numbers=True)}
    found = {YES_OR_NO.get(cell) for cell in known}
    return found == {True, False} or (alone and found == {True} and len(known) == 1 and not all(cells))


def separator_of(cells: Sequence[str]) -> str:
    """What parts several labels in the `cells` of a column: `several_labels`, or the first separator that occurs."""
    if several := several_labels([cell for cell in cells if cell]):
        return several[0]
    return next((one for one in SEPARATORS if any(one in cell for cell in cells)), SEPARATORS[0])


def labels_in_cells(cells: Sequence[str], separator: str) -> tuple[pa.Array, list[str]]:
    """Split the cells of a column at a separator.

    Parameters
    ----------
    cells
        Shape (n,). An empty cell stands for a record that has none of the labels; a list as in Python or JSON is read,
        too.
    separator
        As `separator_of` gives it.

    Returns
    -------
    tuple
        Shape (n,), lists of names, each once; and a sentence where records have no labels.
    """
    lists: list[list[str]] = []
    for cell in cells:
        text = cell.strip()
        parts = _listed(text) if text[:1] == "[" and text[-1:] == "]" else text.split(separator)
        parts = [part.strip() for part in parts]
        lists.append(list(dict.fromkeys(part for part in parts if part)))
    without = sum(not one for one in lists)
    said = [f"label: {without:,} records have none of the labels, as their cell is empty"] if without else []
    return pa.array(lists, LISTS), said


def _listed(text: str) -> list[str]:
    """The entries of a list, with its brackets, as JSON, Python or numpy writes it."""
    try:
        return [str(entry) for entry in parse_json(text) if entry is not None]
    except json.JSONDecodeError:
        inner = text[1:-1]
    if "'" in inner or '"' in inner:
        return [one or other for one, other in re.findall(r"'([^']*)'|\"([^\"]*)\"", inner)]
    return inner.split("," if "," in inner else None)


def with_joint(table: pa.Table, names: Sequence[str], reader_options: Mapping[str, Any]) -> pa.Table:
    """The `table` of predictions of labels `names`, which says what joins them in text: as the data does, if it can.

    `reader_options` are those of the run.
    """
    return joined_by(table, joint_of(names, reader_options.get("label_separator", "")))


def joint_of(names: Sequence[str], separator: str) -> str:
    """What joins labels in a cell: `separator`, or another one where that occurs in one of the labels `names`."""
    return next((one for one in (separator, *JOINTS) if one and not any(one in name for name in names)), JOINTS[0])


def labels_in_columns(
    columns: Mapping[str, Sequence[str]], ids: Sequence[str], where: str, *, empty_is_no: bool = False
) -> tuple[pa.Array, pa.Array | None, list[str]]:
    """Join columns of one label each.

    Parameters
    ----------
    columns
        By the name of the label, its n cells: yes or no as in `YES_OR_NO`; missing where it is unknown.
    ids
        Of each row, for messages.
    where
        Name of the file in messages.
    empty_is_no
        Whether a missing cell says no.

    Returns
    -------
    tuple
        Shape (n,), lists of the labels that each record has; likewise those that are unknown, or None where there are
        none; and a sentence on these.

    Raises
    ------
    DataError
        A cell is neither.
    """
    names = list(columns)
    held, unknown = (np.zeros((len(ids), len(names)), bool) for _ in range(2))
    for place, (name, cells) in enumerate(columns.items()):
        for row, cell in enumerate(cells):
            known = YES_OR_NO.get(cell.strip().lower())
            if known is None and empty_is_no and is_missing(cell, among_numbers=True):
                known = False
            if known is None and not is_missing(cell, among_numbers=True):
                raise DataError(
                    f"{row_name(where, row, ids)}: {short(cell)!r} in the column of the label {name!r}",
                    expected="1 or 0, true or false, yes or no; or nothing where it is unknown",
                    fix="--column label=NAME names the right one, or several: NAME,NAME,…",
                )
            held[row, place], unknown[row, place] = bool(known), known is None
    said: list[str] = []
    if unknown.any() and held.any() and (held | unknown).all():
        raise DataError(
            f"{where}: the columns of labels say yes or nothing, so that no record is known to lack a label",
            expected="no, 0 or false where a record has not the label; an empty cell is unknown",
            fix="if empty means no: --set reader_options.empty_is_no=true",
        )
    if unknown.any():
        said.append(
            f"label: {int(unknown.sum()):,} of {unknown.size:,} cells are empty: unknown, neither learned nor judged"
        )
    return lists_of(held, names), lists_of(unknown, names) if unknown.any() else None, said


def label_sets_of(
    table: pa.Table,
    label: str | Sequence[str] | None,
    separator: str,
    where: str,
    said: list[str],
    *,
    empty_is_no: bool = False,
) -> dict[str, pa.Array]:
    """The labels of a file's records.

    Parameters
    ----------
    table
        String columns under the file's own names.
    label
        The column of all labels, or a list of columns of one label each.
    separator
        What parts several labels in a cell; "" is guessed.
    where
        Name of the file in messages.
    said
        Gets a sentence on records without labels, and on labels that are unknown.
    empty_is_no
        Whether an empty cell in a column of one label says no.

    Returns
    -------
    dict
        The column ``label``, lists of names, and `UNKNOWN` where labels are unknown.

    Raises
    ------
    DataError
        A column does not exist, or a cell of one label is neither yes nor no.
    """
    names = [label] if isinstance(label, str) else list(label or ())
    for name in names:
        if name not in table.column_names:
            raise missing_column(name, table.column_names, where, role="label")
    cells: dict[str, list[str]] = {name: strings(table, name).to_pylist() for name in names}
    if isinstance(label, str):
        lists, notes = labels_in_cells(cells[label], separator or separator_of(cells[label]))
        said += notes
        return {"label": lists}
    ids = [str(row + 1) for row in range(table.num_rows)]
    lists, unknown, notes = labels_in_columns(cells, ids, where, empty_is_no=empty_is_no)
    said += notes
    return {"label": lists, **({UNKNOWN: unknown} if unknown is not None else {})}


def lists_of(held: NDArray[np.bool_], names: Sequence[str]) -> pa.Array:
    """Shape (n,), lists of strings: those of the k `names` that each record has by `held`, shape (n, k)."""
    flat = pa.array(names, pa.string()).take(pa.array(np.nonzero(held)[1]))
    return lists_by_length(flat, held.sum(axis=1))


def held_by(column: pa.Array | pa.ChunkedArray, names: Sequence[str]) -> NDArray[np.bool_]:
    """Shape (n, k): which of the k `names` the list of each row of `column` has; null is an empty list."""
    lists = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    places = pc.index_in(lists.flatten(), value_set=pa.array(names, pa.string())).fill_null(-1).to_numpy()
    held = np.zeros((len(lists), len(names) + 1), bool)
    held[np.repeat(np.arange(len(lists)), lengths), places] = True  # unknown names fall into a last column
    return held[:, :-1]


def label_names(table: pa.Table) -> list[str]:
    """All labels in the columns ``label`` and `UNKNOWN` of a validated `table`, in natural order."""
    columns = [name for name in ("label", UNKNOWN) if name in table.column_names]
    return natural_order(
        name for column in columns for name in pc.unique(pc.list_flatten(table.column(column))).to_pylist()
    )


def checked_lists(table: pa.Table, name: str, ids: Sequence[str], where: str) -> pa.Array:
    """One column of labels as lists of strings; text, from a reader of one's own, is one label a row.

    Parameters
    ----------
    table
        A raw table.
    name
        The column.
    ids
        Of each row, for messages.
    where
        Name of the file in messages.

    Raises
    ------
    DataError
        The column is of another type, or a label is empty or stands for a missing value.
    """
    column = table.column(name)
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pa.array([[cell] if cell else [] for cell in column.to_pylist()], LISTS)
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        raise DataError(f"{where}: the labels are of type {column.type}", expected="a list of strings in every row")
    lists = pc.fill_null(column.cast(LISTS), [])
    for row, labels in enumerate(lists.to_pylist()):
        wrong = next((label for label in labels if (label or "").strip().lower() in MISSING), None)
        if wrong is not None or None in labels:
            raise DataError(
                f"{row_name(where, row, ids)}: {wrong or ''!r} among its labels",
                expected="names of labels; an empty cell for a record that has none of them",
                fix="empty the cell, or delete the row",
            )
    return lists
