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
"""What one's own data is judged by; the first decides."""
OVERLAP = 64
"""Symbols that two windows of a passage share, so that answers of one's own data are cut by none."""


def reader_for(path: Path) -> str:
    """``fasta`` where the first character is '>', else ``table``."""
    return "fasta" if read_text(path).lstrip().startswith(b">") else "table"


def guess_file(
    path: Path, columns: Columns | None = None, problem: Problem | None = None, *, labelled: bool = True
) -> tuple[str, Guess]:
    """The reader that a file wants, and what its columns hold."""
    name = reader_for(path)
    told = columns or Columns()
    table: pa.Table
    if name == "fasta":
        table = raw_fasta(path, label=told.label or told.tags, labelled=labelled)
        told = fasta_columns(told, labelled=labelled)
    else:
        table = raw_table(path)
    return name, guess_columns(table, told, problem, where=str(path), labelled=labelled)


def load_table(recipe: Recipe, *, adapter: Adapter | None = None) -> pa.Table:
    """The checked raw table of a recipe's data, from which something can be learned; what had to be guessed is said.

    Where the table names files (of sound, of music), `adapter` reads them; None leaves the names.
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
    """The records of a file for a trained model.

    Parameters
    ----------
    file
        A CSV, TSV or FASTA file.
    recipe
        The recipe of the run.
    adapter
        The adapter of the run.
    columns
        Which column holds what, as far as it was given.
    paired
        Whether the model reads two sequences a record: the file must then have both.
    labelled
        Whether the file must have labels; False: any that it has are not looked at.
    """
    if not file.is_file():
        raise RecipeError(f"{file} does not exist", expected="a CSV, TSV or FASTA file", nearest=neighbour(file))
    name = reader_for(file)
    options = recipe.reader_options if name == recipe.reader else {}
    known = recipe.columns if recipe.reader in CORE else Columns()
    told = known.model_copy(update={role: name for role, name in columns or () if name is not None})
    posed: Problem = "pair" if paired else "classification"
    if labelled or recipe.problem == "span":
        posed = recipe.problem
    try:
        table = CORE[name]({"data": file}, columns=told, problem=posed, labelled=labelled, **options)
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
    """A recipe for a plain file, its columns and problem guessed where they are not told.

    Returns
    -------
    tuple
        The recipe, and one sentence a guess.
    """
    reader, guess = guess_file(file, columns, problem)
    posed = guess.problem or "classification"
    return recipe_from(
        {
            "name": f"{domain}/{file.name.split('.')[0]}",
            "title": f"{file.name}",
            "source": {"files": {"data": str(file.resolve())}, "licence": "your own", "citation": str(file.name)},
            "reader": reader,
            "columns": guess.columns.model_dump(),
            "adapter": {"name": domain},
            "problem": posed,
            "split": {"rule": "given" if guess.columns.split else "group" if guess.columns.group else "random"},
            "metrics": METRICS[posed],
            "train": {"window_overlap": OVERLAP} if posed == "span" else {},
        },
        where=str(file),
    ), guess.said


def _vet(table: pa.Table, adapter: Adapter | None) -> None:
    """Let an adapter refuse records that were made otherwise than it makes them."""
    if isinstance(adapter, ChecksRecords):
        adapter.check_compatible(constants_of(table))
