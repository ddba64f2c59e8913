"""What stands above the header of a table: comments, a title, blank lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from xdomain.core.errors import DataError
from xdomain.data.cell_text import parse_number
from xdomain.data.column_names import HEADERS, plain
from xdomain.data.rows import short

LOOKED_AT = 30
"""Rows, from the first, that decide where the header is."""
MAX_NAME_LENGTH = 80  # characters of a column's name, where a title has been passed
SKIP = "--set reader_options.skip={}"


def rows_above_header(rows: Sequence[Sequence[str]], where: object) -> int:
    """The number of rows above the header.

    Rows that begin with ``#`` are comments, unless the last of them is as wide as the rows below it and these hold no
    names of columns: then it is the header. Rows with their first cell alone are a title, if a row of names follows,
    as wide as all rows below it.

    Parameters
    ----------
    rows
        The first rows of a table, parted into cells; blank rows have none, or empty ones.
    where
        The file, for the message.

    Raises
    ------
    DataError
        The second row names columns as usual, and the first does not.
    """
    filled = [number for number, row in enumerate(rows) if any(cell.strip() for cell in row)]
    if len(filled) < 2:
        return filled[0] if filled else 0
    width = Counter(len(rows[number]) for number in filled[len(filled) // 2 :]).most_common(1)[0][0]
    at = 0
    while at < len(filled) - 1 and _is_comment(rows[filled[at]], rows[filled[at + 1]], width):
        at += 1
    last = at
    while last < len(filled) - 2 and _is_title(rows[filled[last]], width):
        last += 1
    if last > at and _is_header(rows[filled[last]]) and {len(rows[number]) for number in filled[last:]} == {width}:
        at = last
    first, second = rows[filled[at]], rows[filled[at + 1]]
    if _names(second) > 1 and not _names(first) and len(second) == width:
        number = filled[at + 1]
        raise DataError(
            f"{where}: row {number + 1} looks like the header ({short(', '.join(second))}), and above it stands "
            f"{short(', '.join(first))!r}",
            expected="the names of the columns in the first row",
            fix=f"delete what stands above them, or {SKIP.format(number)}; "
            f"{SKIP.format(filled[at])} takes the upper row",
        )
    return filled[at]


def said_of(above: Sequence[str]) -> list[str]:
    """A sentence for the lines `above` the header; none where all are blank."""
    written = [line.strip() for line in above if line.strip()]
    if not written:
        return []
    many = f"{len(written):,} lines, the first is" if len(written) > 1 else "a line,"
    return [f"left out above the header: {many} {short(written[0])!r} (overrule with {SKIP.format(0)})"]


def _is_comment(row: Sequence[str], following: Sequence[str], width: int) -> bool:
    if not row[0].lstrip().startswith("#"):
        return False
    is_header = len(row) == width and not following[0].lstrip().startswith("#") and not _names(following)
    return not is_header


def _is_title(row: Sequence[str], width: int) -> bool:
    return width > 1 and bool(row[0].strip()) and not any(cell.strip() for cell in row[1:]) and not _names(row)


def _is_header(row: Sequence[str]) -> bool:
    names = [cell.strip() for cell in row]
    return len(set(names)) == len(names) and all(
        0 < len(name) <= MAX_NAME_LENGTH and parse_number(name) is None for name in names
    )


def _names(row: Sequence[str]) -> int:
    """How many cells of a row are usual names of columns."""
    return sum(plain(cell) in HEADERS for cell in row)
