"""Load the raw table of a recipe, and make a recipe for a user's own file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from xdomain.core.adapter_protocols import ChecksRecords
from xdomain.core.choices import Problem
from xdomain.core.errors import DataError, RecipeError, unknown
from xdomain.core.plugins import Reader, readers
from xdomain.core.progress import log
from xdomain.core.recipe import Columns, Recipe, recipe_from
from xdomain.core.sequences import Adapter
from xdomain.data.assemble import constants_of, said
from xdomain.data.fasta import fasta_columns, raw_fasta, read_fasta
from xdomain.data.infer_columns import Guess, guess_columns
from xdomain.data.media_files import transcribed
from xdomain.data.read_file import read_text
from xdomain.data.sources import locate, neighbour
from xdomain.data.tables import raw_table, read_table
from xdomain.data.validate import check_variety, validated

CORE: Mapping[str, Reader] = {"table": read_table, "fasta": read_fasta}
METRICS: Mapping[Problem, list[str]] = {
    "classification": ["accuracy", "f1", "matthews_correlation"],
    "pair": ["accuracy", "f1", "matthews_correlation"],
    "regression": ["spearmanr", "pearsonr", "mse"],
    "tagging": ["accuracy", "f1"],
    "span": ["FF1", "AOS", "exact_match"],
}
"""Metrics for a user's own data, by problem. The first one decides."""
OVERLAP = 64
"""Symbols that two windows of a passage share in a user's own data, so that windows do not cut short answers."""


def reader_for(path: Path) -> str:
    """The name of the reader for `path`: ``fasta`` if the first character is '>', else ``table``."""
    return "fasta" if read_text(path).lstrip().startswith(b">") else "table"


def guess_file(
    path: Path, columns: Columns | None = None, problem: Problem | None = None, *, labelled: bool = True
) -> tuple[str, Guess]:
    """Guess the reader for a file and what its columns hold.

    Parameters
    ----------
    path
        A CSV, TSV or FASTA file, gzipped or not.
    columns
        Which column holds what; what is None is guessed.
    problem
        What the labels are; None is guessed.
    labelled
        Whether labels are needed.

    Returns
    -------
    tuple
        The name of the reader, ``table`` or ``fasta``, and the columns.
    """
    name = reader_for(path)
    columns = columns or Columns()
    table: pa.Table
    if name == "fasta":
        table = raw_fasta(path, label=columns.label or columns.tags, labelled=labelled)
        columns = fasta_columns(columns, labelled=labelled)
    else:
        table = raw_table(path)
    return name, guess_columns(table, columns, problem, where=str(path), labelled=labelled)


def load_table(recipe: Recipe, *, adapter: Adapter | None = None) -> pa.Table:
    """Load and check the data of a recipe, and log what the reader guessed.

    Parameters
    ----------
    recipe
        Its source, reader and problem; missing files are downloaded if possible.
    adapter
        Reads the files that the table names (sound, music) and may refuse records. None: file names are kept.

    Returns
    -------
    pa.Table
        The raw table of `xdomain.data.validate.validated`.

    Raises
    ------
    RecipeError
        There is no such reader, or it does not know an option.
    MissingError
        Files are missing and cannot be downloaded.
    DataError
        The data is damaged, or has fewer than two different targets.
    """
    offered = CORE if recipe.reader in CORE else {**CORE, **readers()}
    if recipe.reader not in offered:
        raise unknown("reader", recipe.reader, offered)
    options: dict[str, Any] = dict(recipe.reader_options)
    if recipe.reader in CORE:
        options |= {"columns": recipe.columns, "problem": recipe.problem}
    files = locate(recipe.source)
    try:
        table = offered[recipe.reader](files, **options)
    except TypeError as error:
        raise RecipeError(f"{recipe.name}: reader {recipe.reader}: {error}", fix="edit reader_options") from None
    for sentence in said(table):
        log.info(sentence)
    _vet(table, adapter)
    where = ", ".join(str(path) for path in files.values()) or recipe.name
    checked = validated(table, recipe.problem, where=where)
    check_variety(checked, recipe.problem, where)
    return transcribed(checked, adapter, next(iter(files.values()), Path()).parent) if adapter else checked


def load_file(
    file: Path,
    recipe: Recipe,
    adapter: Adapter,
    *,
    columns: Columns | None = None,
    paired: bool = False,
    labelled: bool = False,
) -> pa.Table:
    """Load the records of a file for a trained model, and log what the reader guessed.

    Parameters
    ----------
    file
        A CSV, TSV or FASTA file.
    recipe
        The recipe of the run; its columns are the default.
    adapter
        The adapter of the run.
    columns
        Which column holds what, where it differs from the recipe; None is as in the recipe, or guessed.
    paired
        Whether the model reads two sequences per record. The file must then have both.
    labelled
        Whether the file must have labels. If False, labels in the file are ignored.

    Raises
    ------
    RecipeError
        The file does not exist.
    DataError
        The file is damaged or lacks a column.
    """
    if not file.is_file():
        raise RecipeError(f"{file} does not exist", expected="a CSV, TSV or FASTA file", nearest=neighbour(file))
    name = reader_for(file)
    options = recipe.reader_options if name == recipe.reader else {}
    known = recipe.columns if recipe.reader in CORE else Columns()
    known = known.model_copy(update={"split": None, "fold": None})  # another file need not be split
    merged = known.model_copy(update={role: name for role, name in columns or () if name is not None})
    posed: Problem = "pair" if paired else "classification"
    if labelled or recipe.problem == "span":
        posed = recipe.problem
    try:
        table = CORE[name]({"data": file}, columns=merged, problem=posed, labelled=labelled, **options)
    except DataError as error:
        if recipe.reader in CORE:
            raise
        note = f"a CSV, TSV or FASTA file is read here, not what the run's own reader {recipe.reader} reads"
        fix = f"{error.fix}; {note}" if error.fix else note
        raise DataError(error.what, expected=error.expected, nearest=error.nearest, fix=fix) from None
    for sentence in said(table):
        log.info(sentence)
    _vet(table, adapter)
    if labelled:
        table = validated(table, posed, where=str(file))
    return transcribed(table, adapter, file.parent)


def own_recipe(
    file: Path, domain: str, *, columns: Columns | None = None, problem: Problem | None = None
) -> tuple[Recipe, tuple[str, ...]]:
    """Make a recipe for a plain file.

    Parameters
    ----------
    file
        A CSV, TSV or FASTA file.
    domain
        Name of the adapter.
    columns
        Which column holds what; what is None is guessed.
    problem
        What the labels are; None is guessed.

    Returns
    -------
    tuple
        The recipe, and one sentence per guess.
    """
    reader, guess = guess_file(file, columns, problem)
    posed = guess.problem or "classification"
    told = guess.columns
    rule = "fold" if told.fold else "given" if told.split else "group" if told.group else "random"
    return recipe_from(
        {
            "name": f"{domain}/{file.name.split('.')[0]}",
            "title": f"{file.name}",
            "source": {"files": {"data": str(file.resolve())}, "licence": "your own", "citation": str(file.name)},
            "reader": reader,
            "columns": told.model_dump(),
            "adapter": {"name": domain},
            "problem": posed,
            "split": {"rule": rule},
            "metrics": METRICS[posed],
            "train": {"window_overlap": OVERLAP} if posed == "span" else {},
        },
        where=str(file),
    ), guess.said


def _vet(table: pa.Table, adapter: Adapter | None) -> None:
    """Let the adapter refuse records that were made differently from how it makes them."""
    if isinstance(adapter, ChecksRecords):
        adapter.check_compatible(constants_of(table))
