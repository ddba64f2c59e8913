"""Records that are files of their own, as sound and music are: a table names them, an adapter reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from xdomain.core.adapter_protocols import ReadsFiles
from xdomain.core.errors import DataError, RecipeError
from xdomain.core.sequences import Adapter
from xdomain.data.sources import neighbour

ROLES = ("sequence", "sequence_b")


def endings(adapter: Adapter) -> tuple[str, ...]:
    """The endings of the names of raw files that an adapter reads; none where its records are text."""
    return adapter.media if isinstance(adapter, ReadsFiles) else ()


def is_media(path: Path, adapter: Adapter) -> bool:
    """Whether an adapter reads this file as one record."""
    return path.suffix.lower() in endings(adapter)


def transcribed(table: pa.Table, adapter: Adapter, folder: Path) -> pa.Table:
    """The same table with the content of files where it names files; any other as it is.

    Parameters
    ----------
    table
        A raw table with sequences, or names of files.
    adapter
        Says which endings are files of its domain, and encodes them.
    folder
        Where paths that are not absolute begin: that of the table.

    Raises
    ------
    DataError
        A file that does not exist, or a row that names none where others do.
    """
    if not isinstance(adapter, ReadsFiles):
        return table
    for name, paths in _columns(table, adapter, folder).items():
        column: Any = pa.array(_read(paths, adapter), pa.string())
        table = table.set_column(table.column_names.index(name), name, column)
    return table


def named_files(table: pa.Table, adapter: Adapter, folder: Path) -> list[Path]:
    """The files that the rows of a table are, each once, in the order of the table."""
    return list(dict.fromkeys(path for paths in _columns(table, adapter, folder).values() for path in paths))


def file_columns(
    columns: Mapping[str, Sequence[str]], suffixes: tuple[str, ...], folder: Path, record: Callable[[int], str]
) -> dict[str, list[Path]]:
    """By column, the file of each row, where rows name files.

    Parameters
    ----------
    columns
        The cells of each.
    suffixes
        How the names of such files end, in small letters.
    folder
        Where paths that are not absolute begin.
    record
        What errors call a row, by its number from 0.

    Raises
    ------
    DataError
        A file that does not exist, or a row that names none where others of its column do.
    """
    found: dict[str, list[Path]] = {}
    for name, cells in columns.items():
        named = [cell.strip().lower().endswith(suffixes) for cell in cells]
        if not any(named):
            continue
        found[name] = [folder / cell.strip() for cell in cells]
        for row, (cell, is_named, path) in enumerate(zip(cells, named, found[name], strict=True)):
            if not is_named:
                raise DataError(
                    f"{record(row)}, column {name}: {cell[:60]!r} is no file, as other records are",
                    expected=f"a file that ends in {', '.join(suffixes)} in every row",
                )
            if not path.is_file():
                raise DataError(
                    f"{record(row)}, column {name}: {path} does not exist",
                    expected="a file; the paths in a table begin where the table lies",
                    nearest=neighbour(path),
                )
    return found


def _columns(table: pa.Table, adapter: Adapter, folder: Path) -> dict[str, list[Path]]:
    if not endings(adapter):
        return {}
    cells: dict[str, list[str]] = {name: table[name].to_pylist() for name in ROLES if name in table.column_names}
    return file_columns(cells, endings(adapter), folder, lambda row: f"record {table['id'][row].as_py()!r}")


def table_of_files(files: Sequence[Path], *, paired: bool) -> pa.Table:
    """A raw table of files that were named one by one: a record each, or of two one record."""
    if not paired:
        return pa.table({"id": [path.name for path in files], "sequence": [str(path) for path in files]})
    if len(files) != 2:
        raise RecipeError(f"{len(files)} file(s) for a model that reads two", expected="the question, then the passage")
    one, two = files
    return pa.table({"id": [two.name], "sequence": [str(one)], "sequence_b": [str(two)]})


def _read(paths: Sequence[Path], adapter: ReadsFiles) -> list[str]:
    """Each file once, however often it is named."""
    once = list(dict.fromkeys(paths))
    content = dict(zip(once, adapter.encode_files(once), strict=True))
    return [content[path] for path in paths]
