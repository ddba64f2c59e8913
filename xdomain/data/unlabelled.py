"""Records without labels, of any file that xdomain reads, as symbols: what a domain's own pre-training learns from."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xdomain.core.errors import DataError, RecipeError
from xdomain.core.paths import is_file, is_folder
from xdomain.core.progress import log
from xdomain.core.recipe import Recipe
from xdomain.core.recipe_sections import Columns
from xdomain.core.sequences import Adapter, Ragged, narrow, offsets_of
from xdomain.data.dataset import encode_column, warn_of_other
from xdomain.data.formats.media_folder import files_in
from xdomain.data.formats.refused import READABLE
from xdomain.data.media_files import endings, is_media
from xdomain.data.pieces import with_progress
from xdomain.data.records import pieces_of
from xdomain.data.sources import file_sha256, neighbour

LISTED = 20
"""Files that are described one by one; more are described together."""


def files_of(paths: Sequence[Path], adapter: Adapter) -> list[Path]:
    """List the files that `paths` name: a folder stands for the sound or music files in it that `adapter` reads.

    Raises
    ------
    RecipeError
        There is no path, or one does not exist.
    DataError
        A folder has no files of the domain.
    """
    if not paths:
        raise RecipeError("no file was named", expected=READABLE)
    files: list[Path] = []
    for path in paths:
        if is_folder(path):
            if not endings(adapter):
                raise RecipeError(f"{path} is a folder", expected=READABLE, fix=f"name its files: {path}/*")
            files += [path / name for name in files_in(path, endings(adapter))]
        elif is_file(path):
            files.append(path)
        else:
            raise RecipeError(f"{path} does not exist", expected=READABLE, nearest=neighbour(path))
    return files


def described(files: Sequence[Path]) -> list[dict[str, Any]]:
    """Name, size in bytes and sha256 of each of `files`, or of all together where there are more than `LISTED`.

    Raises
    ------
    DataError
        One cannot be read.
    """
    rows: list[dict[str, Any]] = []
    for file in files:
        try:
            rows.append({"name": file.name, "bytes": file.stat().st_size, "sha256": file_sha256(file)})
        except OSError as error:
            raise DataError(f"{file} cannot be read ({error.strerror})", expected=READABLE) from None
    if len(rows) <= LISTED:
        return rows
    whole = hashlib.sha256("".join(row["sha256"] for row in rows).encode()).hexdigest()
    name = f"{len(rows):,} files, such as {rows[0]['name']}"
    return [{"name": name, "bytes": sum(row["bytes"] for row in rows), "sha256": whole}]


def unlabelled(files: Sequence[Path], recipe: Recipe, adapter: Adapter, *, columns: Columns | None = None) -> Ragged:
    """Read and encode the records of files; labels are not looked at, and each record is kept once.

    What was guessed and left out is logged.

    Parameters
    ----------
    files
        As `files_of` returns them: files of records of any format, or sound or music files that are a record each.
    recipe
        Names options of the reader.
    adapter
        Encodes the records.
    columns
        Which column holds what; None is guessed.

    Returns
    -------
    Ragged
        The symbols of each record, in file order. Its counts are those of the adapter, and ``records_without_symbols``
        and ``repeated_records``, which are left out.

    Raises
    ------
    DataError
        A file or a record cannot be read, or no record has symbols.
    """
    tables = _tables(files, recipe, adapter, columns)
    symbols = _joined([encode_column(adapter, _sequences(one), one.column("id").to_pylist()) for one in tables])
    warn_of_other([symbols], adapter)
    kept, repeated = _first_of_each(symbols)
    empty = len(symbols) - len(kept) - repeated
    told = {"records_without_symbols": empty, "repeated_records": repeated}
    if not len(kept):
        raise DataError(f"no record of {files[0]}{' …' if len(files) > 1 else ''} has symbols",
                        expected="sequences to learn from")  # fmt: skip
    for name, count in told.items():
        if count:
            log.info(f"{count:,} of {len(symbols):,} records are left out: {name.replace('_', ' ')}")
    chosen = symbols if len(kept) == len(symbols) else symbols.take(kept)
    return Ragged(chosen.values, chosen.offsets, {**symbols.counts, **{k: n for k, n in told.items() if n}})


def raw_sequences(
    files: Sequence[Path], recipe: Recipe, adapter: Adapter, *, columns: Columns | None = None
) -> Iterator[pa.Array]:
    """Read the sequences of `files` as they stand there, many at once; `recipe`, `adapter` and `columns` are those of
    `unlabelled`.
    """
    return map(_sequences, _tables(files, recipe, adapter, columns))


def _tables(
    files: Sequence[Path], recipe: Recipe, adapter: Adapter, columns: Columns | None
) -> Iterator[pa.Table | pa.RecordBatch]:
    media = [path for path in files if is_media(path, adapter)]
    groups = [*([media] if media else []), *([path] for path in files if path not in set(media))]
    for group in groups:
        for piece in with_progress(pieces_of(group, recipe, adapter, columns=columns), "reading"):
            yield piece.table


def _sequences(table: pa.Table | pa.RecordBatch) -> pa.Array:
    column: Any = table.column("sequence")
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _joined(parts: Sequence[Ragged]) -> Ragged:
    """The records of all `parts`, with the sums of their counts."""
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part.counts)
    values = np.concatenate([np.empty(0, np.uint16), *(part.values for part in parts)])
    lengths = np.concatenate([np.empty(0, np.int64), *(part.lengths for part in parts)])
    return Ragged(narrow(values), offsets_of(lengths), dict(counts))


def _first_of_each(symbols: Ragged) -> tuple[NDArray[np.int64], int]:
    """The numbers of the records that have symbols and are not the same as one before; and how many are the same."""
    seen: dict[bytes, int] = {}
    repeated = 0
    for number, record in enumerate(symbols):
        if len(record):
            digest = hashlib.blake2b(record.tobytes(), digest_size=16).digest()
            repeated += seen.setdefault(digest, number) != number
    return np.fromiter(seen.values(), np.int64, len(seen)), repeated


def counted(counts: Mapping[str, int]) -> str:
    """What the adapter changed, from its `counts`: ``lower_case 12, folded 3``; nothing where nothing was changed."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
