"""Write tables that come piece by piece: as CSV, TSV, Excel, Parquet or JSON lines, whole or not at all."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from xdomain.core.disk import writing
from xdomain.core.run_dir import check_new_file, finite, whole_or_nothing
from xdomain.data.formats.write_excel import check_excel, write_excel

pc: Any = pyarrow.compute  # its functions are made at import and have no types
TABLE_FILES = (".csv", ".tsv", ".xlsx", ".parquet", ".jsonl")
"""The endings of files that tables can be written to."""
EXCEL = ".xlsx"
DELIMITERS = {".csv": ",", ".tsv": "\t"}
JOINED_BY = b"joined by"
FORMULA = r"^[=+@\t\r\n＝＋－＠-]"
"""What a spreadsheet may run as a formula begins so."""
NO_FORMULA = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^[+-]( \S)*$"
"""Numbers, and signs as labels: ``+1``, ``-``, or ``- - H H``, a tag for each symbol."""


def joined_by(table: pa.Table, separator: str) -> pa.Table:
    """The `table`, with the values of lists joined by `separator` where it is written as text."""
    return table.replace_schema_metadata({**(table.schema.metadata or {}), JOINED_BY: separator})


def inert(table: pa.Table) -> pa.Table:
    """The `table` with an apostrophe before each text that a spreadsheet would run, names of columns too."""
    columns: dict[str, Any] = {}
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            begins, fine = (pc.match_substring_regex(column, pattern) for pattern in (FORMULA, NO_FORMULA))
            runs = pc.fill_null(pc.and_not(begins, fine), False)
            marked = pc.binary_join_element_wise(pa.scalar("'", column.type), column, pa.scalar("", column.type))
            column = pc.if_else(runs, marked, column)
        columns[inert_text(name)] = column
    return pa.table(columns)


def inert_text(text: str) -> str:
    """The `text` of one cell as `inert` has it."""
    return f"'{text}" if re.search(FORMULA, text) and not re.search(NO_FORMULA, text) else text


def check_table_file(out: Path, *, overwrite: bool = False) -> None:
    """Refuse a file that `write_tables` cannot write, or should not; call this before there is anything to write.

    Parameters
    ----------
    out
        The file.
    overwrite
        Whether it may replace a file that is there.

    Raises
    ------
    OutputError
        As `xdomain.core.run_dir.check_new_file`.
    MissingError
        What writes such a file is not installed.
    """
    check_new_file(out, TABLE_FILES, overwrite=overwrite)
    if out.suffix.lower() == EXCEL:
        check_excel(out)


def write_tables(tables: Iterable[pa.Table], out: Path | None) -> int:
    """Write tables with the same columns one below the other, each as it comes.

    Parameters
    ----------
    tables
        At least one.
    out
        A file, whose ending says how it is written: see `TABLE_FILES`. It appears when all is written. None: CSV to
        stdout. In CSV, TSV and Excel the values of a list are joined by spaces, or by what `joined_by` says; in CSV and
        TSV texts that a spreadsheet would run are marked, see `inert`.

    Returns
    -------
    int
        How many rows were written.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    if out is None:
        return _to_stdout(tables)
    with writing(out), whole_or_nothing(out) as part:
        ending = out.suffix.lower()
        if ending == EXCEL:
            return write_excel(map(_flat, tables), part)
        return _to_parquet(tables, part) if ending == ".parquet" else _to_lines(tables, part, ending)


def write_table(table: pa.Table, out: Path | None) -> None:
    """Write one `table` to `out`, as `write_tables` does."""
    write_tables([table], out)


def _to_stdout(tables: Iterable[pa.Table]) -> int:
    rows = 0
    for table in tables:
        sys.stdout.write(_csv(table, ",", header=not rows).decode())
        rows += table.num_rows
    return rows


def _to_parquet(tables: Iterable[pa.Table], part: Path) -> int:
    rows, writer = 0, None
    try:
        for table in tables:
            writer = writer or pq.ParquetWriter(part, table.schema)
            writer.write_table(table)
            rows += table.num_rows
    finally:
        if writer is not None:
            writer.close()
    return rows


def _to_lines(tables: Iterable[pa.Table], part: Path, ending: str) -> int:
    rows = 0
    with part.open("wb") as file:
        for table in tables:
            if ending == ".jsonl":
                lines = (json.dumps(finite(row), ensure_ascii=False) for row in table.to_pylist())
                file.write("".join(f"{line}\n" for line in lines).encode())
            else:
                file.write(_csv(table, DELIMITERS[ending], header=not rows))
            rows += table.num_rows
    return rows


def _csv(table: pa.Table, delimiter: str, *, header: bool) -> bytes:
    sink = pa.BufferOutputStream()
    pa_csv.write_csv(inert(_flat(table)), sink, pa_csv.WriteOptions(include_header=header, delimiter=delimiter))
    return sink.getvalue().to_pybytes()


def _flat(table: pa.Table) -> pa.Table:
    """The `table` with the values of each list in one text."""
    separator = (table.schema.metadata or {}).get(JOINED_BY, b" ").decode()
    return pa.table({name: _joined(table.column(name), separator) for name in table.column_names})


def _joined(column: pa.ChunkedArray, separator: str) -> pa.ChunkedArray | pa.Array:
    if not (pa.types.is_list(column.type) or pa.types.is_fixed_size_list(column.type)):
        return column
    missing = math.nan if pa.types.is_floating(column.type.value_type) else None
    rows: list[list[Any]] = column.to_pylist()
    return pa.array([separator.join(_written(missing if one is None else one) for one in row) for row in rows])


def _written(entry: Any) -> str:
    return f"{entry:.6g}" if isinstance(entry, float) else str(entry)
