"""One's own data: a recipe for a file, a folder, files for each split, a data set of the hub, or records in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa

from xdomain.core.choices import DEFAULT_METRICS, NegativesHow, Problem
from xdomain.core.errors import DataError, RecipeError, unknown
from xdomain.core.overrides import Overrides, as_typed, overridden
from xdomain.core.paths import is_file, is_folder
from xdomain.core.plugins import (
    adapter_names,
    find_recipe,
    make_adapter,
    task_names,
    uses_tokenizer,
)
from xdomain.core.progress import log
from xdomain.core.recipe import MAX_NAME_LENGTH, NEGATIVES, SPLITS, Recipe, recipe_from
from xdomain.core.recipe_sections import Columns, columns_of
from xdomain.core.shared_run import HUB
from xdomain.data.column_names import LABEL, plain
from xdomain.data.formats.class_files import has_class_files, has_text_files, table_of_classes, table_of_texts
from xdomain.data.formats.datasets_folder import is_datasets_folder, read_datasets_folder, read_hub
from xdomain.data.formats.intervals import INTERVAL_OPTIONS, with_sequences
from xdomain.data.formats.labels_file import with_labels
from xdomain.data.formats.media_folder import table_of_folder
from xdomain.data.formats.refused import READABLE
from xdomain.data.formats.registry import format_of, raw_options_of
from xdomain.data.in_memory import EXPECTED, are_sequences, data_file, display_name, store_table
from xdomain.data.infer_columns import Guess
from xdomain.data.loading import guess_file, own_reading
from xdomain.data.media_files import endings
from xdomain.data.negatives.make import POSITIVE
from xdomain.data.sources import is_data, neighbour
from xdomain.data.validate import SPLIT_NAMES

OVERLAP = 64
"""Symbols that two windows of a passage share, so that few answers are cut."""
HEEDED = ("reader_options", "columns")
"""Changes to a recipe that are heeded before the guess."""
WITH_FILE = {"background": "a genome as FASTA", "proteins": "other proteins as FASTA"}
"""Ways to make negatives of a file, and what it holds."""
ONE_OF_TWO = "the name of a task, or data and its domain: --data FILE --domain dna, or data=… and domain=…"


def own_recipe(
    data: Any,
    domain: str,
    *,
    columns: Columns | None = None,
    problem: Problem | None = None,
    labels: Path | None = None,
    genome: Path | None = None,
    drop_incomplete: bool = False,
    negatives: str | None = None,
    overrides: Overrides = (),
) -> Recipe:
    """Make a recipe for data of one's own, and log what was guessed.

    Parameters
    ----------
    data
        A file of any of `xdomain.data.formats.registry.FORMATS`; a folder of train, valid and test files, of a
        file per class, of sound or music files, or that ``datasets`` saved; ``hub:NAME``, a data set of the Hugging
        Face hub; a table in memory, or (sequences, labels), or with `negatives` a list of
        sequences; or any of these by the name of its split,
        ``{"train": …, "test": …}``.
    domain
        Name of the adapter.
    columns
        Which column holds what; what is None is guessed.
    problem
        What the labels are; None is guessed.
    labels
        A table of ids and labels, for files that hold sequences, sounds or music alone.
    genome
        A FASTA file: `data` then holds intervals of it.
    drop_incomplete
        Leave out rows without a sequence or a label instead of refusing them.
    negatives
        For data of one class, how records of another are made: ``shuffled``, ``background=GENOME.fa`` (that of `genome`
        if none is named) or ``proteins=FILE.fasta``. Where there are no labels, all records are of one class.
    overrides
        Changes to the recipe, ``["key.sub=value", …]`` or ``{"key.sub": value}``. Those to ``reader_options``,
        ``columns`` and ``problem`` are heeded before anything is guessed. Of intervals, ``reader_options.one_based``
        says how a table counts.

    Raises
    ------
    RecipeError
        A file does not exist, or the parts do not fit together.
    DataError
        A file cannot be read, or a column that is needed cannot be identified.
    """
    changes = as_typed(overrides)
    told = overridden(Recipe, {}, changes)
    options: dict[str, Any] = dict(told.get("reader_options") or {})
    if drop_incomplete:
        options["drop_incomplete"] = True
    named: dict[str, str | list[str]] = {
        role: [str(one) for one in name] if isinstance(name, list) else str(name)
        for role, name in (told.get("columns") or {}).items() if name is not None
    }  # fmt: skip
    columns = columns_of({**named, **(columns.model_dump(exclude_none=True) if columns else {})})
    how, made_of = _negatives(negatives, told, genome)
    if how == "none" and are_sequences(data):
        raise DataError("a list of sequences, and no labels", expected=EXPECTED,
                        fix='data=(sequences, labels); or, where all are of one class, negatives="shuffled", '
                        '"background=GENOME.fa" (DNA) or "proteins=FILE.fasta"')  # fmt: skip
    files, name = _files(data, _Parts(domain, labels, genome, options))
    lead = files["train" if "train" in files else next(iter(files))]
    kinds = {name: format_of(path) for name, path in files.items()} if len(files) > 1 else {}
    if len(set(kinds.values())) > 1:
        raise RecipeError(
            "files of several formats: " + ", ".join(f"{name} is {kind}" for name, kind in kinds.items()),
            expected="the same format for train, valid and test",
        )
    problem = problem or told.get("problem")
    if problem is not None and problem not in get_args(Problem):
        raise unknown("problem", str(problem), get_args(Problem))
    others = [path for path in files.values() if path != lead]
    options = own_reading(domain, format_of(lead)) | options
    reader, guess = _guessed(lead, others, columns, problem, options, _suffixes(domain), of_one_class=how != "none")
    posed = guess.problem or "classification"
    if guess.separator:
        options.setdefault("label_separator", guess.separator)
    for sentence in guess.said:
        log.info(sentence)
    given = guess.columns.split or "train" in files
    rule = "fold" if guess.columns.fold else "given" if given else "group" if guess.columns.group else "random"
    return recipe_from(
        {
            "name": f"{domain}/{name}",
            "title": name if isinstance(data, (str, Path, Mapping)) else display_name(lead).removeprefix("the "),
            "source": {"files": {role: str(path.resolve()) for role, path in (files | made_of).items()}},
            "reader": reader,
            "reader_options": options,
            "columns": guess.columns.model_dump(),
            "adapter": {"name": domain},
            "problem": posed,
            "negatives": {"how": how},
            "split": {"rule": rule},
            "metrics": DEFAULT_METRICS[posed],
            "train": train_defaults(posed),
        },
        where=display_name(lead),
        overrides=[change for change in changes if not change.lstrip().startswith(HEEDED)],
    )


def train_defaults(problem: str) -> dict[str, Any]:
    """The options of training of a `problem` on data of one's own that differ from those of `Train`."""
    return {"window_overlap": OVERLAP} if problem == "span" else {}


def task_of(
    task: str | Path | Recipe | None,
    data: Any = None,
    domain: str | None = None,
    *,
    columns: Columns | None = None,
    problem: Problem | None = None,
    labels: str | Path | None = None,
    genome: str | Path | None = None,
    drop_incomplete: bool = False,
    negatives: str | None = None,
    overrides: Overrides = (),
) -> Recipe:
    """The recipe of a task, or one for data of one's own.

    Parameters
    ----------
    task
        The name of a task, a recipe file or a recipe, or None with `data`; the path of a data file or a folder is
        taken for `data`.
    data, domain, columns, problem, labels, genome, drop_incomplete, negatives, overrides
        See `own_recipe`.

    Raises
    ------
    RecipeError
        A task and data, neither of them, options of data with a task, or data without its domain.
    """
    if task is not None and not isinstance(task, Recipe) and data is None and _names_data(str(task)):
        task, data = None, task
    if (task is None) == (data is None):
        raise RecipeError("a task and data" if data is not None else "neither a task nor data", expected=ONE_OF_TWO)
    if task is not None:
        given = (domain, columns, problem, labels, genome, negatives)
        if any(option is not None for option in given) or drop_incomplete:
            raise RecipeError(f"domain, columns, problem and the like for the task {task}", expected=ONE_OF_TWO)
        return find_recipe(task, overrides)
    if domain is None:
        raise RecipeError(
            f"what does {data if isinstance(data, (str, Path)) else 'the data'} hold?",
            expected=f"the domain, one of {', '.join(adapter_names())}; tokens reads words or signs of any kind",
            fix="--domain NAME",
        )
    return own_recipe(
        data,
        domain,
        columns=columns,
        problem=problem,
        labels=None if labels is None else Path(labels),
        genome=None if genome is None else Path(genome),
        drop_incomplete=drop_incomplete,
        negatives=negatives,
        overrides=overrides,
    )


def _negatives(asked: str | None, told: Mapping[str, Any], genome: Path | None) -> tuple[str, dict[str, Path]]:
    """How negatives are made, and the file that they are made of by its name in the source."""
    by_key: Any = told.get(NEGATIVES) or {}
    if asked is None:
        return str(by_key.get("how") or "none"), {}
    how, _, file = asked.partition("=")
    if how not in WITH_FILE and how != "shuffled":
        raise unknown("way to make negatives", how, get_args(NegativesHow)[1:])
    if how == "shuffled" and file:
        raise RecipeError(f"negatives {asked!r}", expected="shuffled, of the records themselves, without a file")
    path = Path(file) if file else genome if how == "background" else None
    if how in WITH_FILE and path is None:
        raise RecipeError(f"negatives by {how}, but of what?", expected=WITH_FILE[how],
                          fix=f"--negatives {how}=FILE")  # fmt: skip
    if path is not None and not is_file(path):
        raise RecipeError(f"{path} does not exist", expected=WITH_FILE[how], nearest=neighbour(path))
    return how, {} if path is None else {NEGATIVES: path}


def _guessed(
    path: Path,
    others: Sequence[Path],
    columns: Columns,
    problem: Problem | None,
    options: dict[str, Any],
    suffixes: tuple[str, ...],
    *,
    of_one_class: bool,
) -> tuple[str, Guess]:
    """As `guess_file`; where negatives are made and there are no labels, `options` say that all are of one class."""
    if not of_one_class:
        return guess_file(path, columns, problem, options=options, suffixes=suffixes, others=others)
    if columns.label != "":
        try:
            found = guess_file(path, columns, problem, options=options, suffixes=suffixes, others=others)
            named = found[1].columns.label
            if columns.label or (isinstance(named, str) and plain(named) in LABEL):  # others may be descriptions
                return found
        except DataError:
            if columns.label:
                raise
    options["constant_label"] = POSITIVE
    found = guess_file(path, columns.model_copy(update={"label": "label"}), "classification",
                       options=options, suffixes=suffixes, others=others)  # fmt: skip
    log.info(f"label: every record is {POSITIVE!r}, as {'asked' if columns.label == '' else 'there are no labels'}")
    return found


def _names_data(task: str) -> bool:
    return task not in task_names() and is_data(task)


@dataclass(frozen=True)
class _Parts:
    """What is given beside the data; options that are used up in making a file of it are taken out of `options`."""

    domain: str
    labels: Path | None
    genome: Path | None
    options: dict[str, Any]


def _suffixes(domain: str) -> tuple[str, ...]:
    """The suffixes of the files that a domain reads; none if its records are text."""
    return () if uses_tokenizer(domain) else endings(make_adapter(domain, {}))


def _files(data: Any, parts: _Parts) -> tuple[dict[str, Path], str]:
    """The files by the name of their split, or one called data; and what to call the task."""
    if isinstance(data, Mapping):
        files = {_split(str(name)): _file(part, parts) for name, part in data.items()}  # pyright: ignore
        if "train" not in files:
            raise RecipeError(f"{', '.join(files) or 'no files'}, but no train", expected="train, and valid or test")
        return files, _stem(files["train"])
    if isinstance(data, (str, Path)) and is_folder(data) and (split := _split_files(Path(data))):
        return {name: _file(path, parts) for name, path in split.items()}, Path(data).resolve().name
    file = _file(data, parts)
    return {"data": file}, _stem(Path(data).resolve() if isinstance(data, (str, Path)) else file)


def _stem(path: Path) -> str:
    stem = path.name.split(".")[0].encode("utf-8", "replace")[:MAX_NAME_LENGTH]
    return stem.decode("utf-8", "ignore") or "data"


def _split(name: str) -> str:
    split = SPLIT_NAMES.get(name.lower(), "")
    if not split:
        raise RecipeError(f"data for the split {name!r}", expected=f"one of {', '.join(SPLITS)}")
    return split


def _split_files(folder: Path) -> dict[str, Path]:
    """The files of a folder that are named after splits: all three, or train and one more."""
    parts: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        split = SPLIT_NAMES.get(_stem(path).lower(), "") if path.is_file() else ""
        if split in parts:
            raise DataError(f"{folder} holds {parts[split].name} and {path.name}, both {split}", expected="one of them")
        if split:
            parts[split] = path
    return parts if "train" in parts and parts.keys() - {"train"} else {}


def _file(data: Any, parts: _Parts) -> Path:
    """One file that holds all, made where it must be: labels joined, intervals cut out, folders listed."""
    if not isinstance(data, (str, Path)):
        return data_file(data)
    if str(data).startswith(HUB):
        name = str(data).removeprefix(HUB)
        return store_table(read_hub(name), name.replace("/", "-"), str(data))
    path = Path(data)
    if parts.genome is not None:
        options = {name: parts.options.pop(name) for name in INTERVAL_OPTIONS if name in parts.options}
        return store_table(with_sequences(path, parts.genome, **options), _stem(path), str(path))
    if is_folder(path):
        return store_table(_table_of_folder(path, parts), path.resolve().name, str(path))
    if not is_file(path):
        raise RecipeError(f"{path} does not exist", expected=READABLE, nearest=neighbour(path))
    if parts.labels is None:
        return path
    form = format_of(path)
    options = raw_options_of(form, own_reading(parts.domain, form) | parts.options)
    for name in options:
        parts.options.pop(name, None)
    return store_table(with_labels(path, parts.labels, options), _stem(path), f"{path} with {parts.labels}")


def _table_of_folder(folder: Path, parts: _Parts) -> pa.Table:
    if is_datasets_folder(folder):
        return read_datasets_folder(folder)
    if parts.labels is None and has_class_files(folder):
        return table_of_classes(folder, prose=uses_tokenizer(parts.domain))
    suffixes = _suffixes(parts.domain)
    if not any(path.suffix.lower() in suffixes for path in folder.rglob("*")):
        if parts.labels is None and has_text_files(folder):
            return table_of_texts(folder, prose=uses_tokenizer(parts.domain))
        tables = sorted(str(path) for path in folder.iterdir() if path.suffix.lower() in (".csv", ".tsv", ".parquet"))
        other = f", or files that end in {', '.join(suffixes)}" if suffixes else ""
        raise RecipeError(
            f"{folder} is a folder without such files",
            expected=f"files named train, valid and test in it, such as train.csv and test.csv{other}",
            nearest=", ".join(tables[:3]) or None,
            fix=f"name a file: {READABLE}",
        )
    table = table_of_folder(folder, suffixes, parts.labels)  # files are named in full, as the table is kept elsewhere
    places: list[str] = [str((folder / name).resolve()) for name in table.column("sequence").to_pylist()]
    return table.set_column(table.column_names.index("sequence"), "sequence", pa.array(places, pa.string()))
