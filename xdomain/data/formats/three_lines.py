"""FASTA of three lines a record: header, sequence, and a mark for each symbol (SignalP, dot-bracket structures)."""

from __future__ import annotations

import re
from pathlib import Path

from xdomain.core.errors import DataError

LOOKED_AT = 50  # records that decide whether a file has this form
SHARE = 0.9  # of them must have it; others are named
ENERGY = re.compile(r"\s+\(\s*[-+]?\d+(\.\d+)?\s*\)$")  # RNAfold writes it after a structure


def marks_of(text: str, path: Path) -> list[str] | None:
    """The marks below each sequence, or None where the file has no such lines.

    Parameters
    ----------
    text
        FASTA, without comments.
    path
        The file, for the message.

    Returns
    -------
    list of str
        One string a record, as long as its sequence. A file has this form if nearly all of its first records have
        two lines, equally long, and the second ones use other characters, and at most half as many.

    Raises
    ------
    DataError
        Most records have this form, and another has not.
    """
    first = [_lines(record) for record in re.split(r"^>", text, maxsplit=LOOKED_AT, flags=re.MULTILINE)[1:LOOKED_AT]]
    if len(first) < 2:
        first = [_lines(record) for record in re.split(r"^>", text, flags=re.MULTILINE)[1:]]
    fitting = [lines for lines in first if _fits(lines)]
    if not fitting or len(fitting) < SHARE * len(first):
        return None
    symbols, marks = (set("".join(lines[place] for lines in fitting)) for place in (1, 2))
    if len(marks) > len(symbols) / 2 and (marks & symbols or all(map(str.isalpha, marks))):
        return None
    records = [_lines(record) for record in re.split(r"^>", text, flags=re.MULTILINE)[1:]]
    for number, lines in enumerate(records, 1):
        if not _fits(lines):
            raise DataError(
                f"{path}: record {number}, '>{lines[0][:60]}', has "
                + (f"{len(lines[2])} marks for {len(lines[1])} symbols" if len(lines) == 3 else f"{len(lines)} lines"),
                expected="a header, a sequence and a mark for each symbol, as in most records",
                fix="correct or delete that record",
            )
    return [lines[2] for lines in records]


def _lines(record: str) -> list[str]:
    lines = [line.strip() for line in record.splitlines() if line.strip()]
    return [*lines[:2], *(ENERGY.sub("", line) for line in lines[2:])]


def _fits(lines: list[str]) -> bool:
    return len(lines) == 3 and len(lines[1]) == len(lines[2])
