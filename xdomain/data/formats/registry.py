"""The kinds of file that hold records: how each is recognised, read, and made into a raw table."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from xdomain.core.choices import Problem
from xdomain.core.errors import unknown
from xdomain.core.recipe_sections import Columns
from xdomain.data.assemble import assemble
from xdomain.data.formats.fasta import check_labelled, raw_fasta
from xdomain.data.formats.lines import has_plain_lines, raw_lines
from xdomain.data.formats.read_file import read_head
from xdomain.data.formats.refused import refuse_binary, refuse_text
from xdomain.data.formats.sequence_files import raw_records
from xdomain.data.formats.squad import raw_squad
from xdomain.data.formats.tables import raw_table
from xdomain.data.formats.typed_tables import raw_arrow, raw_excel, raw_json, raw_parquet
from xdomain.data.formats.unit_lines import MANIFEST, raw_units
from xdomain.data.formats.unit_lines import STARTS as UNIT_STARTS
from xdomain.data.validate import MAX_CHARACTERS


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Parameters
    ----------
    raw
        Reads one file into columns of strings under the file's own names.
    of_sequences
        Whether records have an ``id`` and a ``sequence`` and the rest is their description, as in FASTA: the columns
        of another table do not count for it, and ids that come again are numbered.
    """

    raw: Callable[..., pa.Table]
    of_sequences: bool = False


FORMATS: Mapping[str, Format] = {
    "table": Format(raw_table),
    "json": Format(raw_json),
    "squad": Format(raw_squad),
    "parquet": Format(raw_parquet),
    "arrow": Format(raw_arrow),
    "excel": Format(raw_excel),
    "fasta": Format(raw_fasta, of_sequences=True),
    "fastq": Format(partial(raw_records, kind="fastq"), of_sequences=True),
    "genbank": Format(partial(raw_records, kind="genbank"), of_sequences=True),
    "embl": Format(partial(raw_records, kind="embl"), of_sequences=True),
    "pir": Format(partial(raw_records, kind="pir"), of_sequences=True),
    "units": Format(raw_units, of_sequences=True),
    "lines": Format(raw_lines, of_sequences=True),
}
"""By the name of the reader, as recipes give it."""
STARTS = (
    (rb"PAR1", "parquet"),
    (rb"ARROW1|\xff\xff\xff\xff.{4}", "arrow"),
    (rb"PK\x03\x04", "excel"),
    (rb"\s*>(P1|F1|DL|DC|RL|RC|N3|N1|XX);", "pir"),
    (rb"\s*(;[^\n]*\n\s*)*>", "fasta"),
    (rb"\s*@[^\r\n]*\r?\n([A-Za-z*.\-]+\r?\n)*([A-Za-z*.\-]{1000,}\Z|\+)", "fastq"),
    (rb"\s*LOCUS\s", "genbank"),
    (rb"ID   \S", "embl"),
    *((start, "units") for start in UNIT_STARTS),
    (rb'\s*\{\s*"(data|version)"\s*:', "squad"),
    (rb"\s*\[?\s*\{", "json"),
)
"""What a file begins with, and its format; all others are delimited tables."""
MANIFESTS = (
    (MANIFEST, "a manifest of sound files", "name the file of units beside it, such as train.km for train.tsv"),
)


def format_of(path: Path, *, lines: bool = False) -> str:
    """The name of the format of the file `path`, by what it begins with.

    `lines` says whether a text of lines, without a header, has records of its own: it would be refused as a table, or
    be taken for speech units where it holds integers.

    Raises
    ------
    DataError
        It cannot be read, or holds no sequences (variants, alignments, intervals).
    """
    content = read_head(path, 10_000).removeprefix(b"\xef\xbb\xbf")
    refuse_binary(path, content)
    refuse_text(path, content, MANIFESTS)
    form = next((name for start, name in STARTS if re.match(start, content, re.DOTALL)), "table")
    return "lines" if lines and form in ("table", "units") and has_plain_lines(path) else form


def read(
    reader: str,
    files: Mapping[str, Path],
    *,
    columns: Columns | None = None,
    known: Columns | None = None,
    problem: Problem | None = None,
    labelled: bool = True,
    label_key: str | None = None,
    max_characters: int = MAX_CHARACTERS,
    unscored: str = "",
    label_separator: str = "",
    empty_is_no: bool = False,
    drop_incomplete: bool = False,
    item_blanks: str = " ",
    constant_label: str | None = None,
    **raw_options: Any,
) -> pa.Table:
    """Read one or several files of one format into a raw table.

    Parameters
    ----------
    reader
        A name among `FORMATS`.
    files, columns, known, problem, labelled, max_characters, unscored, label_separator, empty_is_no
        See `xdomain.data.assemble.assemble`.
    drop_incomplete, item_blanks
        See `xdomain.data.assemble.assemble`.
    label_key
        The key in FASTA headers whose value is the label: the same as ``columns.label``.
    constant_label
        The class of all records, where a file has no labels.
    raw_options
        Of the format alone, such as the delimiter of a table.

    Raises
    ------
    RecipeError
        An option that the format does not have.
    DataError
        A file that cannot be read as that format, guessed or checked.
    """
    form = FORMATS[reader]
    raw_options = raw_options_of(reader, raw_options)
    columns = (columns or Columns()).model_copy(update={} if label_key is None else {"label": label_key})
    columns = own_columns(reader, columns)

    return assemble(
        files,
        partial(raw_file, reader, columns=columns, labelled=labelled, constant_label=constant_label, **raw_options),
        columns=columns,
        known=known,
        problem=problem,
        labelled=labelled,
        max_characters=max_characters,
        unscored=unscored,
        label_separator=label_separator,
        empty_is_no=empty_is_no,
        drop_incomplete=drop_incomplete,
        item_blanks=item_blanks,
        number_repeated_ids=form.of_sequences,
    )


def raw_file(
    reader: str,
    path: Path,
    *,
    columns: Columns,
    labelled: bool,
    constant_label: str | None = None,
    **raw_options: Any,
) -> pa.Table:
    """One file as columns of strings.

    Parameters
    ----------
    reader
        A name among `FORMATS`.
    path
        The file.
    columns
        What the user gave: the label of a file of sequences must be there.
    labelled
        Whether a file of sequences must have labels.
    constant_label
        Not None: every record has this label, in the column ``label``.
    raw_options
        Of the format alone.

    Raises
    ------
    DataError
        The file cannot be read as that format, or has no labels.
    """
    table = FORMATS[reader].raw(path, **raw_options)
    if constant_label is not None:
        others = table.drop_columns([name for name in ("label",) if name in table.column_names])
        return others.append_column("label", pa.array([constant_label] * table.num_rows, pa.string()))
    if FORMATS[reader].of_sequences and labelled:
        labels = columns.label or columns.tags
        for label in labels if isinstance(labels, list) else [labels]:
            check_labelled(table, label, path)
    return table


def own_columns(reader: str, columns: Columns) -> Columns:
    """`columns`, with the names that `reader` gives to id and sequence where they are None and files name none."""
    own = {"id": "id", "sequence": "sequence"} if FORMATS[reader].of_sequences else {}
    return columns.model_copy(update={role: name for role, name in own.items() if getattr(columns, role) is None})


def options_of(reader: str) -> tuple[set[str], set[str]]:
    """The names of the options of `reader`: those of its format alone, and those of all formats."""
    own = {name for name in inspect.signature(FORMATS[reader].raw).parameters if name not in ("path", "kind")}
    parameters = inspect.signature(read).parameters.items()
    return own, {name for name, one in parameters if one.kind is one.KEYWORD_ONLY}


def raw_options_of(reader: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `options`, as a recipe gives them to `reader`, that its format has, such as a delimiter.

    Raises
    ------
    RecipeError
        One is neither an option of the format nor of all tables.
    """
    own, common = options_of(reader)
    for name in options:
        if name not in own | common:
            raise unknown(f"option of the reader {reader}", name, sorted(own))
    return {name: option for name, option in options.items() if name in own}


read_table = partial(read, "table")
read_fasta = partial(read, "fasta")
