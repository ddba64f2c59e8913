"""Print what a command found, also one that a domain adds: a table in a terminal, plain lines in a pipe, or JSON."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

LAST = 28
"""Least width, in characters, of the last column, which has titles and paths."""
GAP = 1


def print_json(value: Any) -> None:
    """Print `value` to stdout as JSON. NaN and infinities become null."""
    from xdomain.core.run_dir import finite  # which loads pyarrow

    print(json.dumps(finite(value), indent=2, ensure_ascii=False))


def print_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print `rows`, which have the same keys: as a table in a terminal, tab-separated in a pipe."""
    if not rows:
        print("nothing")
        return
    columns = list(rows[0])
    if not sys.stdout.isatty():
        print("\t".join(columns))
        for row in rows:
            print("\t".join(str(row[c]) for c in columns))
        return
    console = Console()
    console.print(table_of(rows, console.width))


def table_of(rows: Sequence[Mapping[str, Any]], width: int) -> Table:
    """Make a table of `rows`, which have the same keys, for a terminal of `width` characters.

    The names in the first column and all numbers stay whole. Other cells and the headers wrap at blanks. If the table
    is still too wide, columns between the first and the last are left out, those of words before those of numbers and
    wide ones before narrow ones. Their names are printed below the table.
    """
    columns, left_out = list(rows[0]), list[str]()
    needs = {name: _need(rows, name) for name in columns}
    needs[columns[0]] = max(_length(row[columns[0]]) for row in rows)
    needs[columns[-1]] = min(needs[columns[-1]], LAST) if len(columns) > 1 else needs[columns[-1]]
    while len(columns) > 2 and sum(needs[name] + GAP for name in columns) - GAP > width:
        wide = max(columns[1:-1], key=lambda name: (not _has_numbers(rows, name), needs[name]))
        columns.remove(wide)
        left_out.append(wide)
    room = width - sum(needs[name] + GAP for name in columns[:-1])
    whole = len(columns) == 1 or room >= 1
    needs[columns[-1]] = max(1, min(needs[columns[-1]], room))
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0), caption_justify="left")
    for name in columns:
        kept = whole and name == columns[0]
        table.add_column(Text(name), overflow="fold", no_wrap=kept, min_width=needs[name] if whole else 1)
    if left_out:
        table.caption = Text(f"Not shown, for lack of room: {', '.join(left_out)}")
    for row in rows:
        table.add_row(*(Text(str(row[name])) for name in columns))
    return table


def _need(rows: Sequence[Mapping[str, Any]], name: str) -> int:
    """The width of the column `name` if no word is broken."""
    cells = [name, *(str(row[name]) for row in rows)]
    return max((_length(word) for cell in cells for word in cell.split()), default=1)


def _has_numbers(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    return any(re.match(r"[-[(]?\d", word) for row in rows for word in str(row[name]).split())


def _length(value: Any) -> int:
    return cell_len(str(value))
