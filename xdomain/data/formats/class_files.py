"""Folders of classes: a file of sequences for each (``pos.fasta``), or a folder of texts for each (``pos/1.txt``)."""

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


def has_class_files(folder: Path) -> bool:
    """Whether `folder`, or each of its subfolders train, valid and test, holds two or more files of sequences alone."""
    try:
        return all(
            len(files) > 1 and all(FORMATS[format_of(file)].of_sequences for file in files)
            for files in _parts(folder).values()
        )
    except DataError:  # other files may lie there, such as a PDF about sounds
        return False


def table_of_classes(folder: Path) -> pa.Table:
    """The records of a `folder` for which `has_class_files` holds.

    Returns
    -------
    pa.Table
        Strings: ``id``, ``sequence``, ``label``, the name of the file without its suffix, and ``split``, if there are
        such subfolders. Where ids come again, the class is put before them.

    Raises
    ------
    DataError
        A file that cannot be read, or a class that is in one subfolder only.
    """
    parts = _parts(folder)
    names = {split: {_class(file) for file in files} for split, files in parts.items()}
    for split, classes in names.items():
        if lacking := set.union(*names.values()) - classes:
            raise DataError(f"{folder / split} has no file for the class {min(lacking)!r}", expected="a file per class")
    tables: list[pa.Table] = []
    for split, files in parts.items():
        for file in files:
            table = FORMATS[format_of(file)].raw(file).select(["id", "sequence"])
            cells = {"label": _class(file), **({"split": split} if split else {})}
            for name, cell in cells.items():
                table = table.append_column(name, pa.array([cell] * table.num_rows, pa.string()))
            tables.append(table)
    whole = pa.concat_tables(tables)
    ids: list[str] = strings(whole, "id").to_pylist()
    if len(set(ids)) < len(ids):
        before = zip(whole.column("label").to_pylist(), ids, strict=True)
        whole = whole.set_column(0, "id", pa.array([f"{label}/{own}" for label, own in before], pa.string()))
    return whole


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


def _parts(folder: Path) -> dict[str, list[Path]]:
    """The files by their subfolder of a split; under "" those of the folder itself, where it has no such subfolders."""
    splits = [part for part in sorted(folder.iterdir()) if part.is_dir() and SPLIT_NAMES.get(part.name.lower())]
    places = {part.name: part for part in splits} or {"": folder}
    return {
        name: sorted(file for file in place.iterdir() if file.is_file() and not file.name.startswith("."))
        for name, place in places.items()
    }


def _class(file: Path) -> str:
    return file.name.split(".")[0]
