"""What is put right in renamed tables before their rows are checked, and said: missing cells, numbers, repeated ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from xdomain.core.choices import PAIRS, PERHAPS_PAIRS, Problem
from xdomain.core.errors import DataError
from xdomain.data.cell_text import is_missing, numbers_of, spelling_of, whole_numbers
from xdomain.data.rows import row_name, short, strings
from xdomain.data.validate import SPLIT_NAMES, ids_of

Tables = Mapping[str, pa.Table]
EXAMPLES = 5  # rows that a sentence names
DROP = "--drop-incomplete"
"""The option of commands that train by which rows without a sequence or a label are left out."""


def tidy(
    tables: Tables,
    where: Mapping[str, str],
    problem: Problem,
    *,
    labelled: bool = True,
    drop_incomplete: bool = False,
    number_repeated_ids: bool = False,
) -> tuple[dict[str, pa.Table], list[str]]:
    """Put the cells of renamed tables into one form.

    Parameters
    ----------
    tables
        By the name of their file, with the columns ``sequence``, ``label`` and the like, as strings.
    where
        By the same names, how messages call the files.
    problem
        What the labels are.
    labelled
        Whether labels are needed.
    drop_incomplete
        Leave out rows without a sequence or a label instead of refusing them.
    number_repeated_ids
        Make ids distinct that stand several times in a file (``A``, ``A:2``), instead of leaving that to the checks.

    Returns
    -------
    tuple
        The tables, and a sentence for each thing that was changed.

    Raises
    ------
    DataError
        A missing sequence or label where `drop_incomplete` is False.
    """
    said: list[str] = []
    tidied = {name: with_ids(table) for name, table in tables.items()}
    if number_repeated_ids:
        tidied = {name: _distinct_ids(table, said) for name, table in tidied.items()}
    labels = labelled and problem in ("classification", "pair", "regression")
    cells = _cells(tidied, "label") if labels else []
    numeric = numbers_of(cells) is not None
    for name, table in tidied.items():
        targets = labels or (labelled and problem == "sequence")
        kept = _complete(table, where[name], targets, numeric, drop_incomplete, problem)
        if kept is not None:
            said.append(_dropped(table, kept, where[name]))
            tidied[name] = table.filter(kept)
    if labels:
        cells = [cell for cell in cells if not is_missing(cell, among_numbers=numeric)]
        tidied = _numbers(tidied, cells, problem, said)
        if problem != "regression":
            _say_of_case(cells, said)
    return tidied, said


def _cells(tables: Tables, column: str) -> list[str]:
    return [cell for table in tables.values() if column in table.column_names for cell in _texts(table, column)]


def _texts(table: pa.Table, column: str) -> list[str]:
    return strings(table, column).to_pylist()


def _replaced(table: pa.Table, name: str, cells: Sequence[str]) -> pa.Table:
    column: Any = pa.array(cells, pa.string())
    return table.set_column(table.column_names.index(name), name, column)


def with_ids(table: pa.Table, first: int = 0) -> pa.Table:
    """Give `table` ids: rows keep their numbers, from `first` + 1 on, when others are left out."""
    others = table.drop_columns(["id"] if "id" in table.column_names else [])
    return others.append_column("id", ids_of(table, first))


def _distinct_ids(table: pa.Table, said: list[str]) -> pa.Table:
    ids = _texts(table, "id")
    if len(set(ids)) == len(ids):
        return table
    taken, seen, distinct = set(ids), dict[str, int](), list[str]()
    for own in ids:
        number = seen.get(own, 0) + 1
        while number > 1 and f"{own}:{number}" in taken:
            number += 1
        seen[own] = number
        distinct.append(own if number == 1 else f"{own}:{number}")
    repeated = [own for own, number in seen.items() if number > 1]
    said.append(
        f"id: {len(repeated):,} id{'s' * (len(repeated) != 1)} of several records, such as {short(repeated[0])!r}; "
        f"further ones are called {short(repeated[0])}:2 and so on"
    )
    return _replaced(table, "id", distinct)


def _complete(
    table: pa.Table, where: str, labels: bool, numeric: bool, drop: bool, problem: Problem
) -> pa.Array | None:
    """The rows that have a sequence and a label; None where all have. Rows of no split may always lack them."""
    kept = [True] * table.num_rows
    in_no_split = [False] * table.num_rows
    if "split" in table.column_names:
        in_no_split = [SPLIT_NAMES.get(cell.lower()) == "" for cell in _texts(table, "split")]
    paired = problem in (*PAIRS, *PERHAPS_PAIRS)
    roles = ["sequence", *(["sequence_b"] if paired else []), *(["label"] if labels else [])]
    for role in (role for role in roles if role in table.column_names):
        cells = _texts(table, role)
        missing = [
            row
            for row, cell in enumerate(cells)
            if (is_missing(cell, among_numbers=numeric) if role == "label" and problem != "sequence" else not cell)
        ]
        needed = [row for row in missing if not in_no_split[row]]
        if needed and not drop:
            cell, more = cells[needed[0]], len(needed) - 1
            raise DataError(
                f"{row_name(where, needed[0], _texts(table, 'id'))}: "
                + (f"{cell!r} stands for no {role}" if cell else f"empty {role}")
                + (f", and {more:,} more" if more else ""),
                expected=f"a {role} in every row",
                fix=f"fill or delete the row{'s' * bool(more)}, or leave such rows out: {DROP}",
            )
        for row in missing:
            kept[row] = False
    return None if all(kept) else pa.array(kept)


def _dropped(table: pa.Table, kept: pa.Array, where: str) -> str:
    rows = [row for row, keep in enumerate(kept.to_pylist()) if not keep]
    shown = ", ".join(str(row + 1) for row in rows[:EXAMPLES]) + (" …" if rows[EXAMPLES:] else "")
    return f"{where}: {len(rows):,} of {table.num_rows:,} rows left out without a sequence or a label (rows {shown})"


def _say_of_case(cells: Sequence[str], said: list[str]) -> None:
    """Name classes that differ only in case: they stay apart, and are seldom meant to."""
    first: dict[str, str] = {}
    for cell in dict.fromkeys(cells):
        other = first.setdefault(cell.casefold(), cell)
        if other != cell:
            said.append(
                f"label: the classes {short(other)!r} and {short(cell)!r} differ only in case, and are kept apart"
            )
            return


def _numbers(
    tables: dict[str, pa.Table], cells: Sequence[str], problem: Problem, said: list[str]
) -> dict[str, pa.Table]:
    """Numbers in one form: for regression with a point, as names of classes as short as can be."""
    if problem == "regression":
        spelling = spelling_of(cells)
        changed = {cell: spelling.plain(cell) for cell in set(cells)}
        rewritten = [cell for cell in cells if changed[cell] != cell]
        if not rewritten:
            return tables
        said.append(
            f"label: {len(rewritten):,} numbers written {spelling.said}, such as {rewritten[0]}, "
            f"read as {changed[rewritten[0]]}"
        )
    else:
        changed = whole_numbers(cells)
        forms = {long: plain for long, plain in changed.items() if long != plain}
        if not forms:
            return tables
        long, plain = next(iter(forms.items()))
        both = " and ".join((plain, long)) if plain in changed else long
        said.append(f"label: whole numbers written as {both}; the class is called {plain}")
    return {
        name: _replaced(table, "label", [changed.get(cell, cell) for cell in _texts(table, "label")])
        for name, table in tables.items()
    }
