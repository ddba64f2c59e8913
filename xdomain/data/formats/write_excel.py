"""Write tables as an Excel workbook, row by row."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa

from xdomain.core.errors import MissingError, OutputError

ROWS, LENGTH = 1_048_576, 32_767
"""What a sheet holds at most: rows with the header, and characters in a cell."""


def check_excel(out: Path) -> None:
    """Raise `MissingError` where the package that writes the workbook `out` is not installed."""
    try:
        import openpyxl as openpyxl
    except ImportError:
        raise MissingError(
            f"{out} is to be an Excel workbook, and openpyxl is not installed",
            fix=f"pip install 'xdomain[excel]', or --out {out.with_suffix('.csv')}",
        ) from None


def write_excel(tables: Iterable[pa.Table], part: Path) -> int:
    """Write `tables` with the same columns into the first sheet of the workbook `part`; returns the number of rows.

    Text stays text, also where it begins as a formula does. NaN and infinity are empty cells.

    Raises
    ------
    OutputError
        More rows, or more characters in a cell, than a sheet holds.
    """
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    book = Workbook(write_only=True)
    sheet = book.create_sheet("xdomain")

    def cell(value: Any, where: str) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return None
        if not isinstance(value, str):
            return value
        if len(value) > LENGTH:
            raise OutputError(f"{where}: {len(value):,} characters", expected=f"at most {LENGTH:,} in a cell of Excel",
                              fix="--out FILE.csv")  # fmt: skip
        text = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("\N{REPLACEMENT CHARACTER}", value))
        text.data_type = "s"  # not a formula
        return text

    rows = 0
    with closing(sheet):  # else its half-written XML complains
        for table in tables:
            names = table.column_names
            if not rows:
                sheet.append([cell(name, "the header") for name in names])
            if rows + table.num_rows >= ROWS:
                raise OutputError(f"more than {ROWS - 1:,} rows", expected="what a sheet of Excel holds",
                                  fix="--out FILE.csv")  # fmt: skip
            for row in zip(*(table.column(name).to_pylist() for name in names), strict=True):
                rows += 1
                sheet.append([cell(one, f"row {rows}, {name}") for name, one in zip(names, row, strict=True)])
    with part.open("wb") as file:
        book.save(file)
    return rows
