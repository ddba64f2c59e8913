"""Read delimited tables: CSV, TSV and similar formats."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.csv as pa_csv

from xdomain.core.errors import DataError
from xdomain.data.formats.preamble import LOOKED_AT, rows_above_header, said_of
from xdomain.data.formats.read_file import BOM, read_head, read_text
from xdomain.data.rows import noting

pc: Any = pyarrow.compute  # makes its functions at import, where a type checker cannot see them
DELIMITERS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}
SPOKEN = {**{name: mark for mark, name in DELIMITERS.items()}, "\\t": "\t", "space": " "}
MAX_HEADER_LENGTH = 100_000  # characters; a longer first line is a sequence or a damaged file


def raw_table(
    path: Path,
    *,
    delimiter: str | None = None,
    names: Sequence[str] | str | None = None,
    quoted: bool | None = None,
    skip: int | None = None,
) -> pa.Table:
    """Read all cells of a delimited file as strings, under the file's own column names; blank lines are skipped.

    Parameters
    ----------
    path
        The file, gzipped or not.
    delimiter
        One character, or comma, tab, semicolon, bar or space; None: guessed from the first lines.
    names
        Names of the columns of a file without a header; as one text, with commas between them. A first line of these
        names is a header all the same.
    quoted
        Whether double quotes enclose cells; None: yes, but in tab-separated files only if they do so in the header.

    skip
        Lines to leave out at the top; None: comments (``#``) and a title above the header, and none if there are
        `names`.

    Raises
    ------
    DataError
        The file is not text or has no rows, rows differ in length, two columns share a name, or the delimiter is wrong.
    """
    return table_of(read_text(path), path, delimiter=delimiter, names=names, quoted=quoted, skip=skip)


def table_of(
    content: bytes,
    path: Path,
    *,
    delimiter: str | None = None,
    names: Sequence[str] | str | None = None,
    quoted: bool | None = None,
    skip: int | None = None,
) -> pa.Table:
    """As `raw_table` with these `delimiter`, `names`, `quoted` and `skip`, for the `content` of the file `path`."""
    names = _listed(names)
    content = content.lstrip(b"\r\n")
    delimiter, content = _separator_line(delimiter, content)
    lines = re.split(r"\r\n|\r|\n", content[: 2 * MAX_HEADER_LENGTH].decode(errors="ignore"))
    if len(lines[0]) > MAX_HEADER_LENGTH:
        raise DataError(
            f"{path}: the first line has more than {MAX_HEADER_LENGTH:,} characters",
            expected="a header of column names, e.g. sequence,label",
            fix="give FASTA files a name that ends in .fasta, or put a header first",
        )
    lone = _lone(path)
    if skip is None:
        skip = 0 if names is not None else _lines_above(lines, delimiter, lone, path)
    above, lines = lines[:skip], lines[skip:]
    if not lines:
        raise DataError(f"{path} has {len(above)} lines", expected=f"more than the {skip} that are to be left out")
    content = re.sub(rb"\A([^\r\n]*(\r\n|\r|\n)){%d}" % skip, b"", content)
    mark = guess_delimiter(lines, lone=lone) if delimiter is None else _delimiter(delimiter)
    quoted = _is_quoted(lines, mark) if quoted is None else quoted
    names = None if _is_header(lines[0], mark, names) else names
    header = list(names) if names is not None else _header(lines[0], mark, quoted, path)
    fields = _fields(lines[0], mark, quoted)
    other = guess_delimiter(lines)
    if delimiter is not None and len(fields) == 1 and other != mark and len(_fields(lines[0], other, quoted)) > 1:
        raise DataError(
            f"{path}: the first line is a single column when parted by {DELIMITERS.get(mark, repr(mark))}",
            expected=f"columns; they seem to be parted by {DELIMITERS[other]}",
            fix=f"--set reader_options.delimiter={DELIMITERS[other]}, or leave the delimiter out: it is then guessed",
        )
    if names is None and not content.strip()[len(lines[0].strip().encode()) :]:
        raise DataError(f"{path} holds a header but no records", expected="at least one record below the header")
    if names is None and _has_row_names(lines, mark):
        header = ["row name", *header]
    table = _parsed(content, header, mark, quoted, path, skip=names is None)
    if not table.num_rows:
        raise DataError(f"{path} holds no records", expected="at least one record below the header")
    if quoted and b'"' in content:
        _check_quotes(table, content, mark, path)
    return noting(table, *said_of(above))


def _listed(names: Sequence[str] | str | None) -> list[str] | None:
    return [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names) if names else None


def _is_header(line: str, mark: str, names: Sequence[str] | None) -> bool:
    """Whether `line` holds these `names`, but for case."""
    cells = [cell.strip().casefold() for cell in _fields(line, mark, quoted=True)]
    return names is not None and cells == [name.casefold() for name in names]


def _lone(path: Path) -> str:
    """The delimiter of a table with a single column."""
    return "\t" if ".tsv" in path.suffixes else ","


def _lines_above(lines: Sequence[str], delimiter: str | None, lone: str, path: Path) -> int:
    """How many lines stand above the header, where columns are parted as in the lower half of the first lines."""
    looked_at = lines[: LOOKED_AT + 1]
    if len(looked_at) < 3:
        return 0
    whole = looked_at[:-1] if len(lines) <= LOOKED_AT + 1 and looked_at[-1] else looked_at[:LOOKED_AT]  # not cut off
    filled = [line for line in whole if line.strip()]
    mark = guess_delimiter(filled[len(filled) // 2 :], lone=lone) if delimiter is None else _delimiter(delimiter)
    return rows_above_header([_fields(line, mark, quoted=mark != "\t") for line in whole], path)


def head_of(
    content: bytes, path: Path, *, delimiter: str | None = None, names: Any = None, skip: int | None = None
) -> tuple[bytes, bytes]:
    """The start of the table `path` until its first record, and the header of it.

    Parameters
    ----------
    content
        The first bytes of the file.
    path, delimiter, names, skip
        As for `raw_table`.

    Returns
    -------
    tuple of bytes
        What precedes the first record; and of that the header with its line break, with Excel's line ``sep=;`` before
        it: a table of later records can be made with it. The second is empty if there are `names`.
    """
    content = content.removeprefix(BOM)
    start = content.lstrip(b"\r\n")
    named, rest = _separator_line(delimiter, start)
    lines = re.split(r"\r\n|\r|\n", rest[: 2 * MAX_HEADER_LENGTH].decode(errors="ignore"))
    if skip is None:
        skip = 0 if names is not None else _lines_above(lines, named, _lone(path), path)
    names = _listed(names)
    if names and len(lines) > skip:
        mark = guess_delimiter(lines[skip:], lone=_lone(path)) if named is None else _delimiter(named)
        names = None if _is_header(lines[skip], mark, names) else names
    counted = skip + (names is None)
    whole = re.match(rb"([^\r\n]*(?:\r\n|\r|\n|\Z)){%d}" % counted, rest)
    lead = whole[0] if whole else rest
    header = b"" if names is not None else start[: len(start) - len(rest)] + lead.splitlines(keepends=True)[-1]
    return content[: len(content) - len(rest)] + lead, header


def fitting_names(
    path: Path,
    *,
    delimiter: str | None = None,
    names: Any = None,
    skip: int | None = None,
    spared: Sequence[Collection[str]] = (),
) -> list[str] | None:
    """The `names` of columns that were given for one file, for another file `path`.

    Parameters
    ----------
    path, delimiter, names, skip
        As for `raw_table`.
    spared
        Each some of `names` that are left out if the first line has so many fewer cells, as a file without labels has.

    Raises
    ------
    DataError
        The file cannot be read.
    """
    names = _listed(names)
    if not names:
        return None
    named, rest = _separator_line(delimiter, read_head(path, 2 * MAX_HEADER_LENGTH).removeprefix(BOM).lstrip(b"\r\n"))
    lines = re.split(r"\r\n|\r|\n", rest.decode(errors="ignore"))[skip or 0 :] or [""]
    mark = guess_delimiter(lines, lone=_lone(path)) if named is None else _delimiter(named)
    cells = len(_fields(lines[0], mark, quoted=True))
    fewer = ([name for name in names if name not in some] for some in spared)
    return next((left for left in fewer if len(left) == cells != len(names)), names)


def is_quoted(start: bytes, path: Path, *, delimiter: str | None = None, quoted: bool | None = None) -> bool:
    """Whether double quotes enclose cells of the table `path`, for options as of `raw_table`.

    Parameters
    ----------
    start
        The first 2 × `MAX_HEADER_LENGTH` bytes, without what is above the header.
    path
        The file.
    delimiter, quoted
        See `raw_table`.
    """
    if quoted is not None:
        return quoted
    delimiter, rest = _separator_line(delimiter, start.lstrip(b"\r\n"))
    lines = re.split(r"\r\n|\r|\n", rest[: 2 * MAX_HEADER_LENGTH].decode(errors="ignore"))
    mark = guess_delimiter(lines, lone=_lone(path)) if delimiter is None else _delimiter(delimiter)
    return _is_quoted(lines, mark)


def _separator_line(delimiter: str | None, content: bytes) -> tuple[str | None, bytes]:
    """The delimiter that Excel's own first line names, ``sep=;``, and what follows that line."""
    match = re.match(rb'"?sep=(.)"?[ \t]*(\r\n|\r|\n)', content)
    if match is None:
        return delimiter, content
    return delimiter or match[1].decode(), content[match.end() :]


def _is_quoted(lines: Sequence[str], mark: str) -> bool:
    """Whether double quotes enclose cells, by the header and the first `lines` below it.

    In many tab-separated files they do not. There they do if all names of the header have them, or if all quotes
    enclose whole cells with a comma or a quote in them, as Excel writes such cells.
    """
    if mark != "\t" or all(re.fullmatch(r'".+"', name) for name in lines[0].split(mark)):
        return True
    whole = lines[:-1] or lines  # the last may be cut off
    cells = [cell for line in whole if '"' in line for cell in line.split(mark) if '"' in cell]
    return len(cells) > 1 and all(map(_is_quoted_for_need, cells))


def _is_quoted_for_need(cell: str) -> bool:
    """Whether quotes enclose the whole `cell`, and a comma or quotes in it, written twice, are why."""
    inner = cell[1:-1]
    encloses = len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in inner.replace('""', "")
    return encloses and ("," in inner or '"' in inner)


def _has_row_names(lines: Sequence[str], mark: str) -> bool:
    """Whether rows begin with a name that the header lacks, as R's write.table writes them: all of it in quotes."""
    if len(lines) < 2 or not all(re.fullmatch(r'".+"', name) for name in lines[0].split(mark)):
        return False
    row = _fields(lines[1], mark, quoted=True)
    return lines[1].startswith('"') and len(row) == len(_fields(lines[0], mark, quoted=True)) + 1


def _check_quotes(table: pa.Table, content: bytes, mark: str, path: Path) -> None:
    """Refuse a quote that is never closed, or only lines later: it swallows the records between."""
    width = table.num_columns
    for name in table.column_names:
        lines = pc.count_substring(table.column(name), "\n").fill_null(0)
        for row in pc.indices_nonzero(pc.greater(lines, 1)).to_pylist():
            inner = str(table.column(name)[row].as_py()).split("\n")[1:]
            if inner[-1] == "":
                inner.pop()
            alike = sum(len(_fields(line, mark, quoted=True)) == width for line in inner)
            if width > 1 and alike > 1 and alike >= len(inner) - 1:
                raise DataError(
                    f"{path}: the quote opened in row {row + 1}, column {name!r}, holds {len(inner):,} further lines, "
                    "which look like records",
                    expected="a closing quote in the same row",
                    fix='close it, or write a quote within a cell twice (""); where quotes are mere characters: '
                    "--set reader_options.quoted=false",
                )
    if content.count(b'"') % 2 and width == 1 and str(table.column(0)[-1].as_py()).count("\n") > 1:
        raise DataError(
            f"{path}: the quote opened in row {table.num_rows} is never closed",
            expected="a closing quote",
            fix="close it, or --set reader_options.quoted=false",
        )


def guess_delimiter(lines: Sequence[str], *, lone: str = ",") -> str:
    """The delimiter that splits the first of `lines`, and most others into as many fields; `lone` if none does."""

    def fitness(mark: str) -> tuple[int, int]:
        counts = [len(_fields(line, mark, mark != "\t")) for line in lines[:20] if line][: max(1, len(lines) - 1)]
        return (sum(count == counts[0] for count in counts) if counts[0] > 1 else 0, counts[0])

    return max((lone, *DELIMITERS), key=fitness)  # the first on a tie


def _delimiter(name: str) -> str:
    mark = SPOKEN.get(name, name)
    if len(mark) != 1 or mark in '"\r\n':
        raise DataError(f"delimiter {name!r}", expected=f"one character, or one of {', '.join(SPOKEN)}")
    return mark


def _fields(line: str, mark: str, quoted: bool) -> list[str]:
    if not quoted or '"' not in line:
        return line.split(mark)
    csv.field_size_limit(2**31 - 1)  # 131,072 characters otherwise
    return next(csv.reader([line], delimiter=mark), [])


def _header(line: str, mark: str, quoted: bool, path: Path) -> list[str]:
    header = [name.strip() or f"column {place}" for place, name in enumerate(_fields(line, mark, quoted), 1)]
    for name in header:
        if header.count(name) > 1:
            raise DataError(
                f"{path}: two columns are called {name[:60]!r}",
                expected="different names in the header",
                fix="rename one; where the second row names the columns: --set reader_options.skip=1; "
                "without a header: --set reader_options.names=sequence,label",
            )
    return header


def _parsed(content: bytes, header: Sequence[str], mark: str, quoted: bool, path: Path, *, skip: bool) -> pa.Table:
    faults: list[pa_csv.InvalidRow] = []

    def note(row: pa_csv.InvalidRow) -> str:
        faults.append(row)
        return "skip"

    try:
        table = pa_csv.read_csv(
            pa.BufferReader(content),
            # one block and one thread: a block must hold the longest line, and other settings do not number the rows
            read_options=pa_csv.ReadOptions(
                use_threads=False,
                block_size=min(len(content) + 1, 2**31 - 1),
                column_names=list(header),
                skip_rows_after_names=int(skip),
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=mark,
                quote_char='"' if quoted else False,
                newlines_in_values=quoted,
                invalid_row_handler=note,
            ),
            convert_options=pa_csv.ConvertOptions(column_types=dict.fromkeys(header, pa.string())),
        )
    except pa.ArrowInvalid as error:
        raise DataError(f"{path} cannot be read as a table ({str(error)[:200]})", expected="CSV or TSV") from None
    if faults:
        _tell(faults, header, path, skipped=int(skip))
    return table


def _tell(faults: Sequence[pa_csv.InvalidRow], header: Sequence[str], path: Path, *, skipped: int) -> None:
    first = faults[0]
    row = f"row {first.number - skipped}" if first.number is not None else "a row"
    more = f"; {len(faults):,} rows differ from the header" if len(faults) > 1 else ""
    raise DataError(
        f"{path}: {row} has {first.actual_columns} field{'s' if first.actual_columns != 1 else ''}"
        f" ({first.text[:60]!r}){more}",
        expected=f"{first.expected_columns}, as in the header: {', '.join(header)[:200]}",
        fix="quote cells that hold the delimiter, or fix the row"
        + ("; to leave out lines above the header: --set reader_options.skip=1" if len(header) == 1 else ""),
    )
