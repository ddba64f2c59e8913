"""Read unit sequences in common formats, with labels taken from the names of recordings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from xdomain.core.errors import DataError, RecipeError, nearest, unknown
from xdomain.core.recipe import SPLITS
from xdomain.data.assemble import constants, noted
from xdomain.data.formats.read_file import read_text
from xdomain.data.formats.tables import raw_table
from xdomain.data.formats.unit_lines import FORMS, utterances

from ..tables import required_files, table_of_rows


def read_labelled_units(
    files: Mapping[str, Path],
    *,
    label: str | None = None,
    group: str | None = None,
    valid: str | None = None,
    test: str | None = None,
    by: str = "id",
) -> pa.Table:
    """The CSV of ``xdomain units encode``, with labels, groups and splits taken from the names of recordings.

    Parameters
    ----------
    files
        ``all``: a table with the columns id and sequence, and that of `by`.
    label, group
        Regular expressions with one group, searched in the name; the text of that group is the label, or the group of
        records. None: no such column.
    valid, test
        Regular expressions: names that match belong to that split, the others to train. None: no such split.
    by
        The column of the names: id or file.
    """
    (path,) = required_files(files, "all")
    cells = raw_table(path)
    for column in ("id", "sequence", by):
        if column not in cells.column_names:
            raise DataError(
                f"{path} has no column {column!r}",
                expected=f"one of its columns: {', '.join(cells.column_names)}",
                nearest=nearest(column, cells.column_names),
                fix="xdomain units encode WAVS… --codebook CODEBOOK --out units.csv",
            )
    names: list[str] = cells.column(by).to_pylist()
    rows = [
        {"id": name, "sequence": sequence}
        for name, sequence in zip(cells.column("id").to_pylist(), cells.column("sequence").to_pylist(), strict=True)
    ]
    labelled = _with_names(rows, names, str(path), label=label, group=group, valid=valid, test=test)
    return noted(labelled, [constants(cells)])


def read_unit_lines(
    files: Mapping[str, Path],
    *,
    form: str | None = None,
    label: str | None = None,
    group: str | None = None,
    valid: str | None = None,
    test: str | None = None,
) -> pa.Table:
    """Units, an utterance on each line.

    Parameters
    ----------
    files
        Files of units; the names train, valid and test decide the split. ``labels``: on each line a name, a tab or a
        bar, and its label.
    form
        ``dict``: on each line a Python dictionary or a JSON object, as those of facebookresearch/speech-resynthesis
        (``audio``, ``hubert``) and SlamKit (``file_name`` and ``units`` with ``duration``, their run lengths, or
        ``audio_repr``, ``<Un71><Un12>``); ``named``: ``name|units`` or ``name<TAB>units``, as textlesslib writes
        them; ``km``: units alone, as fairseq writes them; None: guessed from the first line of each file.
    label, group, valid, test
        See `read_labelled_units`; the name of a ``km`` line is that in the manifest ``FILE.tsv`` beside it, else
        ``FILE:LINE``.

    Returns
    -------
    pyarrow.Table
        The columns id, sequence and those asked for; without labels the table is for pre-training. Names that occur
        several times are numbered.
    """
    if form is not None and form not in FORMS:
        raise unknown("form", form, FORMS)
    sources = {name: path for name, path in files.items() if name != "labels"}
    if not sources:
        raise RecipeError("the source names no files of units", expected="source.files.train, or of another name")
    if "labels" in files and label is not None:
        raise RecipeError("labels from a file and from names", expected="source.files.labels or reader_options.label")
    rows: list[dict[str, object]] = []
    for split, path in sources.items():
        for name, sequence in utterances(path, form):
            row: dict[str, object] = {"id": name, "sequence": sequence}
            rows.append(row | {"split": split} if split in SPLITS else row)
    names = [str(row["id"]) for row in rows]
    if "labels" in files:
        labels = _labels(files["labels"])
        for row, name in zip(rows, names, strict=True):
            if name not in labels:
                raise DataError(
                    f"{files['labels']}: no label for {name!r}", expected="one a name", nearest=nearest(name, labels)
                )
            row["label"] = labels[name]
    where = ", ".join(str(path) for path in sources.values())
    return _with_names(rows, names, where, label=label, group=group, valid=valid, test=test)


def _with_names(rows: list[dict[str, object]], names: list[str], where: str, **patterns: str | None) -> pa.Table:
    """Add label, group and split to the rows, taken from their names by regular expressions."""
    compiled = {key: _pattern(key, pattern) for key, pattern in patterns.items() if pattern is not None}
    for row, name in zip(rows, names, strict=True):
        for key in ("label", "group"):
            if key in compiled:
                row[key] = _within(compiled[key], name, where, key)
        for split in ("valid", "test"):
            if split in compiled:
                row.setdefault("split", "train")
                if compiled[split].search(name):
                    row["split"] = split
    for split in ("valid", "test"):
        if split in compiled and not any(row["split"] == split for row in rows):
            raise DataError(
                f"{where}: the pattern for {split}, {compiled[split].pattern!r}, is in none of {len(names):,} names",
                expected=f"some names that have it; the first is {names[0]!r}",
                fix=f"reader_options.{split}=PATTERN",
            )
    return table_of_rows(rows)


def _pattern(key: str, pattern: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise RecipeError(f"reader_options.{key}={pattern}: {error}", expected="a regular expression") from None
    if key in ("label", "group") and compiled.groups != 1:
        raise RecipeError(
            f"reader_options.{key}={pattern}: {compiled.groups} groups",
            expected=f"one pair of brackets, which holds the {key}, as in ^(\\d)_",
        )
    return compiled


def _within(pattern: re.Pattern[str], name: str, where: str, key: str) -> str:
    match = pattern.search(name)
    if match is None or match[1] is None:
        raise DataError(
            f"{where}: the pattern for the {key}, {pattern.pattern!r}, is not in {name!r}",
            expected="every name to have it",
            fix=f"reader_options.{key}=PATTERN",
        )
    return match[1]


def _labels(path: Path) -> dict[str, str]:
    labels: dict[str, str] = {}
    for number, line in enumerate(read_text(path).decode().splitlines(), 1):
        if line.strip():
            name, mark, label = line.partition("\t" if "\t" in line else "|")
            if not mark or not label.strip():
                raise DataError(f"{path}, line {number}: {line[:50]!r}", expected="a name, a tab or a bar, a label")
            labels[name.strip()] = label.strip()
    return labels


READERS = {"labelled_units": read_labelled_units, "unit_lines": read_unit_lines}
