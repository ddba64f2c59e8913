"""Records that are files of their own, as sound and music are: a table names them, an adapter reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from xdomain.data.sequences import Adapter
from xdomain.data.sources import neighbour
from xdomain.errors import DataError, RecipeError

ROLES = ("sequence", "sequence_b")


def endings(adapter: Adapter) -> tuple[str, ...]:
    """The endings of the names of raw files that an adapter reads; none where its records are text."""
    return getattr(adapter, "media", ())


def is_media(path: Path, adapter: Adapter) -> bool:
    """Whether an adapter reads this file as one record."""
    return path.suffix.lower() in endings(adapter)


def transcribed(table: pa.Table, adapter: Adapter, folder: Path) -> pa.Table:
    """The same table with the content of files where it names files; any other as it is.

    Parameters
    ----------
    folder
        Where paths that are not absolute begin: that of the table.

    Raises
    ------
    DataError
        A file that is not there, or a row that names none where others do.
    """
    for name, paths in _columns(table, adapter, folder).items():
        column: Any = pa.array(_read(paths, adapter), pa.string())
        table = table.set_column(table.column_names.index(name), name, column)
    return table


def named_files(table: pa.Table, adapter: Adapter, folder: Path) -> list[Path]:
    """The files that the rows of a table are, each once, in the order of the table."""
    return list(dict.fromkeys(path for paths in _columns(table, adapter, folder).values() for path in paths))


def _columns(table: pa.Table, adapter: Adapter, folder: Path) -> dict[str, list[Path]]:
    """By column, where every row of it names a file."""
    found: dict[str, list[Path]] = {}
    for name in ROLES:
        cells: list[str] = table.column(name).to_pylist() if name in table.column_names else []
        named = [is_media(Path(cell.strip()), adapter) for cell in cells]
        if any(named) and not all(named):
            row = named.index(False)
            raise DataError(
                f"record {table.column('id')[row].as_py()!r}: {cells[row][:60]!r} is no file, as other records are",
                expected=f"a file that ends in {', '.join(endings(adapter))} in every row",
            )
        if any(named):
            found[name] = [folder / cell.strip() for cell in cells]
    return found


def table_of_files(files: Sequence[Path], *, paired: bool) -> pa.Table:
    """A raw table of files that were named one by one: a record each, or of two one record."""
    if not paired:
        return pa.table({"id": [path.name for path in files], "sequence": [str(path) for path in files]})
    if len(files) != 2:
        raise RecipeError(f"{len(files)} file(s) for a model that reads two", expected="the question, then the passage")
    one, two = files
    return pa.table({"id": [two.name], "sequence": [str(one)], "sequence_b": [str(two)]})


def _read(paths: Sequence[Path], adapter: Adapter) -> list[str]:
    """Each file once, however often it is named."""
    once = list(dict.fromkeys(paths))
    for path in once:
        if not path.is_file():
            raise DataError(f"{path} is not there", expected="a file that the table names", nearest=neighbour(path))
    transcribe: Any = adapter.transcribe  # pyright: ignore
    content = dict(zip(once, transcribe(once), strict=True))
    return [content[path] for path in paths]
