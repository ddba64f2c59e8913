"""Load the raw table of a recipe, or of a file for a trained model; guess what a user's own file holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from xdomain.core.adapter_protocols import ChecksRecords, LearnsAlphabet
from xdomain.core.choices import Problem
from xdomain.core.errors import DataError, RecipeError, unknown
from xdomain.core.paths import is_file, nearby
from xdomain.core.plugins import has_whole_items, readers, reads_lines, uses_tokenizer
from xdomain.core.progress import log
from xdomain.core.recipe import NEGATIVES, Recipe
from xdomain.core.recipe_sections import Columns
from xdomain.core.sequences import Adapter
from xdomain.data.assemble import constants_of, said
from xdomain.data.column_names import PERHAPS_ID, plain
from xdomain.data.formats.refused import READABLE
from xdomain.data.formats.registry import FORMATS, format_of, options_of, own_columns, raw_file, raw_options_of, read
from xdomain.data.formats.tables import fitting_names
from xdomain.data.in_memory import display_name
from xdomain.data.infer_columns import Guess, guess_columns
from xdomain.data.media_files import transcribed
from xdomain.data.negatives.make import with_negatives
from xdomain.data.overlapping_kmers import without_overlap
from xdomain.data.sample import tell_apart
from xdomain.data.sources import locate, neighbour
from xdomain.data.tidy import DROP
from xdomain.data.validate import check_variety, validated
from xdomain.data.written_forms import in_plain_letters


def guess_file(
    path: Path,
    columns: Columns | None = None,
    problem: Problem | None = None,
    *,
    options: Mapping[str, Any] | None = None,
    suffixes: tuple[str, ...] = (),
    others: Sequence[Path] = (),
) -> tuple[str, Guess]:
    """Guess the reader for a file to learn from, and what its columns hold.

    Parameters
    ----------
    path
        A file of any of `xdomain.data.formats.registry.FORMATS`, compressed or not.
    columns
        Which column holds what; what is None is guessed.
    problem
        What the labels are; None is guessed.
    options
        Of the reader, as in a recipe.
    suffixes
        Of the files that the domain reads: a column of such names is taken for the sequences.
    others
        Further files of the same data, of which a column of ids that is guessed must hold, too.

    Returns
    -------
    tuple
        The name of the reader, and the columns.
    """
    reader = format_of(path)
    columns = own_columns(reader, columns or Columns())
    own = raw_options_of(reader, options or {})
    constant = (options or {}).get("constant_label")
    table = raw_file(reader, path, columns=columns, labelled=True, constant_label=constant, **own)
    guess = guess_columns(table, columns, problem, where=display_name(path), suffixes=suffixes, all_ids=True)
    name = guess.columns.id
    if others and name and not columns.id and plain(name) in PERHAPS_ID:
        tables = (raw_file(reader, other, columns=columns, labelled=True, constant_label=constant, **own)
                  for other in others)  # fmt: skip
        if not all(name in one.column_names and tell_apart(one.column(name).to_pylist()) for one in tables):
            guess = guess_columns(table, columns, problem, where=display_name(path), suffixes=suffixes)
    return reader, guess


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
    options: dict[str, Any] = dict(recipe.reader_options)
    offered = {} if recipe.reader in FORMATS else readers()
    if recipe.reader not in (*FORMATS, *offered):
        raise unknown("reader", recipe.reader, [*FORMATS, *offered])
    files, made_of = _files(recipe)
    if recipe.reader in FORMATS:
        table = read(recipe.reader, files, columns=recipe.columns, problem=recipe.problem, **options)
    else:
        try:
            table = offered[recipe.reader](files, **options)
        except TypeError as error:
            raise RecipeError(f"{recipe.name}: reader {recipe.reader}: {error}", fix="edit reader_options") from None
    table, undone = _in_one_piece(table, adapter)
    for sentence in (*said(table), *undone):
        log.info(sentence)
    _vet(table, adapter)
    where = ", ".join(nearby(display_name(path)) for path in files.values()) or recipe.name
    checked = validated(table, recipe.problem, where=where)
    if recipe.negatives.how != "none":
        checked = with_negatives(checked, recipe, files, made_of)
    check_variety(checked, recipe.problem, where)
    return transcribed(checked, adapter, next(iter(files.values()), Path()).parent) if adapter else checked


def _files(recipe: Recipe) -> tuple[dict[str, Path], Path | None]:
    """The files of the data, and the one that negatives are made of."""
    files = locate(recipe.source)
    return files, files.pop(NEGATIVES, None) if recipe.negatives.how != "none" else None


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
        A file of any of `xdomain.data.formats.registry.FORMATS`.
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
    asked = asked_of(file, recipe, columns=columns, paired=paired, labelled=labelled)
    try:
        table = read(
            asked.reader, {"data": file}, columns=columns, known=asked.known, problem=asked.problem,
            labelled=asked.labelled, **asked.options,
        )  # fmt: skip
    except DataError as error:
        raise explained(error, recipe) from None
    return made_ready(table, adapter, file.parent, set(), posed=asked.problem if labelled else None, where=str(file))


@dataclass(frozen=True)
class Asked:
    """How a file is read for a trained model.

    Parameters
    ----------
    reader
        A name among `xdomain.data.formats.registry.FORMATS`.
    options
        Those of the run's own reader, if it is the same.
    known
        The columns of the run's own data.
    problem
        What the labels are.
    labelled
        Whether the file must have labels.
    """

    reader: str
    options: Mapping[str, Any]
    known: Columns
    problem: Problem
    labelled: bool


def asked_of(
    file: Path, recipe: Recipe, *, columns: Columns | None = None, paired: bool = False, labelled: bool = False
) -> Asked:
    """How a file is read for a trained model.

    Parameters
    ----------
    file, recipe, columns, paired, labelled
        As for `load_file`.

    Raises
    ------
    RecipeError
        The file does not exist.
    """
    if not is_file(file):
        raise RecipeError(f"{file} does not exist", expected=READABLE, nearest=neighbour(file))
    single = not (labelled or paired or columns or recipe.problem == "span" or recipe.reader_options.get("names"))
    reader = format_of(file, lines=single and reads_lines(recipe.adapter.name))
    options = own_reading(recipe.adapter.name, reader)
    options |= _options_for(reader, recipe)
    options.pop("constant_label", None)  # which holds for the data of the run alone
    known = recipe.columns if recipe.reader in FORMATS else Columns()
    for_training = {role: getattr(known, role) for role in ("split", "fold", "weight")}
    known = known.model_copy(update=dict.fromkeys(for_training))
    if reader == "table" and not labelled and recipe.problem != "span" and options.get("names"):
        labels = {known.label} if isinstance(known.label, str) else {*(known.label or ())}
        spared = labels, {*labels, *filter(None, for_training.values())}
        placed = {name: options[name] for name in ("delimiter", "names", "skip") if name in options}
        options["names"] = fitting_names(file, **placed, spared=spared)
    posed: Problem = "pair" if paired else "classification"
    if labelled or recipe.problem == "span":
        posed = recipe.problem
    return Asked(reader, options, known, posed, labelled)


def _options_for(reader: str, recipe: Recipe) -> dict[str, Any]:
    """The options of the recipe's reader that hold for a file in the format of `reader`, perhaps another.

    Of another format those of all formats do, and those that the run's own format does not have, which were typed for
    this file.
    """
    if reader == recipe.reader:
        return dict(recipe.reader_options)
    own, common = options_of(reader)
    before = options_of(recipe.reader)[0] if recipe.reader in FORMATS else set[str]()
    return {name: option for name, option in recipe.reader_options.items() if name in common | (own - before)}


def own_reading(domain: str, reader: str) -> dict[str, Any]:
    """The defaults of options by which the `reader` writes records as the adapter of a `domain` reads them."""
    items: dict[str, Any] = {"item_blanks": "_"} if has_whole_items(domain) else {}
    return items | ({"merge": False} if reader == "units" and reads_lines(domain) else {})


def explained(error: DataError, recipe: Recipe) -> DataError:
    """The `error` of reading a file for the run of `recipe`, with a note where that has a reader of its own.

    What mends it is said as commands take it that read a file for a trained model.
    """
    if error.fix and DROP in error.fix:
        fix = error.fix.replace(DROP, "--set reader_options.drop_incomplete=true")
        return DataError(error.what, expected=error.expected, nearest=error.nearest, fix=fix)
    if recipe.reader in FORMATS:
        return error
    note = f"{READABLE} is read here, not what the run's own reader {recipe.reader} reads"
    fix = f"{error.fix}; {note}" if error.fix else note
    return DataError(error.what, expected=error.expected, nearest=error.nearest, fix=fix)


def made_ready(
    table: pa.Table, adapter: Adapter, folder: Path, told: set[str], *, posed: Problem | None = None, where: str = ""
) -> pa.Table:
    """Do what is left to do with a raw table before it is encoded for a trained model.

    Parameters
    ----------
    table
        As `xdomain.data.formats.registry.read` returns it.
    adapter
        That of the run.
    folder
        Where the file lies.
    told
        Sentences about the reading that were logged before; those logged now are added.
    posed
        What the labels are; None if there are none to check.
    where
        Name of the file in messages.
    """
    table, undone = _in_one_piece(table, adapter)
    for sentence in (*said(table), *undone):
        if sentence not in told:
            told.add(sentence)
            log.info(sentence)
    _vet(table, adapter)
    if posed is not None:
        table = validated(table, posed, where=where)
    return transcribed(table, adapter, folder)


def _in_one_piece(table: pa.Table, adapter: Adapter | None) -> tuple[pa.Table, list[str]]:
    """Undo k-mers and three-letter codes, where the adapter reads letters, not words; sentences for what was undone."""
    if adapter is None or uses_tokenizer(adapter.name) or isinstance(adapter, LearnsAlphabet):
        return table, []
    if not all(map(str.isalpha, adapter.alphabet.symbols[:4])):
        return table, []
    metadata = table.schema.metadata
    table, undone = without_overlap(table)
    table, rewritten = in_plain_letters(table, adapter.name)
    return table.replace_schema_metadata(metadata), undone + rewritten


def _vet(table: pa.Table, adapter: Adapter | None) -> None:
    """Let the adapter refuse records that were made differently from how it makes them."""
    if isinstance(adapter, ChecksRecords):
        adapter.check_compatible(constants_of(table))
