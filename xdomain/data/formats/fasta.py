"""Read FASTA files, and labels from their headers."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from xdomain.core.errors import DataError, nearest
from xdomain.data.formats.read_file import line_of, read_text
from xdomain.data.formats.three_lines import marks_of
from xdomain.data.rows import noting, short

UNLABELLED = ("id", "sequence", "description", "molecule")  # columns that are no labels
# A value reaches to the next key or the end of the header: OS=Mus musculus OX=10090
KEY = r"[A-Za-z_][\w.\-]*"
BARE = re.compile(rf"(?:^|(?<=[\s|;,]))({KEY})=(.*?)[\s|;,]*(?=[\s|;,]{KEY}=|\[{KEY}=|$)")
COMMENT = re.compile(r"^;.*\n?", re.MULTILINE)  # Pearson's old form
SPLITS = {"training", "testing", "train", "test", "valid", "validation"}
FOLDS = 20  # numbers of a partition, or classes named in headers, are at most so many
BRACKETED = re.compile(rf"\[({KEY})=([^\]]*)\]")  # as NCBI writes: [organism=Homo sapiens]


def raw_fasta(path: Path) -> pa.Table:
    """Read all records of the FASTA file `path`, compressed or not.

    Returns
    -------
    pa.Table
        Strings: ``id``, the header's first word, ``sequence``, and a column for every key in the headers, written
        ``key=value`` or ``[key=value]``; a record that lacks a key has null there. A value ends where the next key
        begins, so that it may hold blanks. Where all headers have the form ``id|label`` or ``id|label|training``,
        ``label`` and ``split``, and the id is what stands before the first bar; ``id|kingdom|type|partition`` likewise
        (SignalP), and ``id label`` or ``id label test`` (DeepLoc). ``tags`` where each record has a second line as
        long as its sequence. Lines that begin with ``;`` are comments.

    Raises
    ------
    DataError
        The file is not text, has text before the first header or a header without sequence.
    """
    return fasta_of(read_text(path), path)


def fasta_of(content: bytes, path: Path) -> pa.Table:
    """As `raw_fasta`, for the `content` of the file `path`."""
    from Bio.SeqIO.FastaIO import SimpleFastaParser  # slow to import, and not needed for tables

    text, comments = COMMENT.subn("", content.decode())
    start = text.lstrip()
    if not start.startswith(">"):
        line = start.split("\n", 1)[0].strip()
        number = line_of(content, content.find(line.encode()))
        raise DataError(
            f"{path}: line {number} is before the first header: {line[:60]!r}",
            expected="a first line that begins with '>'",
            fix="delete what stands before the first '>'; name a table .csv or .tsv",
        )
    titles: list[str] = []
    sequences: list[str] = []
    for title, sequence in SimpleFastaParser(io.StringIO(start, newline=None)):
        titles.append(title.strip())
        sequences.append(sequence)
        if not sequence:
            raise DataError(
                f"{path}: record {len(titles)}, '>{titles[-1][:60]}' (line {_header_line(content, len(titles))}), "
                "has a header without sequence",
                expected="at least one line of sequence below every header",
                fix="delete the header, or add its sequence",
            )
    said = [f"{comments:,} comment lines (;) left out"] if comments else []
    tags = marks_of(start, path)
    if tags is not None:
        sequences = [sequence[: len(own)] for sequence, own in zip(sequences, tags, strict=True)]
        said.append("tags: the second line below each header, as long as the sequence above it")
    keys, unnamed = _keys(titles)
    if unnamed:
        said.append(f"headers: of what stands between bars, parts without a name are left out, such as {unnamed!r}")
    columns: dict[str, list[str | None]] = {
        "id": [re.split(rf"[|;,]{KEY}=", (title.split() or [""])[0])[0] for title in titles],
        "sequence": [*sequences],
    }
    for key in dict.fromkeys(key for record in keys for key in record):
        if key not in columns:
            columns[key] = [record.get(key) for record in keys]
    if tags is not None:
        columns.setdefault("tags", [*tags])
    barred = _barred(titles)
    columns |= {key: values for key, values in barred.items() if key == "id" or key not in columns}
    if columns.keys() <= {"id", "sequence"} and (spaced := _spaced(titles)):
        columns |= spaced
        said.append(f"{' and '.join(spaced)}: what follows the ids in the headers, such as {short(titles[0])!r}")
    return noting(pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}), *said)


def _keys(titles: Sequence[str]) -> tuple[list[dict[str, str]], str]:
    """The keys of each header with their values, and a part of one that has none.

    Where keys begin behind bars, `` | key=value | ``, a value ends at the next bar.
    """
    keys: list[dict[str, str]] = []
    unnamed = ""
    for title in titles:
        first, *others = re.split(r"\s\|\s", title)
        parts = [first, *others] if any(re.match(f"{KEY}=", part) for part in others) else [title]
        keys.append(dict(pair for part in parts for pair in BARE.findall(part) + BRACKETED.findall(part)))
        unnamed = unnamed or next((part for part in parts[1:] if not re.search(f"{KEY}=", part)), "")
    return keys, unnamed


def _header_line(content: bytes, record: int) -> int:
    headers = re.finditer(rb"(?:^|(?<=[\r\n]))[ \t]*>", content)
    position = next(match.start() for number, match in enumerate(headers, 1) if number == record)
    return line_of(content, position)


def _barred(titles: list[str]) -> dict[str, list[str | None]]:
    """The columns label and split if all headers have the form ``id|label`` or ``id|label|training``; else none."""
    parts = [title.split("|") for title in titles]
    if {len(part) for part in parts} == {1, 2} and sum(len(part) == 2 for part in parts) >= len(parts) / 2:
        parts = [[*part, ""][:2] for part in parts]  # some have no label: the checks name them
    if any(len(part) != len(parts[0]) or "=" in part[-1] or not part[1:] for part in parts):
        return {}
    last = {part[-1].strip().lower() for part in parts}
    if len(parts[0]) == 3 and last <= SPLITS:
        return {
            "id": [part[0].strip() for part in parts],
            "label": [part[1].strip() for part in parts],
            "split": [part[2].strip() for part in parts],
        }
    if len(parts[0]) == 4 and len(last) <= FOLDS and all(map(str.isdecimal, last)):  # SignalP
        names = ("id", "kingdom", "type", "partition")
        return {name: [part[place].strip() for part in parts] for place, name in enumerate(names)}
    if len(parts[0]) == 2:
        return {"id": [part[0].strip() for part in parts], "label": [part[1].strip() for part in parts]}
    return {}


def _spaced(titles: list[str]) -> dict[str, list[str | None]]:
    """The columns label and split if all headers have the form ``id label`` or, some of them, ``id label test``."""
    words = [title.split() for title in titles]
    if any(len(own) not in (2, 3) for own in words):
        return {}
    thirds = {own[2].lower() for own in words if len(own) == 3}
    labels = {own[1] for own in words}
    if not thirds <= SPLITS or not 1 < len(labels) <= max(FOLDS, len(titles) // 10) or 2 * len(labels) > len(titles):
        return {}
    columns: dict[str, list[str | None]] = {"label": [own[1] for own in words]}
    if thirds:
        columns["split"] = [own[2] if len(own) == 3 else "train" for own in words]
    return columns


def check_labelled(table: pa.Table, label: str | None, path: Path) -> None:
    """Refuse a file whose headers hold no labels.

    Parameters
    ----------
    table
        What `raw_fasta` or another reader of sequence files returned.
    label
        The column that must exist; None: any besides id and sequence will do.
    path
        The file, for the message.

    Raises
    ------
    DataError
        With the first header, and how labels are written.
    """
    names: list[str] = [name for name in table.column_names if name not in UNLABELLED]
    first = str(table.column("id")[0].as_py())
    if label is not None and label not in names:
        raise DataError(
            f"{path}: the headers have no key {label!r}",
            expected=f"one of {', '.join(names)}" if names else f"headers like '>{first} {label}=…'",
            nearest=nearest(label, names),
            fix="--column label=KEY, or a table with columns sequence and label",
        )
    if not names:
        raise DataError(
            f"{path}: the headers hold no labels (the first record is {first[:60]!r})",
            expected="a label of every record, such as '>id|label' or '>id label=…' in FASTA headers",
            fix="--labels FILE, add them, or use a CSV with columns sequence,label; where all are of one class, "
            "--negatives shuffled, background=GENOME.fa (DNA) or proteins=FILE.fasta makes others; `xdomain predict` "
            "needs no labels",
        )
