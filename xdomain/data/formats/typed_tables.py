"""Tables that are not text: Parquet, Arrow, Excel and JSON lines, each read into columns of strings."""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from xdomain.core.errors import DataError, MissingError, unknown
from xdomain.core.json_text import parse_json
from xdomain.data.answer_cells import are_objects
from xdomain.data.formats.decompress import check_unpacked
from xdomain.data.formats.preamble import LOOKED_AT, rows_above_header, said_of
from xdomain.data.formats.read_file import read_content, read_text
from xdomain.data.rows import noting

BROKEN = (pa.ArrowException, OSError, ValueError, OverflowError)
"""What pyarrow raises for a damaged file; ValueError: text that is not UTF-8, a date that Python does not have."""


BROKEN_BOOK = (*BROKEN, SyntaxError, LookupError, TypeError, AttributeError, EOFError, NotImplementedError, zlib.error,
               zipfile.BadZipFile)  # fmt: skip
"""What openpyxl raises for a damaged workbook; SyntaxError: XML that is none."""
AMBIGUOUS = re.compile(r"""[\s,;|'"\[\]]""")
"""In a text of a list: without quotes it would not be told from two, or from the list itself."""
CELL = 16
"""Bytes of a cell in memory, at the least: one of a Parquet file may have next to none."""


def raw_parquet(path: Path) -> pa.Table:
    """All cells of the Parquet file `path` as strings; see `as_strings`."""
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(content := read_content(path)))
        check_unpacked(path, CELL * file.metadata.num_rows * file.metadata.num_columns, len(content))
        return as_strings(file.read(), path)
    except BROKEN as error:
        raise _unreadable(path, "Parquet file", error) from None


def raw_arrow(path: Path, *, typed: bool = False) -> pa.Table:
    """All cells of `path`, an Arrow IPC file or stream (Feather; what ``datasets`` saves), as strings or `typed`."""
    content = read_content(path)
    open_ipc = pa.ipc.open_file if content.startswith(b"ARROW1") else pa.ipc.open_stream
    try:
        table = open_ipc(pa.BufferReader(content)).read_all()
        table.validate(full=True)
        return table if typed else as_strings(table, path)
    except BROKEN as error:
        raise _unreadable(path, "Arrow file", error) from None


def raw_excel(path: Path, *, sheet: str | None = None, skip: int | None = None) -> pa.Table:
    """All cells of one sheet of the workbook `path`, as strings; its first row names the columns.

    Parameters
    ----------
    path
        The file.
    sheet
        Its name; None: the first with two columns or more, else the first.
    skip
        Rows to leave out at the top, of those that are not blank; None: comments (``#``) and a title above the header.

    Raises
    ------
    MissingError
        openpyxl is not installed.
    RecipeError
        There is no such sheet.
    """
    try:
        import openpyxl
    except ImportError:
        raise MissingError(
            f"{path} is an Excel workbook, and openpyxl is not installed",
            fix="pip install 'xdomain[excel]', or save the sheet as CSV in UTF-8",
        ) from None
    try:
        book = openpyxl.load_workbook(io.BytesIO(read_content(path)), read_only=True, data_only=True)
        names = [one.title for one in book.worksheets]
        if sheet is not None and sheet not in names:
            raise unknown("sheet", sheet, names)
        name, rows = _chosen_sheet(book, [sheet] if sheet is not None else names)
    except BROKEN_BOOK as error:
        raise _unreadable(path, "Excel workbook", error) from None
    if len(rows) < 2:
        raise DataError(f"{path}: the sheet {name!r} holds {len(rows)} rows", expected="a header and records")
    if skip is None:
        skip = rows_above_header([_plain_row(row) for row in rows[:LOOKED_AT]], path)
    above, rows = [" ".join(_plain_row(row)) for row in rows[:skip]], rows[skip:]
    width = max(place for place, cell in enumerate(rows[0], 1) if cell is not None)
    header = [str(cell).strip() if cell is not None else f"column {place}" for place, cell in enumerate(rows[0], 1)]
    columns = [[row[place] if place < len(row) else None for row in rows[1:]] for place in range(width)]
    check_names(header[:width], path)
    table = pa.table({name: texts(column) for name, column in zip(header, columns, strict=False)})
    table = noting(table, *said_of(above))
    if sheet is None and len(names) > 1:
        others = ", ".join(repr(other) for other in names if other != name)
        why = "the first" if name == names[0] else "the first of several columns"
        table = noting(
            table, f"sheet: {name!r}, {why} (overrule with --set reader_options.sheet=NAME); not read: {others}"
        )
    return table


def _chosen_sheet(book: Any, names: Sequence[str]) -> tuple[str, list[tuple[Any, ...]]]:
    """Name and rows, without blank ones, of the first sheet of `names` with two columns or more, else the first."""
    first: tuple[str, list[tuple[Any, ...]]] | None = None
    for name in names:
        sheet = book[name]
        sheet.reset_dimensions()  # the file may claim a million rows of 16,384 cells
        rows = [row for row in sheet.iter_rows(values_only=True) if any(cell is not None for cell in row)]
        if sum(sum(cell is not None for cell in row) > 1 for row in rows[:LOOKED_AT]) > 1:
            return name, rows
        first = first or (name, rows)
    return first or ("", [])


def _plain_row(row: Sequence[object]) -> list[str]:
    return ["" if cell is None else str(cell) for cell in row]


def raw_json(path: Path) -> pa.Table:
    """The records of `path`, a JSON object a line or one list of objects, as strings by key.

    Raises
    ------
    DataError
        A line that is no object, with its number.
    """
    text = read_text(path).decode()
    if text.lstrip().startswith("["):
        records = _list_of_objects(text, path)
    else:
        records = [
            _object(line, f"{path}: line {number}") for number, line in enumerate(text.split("\n"), 1) if line.strip()
        ]
    names = list(dict.fromkeys(name for record in records for name in record))
    cells = ((name, cell) for record in records for name, cell in record.items() if isinstance(cell, dict))
    nested = next((name for name, cell in cells if not are_objects([json.dumps(cell)])), None)
    if nested is not None:
        raise DataError(
            f"{path}: the key {nested!r} holds an object", expected="a text, a number or a list in every key",
            fix="in pandas: table.to_json(FILE, orient='records')",
        )  # fmt: skip
    if len(records) == 1 and all(isinstance(cell, list) for cell in records[0].values()):
        raise DataError(
            f"{path} holds columns, {', '.join(names)[:80]}", expected='records: {"sequence": …, "label": …} a line'
        )
    check_names(names, path)
    return pa.table({name: texts([record.get(name) for record in records]) for name in names})


def as_strings(table: pa.Table, where: object) -> pa.Table:
    """A typed table as text files would hold it.

    Parameters
    ----------
    table
        Columns of any type.
    where
        How messages name it.

    Returns
    -------
    pa.Table
        Strings. Missing cells are null; whole numbers have no point; lists are in brackets.
    """
    check_names(table.column_names, where)
    return pa.table({name: texts(table.column(name).to_pylist()) for name in table.column_names})


def check_names(names: Sequence[str], where: object) -> None:
    """Refuse two columns of one name among `names`; `where` is how the message calls the file."""
    for name in names:
        if list(names).count(name) > 1:
            raise DataError(f"{where}: two columns are called {name[:60]!r}", expected="different names")


def texts(cells: Sequence[object]) -> pa.Array:
    """Python objects, `cells`, as text: None is null, lists are in brackets unless each holds a single entry."""
    lists = [cell for cell in cells if isinstance(cell, list)]
    if lists and all(cell is None or (isinstance(cell, list) and len(cell) == 1) for cell in cells):  # pyright: ignore
        cells = [cell[0] if isinstance(cell, list) else cell for cell in cells]  # pyright: ignore
    return pa.array([None if cell is None else _text(cell) for cell in cells], pa.string())


def _text(cell: Any) -> str:
    if isinstance(cell, bool):
        return str(cell)
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 2**53 else repr(cell)
    if isinstance(cell, list | tuple):
        parts: list[Any] = list(cell)  # pyright: ignore
        if any(isinstance(part, str) and AMBIGUOUS.search(part) for part in parts):
            return json.dumps(["" if part is None else part for part in parts], ensure_ascii=False, default=_text)
        return "[" + ", ".join("''" if part is None else _text(part) for part in parts) + "]"
    if isinstance(cell, dict):
        return json.dumps(cell)
    if isinstance(cell, bytes):
        return cell.decode(errors="replace")
    return str(cell)


def _object(text: str, where: str) -> dict[str, Any]:
    try:
        parsed = parse_json(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{where} is no JSON ({error.msg}): {text.strip()[:60]!r}", expected='an object a line: {"sequence": …}'
        ) from None
    if not isinstance(parsed, dict):
        raise DataError(f"{where} is no JSON object: {text.strip()[:60]!r}", expected='{"sequence": …, "label": …}')
    return parsed


def _list_of_objects(text: str, path: Path) -> list[dict[str, Any]]:
    try:
        parsed = parse_json(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: line {error.lineno} is no JSON ({error.msg})", expected="a list of objects") from None
    for number, record in enumerate(parsed, 1):
        if not isinstance(record, dict):
            raise DataError(f"{path}: item {number} is no JSON object", expected='{"sequence": …, "label": …}')
    return parsed


def _unreadable(path: Path, kind: str, error: Exception) -> DataError:
    return DataError(f"{path} cannot be read as a{'n' * (kind[0] in 'AE')} {kind} ({str(error)[:160]})",
                     fix="write it again, or export it as CSV in UTF-8")  # fmt: skip
