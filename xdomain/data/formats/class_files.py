"""Folders of classes: for each a file (``pos.fasta``, ``pos.txt``) or a folder (``pos/1.fasta``, ``pos/1.txt``)."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from xdomain.core.errors import DataError
from xdomain.data.formats.media_folder import table_of_folder
from xdomain.data.formats.read_file import read_text
from xdomain.data.formats.registry import FORMATS, format_of
from xdomain.data.rows import short, strings
from xdomain.data.validate import SPLIT_NAMES

TEXT = ".txt"
Classes = dict[str, list[Path]]
"""The files of each class."""


def has_class_files(folder: Path) -> bool:
    """Whether `folder`, or each of its subfolders train, valid and test, holds sequences of two or more classes.

    A class is a file of sequences such as FASTA, or a folder of them; or a file that ends in .txt, if all do.
    """
    return all(
        len(classes) > 1 and (_are_lists(place, classes) or all(map(_is_of_sequences, _files(classes))))
        for place, classes in _parts(folder).items()
    )


def table_of_classes(folder: Path, *, prose: bool) -> pa.Table:
    """The records of a `folder` for which `has_class_files` holds.

    Parameters
    ----------
    folder
        With its files. One that ends in .txt, and begins as no format of sequences, holds a sequence in each line.
    prose
        Whether such lines are texts, which may have blanks in them.

    Returns
    -------
    pa.Table
        Strings: ``id``, ``sequence``, ``label``, the name of the folder, or of the file without its suffixes, and
        ``split``, if there are such subfolders. Where ids come again, the path of the file is put before them.

    Raises
    ------
    DataError
        A file that cannot be read, or a class that is in one subfolder only.
    """
    parts = _parts(folder)
    for place, classes in parts.items():
        if lacking := {label for other in parts.values() for label in other} - set(classes):
            raise DataError(f"{place} has no file for the class {min(lacking)!r}", expected="a file per class")
    tables: list[pa.Table] = []
    for place, classes in parts.items():
        split = {} if place == folder else {"split": place.name}
        for label, files in classes.items():
            for file in files:
                table = _records(file, prose=prose)
                named = file.relative_to(folder).with_name(_stem(file)).as_posix()
                for name, cell in {"label": label, **split, "file": named}.items():
                    table = table.append_column(name, pa.array([cell] * table.num_rows, pa.string()))
                tables.append(table)
    whole = pa.concat_tables(tables)
    ids: list[str] = strings(whole, "id").to_pylist()
    if len(set(ids)) < len(ids):
        before = zip(whole.column("file").to_pylist(), ids, strict=True)
        whole = whole.set_column(0, "id", pa.array([f"{file}/{own}" for file, own in before], pa.string()))
    return whole.drop_columns(["file"])


def has_text_files(folder: Path) -> bool:
    """Whether subfolders of `folder` hold files that end in .txt."""
    return any(path.parent != folder for path in folder.rglob(f"*{TEXT}"))


def table_of_texts(folder: Path, *, prose: bool) -> pa.Table:
    """The files of a `folder` for which `has_text_files` holds, each one record, as genomic_benchmarks has them.

    Parameters
    ----------
    folder
        With a subfolder for each class; subfolders train, valid and test may stand above these.
    prose
        Whether lines are to be joined by blanks. Otherwise a file has one line, or lines of one length but for the
        last.

    Returns
    -------
    pa.Table
        As `xdomain.data.formats.media_folder.table_of_folder`, with the content of each file as ``sequence``.

    Raises
    ------
    DataError
        A file that cannot be read, or holds several sequences.
    """
    table = table_of_folder(folder, (TEXT,))
    names: list[str] = table.column("id").to_pylist()
    sequences = [_text(folder / name, prose=prose) for name in names]
    return table.set_column(table.column_names.index("sequence"), "sequence", pa.array(sequences, pa.string()))


def _text(file: Path, *, prose: bool) -> str:
    lines = read_text(file).decode().split() if not prose else [" ".join(read_text(file).decode().split())]
    if lines[0].startswith(">") or any(len(line) != len(lines[0]) for line in lines[:-1]):
        raise DataError(
            f"{file} holds several lines, the first is {short(lines[0])!r}",
            expected="one sequence in each file of the folder, and nothing else",
            fix="put all sequences of a class into one FASTA file: pos.fasta, neg.fasta",
        )
    return "".join(lines)


def _records(file: Path, *, prose: bool) -> pa.Table:
    """The ids and sequences of one file; those of a list are numbered from 1 by line."""
    form = FORMATS[format_of(file)]
    if form.of_sequences:
        return form.raw(file).select(["id", "sequence"])
    lines = {n: line for n, text in enumerate(read_text(file).decode().splitlines(), 1) if (line := text.strip())}
    wrong = None if prose else next((n for n, line in lines.items() if len(line.split()) > 1 or "," in line), None)
    if wrong is not None or not lines:
        raise DataError(
            f"{file} is empty" if wrong is None else f"{file}, line {wrong}: {short(lines[wrong])!r}",
            expected="a sequence in each line, and nothing else, as the file stands for a class",
        )
    return pa.table({"id": [str(n) for n in lines], "sequence": list(lines.values())})


def _parts(folder: Path) -> dict[Path, Classes]:
    """The classes of each subfolder of a split, or of the folder itself, where it has no such subfolders."""
    splits = [path for path in _visible(folder) if path.is_dir() and SPLIT_NAMES.get(path.name.lower())]
    return {place: _classes(place) for place in splits or [folder]}


def _classes(place: Path) -> Classes:
    """By file; or by subfolder, if no file beside these is one of records: there may be a README."""
    found = _visible(place)
    files, folders = [path for path in found if path.is_file()], [path for path in found if path.is_dir()]
    if folders and not any(map(_is_of_sequences, files)):
        below = {path.name: [file for file in sorted(path.rglob("*")) if file.is_file()] for path in folders}
        return {name: files for name, files in below.items() if files}
    classes: Classes = {}
    for file in files:
        classes.setdefault(_stem(file), []).append(file)
    return classes


def _are_lists(place: Path, classes: Classes) -> bool:
    return all(file.suffix.lower() == TEXT and file.parent == place for file in _files(classes))


def _files(classes: Classes) -> list[Path]:
    return [file for files in classes.values() for file in files]


def _is_of_sequences(file: Path) -> bool:
    try:
        return FORMATS[format_of(file)].of_sequences
    except DataError:  # other files may lie there, such as a PDF about sounds
        return False


def _visible(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]


def _stem(file: Path) -> str:
    return file.name.split(".")[0]
