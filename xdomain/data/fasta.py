"""Read FASTA files, and labels from their headers."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pyarrow as pa

from xdomain.core.choices import Problem
from xdomain.core.errors import DataError, nearest
from xdomain.core.recipe import Columns
from xdomain.data.assemble import assemble
from xdomain.data.read_file import line_of, read_text
from xdomain.data.validate import MAX_CHARACTERS

BARE = re.compile(r"(?:^|(?<=[\s|;,]))([A-Za-z_][\w.\-]*)=([^\s|;,]*)")
BRACKETED = re.compile(r"\[([A-Za-z_][\w.\-]*)=([^\]]*)\]")  # as NCBI writes: [organism=Homo sapiens]


def read_fasta(
    files: Mapping[str, Path],
    *,
    columns: Columns | None = None,
    problem: Problem | None = None,
    labelled: bool = True,
    label_key: str | None = None,
    max_characters: int = MAX_CHARACTERS,
) -> pa.Table:
    """Read one or several FASTA files, gzipped or not, into a raw table.

    The id is the header's first word. Each ``key=value`` in the header makes a column, and so do
    ``>id|label`` and ``>id|label|training`` where every header has that form.

    Parameters
    ----------
    files
        See `xdomain.data.assemble.assemble`.
    columns, problem
        None is guessed from the keys; `xdomain.data.assemble.said` returns the guesses.
    labelled
        Whether labels are required; False for prediction.
    label_key
        The key whose value is the label; replaces ``columns.label``.
    max_characters
        A longer sequence is an error.
    """
    columns = columns or Columns()
    if label_key is not None:
        columns = columns.model_copy(update={"label": label_key})
    raw = partial(raw_fasta, label=columns.label or columns.tags, labelled=labelled)
    columns = fasta_columns(columns, labelled=labelled)
    return assemble(files, raw, columns=columns, problem=problem, labelled=labelled, max_characters=max_characters)


def fasta_columns(columns: Columns, *, labelled: bool) -> Columns:
    """`columns` with the names of id and sequence that `raw_fasta` gives them, where they are None.

    Where no labels are needed (`labelled` is False), these names replace others: `columns` may then describe the table
    that a model was trained on.
    """
    own = {"id": "id", "sequence": "sequence"}
    return columns.model_copy(
        update={role: own[role] for role in own if not labelled or getattr(columns, role) is None}
    )


def raw_fasta(path: Path, *, label: str | None = None, labelled: bool = False) -> pa.Table:
    """Read all records of a FASTA file: ``id``, ``sequence``, and a column for every key in the headers.

    A record that lacks a key has null in its column. ``VALIDATION=True`` changes ``SET`` to valid (the headers of the
    FLIP benchmark, Dallago et al. 2021).

    Parameters
    ----------
    path
        The file, gzipped or not.
    label
        The key that must be in the headers where `labelled`; None: any key will do.
    labelled
        Whether headers without labels are an error.

    Raises
    ------
    DataError
        The file is not text, has text before the first header or a header without sequence, or lacks the labels.
    """
    from Bio.SeqIO.FastaIO import SimpleFastaParser  # slow to import, and not needed for tables

    content = read_text(path)
    start = content.lstrip()
    if not start.startswith(b">"):
        line = start.split(b"\n", 1)[0].decode().strip()
        raise DataError(
            f"{path}: line {line_of(content, len(content) - len(start))} is before the first header: {line[:60]!r}",
            expected="a first line that begins with '>'",
            fix="delete what stands before the first '>'; name a table .csv or .tsv",
        )
    titles: list[str] = []
    sequences: list[str] = []
    for title, sequence in SimpleFastaParser(io.StringIO(start.decode(), newline=None)):
        titles.append(title.strip())
        sequences.append(sequence)
        if not sequence:
            raise DataError(
                f"{path}: record {len(titles)}, '>{titles[-1][:60]}' (line {_header_line(content, len(titles))}), "
                "has a header without sequence",
                expected="at least one line of sequence below every header",
                fix="delete the header, or add its sequence",
            )
    keys = [dict(BARE.findall(title) + BRACKETED.findall(title)) for title in titles]
    columns: dict[str, list[str | None]] = {
        "id": [(title.split() or [""])[0] for title in titles],
        "sequence": [*sequences],
    }
    for key in dict.fromkeys(key for record in keys for key in record):
        if key not in columns:
            columns[key] = [record.get(key) for record in keys]
    columns |= {key: values for key, values in _barred(titles).items() if key not in columns}
    if "SET" in columns and "VALIDATION" in columns:
        held_out = [(cell or "").lower() == "true" for cell in columns["VALIDATION"]]
        columns["SET"] = ["valid" if held else name for held, name in zip(held_out, columns["SET"], strict=True)]
    if labelled:
        _check_labelled(columns, label, titles[0], path)
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def _header_line(content: bytes, record: int) -> int:
    headers = re.finditer(rb"(?:^|(?<=[\r\n]))[ \t]*>", content)
    position = next(match.start() for number, match in enumerate(headers, 1) if number == record)
    return line_of(content, position)


def _barred(titles: list[str]) -> dict[str, list[str | None]]:
    """The columns label and split if all headers have the form ``id|label`` or ``id|label|training``; else none."""
    parts = [title.split("|") for title in titles]
    if any(len(part) != len(parts[0]) or "=" in part[-1] or not part[1:] for part in parts):
        return {}
    last = {part[-1].strip().lower() for part in parts}
    if len(parts[0]) == 3 and last <= {"training", "testing", "train", "test", "valid", "validation"}:
        return {"label": [part[1].strip() for part in parts], "split": [part[2].strip() for part in parts]}
    if len(parts[0]) == 2:
        return {"label": [part[1].strip() for part in parts]}
    return {}


def _check_labelled(columns: Mapping[str, object], label: str | None, title: str, path: Path) -> None:
    keys = [name for name in columns if name not in ("id", "sequence")]
    if label is not None and label not in keys:
        raise DataError(
            f"{path}: the headers have no key {label!r}",
            expected=f"one of {', '.join(keys)}" if keys else f"headers like '>{title.split()[0]} {label}=…'",
            nearest=nearest(label, keys),
            fix="--column label=KEY, or a table with columns sequence and label",
        )
    if not keys:
        raise DataError(
            f"{path}: the headers hold no labels (the first is '>{title[:60]}')",
            expected="'>id|label' or '>id label=…' in every header",
            fix="add them, or use a CSV with columns sequence,label; `xdomain predict` needs none",
        )
