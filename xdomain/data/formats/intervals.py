"""Intervals of a genome, as BED, GTF or a table with chromosome, start and end, and the sequences that they hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from xdomain.core.errors import DataError, MissingError, nearest
from xdomain.core.progress import log
from xdomain.data.cells import parse_number
from xdomain.data.formats.read_file import read_text
from xdomain.data.formats.tables import raw_table

CHROMOSOME = ("chrom", "chr", "chromosome", "seqname", "seqid", "contig", "#chrom", "#chr")
START = ("start", "chromstart", "begin", "start_position", "txstart")
END = ("end", "chromend", "stop", "end_position", "txend")
BED = ("chrom", "start", "end", "name", "score", "strand")
GTF = ("chrom", "source", "feature", "start", "end", "score", "strand", "frame", "attributes")
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
    """

    table: pa.Table
    chromosome: str
    start: str
    end: str
    strand: str | None
    first: int


def interval_columns(names: list[str]) -> tuple[str, str, str] | None:
    """The columns of chromosome, start and end among the `names` of a table; None where one is missing."""
    plain = {name.strip().lower().replace(" ", "_"): name for name in names}
    columns = [next((plain[name] for name in known if name in plain), None) for known in (CHROMOSOME, START, END)]
    return None if None in columns else (str(columns[0]), str(columns[1]), str(columns[2]))


def with_sequences(path: Path, genome: Path) -> pa.Table:
    """The intervals in `path`, with their sequences from `genome`.

    Parameters
    ----------
    path
        BED (0-based, the end left out), GTF or GFF (1-based, the end included), or a table with a header that names
        chromosome, start and end, counted as in BED.
    genome
        A FASTA file, indexed beside itself at the first use. Records on the strand ``-`` are reverse complements.

    Returns
    -------
    pa.Table
        Strings: the columns of `path` and ``sequence``.

    Raises
    ------
    MissingError
        pyfaidx is not installed.
    DataError
        A chromosome that the genome lacks, or an interval beyond its end, with the row.
    """
    try:
        import pyfaidx
    except ImportError:
        raise MissingError(
            f"{genome}: intervals need pyfaidx, which is not installed", fix="pip install 'xdomain[genome]'"
        ) from None
    if not genome.is_file():
        raise DataError(f"{genome} does not exist", expected="the genome as FASTA")
    intervals = _read(path)
    try:
        chromosomes: Any = pyfaidx.Fasta(str(genome), as_raw=True, sequence_always_upper=False)
    except Exception as error:  # pyfaidx has several of its own
        raise DataError(f"{genome} cannot be indexed ({str(error)[:160]})", expected="uncompressed FASTA") from None
    lengths = {str(name): len(chromosomes[name]) for name in chromosomes.keys()}  # noqa: SIM118
    rows = intervals.table.to_pylist()
    sequences = [_sequence(row, intervals, chromosomes, lengths, f"{path}: row {n}") for n, row in enumerate(rows, 1)]
    log.info(f"intervals: {len(rows):,} of {genome.name}, counted from {intervals.first}")
    return intervals.table.append_column("sequence", pa.array(sequences, pa.string()))


def _sequence(row: dict[str, str], intervals: Intervals, chromosomes: Any, lengths: dict[str, int], where: str) -> str:
    name = (row[intervals.chromosome] or "").strip()
    if name not in lengths:
        other = name.removeprefix("chr") if name.startswith("chr") else f"chr{name}"
        raise DataError(
            f"{where}: the genome has no chromosome {name!r}",
            expected=f"one of {', '.join(list(lengths)[:8])}{' …' if len(lengths) > 8 else ''}",
            nearest=other if other in lengths else nearest(name, lengths),
        )
    bounds = [parse_number(row[column] or "") for column in (intervals.start, intervals.end)]
    if any(bound is None or not bound.is_integer() for bound in bounds):
        raise DataError(f"{where}: from {row[intervals.start]!r} to {row[intervals.end]!r}", expected="whole numbers")
    start, end = (int(bound or 0) for bound in bounds)
    start -= intervals.first
    if not 0 <= start < end <= lengths[name]:
        raise DataError(
            f"{where}: {name} from {row[intervals.start]} to {row[intervals.end]}",
            expected=f"a start below its end, within the {lengths[name]:,} bases of {name}",
        )
    sequence = str(chromosomes[name][start:end])
    strand = (row[intervals.strand] or "").strip().lower() if intervals.strand is not None else ""
    if strand not in STRANDS:
        raise DataError(f"{where}: strand {row[intervals.strand or '']!r}", expected="+, - or . (or 1 and -1)")
    if STRANDS[strand] > 0:
        return sequence
    from Bio.Seq import reverse_complement  # takes a while to load, and tables do without

    return str(reverse_complement(sequence))


def _read(path: Path) -> Intervals:
    lines = [line for line in read_text(path).decode().splitlines() if line and not line.startswith("#")]
    lines = [line for line in lines if not re.match(r"(track|browser)\b", line)]
    if not lines:
        raise DataError(f"{path} holds no intervals", expected="BED, GTF, or a table with chrom, start and end")
    cells = lines[0].split("\t")
    if len(cells) >= 8 and parse_number(cells[3]) is not None and parse_number(cells[4]) is not None:
        return Intervals(_table(lines, GTF), "chrom", "start", "end", "strand", 1)
    if len(cells) >= 3 and parse_number(cells[1]) is not None and parse_number(cells[2]) is not None:
        return Intervals(_table(lines, BED), "chrom", "start", "end", "strand" if len(cells) > 5 else None, 0)
    table = raw_table(path)
    columns = interval_columns(table.column_names)
    if columns is None:
        raise DataError(
            f"{path} has no columns of chromosome, start and end ({', '.join(table.column_names)[:100]})",
            expected="BED, GTF, or a header with chrom, start and end",
        )
    strand = next((name for name in table.column_names if name.strip().lower() == "strand"), None)
    return Intervals(table, *columns, strand, 0)


def _table(lines: list[str], names: tuple[str, ...]) -> pa.Table:
    rows = [line.split("\t") for line in lines]
    width = max(map(len, rows))
    header = [*names[:width], *(f"column {place}" for place in range(len(names) + 1, width + 1))]
    return pa.table({
        name: pa.array([row[place] if place < len(row) else None for row in rows], pa.string())
        for place, name in enumerate(header)
    })  # fmt: skip
