"""A folder with a file of sequences for each class: ``pos.fasta`` and ``neg.fasta``."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from xdomain.core.errors import DataError
from xdomain.data.formats.registry import FORMATS, format_of
from xdomain.data.rows import strings
from xdomain.data.validate import SPLIT_NAMES


def has_class_files(folder: Path) -> bool:
    """Whether `folder`, or each of its subfolders train, valid and test, holds two or more files of sequences alone."""
    parts = _parts(folder)
    return bool(parts) and all(
        len(files) > 1 and all(FORMATS[format_of(file)].of_sequences for file in files) for files in parts.values()
    )


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
