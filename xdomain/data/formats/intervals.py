"""Intervals of a genome, as BED, GTF or a table with chromosome, start and end, and the sequences that they hold."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from xdomain.core.errors import DataError
from xdomain.core.progress import log
from xdomain.data.cell_text import parse_number
from xdomain.data.formats.genome import Genome, open_genome
from xdomain.data.formats.read_file import read_text
from xdomain.data.formats.tables import raw_table

CHROMOSOME = ("chrom", "chr", "chromosome", "seqname", "seqid", "contig", "seqnames", "#chrom", "#chr")
START = ("start", "chromstart", "begin", "start_position", "txstart")
END = ("end", "chromend", "stop", "end_position", "txend")
BED = ("chrom", "start", "end", "name", "score", "strand")
GTF = ("chrom", "source", "feature", "start", "end", "score", "strand", "frame", "attributes")
PEAKS = {
    "narrowpeak": (*BED, "signalValue", "pValue", "qValue", "peak"),
    "broadpeak": (*BED, "signalValue", "pValue", "qValue"),
}
"""Columns of ENCODE's files of peaks, by their suffix."""
WIDTHS = ("width", "length", "len", "size")
INTERVAL_OPTIONS = ("one_based", "delimiter", "names", "quoted", "skip")
"""Options of the reader that `with_sequences` knows."""
SEQUENCE = "sequence"
"""The column of what the genome holds there."""
ATTRIBUTE = re.compile(r'\s*([^\s=;"]+)(?:\s+"([^"]*)"|[ =]([^;"]*))\s*(?:;|$)')
STRANDS = {"+": 1, "1": 1, "+1": 1, "plus": 1, "forward": 1, "f": 1, "1.0": 1, "*": 1, ".": 1, "": 1, "-": -1,
           "-1": -1, "-1.0": -1, "minus": -1, "reverse": -1, "r": -1, "\N{MINUS SIGN}": -1}  # fmt: skip


@dataclass(frozen=True)
class Intervals:
    """Rows of a file of intervals.

    Parameters
    ----------
    table
        Strings, under the file's own names or those of its format.
    chromosome, start, end, strand
        Names of the columns; strand may be None.
    first
        The number of the first base: 0 with the end left out, as in BED, or 1 with the end included, as in GTF.
    why
        How that is known, for the message.
    """

    table: pa.Table
    chromosome: str
    start: str
    end: str
    strand: str | None
    first: int
    why: str


def interval_columns(names: list[str]) -> tuple[str, str, str] | None:
    """The columns of chromosome, start and end among the `names` of a table; None where one is missing."""
    plain = {name.strip().lower().replace(" ", "_"): name for name in names}
    columns = [next((plain[name] for name in known if name in plain), None) for known in (CHROMOSOME, START, END)]
    return None if None in columns else (str(columns[0]), str(columns[1]), str(columns[2]))


def names_with_sequence(path: Path, **options: Any) -> list[str]:
    """The names of the columns that `with_sequences` gives for the file `path`, read with the same `options`."""
    return [*_read(path, options).table.column_names, SEQUENCE]


def with_sequences(path: Path, genome: Path, *, one_based: bool | None = None, **options: Any) -> pa.Table:
    """The intervals in `path`, with their sequences from `genome`.

    Parameters
    ----------
    path
        BED (0-based, the end left out), GTF or GFF (1-based, the end included), or a table with a header that names
        chromosome, start and end.
    genome
        A FASTA file, indexed beside itself at the first use. Records on the strand ``-`` are reverse complements.
    one_based
        Whether the first base is 1 and the end included, or the first base is 0 and the end left out. None: as the
        format has it; for a table as its column width or length says, else as in BED.
    options
        Of a table, as `xdomain.data.formats.tables.raw_table` has them.

    Returns
    -------
    pa.Table
        Strings: the columns of `path`, one for each attribute of GTF or GFF, and ``sequence``.

    Raises
    ------
    MissingError
        pyfaidx is not installed.
    DataError
        A chromosome that the genome lacks, or an interval beyond its ends, with the row.
    """
    chromosomes = open_genome(genome, "intervals")
    intervals = _read(path, options)
    if one_based is not None:
        intervals = replace(intervals, first=int(one_based), why="as told")
    rows = intervals.table.to_pylist()
    sequences = [_sequence(row, intervals, chromosomes, f"{path}: row {n}") for n, row in enumerate(rows, 1)]
    end = "the end included" if intervals.first else "the end left out"
    log.info(
        f"intervals: {len(rows):,} of {genome.name}, counted from {intervals.first}, {end}, {intervals.why} "
        f"(overrule with --set reader_options.one_based={'false' if intervals.first else 'true'})"
    )
    _say_kinds(intervals)
    return intervals.table.append_column(SEQUENCE, pa.array(sequences, pa.string()))


def _sequence(row: dict[str, str], intervals: Intervals, genome: Genome, where: str) -> str:
    name = (row[intervals.chromosome] or "").strip()
    if name not in genome.lengths:
        error = genome.lacks(name)
        raise DataError(f"{where}: {error.what}", expected=error.expected, nearest=error.nearest)
    bounds = [parse_number(row[column] or "") for column in (intervals.start, intervals.end)]
    if any(bound is None or not bound.is_integer() for bound in bounds):
        raise DataError(f"{where}: from {row[intervals.start]!r} to {row[intervals.end]!r}", expected="whole numbers")
    start, end = (int(bound or 0) for bound in bounds)
    if start < intervals.first or start == end + intervals.first:
        other = "true" if not intervals.first else "false"
        raise DataError(
            f"{where}: {name} from {start} to {end}, where the first base is {intervals.first}",
            expected=f"a start of {intervals.first} or more, and at least one base",
            fix=f"--set reader_options.one_based={other}, if the table counts otherwise; or delete the row",
        )
    start -= intervals.first
    if not 0 <= start < end <= genome.lengths[name]:
        raise DataError(
            f"{where}: {name} from {row[intervals.start]} to {row[intervals.end]}",
            expected=f"a start below its end, within the {genome.lengths[name]:,} bases of {name}",
        )
    sequence = genome.part(name, start, end)
    strand = (row[intervals.strand] or "").strip().lower() if intervals.strand is not None else ""
    if strand not in STRANDS:
        raise DataError(f"{where}: strand {row[intervals.strand or '']!r}", expected="+, - or . (or 1 and -1)")
    if STRANDS[strand] > 0:
        return sequence
    from Bio.Seq import reverse_complement  # takes a while to load, and tables do without

    return str(reverse_complement(sequence))


def _read(path: Path, options: Mapping[str, Any]) -> Intervals:
    lines = [line for line in read_text(path).decode().splitlines() if line and not line.startswith("#")]
    lines = [line for line in lines if not re.match(r"(track|browser)\b", line)]
    if not lines:
        raise DataError(f"{path} holds no intervals", expected="BED, GTF, or a table with chrom, start and end")
    cells = lines[0].split("\t")
    if not options and len(cells) >= 8 and _are_numbers(cells[3:5]):
        table = with_attributes(_table(lines, GTF))
        return Intervals(table, "chrom", "start", "end", "strand", 1, "as in GTF and GFF")
    if not options and len(cells) >= 3 and _are_numbers(cells[1:3]):
        names = PEAKS.get(path.name.split(".")[-1].lower(), PEAKS["narrowpeak"] if len(cells) == 10 else BED)
        strand = "strand" if len(cells) > 5 else None
        return Intervals(_table(lines, names), "chrom", "start", "end", strand, 0, "as in BED")
    table = raw_table(path, **options)
    columns = interval_columns(table.column_names)
    if columns is None:
        raise DataError(
            f"{path} has no columns of chromosome, start and end ({', '.join(table.column_names)[:100]})",
            expected="BED, GTF, or a header with chrom, start and end",
        )
    strand = next((name for name in table.column_names if name.strip().lower() == "strand"), None)
    return Intervals(table, *columns, strand, *_base(table, *columns[1:]))


def _are_numbers(cells: Sequence[str]) -> bool:
    return all(parse_number(cell) is not None for cell in cells)


def _base(table: pa.Table, start: str, end: str) -> tuple[int, str]:
    """The number of the first base in a plain table, as a column of widths tells, and how that is known."""
    for name in table.column_names:
        if name.strip().lower() in WIDTHS:
            cells = zip(*(table.column(column).to_pylist() for column in (start, end, name)), strict=True)
            numbers = [[parse_number(cell or "") for cell in row] for row in cells]
            over = {None if None in row else (row[2] or 0) - (row[1] or 0) + (row[0] or 0) for row in numbers}
            if over in ({0.0}, {1.0}):
                return int(over.pop() or 0), f"as column {name!r} says"
    return 0, "as in BED"


def _say_kinds(intervals: Intervals) -> None:
    """Name the features of GTF or GFF, as all of them are taken."""
    if "attributes" not in intervals.table.column_names:
        return
    kinds = Counter(intervals.table.column("feature").to_pylist())
    if len(kinds) > 1:
        shown = ", ".join(f"{number:,} {kind}" for kind, number in kinds.most_common(8))
        log.info(f"features: {shown}; to take one kind alone, leave the other lines out of the file")


def with_attributes(table: pa.Table) -> pa.Table:
    """The `table` of a GTF or GFF file with a column for each attribute that its name is free for."""
    rows: list[str | None] = table.column("attributes").to_pylist() if "attributes" in table.column_names else []
    parsed = [_attributes(cell or "") for cell in rows]
    for name in dict.fromkeys(name for row in parsed for name in row):
        if name not in (*table.column_names, "sequence"):
            table = table.append_column(name, pa.array([row.get(name) for row in parsed], pa.string()))
    return table


def _attributes(cell: str) -> dict[str, str]:
    """``gene_id "a"; tag "b"; tag "c"`` (GTF) or ``ID=a;Note=b%20c`` (GFF3) by name; values of one name with commas."""
    found: dict[str, list[str]] = {}
    for name, quoted, plain in ATTRIBUTE.findall(cell):
        found.setdefault(name, []).append(quoted or unquote(plain.strip()))
    return {name: ",".join(values) for name, values in found.items()}


def _table(lines: list[str], names: tuple[str, ...]) -> pa.Table:
    rows = [line.split("\t") for line in lines]
    width = max(map(len, rows))
    header = [*names[:width], *(f"column {place}" for place in range(len(names) + 1, width + 1))]
    return pa.table({
        name: pa.array([row[place] if place < len(row) else None for row in rows], pa.string())
        for place, name in enumerate(header)
    })  # fmt: skip
