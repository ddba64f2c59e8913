"""The records that a trained model reads: of a file, of sound or music files, or of sequences in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from xdomain.core.errors import RecipeError
from xdomain.core.paths import is_file
from xdomain.core.plugins import has_whole_items
from xdomain.core.recipe import Recipe
from xdomain.core.recipe_sections import Columns
from xdomain.core.sequences import Adapter
from xdomain.data.in_memory import table_of_sequences
from xdomain.data.media_files import endings, is_media, table_of_files, transcribed
from xdomain.data.pieces import Piece, load_pieces
from xdomain.data.sources import neighbour


def pieces_of(
    paths: Sequence[Path], recipe: Recipe, adapter: Adapter, *, columns: Columns | None = None, paired: bool = False
) -> Iterator[Piece]:
    """Read one file of records piece after piece, or sound or music files that are a record each.

    Parameters
    ----------
    paths
        The file, or the sound or music files that `adapter` reads.
    recipe, adapter, columns, paired
        As for `xdomain.data.pieces.load_pieces`.

    Raises
    ------
    RecipeError
        There are several files of records, or none, or one does not exist.
    DataError
        A record cannot be read.
    """
    if are_media(paths, adapter):
        return iter([Piece(transcribed(table_of_files(paths, paired=paired), adapter, Path()), 1.0)])
    if len(paths) == 1:
        return load_pieces(paths[0], recipe, adapter, columns=columns, paired=paired)
    if paths and (lost := next((path for path in paths if not is_file(path)), None)):
        folder = lost.is_dir()
        raise RecipeError(f"{lost} is a folder" if folder else f"{lost} does not exist",
                          expected="further runs before the file of records" if folder
                          else "a run folder, or a file of records", nearest=neighbour(lost))  # fmt: skip
    single = f", or files that end in {', '.join(endings(adapter))}" if endings(adapter) else ""
    raise RecipeError(f"{len(paths)} files of records", expected=f"one CSV, TSV or FASTA file{single}")


def records_in_memory(sequences: Sequence[Any], adapter: Adapter, *, paired: bool) -> pa.Table:
    """The raw table of `sequences`, which may be names of sound or music files that `adapter` reads; `paired`: pairs.

    Raises
    ------
    DataError
        There are none, one is not of the kind that the model reads, or a file cannot be read.
    """
    if has_whole_items(adapter.name) and not paired:
        sequences = [_joined(one) if isinstance(one, (list, tuple)) else one for one in sequences]
    return transcribed(table_of_sequences(sequences, paired=paired), adapter, Path(), every=True)


def _joined(items: Sequence[Any]) -> str:
    """A list of symbols as text, as those of files are read."""
    return " ".join(str(item).replace(" ", "_") for item in items)


def are_media(paths: Sequence[Path], adapter: Adapter) -> bool:
    """Whether `paths` are sound or music files that `adapter` reads, one or more."""
    return bool(paths) and all(is_media(path, adapter) for path in paths)
