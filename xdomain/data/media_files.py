"""Records that are separate files, such as sound and music: a table names them and an adapter reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from xdomain.core.adapter_protocols import ReadsFiles
from xdomain.core.errors import DataError, RecipeError
from xdomain.core.paths import is_file, is_folder
from xdomain.core.progress import log
from xdomain.core.sequences import Adapter
from xdomain.data.sources import neighbour

ROLES = ("sequence", "sequence_b")
SKIPPED = b"files_skipped"


def endings(adapter: Adapter) -> tuple[str, ...]:
    """The suffixes of the files that `adapter` reads, in lower case with dots; none if its records are text."""
    return adapter.media if isinstance(adapter, ReadsFiles) else ()


def is_media(path: Path, adapter: Adapter) -> bool:
    """Whether `adapter` reads the file `path` as one record, judged by its suffix."""
    return path.suffix.lower() in endings(adapter)


def transcribed(table: pa.Table, adapter: Adapter, folder: Path, *, every: bool = False) -> pa.Table:
    """Replace the names of files in a table by their content; a table without such names stays the same.

    Parameters
    ----------
    table
        A raw table; ``sequence`` and ``sequence_b`` hold sequences or names of files.
    adapter
        Knows the suffixes of its files and encodes them.
    folder
        The folder of the table: relative paths start there.
    every
        Whether every row must be kept, even where the adapter may leave out files that cannot be read.

    Returns
    -------
    pa.Table
        Without the rows of files that the adapter left out; `files_skipped` tells how many these are.

    Raises
    ------
    DataError
        A file does not exist, or a row names no file where others of its column do; or all files are left out.
    """
    if not isinstance(adapter, ReadsFiles):
        return table
    skipped: dict[int, Path] = {}
    for name, paths in _columns(table, adapter, folder).items():
        content = _read(paths, adapter)
        skipped |= {row: path for row, (path, read) in enumerate(zip(paths, content, strict=True)) if read is None}
        column: Any = pa.array(content, pa.string())
        table = table.set_column(table.column_names.index(name), name, column)
    return _without(table, skipped, every) if skipped else table


def _without(table: pa.Table, skipped: Mapping[int, Path], every: bool) -> pa.Table:
    """The rows of `table` that are not `skipped`; how many these are is told, and noted in the metadata."""
    many, one = len(skipped), next(iter(skipped.values()))
    if every or many == table.num_rows:
        which = "none of the files" if many == table.num_rows else "not every file"
        raise DataError(f"{which} can be read: {many:,} cannot, the first is {one}", fix="leave them out")
    log.warning(f"{many:,} of {table.num_rows:,} records are left out, as their files cannot be read, such as {one}")
    kept = table.take([row for row in range(table.num_rows) if row not in skipped])
    return kept.replace_schema_metadata({**(kept.schema.metadata or {}), SKIPPED: str(many)})


def files_skipped(table: pa.Table) -> int:
    """How many rows `transcribed` left out of `table`."""
    return int((table.schema.metadata or {}).get(SKIPPED, b"0"))


def or_skip(error: DataError) -> DataError:
    """The `error` of a file that cannot be read, with the option ``skip_bad`` as one more way to fix it."""
    skip = "or leave such files out of a run: --set adapter.options.skip_bad=true"
    fix = f"{error.fix}; {skip}" if error.fix else skip.removeprefix("or ")
    return DataError(error.what, expected=error.expected, nearest=error.nearest, fix=fix)


def named_files(table: pa.Table, adapter: Adapter, folder: Path) -> list[Path]:
    """The files that `table` names for `adapter`, each once, in table order; relative paths start at `folder`."""
    return list(dict.fromkeys(path for paths in _columns(table, adapter, folder).values() for path in paths))


def file_columns(
    columns: Mapping[str, Sequence[str]], suffixes: tuple[str, ...], folder: Path, record: Callable[[int], str]
) -> dict[str, list[Path]]:
    """By column, the file of each row, for the columns that name files.

    Parameters
    ----------
    columns
        The cells of each column.
    suffixes
        Suffixes of the files, in lower case.
    folder
        Relative paths start there.
    record
        Returns the name of a row for error messages, given its number from 0.

    Raises
    ------
    DataError
        A file does not exist, or a row names no file where others of its column do.
    """
    files: dict[str, list[Path]] = {}
    for name, cells in columns.items():
        named = [cell.strip().lower().endswith(suffixes) for cell in cells]
        if not any(named):
            continue
        files[name] = [folder / cell.strip() for cell in cells]
        for row, (cell, is_named, path) in enumerate(zip(cells, named, files[name], strict=True)):
            if not is_named:
                raise DataError(
                    f"{record(row)}, column {name}: {cell[:60]!r} is no file, as other records are",
                    expected=f"a file that ends in {', '.join(suffixes)} in every row",
                )
            if not is_file(path):
                raise DataError(
                    f"{record(row)}, column {name}: {path} does not exist",
                    expected="a file; the paths in a table begin where the table lies",
                    nearest=_one_folder_down(folder, path.name) or neighbour(path),
                )
    return files


def _one_folder_down(folder: Path, name: str) -> str | None:
    """The file `name` in a folder in `folder`, as seen from there; None if there is none."""
    places = (entry / name for entry in sorted(folder.iterdir()) if entry.is_dir()) if is_folder(folder) else ()
    return next((str(place.relative_to(folder)) for place in places if is_file(place)), None)


def _columns(table: pa.Table, adapter: Adapter, folder: Path) -> dict[str, list[Path]]:
    if not endings(adapter):
        return {}
    cells: dict[str, list[str]] = {name: table[name].to_pylist() for name in ROLES if name in table.column_names}
    return file_columns(cells, endings(adapter), folder, lambda row: f"record {table['id'][row].as_py()!r}")


def table_of_files(files: Sequence[Path], *, paired: bool) -> pa.Table:
    """Make a raw table from files that were named one by one.

    Parameters
    ----------
    files
        One file per record; if `paired`, the two files of the only record: question, then passage.
    paired
        Whether the model reads two sequences per record.

    Raises
    ------
    RecipeError
        `paired`, and not two files.
    """
    if not paired:
        return pa.table({"id": [path.name for path in files], "sequence": [str(path) for path in files]})
    if len(files) != 2:
        raise RecipeError(f"{len(files)} file(s) for a model that reads two", expected="the question, then the passage")
    one, two = files
    return pa.table({"id": [two.name], "sequence": [str(one)], "sequence_b": [str(two)]})


def _read(paths: Sequence[Path], adapter: ReadsFiles) -> list[str | None]:
    """The content of each path; a file that is named several times is read once."""
    once = list(dict.fromkeys(paths))
    content = dict(zip(once, adapter.encode_files(once), strict=True))
    return [content[path] for path in paths]
