"""Read delimited tables: CSV, TSV and similar formats."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv

from xdomain.core.choices import Problem
from xdomain.core.errors import DataError
from xdomain.core.recipe import Columns
from xdomain.data.assemble import assemble
from xdomain.data.read_file import read_text
from xdomain.data.validate import MAX_CHARACTERS

DELIMITERS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}
SPOKEN = {**{name: mark for mark, name in DELIMITERS.items()}, "\\t": "\t", "space": " "}
LONGEST_HEADER = 100_000  # characters; a longer first line is a sequence or a damaged file


def read_table(
    files: Mapping[str, Path],
    *,
    columns: Columns | None = None,
    problem: Problem | None = None,
    labelled: bool = True,
    delimiter: str | None = None,
    names: Sequence[str] | None = None,
    quoted: bool | None = None,
    unscored: str = "",
    max_characters: int = MAX_CHARACTERS,
) -> pa.Table:
    """Read one or several CSV or TSV files, gzipped or not, into a raw table.

    Parameters
    ----------
    files
        See `xdomain.data.assemble.assemble`.
    columns, problem
        None is guessed; `xdomain.data.assemble.said` returns the guesses.
    labelled
        Whether labels are required. If False, as for prediction, none are returned.
    delimiter
        One character, or comma, tab, semicolon, bar or space; None: guessed from the first lines.
    names
        Names of the columns of a file without a header; None: the first line is the header.
    quoted
        Whether double quotes enclose cells; None: in all but tab-separated files.
    unscored
        The tag that marks a position as not scored, besides the empty tag.
    max_characters
        A longer sequence is an error.
    """
    raw = partial(raw_table, delimiter=delimiter, names=names, quoted=quoted)
    return assemble(
        files,
        raw,
        columns=columns or Columns(),
        problem=problem,
        labelled=labelled,
        max_characters=max_characters,
        unscored=unscored,
    )


def raw_table(
    path: Path, *, delimiter: str | None = None, names: Sequence[str] | None = None, quoted: bool | None = None
) -> pa.Table:
    """Read all cells of a delimited file as strings, under the file's own column names; blank lines are skipped.

    Parameters
    ----------
    path
        The file, gzipped or not.
    delimiter, names, quoted
        See `read_table`.

    Raises
    ------
    DataError
        The file is not text or has no rows, rows differ in length, two columns share a name, or the delimiter is wrong.
    """
    content = read_text(path)
    content = content.lstrip(b"\r\n")
    lines = re.split(r"\r\n|\r|\n", content[: 2 * LONGEST_HEADER].decode(errors="ignore"))
    if len(lines[0]) > LONGEST_HEADER:
        raise DataError(
            f"{path}: the first line has more than {LONGEST_HEADER:,} characters",
            expected="a header of column names, e.g. sequence,label",
            fix="give FASTA files a name that ends in .fasta, or put a header first",
        )
    lone = "\t" if ".tsv" in path.suffixes else ","
    mark = guess_delimiter(lines, lone=lone) if delimiter is None else _delimiter(delimiter)
    quoted = mark != "\t" if quoted is None else quoted
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
    return _parsed(content, header, mark, quoted, path, skip=names is None)


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
    return next(csv.reader([line], delimiter=mark), [])


def _header(line: str, mark: str, quoted: bool, path: Path) -> list[str]:
    header = [name.strip() or f"column {place}" for place, name in enumerate(_fields(line, mark, quoted), 1)]
    for name in header:
        if header.count(name) > 1:
            raise DataError(f"{path}: two columns are called {name[:60]!r}", expected="different names in the header")
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
        fix="quote cells that hold the delimiter, or fix the row",
    )
