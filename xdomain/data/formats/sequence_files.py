"""FASTQ, GenBank, EMBL and PIR files, read by Biopython: a record's id, its sequence, and what its header says."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from xdomain.core.errors import DataError
from xdomain.data.formats.read_file import read_text
from xdomain.data.rows import noting

if TYPE_CHECKING:
    from Bio.SeqRecord import SeqRecord

NAMES = {"fastq": "FASTQ", "genbank": "GenBank", "embl": "EMBL", "pir": "PIR (NBRF)"}
FIRST = {
    "fastq": "'@', the id, the sequence, '+' and as many quality marks as letters",
    "genbank": "records from LOCUS to '//', with their sequence below ORIGIN",
    "embl": "records from ID to '//', with their sequence below SQ",
    "pir": "'>P1;ID', a line of description, and the sequence up to '*'",
}

BROKEN = (ValueError, AssertionError, IndexError, KeyError, AttributeError, TypeError)
"""What Biopython's parsers raise at a record that is not as they expect."""


def raw_records(path: Path, kind: str) -> pa.Table:
    """All records of a file of sequences.

    Parameters
    ----------
    path
        The file, compressed or not.
    kind
        fastq, genbank, embl or pir.

    Returns
    -------
    pa.Table
        Strings: ``id``, ``sequence``, ``description``, and, where the file has them, ``organism``, ``division``,
        ``taxonomy`` (the last rank given) and the qualifiers of the feature ``source``.

    Raises
    ------
    DataError
        Not that kind of file, cut off, or a record without its sequence.
    """
    return records_of(read_text(path), path, kind)


def records_of(content: bytes, path: Path, kind: str) -> pa.Table:
    """As `raw_records` with that `kind`, for the `content` of the file `path`."""
    from Bio import BiopythonWarning, SeqIO  # takes a while to load, and tables do without

    text = content.decode()
    records: list[dict[str, str]] = []
    try:
        with warnings.catch_warnings(record=True) as odd:
            warnings.simplefilter("always", BiopythonWarning)
            for record in SeqIO.parse(io.StringIO(text, newline=None), kind):
                records.append(_row(record, path, len(records) + 1))
    except BROKEN as error:
        raise DataError(
            f"{path}: record {len(records) + 1} is no {NAMES[kind]} ({_line(error)})",
            expected=FIRST[kind],
            fix="mend or delete that record; a file that was cut off must be copied again",
        ) from None
    if not records:
        raise DataError(f"{path} holds no {NAMES[kind]} record", expected=FIRST[kind])
    names = dict.fromkeys(name for record in records for name in record)
    table = pa.table({name: pa.array([record.get(name) for record in records], pa.string()) for name in names})
    if not odd:
        return table
    return noting(table, f"{NAMES[kind]}: not as it should be in {len(odd):,} places, first: {_line(odd[0].message)}")


def _line(message: object) -> str:
    return " ".join(str(message).split())[:120]


def _row(record: SeqRecord, path: Path, number: int) -> dict[str, str]:
    from Bio.Seq import UndefinedSequenceError

    try:
        sequence = str(record.seq or "")
    except UndefinedSequenceError:
        sequence = ""
    if not sequence:
        raise DataError(
            f"{path}: record {number} ({record.id}) has no sequence, only its description",
            expected="the sequence in the file itself",
            fix="download the record with its sequence, or delete it",
        )
    row = {"id": record.id or str(number), "sequence": sequence}
    if record.description and record.description not in (record.id, "<unknown description>", "."):
        row["description"] = record.description.removeprefix(f"{record.id} ")
    return row | {name: value for name, value in _annotations(record) if name not in row}


def _annotations(record: SeqRecord) -> Iterator[tuple[str, str]]:
    """What GenBank and EMBL say of a record as a whole, in single words or phrases."""
    annotations: Mapping[str, object] = record.annotations
    for name, key in (("organism", "organism"), ("division", "data_file_division"), ("molecule", "molecule_type")):
        if isinstance(value := annotations.get(key), str) and value:
            yield name, value
    if isinstance(ranks := annotations.get("taxonomy"), list) and ranks:
        yield "taxonomy", str(ranks[-1])
    for feature in record.features:
        if feature.type == "source":
            for name, values in feature.qualifiers.items():
                yield name, str(values[0])
            break
