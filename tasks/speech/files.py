"""Unit sequences in the formats of the field, and labels taken out of the names of recordings."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from xdomain.core.errors import DataError, RecipeError, nearest, unknown
from xdomain.core.recipe import SPLITS
from xdomain.data.assemble import constants, noted
from xdomain.data.read_file import read_text
from xdomain.data.tables import raw_table

from ..tables import table, wanted
from .payloads import payload

FORMS = ("dict", "named", "km")
UNITS = ("units", "audio_repr", "hubert", "cpc_km100", "vqvae256")
NAMES = ("file_name", "audio", "id", "name")
EXPECTED = (
    "lines like {'audio': 'a.wav', 'hubert': '71 71 12'}, {\"units\": [71, 12], \"duration\": [2, 1]}, "
    "a.wav|71 71 12, or 71 71 12"
)


def read_labelled_units(
    files: Mapping[str, Path],
    *,
    label: str | None = None,
    group: str | None = None,
    valid: str | None = None,
    test: str | None = None,
    by: str = "id",
) -> pa.Table:
    """The CSV of ``xdomain units encode``, with labels, groups and splits out of the names of recordings.

    Parameters
    ----------
    files
        ``all``: columns id and sequence, and that of `by`.
    label, group
        Regular expressions with one group, searched in the name: what the group holds.
    valid, test
        Regular expressions: the names that have them belong to that split, the others to train.
    by
        The column of the names: id or file.
    """
    (path,) = wanted(files, "all")
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
    found = _with_names(rows, names, str(path), label=label, group=group, valid=valid, test=test)
    return noted(found, [constants(cells)])


def read_unit_lines(
    files: Mapping[str, Path],
    *,
    form: str | None = None,
    label: str | None = None,
    group: str | None = None,
    valid: str | None = None,
    test: str | None = None,
) -> pa.Table:
    """Units, an utterance a line.

    Parameters
    ----------
    files
        Named train, valid and test they decide the split. ``labels``: a name, a tab or a bar, and its label a line.
    form
        ``dict``: a Python dictionary or a JSON object a line, as those of facebookresearch/speech-resynthesis
        (``audio``, ``hubert``) and SlamKit (``file_name`` and ``units`` with ``duration``, their run lengths, or
        ``audio_repr``, ``<Un71><Un12>``); ``named``: ``name|units`` or ``name<TAB>units``, as textlesslib writes
        them; ``km``: units alone, as fairseq writes them; None: as the first line looks.
    label, group, valid, test
        See `read_labelled_units`; the name of a ``km`` line is ``FILE:LINE``.

    Returns
    -------
    A table of id, sequence and what was asked for; without labels it is for pre-training. Names that occur twice in
    one file are numbered.
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
        for name, sequence in _utterances(path, form):
            row: dict[str, object] = {"id": name, "sequence": sequence}
            rows.append(row | {"split": split} if split in SPLITS else row)
    names = [str(row["id"]) for row in rows]
    if "labels" in files:
        told = _labels(files["labels"])
        for row, name in zip(rows, names, strict=True):
            if name not in told:
                raise DataError(
                    f"{files['labels']}: no label for {name!r}", expected="one a name", nearest=nearest(name, told)
                )
            row["label"] = told[name]
    where = ", ".join(str(path) for path in sources.values())
    return _with_names(rows, names, where, label=label, group=group, valid=valid, test=test)


def _with_names(rows: list[dict[str, object]], names: list[str], where: str, **patterns: str | None) -> pa.Table:
    """Rows with label and group, found in their names, and the split that these tell."""
    told = {key: _pattern(key, pattern) for key, pattern in patterns.items() if pattern is not None}
    for row, name in zip(rows, names, strict=True):
        for key in ("label", "group"):
            if key in told:
                row[key] = _within(told[key], name, where, key)
        for split in ("valid", "test"):
            if split in told:
                row.setdefault("split", "train")
                if told[split].search(name):
                    row["split"] = split
    for split in ("valid", "test"):
        if split in told and not any(row["split"] == split for row in rows):
            raise DataError(
                f"{where}: the pattern for {split}, {told[split].pattern!r}, is in none of {len(names):,} names",
                expected=f"some names that have it; the first is {names[0]!r}",
                fix=f"reader_options.{split}=PATTERN",
            )
    return table(rows)


def _pattern(key: str, pattern: str) -> re.Pattern[str]:
    try:
        found = re.compile(pattern)
    except re.error as error:
        raise RecipeError(f"reader_options.{key}={pattern}: {error}", expected="a regular expression") from None
    if key in ("label", "group") and found.groups != 1:
        raise RecipeError(
            f"reader_options.{key}={pattern}: {found.groups} groups",
            expected=f"one pair of brackets, which holds the {key}, as in ^(\\d)_",
        )
    return found


def _within(pattern: re.Pattern[str], name: str, where: str, key: str) -> str:
    match = pattern.search(name)
    if match is None or match[1] is None:
        raise DataError(
            f"{where}: the pattern for the {key}, {pattern.pattern!r}, is not in {name!r}",
            expected="every name to have it",
            fix=f"reader_options.{key}=PATTERN",
        )
    return match[1]


def _utterances(path: Path, form: str | None) -> Iterator[tuple[str, str]]:
    lines = [(number, line) for number, line in enumerate(read_text(path).decode().splitlines(), 1) if line.strip()]
    kind = form or _guess(lines[0][1])
    for number, line in lines:
        try:
            if kind == "dict":
                yield _of_dict(line)
            elif kind == "named":
                mark = "\t" if "\t" in line else "|"
                name, between, units = line.partition(mark)
                if not between:
                    raise ValueError("no tab or bar between a name and units")
                yield name.strip(), payload(_integers(units))
            else:
                yield f"{path.stem}:{number}", payload(_integers(line))
        except ValueError as error:
            shown = line if len(line) < 50 else line[:50] + "…"
            raise DataError(f"{path}, line {number}: {error} ({shown})", expected=EXPECTED) from None


def _guess(line: str) -> str:
    if line.lstrip().startswith("{"):
        return "dict"
    return "named" if "|" in line or "\t" in line else "km"


def _of_dict(line: str) -> tuple[str, str]:
    try:
        told: Any = json.loads(line)
    except json.JSONDecodeError:
        try:
            told = ast.literal_eval(line.strip())
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            raise ValueError("neither JSON nor a Python dictionary") from None
    if not isinstance(told, dict):
        raise ValueError("no dictionary")
    key = next((name for name in UNITS if name in told), None)
    if key is None:
        raise ValueError(f"no units: its keys are {', '.join(map(str, told))}")
    name = next((str(told[name]) for name in NAMES if name in told), None)
    if name is None:
        raise ValueError(f"no name: its keys are {', '.join(map(str, told))}")
    runs = told.get("duration") if key == "units" else None
    if not isinstance(told[key], str | list):
        raise ValueError(f"{key} is neither a text nor a list")
    units = _integers(told[key])
    if isinstance(runs, list) and len(runs) != len(units):
        raise ValueError(f"{len(units)} units and {len(runs)} run lengths")
    return name, payload(units, _integers(runs) if isinstance(runs, list) else None)


def _integers(told: Any) -> list[int]:
    parts: list[Any] = (re.findall(r"<Un(\d+)>", told) or told.split()) if isinstance(told, str) else list(told)
    try:
        found = [int(str(part)) for part in parts]
    except ValueError:
        raise ValueError("units that are no whole numbers") from None
    if not found:
        raise ValueError("no units")
    if min(found) < 0:
        raise ValueError(f"unit {min(found)}, which is negative")
    return found


def _labels(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(read_text(path).decode().splitlines(), 1):
        if line.strip():
            name, mark, label = line.partition("\t" if "\t" in line else "|")
            if not mark or not label.strip():
                raise DataError(f"{path}, line {number}: {line[:50]!r}", expected="a name, a tab or a bar, a label")
            found[name.strip()] = label.strip()
    return found


READERS = {"labelled_units": read_labelled_units, "unit_lines": read_unit_lines}
