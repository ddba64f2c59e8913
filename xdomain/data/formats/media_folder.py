"""A folder of sound or music files as a table: labels from its subfolders, or from a file of labels."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path, PurePosixPath
from posixpath import commonpath

import pyarrow as pa

from xdomain.core.errors import DataError, nearest
from xdomain.core.progress import log
from xdomain.data.formats.labels_file import labels_table
from xdomain.data.formats.read_file import read_text
from xdomain.data.rows import short, strings
from xdomain.data.validate import SPLIT_NAMES

LISTS = {"valid": "validation_list.txt", "test": "testing_list.txt"}
NOISE = "_background_noise_"


def table_of_folder(folder: Path, endings: Sequence[str], labels: Path | None = None) -> pa.Table:
    """List the files of a folder, at any depth, as the records of a table.

    Parameters
    ----------
    folder
        Without `labels`, it has a subfolder for each class, with the files of the class at any depth in it. Subfolders
        train, valid and test above these, or above all files, say the split; so do validation_list.txt and
        testing_list.txt, as in Speech Commands (Warden 2018). A single folder above all is passed over.
    endings
        Suffixes of the files that are records, in lower case with dots; other files are left alone, and hidden ones.
    labels
        A table in which one column names the files, with or without folders and suffix; with or without a header. If it
        has one more column, that is the label.

    Returns
    -------
    pa.Table
        Strings, sorted by name: ``id`` and ``sequence``, both the path of the file relative to `folder`; ``label``, or
        the columns of `labels` under their own names; ``split``, if there are such subfolders.

    Raises
    ------
    DataError
        There are no such files; a file has no label, or a row of `labels` no file, or the other way round.
    """
    names = files_in(folder, endings)
    listed = _listed(folder)
    if listed:
        names = _without_noise(names)
    top = _shared(names)
    split = _splits(names, folder, top)
    depth = top + 1 if split else top
    split = split or _of_lists(names, listed, folder)
    columns: dict[str, Sequence[str | None]] = {"id": names, "sequence": names}
    if labels is None:
        columns["label"] = _classes(names, folder, depth=depth)
        _say_tables(folder)
    else:
        columns |= _labels(names, labels, folder)
    if split and "split" not in columns:
        columns["split"] = split
    return pa.table({name: pa.array(cells, pa.string()) for name, cells in columns.items()})


def files_in(folder: Path, endings: Sequence[str]) -> list[str]:
    """List the files of `folder`, at any depth, whose names have one of the `endings`; hidden ones are left out.

    Returns
    -------
    list
        Their paths relative to `folder`, sorted.

    Raises
    ------
    DataError
        There are none.
    """
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    paths = [path for path in paths if not any(part.startswith(".") for part in path.parts)]
    names = sorted(path.as_posix() for path in paths if path.suffix.lower() in endings)
    if not names:
        others = Counter(path.suffix.lower() or "no suffix" for path in paths).most_common(3)
        held = ", ".join(f"{number:,} of {suffix}" for suffix, number in others) or "nothing"
        raise DataError(f"{folder} holds {held}", expected=f"files that end in {', '.join(endings)}")
    return names


def _shared(names: Sequence[str]) -> int:
    """How many folders lie above all files, without that which may be the only class."""
    parents = {str(PurePosixPath(name).parent) for name in names}
    above = commonpath(parents)
    shared = len(PurePosixPath(above).parts)
    return max(0, shared - 1) if above in parents else shared


def _listed(folder: Path) -> dict[str, str]:
    """The split of files by their names, where lists of the files for validation and testing lie in `folder`."""
    lists = {split: folder / name for split, name in LISTS.items() if (folder / name).is_file()}
    return {line: split for split, file in lists.items() for line in read_text(file).decode().split()}


def _without_noise(names: Sequence[str]) -> list[str]:
    kept = [name for name in names if not name.startswith(NOISE)]
    if len(kept) < len(names):
        log.info(f"left out: {len(names) - len(kept):,} files of {NOISE}, which are no words")
    return kept


def _of_lists(names: Sequence[str], listed: Mapping[str, str], folder: Path) -> list[str] | None:
    if not listed:
        return None
    absent = listed.keys() - set(names)
    more = f"; {len(absent):,} files of the lists are not there" if absent else ""
    log.info(f"split: by {' and '.join(LISTS.values())} in {folder}, all other files are train{more}")
    return [listed.get(name, "train") for name in names]


def _say_tables(folder: Path) -> None:
    """Name a table in `folder`, which may hold better labels than the names of folders are."""
    tables = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".csv", ".tsv"))
    told = f"; for labels from {tables[0].name}: --data {tables[0]}" if tables else ""
    log.info(f"label: the name of the folder that a file lies in{told}")


def _splits(names: Sequence[str], folder: Path, at: int) -> list[str] | None:
    """The split of each file by its folder at depth `at`; None where these are no splits."""
    tops = [parts[at] if len(parts := PurePosixPath(name).parts) > at + 1 else "" for name in names]
    known = {top: SPLIT_NAMES.get(top.lower(), "") for top in dict.fromkeys(tops)}
    if "train" not in known.values() or len(set(known.values()) - {""}) < 2:
        return None
    if other := next((top for top in tops if not known[top]), None):
        raise DataError(
            f"{folder} has a folder {other!r} beside {', '.join(top for top in known if known[top])}",
            expected="train, valid and test, with a folder for each class in each; or only folders of classes",
            nearest=nearest(other.lower(), [name for name in SPLIT_NAMES if name]),
        )
    if "" in tops:
        loose = names[tops.index("")]
        raise DataError(f"{folder} has {tops.count('')} files in no split, the first is {loose}",
                        expected="all files within its folders train, valid and test")  # fmt: skip
    return [known[top] for top in tops]


def _table_in(folder: Path) -> str | None:
    """The only table in `folder` beside its files, as it is typed in a shell; None: there are none, or several."""
    tables = [path for path in folder.iterdir() if path.suffix.lower() in (".csv", ".tsv", ".xlsx") and path.is_file()]
    return shlex.quote(str(tables[0])) if len(tables) == 1 else None


def _classes(names: Sequence[str], folder: Path, *, depth: int) -> list[str]:
    """The folder of each file at `depth` below `folder`."""
    loose = [name for name in names if name.count("/") <= depth]
    if loose:
        raise DataError(
            f"{folder}: {len(loose):,} of {len(names):,} files have no label, the first is {loose[0]}",
            expected="a subfolder for each class, with its files in it",
            fix=f"--labels {_table_in(folder) or 'FILE'}: a table that names each file and its label",
        )
    return [PurePosixPath(name).parts[depth] for name in names]


def _labels(names: Sequence[str], labels: Path, folder: Path) -> dict[str, Sequence[str | None]]:
    """The columns of `labels` in the order of `names`, but for that which names the files."""
    keys = _keys(names)
    home = folder.resolve()

    @cache
    def key_of(cell: str) -> str:
        return _key(cell, labels, home)

    table = labels_table(labels, lambda cell: key_of(cell) in keys, "file")
    cells = {name: strings(table, name).to_pylist() for name in table.column_names}
    column = max(cells, key=lambda name: sum(key_of(cell) in keys for cell in cells[name]))
    if not any(key_of(cell) in keys for cell in cells[column]):
        raise DataError(
            f"{labels} names no file of {folder}, which holds {names[0]}",
            expected="a column with the names of the files, with or without folders and suffix",
        )
    row_of: dict[str, int] = {}
    stray: list[str] = []
    for row, cell in enumerate(cells[column]):
        found = keys.get(key_of(cell), ())
        if len(found) > 1:
            raise DataError(f"{labels}: row {row + 1}: {short(cell)!r} could be {' or '.join(found[:3])}",
                            expected="as much of the path as tells one file from others")  # fmt: skip
        if not found:
            stray.append(cell)
        elif found[0] in row_of:
            raise DataError(f"{labels}: rows {row_of[found[0]] + 1} and {row + 1} both name {found[0]}",
                            expected="one row for each file")  # fmt: skip
        else:
            row_of[found[0]] = row
    lacking = [name for name in names if name not in row_of]
    if stray or lacking:
        rows = f"{len(stray):,} rows name no file of {folder}, such as {short(stray[0])!r}" if stray else ""
        files = f"{len(lacking):,} of {len(names):,} files have no row, such as {lacking[0]}" if lacking else ""
        raise DataError(
            f"{labels}: {'; '.join(filter(None, (rows, files)))}",
            expected="a row for each file, and a file for each row",
            nearest=nearest(stray[0], lacking) if stray else None,
            fix="add what is missing, or delete what is too much",
        )
    taken = table.take([row_of[name] for name in names]).drop_columns([column])
    kept = [name for name in taken.column_names if name not in ("id", "sequence")]
    called = {name: "label" if len(kept) == 1 else name for name in kept}
    return {called[name]: taken.column(name).to_pylist() for name in kept}


def _keys(names: Sequence[str]) -> dict[str, list[str]]:
    """What a table may call the files, and which files that could be."""
    keys: dict[str, list[str]] = {}
    for name in names:
        path = PurePosixPath(name)
        for key in dict.fromkeys((name, str(path.with_suffix("")), path.name, path.stem)):
            keys.setdefault(key, []).append(name)
    for name in names:
        keys[name] = [name]  # a whole path is never ambiguous
    return keys


def _key(cell: str, labels: Path, home: Path) -> str:
    """What a `cell` of the table `labels` calls a file of `home`, a resolved folder; a path to it is cut."""
    name = cell.replace("\\", "/").removeprefix("./")
    if "/" in name:
        for start in (labels.parent, Path()):
            place = (start / name).parent.resolve()
            if place.is_relative_to(home):
                return (place.relative_to(home) / PurePosixPath(name).name).as_posix()
    return name
