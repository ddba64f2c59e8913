"""Readers of protein data sets that are not plain tables."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute

from xdomain.core.errors import DataError, RecipeError
from xdomain.data.cell_text import parse_number
from xdomain.data.formats.read_file import read_text
from xdomain.data.formats.tables import raw_table
from xdomain.data.rows import short

from ..tables import check_columns, numeric_column, required_files, table_of_rows, with_unique_ids

pc: Any = pyarrow.compute  # its functions are made at import and have no types


def _records(path: Path) -> list[tuple[str, str]]:
    from Bio.SeqIO.FastaIO import SimpleFastaParser  # slow to load, and not needed for other formats

    expected = "FASTA: '>' and a name, then the sequence"
    parsed = SimpleFastaParser(io.StringIO(read_text(path).decode(), newline=None))
    records = [(str(title), str(sequence)) for title, sequence in parsed]
    if not records:
        raise DataError(f"{path} holds no record", expected=expected)
    nameless = next((number for number, (title, _) in enumerate(records, 1) if not title.split()), None)
    if nameless is not None:
        raise DataError(f"{path}: record {nameless} has no name", expected=expected)
    return records


def _target(title: str, path: Path) -> float:
    given = re.search(r"TARGET=(\S+)", title)
    target = parse_number(given[1]) if given else None
    if target is None:
        raise DataError(f"{path}, record {short(title.split()[0])!r}: no TARGET= and a number in its header")
    return target


def read_class_files(files: Mapping[str, Path]) -> pa.Table:
    """One FASTA file for each class; the label is the file's name in `files`."""
    rows: list[dict[str, object]] = [
        {"id": title.split()[0], "sequence": sequence, "label": label}
        for label, path in files.items()
        for title, sequence in _records(path)
    ]
    return table_of_rows(rows)


def read_labelled_splits(files: Mapping[str, Path]) -> pa.Table:
    """One FASTA file for each class and split, named ``label.split`` in `files`."""
    rows: list[dict[str, object]] = []
    for name, path in files.items():
        label, _, split = name.rpartition(".")
        for title, sequence in _records(path):
            rows.append({"id": title.split()[0], "sequence": sequence, "label": label, "split": split})
    return table_of_rows(rows)


def _flip_split(title: str, path: Path) -> str:
    fields = dict(re.findall(r"(\w+)=(\S+)", title))
    if fields.get("SET") not in ("train", "test"):
        raise DataError(f"{path}, record {title.split()[0]!r}: no SET=train or SET=test in its header")
    return "valid" if fields.get("VALIDATION") == "True" else fields["SET"]


def read_flip_values(files: Mapping[str, Path], *, length: int | None = None) -> pa.Table:
    """FLIP regression: FASTA with headers ``>name TARGET=… SET=… VALIDATION=…``.

    Parameters
    ----------
    files
        ``all``: the FASTA file.
    length
        How many residues to keep from the start of each protein; None: all.
    """
    (path,) = required_files(files, "all")
    rows: list[dict[str, object]] = []
    for title, sequence in _records(path):
        rows.append({"id": title.split()[0], "sequence": sequence[:length], "label": _target(title, path),
                     "split": _flip_split(title, path)})  # fmt: skip
    return table_of_rows(rows)


def read_flip_tags(files: Mapping[str, Path]) -> pa.Table:
    """FLIP tagging: a tag for each residue.

    Parameters
    ----------
    files
        Three FASTA files: ``sequences``; ``labels``, a letter for each residue, with the split in the header; and
        ``mask``, 0 for residues that are not scored.
    """
    paths = required_files(files, "sequences", "labels", "mask")
    sequences, labels, mask = (dict(_records(path)) for path in paths)
    masks = {title.split()[0]: bits for title, bits in mask.items()}
    tags = {title.split()[0]: (title, letters) for title, letters in labels.items()}
    rows: list[dict[str, object]] = []
    for title, sequence in sequences.items():
        name = title.split()[0]
        if name not in tags or name not in masks:
            raise DataError(f"{paths[0]}: record {name!r} has no labels or no mask")
        header, letters = tags[name]
        if not len(sequence) == len(letters) == len(masks[name]):
            raise DataError(f"{paths[1]}: record {name!r} has {len(letters)} labels for {len(sequence)} residues")
        scored = [tag if bit == "1" else None for tag, bit in zip(letters, masks[name], strict=True)]
        rows.append({"id": name, "sequence": sequence, "tags": scored, "split": _flip_split(header, paths[1])})
    return table_of_rows(rows)


def read_fluorescence(files: Mapping[str, Path], *, most_in_train: int = 3) -> pa.Table:
    """GFP variants: few mutations for training, more for test; variants with a stop codon are left out.

    Parameters
    ----------
    files
        ``all``: a CSV file with the columns sequence, num_mutations, log_fluorescence and has_stop.
    most_in_train
        The most mutations of a variant in train.

    Raises
    ------
    DataError
        The file lacks a column.
    """
    (path,) = required_files(files, "all")
    whole = raw_table(path)
    check_columns(whole, path, "sequence", "num_mutations", "log_fluorescence", "has_stop")
    whole = whole.filter(pc.field("has_stop").isin(["0", "false", "False"]))
    far = pc.greater(numeric_column(whole, "num_mutations", path), most_in_train)
    ids = [f"gfp{i}" for i in range(whole.num_rows)]
    columns = {
        "id": pa.array(ids),
        "sequence": whole.column("sequence"),
        "label": numeric_column(whole, "log_fluorescence", path),
        "split": pc.if_else(far, "test", "train"),
    }
    return pa.table(columns)


def read_stability(files: Mapping[str, Path]) -> pa.Table:
    """Rocklin 2017: design rounds for training, the single-mutant scan for test.

    Rows without a score are left out.

    Parameters
    ----------
    files
        TSV files with the columns name, sequence and stabilityscore; that named ``test`` is the single-mutant scan
        (column consensus_stability_score), all others are design rounds.

    Raises
    ------
    DataError
        A file lacks a column.
    """
    tables: list[pa.Table] = []
    for name, path in files.items():
        raw = raw_table(path, delimiter="tab")
        score = "consensus_stability_score" if name == "test" else "stabilityscore"
        check_columns(raw, path, "name", "sequence", score)
        label = numeric_column(raw, score, path, missing=("", "na", "nan", "NA"))
        rows = pa.table({
            "id": pc.binary_join_element_wise(name, raw.column("name"), ":"),
            "sequence": raw.column("sequence"),
            "label": label,
            "split": pa.array(["test" if name == "test" else "train"] * raw.num_rows),
        })  # fmt: skip
        tables.append(rows.filter(pc.is_finite(pc.field("label"))))
    if not tables:
        raise RecipeError("the source names no files", expected="source.files.test, and others of design rounds")
    whole = pa.concat_tables(tables)
    return whole.set_column(0, "id", pa.array(with_unique_ids(whole.column("id").to_pylist())))


READERS = {
    "class_files": read_class_files,
    "labelled_splits": read_labelled_splits,
    "flip_values": read_flip_values,
    "flip_tags": read_flip_tags,
    "fluorescence": read_fluorescence,
    "stability": read_stability,
}
