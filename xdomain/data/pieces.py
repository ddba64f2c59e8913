"""The records of a file for a trained model, piece after piece, so that a file of any size takes little memory."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from xdomain.core.errors import DataError
from xdomain.core.progress import Silent, log, reporter
from xdomain.core.recipe import Recipe
from xdomain.core.recipe_sections import Columns
from xdomain.core.sequences import Adapter
from xdomain.data.assemble import assemble, said
from xdomain.data.column_names import PERHAPS_ID, plain
from xdomain.data.formats.blocks import Block, after_fasta, after_fastq, after_rows, text_blocks
from xdomain.data.formats.fasta import fasta_of
from xdomain.data.formats.read_file import BOM, read_head
from xdomain.data.formats.registry import FORMATS, own_columns
from xdomain.data.formats.sequence_files import records_of
from xdomain.data.formats.tables import MAX_HEADER_LENGTH, head_of, is_quoted, table_of
from xdomain.data.infer_columns import guess_columns
from xdomain.data.loading import Asked, asked_of, explained, load_file, made_ready
from xdomain.data.rows import noting
from xdomain.data.seen_ids import SeenIds

ROWS = 4096
"""Records of a piece of a file that has to be read whole."""
EVERY = 60.0
"""Seconds between two lines about the progress, where no bar shows it."""
NUMBERED = re.compile(r"\b(rows?|record|line) (\d+)(?: and (\d+))?(?: \(id '(\d+)'\))?")
"""A place in a message, and the id of a row without an id, which is its number."""


@dataclass(frozen=True)
class Piece:
    """Some records of a file.

    Parameters
    ----------
    table
        As `xdomain.data.loading.load_file` returns it.
    done
        How much of the file has been read with them, from 0 to 1.
    """

    table: pa.Table
    done: float


def load_pieces(
    file: Path, recipe: Recipe, adapter: Adapter, *, columns: Columns | None = None, paired: bool = False
) -> Iterator[Piece]:
    """Load the records of a file for a trained model, and log what was guessed from the first of them.

    Tables, FASTA and FASTQ, compressed or not, are read in blocks of `xdomain.data.formats.blocks.BLOCK` bytes, other
    formats whole. What the columns hold is decided by the first block.

    Parameters
    ----------
    file, recipe, adapter, columns, paired
        As for `xdomain.data.loading.load_file`.

    Raises
    ------
    RecipeError
        The file does not exist.
    DataError
        The file is damaged or lacks a column. The message names the row in the file, not in its piece.
    """
    asked = asked_of(file, recipe, columns=columns, paired=paired)
    parse = _parser(file, asked.reader, asked.options)
    if parse is None:
        table = load_file(file, recipe, adapter, columns=columns, paired=paired)
        for first in range(0, table.num_rows, ROWS):
            yield Piece(table.slice(first, ROWS), min(1.0, (first + ROWS) / table.num_rows))
        return
    told: set[str] = set()
    reading = _Reading(file, asked, columns or Columns())
    for block in text_blocks(file, parse.cut, lead=parse.lead):
        first = reading.rows
        try:
            table = reading.next(parse.table(block))
        except DataError as error:
            raise explained(_moved(error, first, block.line), recipe) from None
        table = made_ready(reading.distinct(table, first), adapter, file.parent, told)
        yield Piece(table, block.done)


def with_progress(pieces: Iterable[Piece], doing: str) -> Iterator[Piece]:
    """Report the progress through `pieces`: records, records a second, and how long the rest will take.

    Parameters
    ----------
    pieces
        Those of `load_pieces`, which are yielded.
    doing
        What is done with each while it is out, ``predicting``.
    """
    begun = told = time.monotonic()
    records = 0
    for place, piece in enumerate(pieces):
        yield piece
        records += piece.table.num_rows
        total = max(records, round(records / max(piece.done, 1e-9)))
        if not place:
            reporter().started(doing, total, 0, unit="records")
        reporter().advanced(records)
        now = time.monotonic()
        if isinstance(reporter(), Silent) and now - told > EVERY:
            pace = records / (now - begun)
            left = timedelta(seconds=round((total - records) / pace))
            log.info(f"{records:,} of about {total:,} records, {pace:,.0f} a second, {left} left")
            told = now


@dataclass(frozen=True)
class _Parser:
    """Where the records of a block end, what makes a table of it, and how many bytes precede the first record."""

    cut: Callable[[bytes], int]
    table: Callable[[Block], pa.Table]
    lead: int = 0


def _parser(file: Path, reader: str, options: Mapping[str, Any]) -> _Parser | None:
    """How `file` is read in blocks; None for a `reader` that reads it whole."""
    match reader:
        case "table":
            return _table_parser(file, options)
        case "fasta":
            return _Parser(after_fasta, lambda block: fasta_of(block.content, file))
        case "fastq":
            return _Parser(after_fastq, lambda block: records_of(block.content, file, "fastq"))
        case _:
            return None


def _table_parser(file: Path, options: Mapping[str, Any]) -> _Parser:
    kept: dict[str, Any] = {n: options[n] for n in ("delimiter", "names", "quoted", "skip") if n in options}
    placed = {name: value for name, value in kept.items() if name != "quoted"}
    start = read_head(file, 2 * MAX_HEADER_LENGTH)
    if not start.strip():  # which the blocks tell
        return _Parser(partial(after_rows, quoted=False), lambda block: table_of(block.content, file, **kept))
    lead, header = head_of(start, file, **placed)
    below = start.removeprefix(BOM).removeprefix(lead)
    marks = {name: kept[name] for name in ("delimiter", "quoted") if name in kept}
    quoted = kept["quoted"] = is_quoted(header + below, file, **marks)
    later: dict[str, Any] = {**kept, "skip": 0}

    def rows(block: Block) -> pa.Table:
        if not block.byte:
            return table_of(block.content, file, **kept)
        return table_of(header + block.content, file, **later)

    return _Parser(partial(after_rows, quoted=quoted), rows, len(lead))


class _Reading:
    """What is known of a file from its pieces so far: the columns, the ids, the number of rows."""

    def __init__(self, file: Path, asked: Asked, columns: Columns) -> None:
        self.file, self.asked = file, asked
        self.rows = 0
        options = dict(self.asked.options)
        key = options.get("label_key")
        self.given = own_columns(self.asked.reader, columns.model_copy(update={"label": key} if key else {}))
        self.checks: dict[str, Any] = {
            name: options[name] for name in ("max_characters", "drop_incomplete", "item_blanks") if name in options
        }
        self.columns: Columns | None = None
        self.names: list[str] = []
        self.seen = SeenIds()

    def next(self, raw: pa.Table) -> pa.Table:
        """The raw table of the next records, checked; `raw` has the columns of the file."""
        where, labelled = str(self.file), self.asked.labelled
        notes: list[str] = []
        if self.columns is None:
            guess = guess_columns(
                raw, self.given, self.asked.problem, known=self.asked.known, where=where, labelled=labelled,
                all_ids=True,
            )  # fmt: skip
            roles = guess.columns.model_dump()
            self.columns = Columns(**{role: name or "" for role, name in roles.items()})
            self.names = [name for name in roles.values() if name in raw.column_names]
            notes += guess.said
        for name in self.names:  # a key that no header of these records has
            if name not in raw.column_names:
                raw = raw.append_column(name, pa.nulls(raw.num_rows, pa.string()))
        table = assemble(
            {"data": self.file}, lambda _: raw, columns=self.columns, problem=self.asked.problem, labelled=labelled,
            part_from=self.rows, **self.checks,
        )  # fmt: skip
        self.rows += raw.num_rows
        notes += said(table)
        return table.replace_schema_metadata({**(table.schema.metadata or {}), b"said": json.dumps(notes)})

    def distinct(self, table: pa.Table, first: int) -> pa.Table:
        """Refuse ids that rows before `table`, the first of which is number `first`, have.

        Those of FASTA, and names that were taken for ids, are numbered instead.
        """
        if self.columns is None or not self.columns.id:
            return table
        ids: list[str] = table["id"].to_pylist()
        guessed = not self.given.id and plain(self.columns.id) in PERHAPS_ID  # later rows may repeat the names
        if not (guessed or FORMATS[self.asked.reader].of_sequences):
            self.seen.checked(ids, first, str(self.file))
            return table
        names = self.seen.numbered(ids, first)
        place, metadata = table.column_names.index("id"), table.schema.metadata
        numbered = table.set_column(place, "id", pa.array(names, pa.string())).replace_schema_metadata(metadata)
        again = f"ids: names of column {self.columns.id!r} that come again are numbered, as in A:2"
        return noting(numbered, again) if guessed and names != ids else numbered


def _moved(error: DataError, first: int, line: int) -> DataError:
    """An error about a piece of a file as one about the file, `first` rows and `line` lines of which are before it."""

    def told(match: re.Match[str]) -> str:
        kind, number, other, own = match.groups()
        before = line if kind == "line" else first
        places = [str(int(one) + before) for one in (number, other) if one]
        known = f" (id {own!r})" if own and own != places[0] else ""
        return f"{kind} {' and '.join(places)}{known}"

    return (
        DataError(NUMBERED.sub(told, error.what), expected=error.expected, nearest=error.nearest, fix=error.fix)
        if first or line
        else error
    )
