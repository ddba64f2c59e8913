"""One's own data: a recipe for a file, a folder, files for each split, a data set of the hub, or records in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from xdomain.core.choices import DEFAULT_METRICS, Problem
from xdomain.core.errors import DataError, RecipeError
from xdomain.core.plugins import adapter_names, make_adapter, task_names, uses_tokenizer
from xdomain.core.progress import log
from xdomain.core.recipe import SPLITS, Columns, Recipe, recipe_from
from xdomain.data.formats.class_files import has_class_files, table_of_classes
from xdomain.data.formats.datasets_folder import is_datasets_folder, read_datasets_folder, read_hub
from xdomain.data.formats.intervals import with_sequences
from xdomain.data.formats.labels_file import with_labels
from xdomain.data.formats.media_folder import table_of_folder
from xdomain.data.formats.refused import READABLE
from xdomain.data.formats.registry import format_of
from xdomain.data.in_memory import data_file, stored
from xdomain.data.loading import guess_file
from xdomain.data.media_files import endings
from xdomain.data.sources import is_data, neighbour
from xdomain.data.validate import SPLIT_NAMES

OVERLAP = 64
"""Symbols that two windows of a passage share, so that few answers are cut."""
HUB = "hub:"
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
) -> Recipe:
    """Make a recipe for data of one's own, and log what was guessed.

    Parameters
    ----------
    data
        A file of any of `xdomain.data.formats.registry.FORMATS`; a folder of train, valid and test files, of a
        file per class, of sound or music files, or that ``datasets`` saved; ``hub:NAME``, a data set of the Hugging
        Face hub; a table in memory, or (sequences, labels); or any of these by the name of its split,
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

    Raises
    ------
    RecipeError
        A file does not exist, or the parts do not fit together.
    DataError
        A file cannot be read, or a column that is needed cannot be identified.
    """
    files, name = _files(data, domain, labels, genome)
    lead = files["train" if "train" in files else next(iter(files))]
    options = {"drop_incomplete": True} if drop_incomplete else {}
    kinds = {name: format_of(path) for name, path in files.items()} if len(files) > 1 else {}
    if len(set(kinds.values())) > 1:
        raise RecipeError(
            "files of several formats: " + ", ".join(f"{name} is {kind}" for name, kind in kinds.items()),
            expected="the same format for train, valid and test",
        )
    reader, guess = guess_file(lead, columns, problem)
    posed = guess.problem or "classification"
    for sentence in guess.said:
        log.info(sentence)
    given = guess.columns.split or "train" in files
    rule = "fold" if guess.columns.fold else "given" if given else "group" if guess.columns.group else "random"
    return recipe_from(
        {
            "name": f"{domain}/{name}",
            "title": name,
            "source": {"files": {role: str(path.resolve()) for role, path in files.items()}},
            "reader": reader,
            "reader_options": options,
            "columns": guess.columns.model_dump(),
            "adapter": {"name": domain},
            "problem": posed,
            "split": {"rule": rule},
            "metrics": DEFAULT_METRICS[posed],
            "train": {"window_overlap": OVERLAP} if posed == "span" else {},
        },
        where=str(lead),
    )


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
) -> str | Path | Recipe:
    """The given `task`, or a recipe for data of one's own.

    Parameters
    ----------
    task
        A task, or None with `data`; the path of a data file or a folder is taken for `data`.
    data, domain, columns, problem, labels, genome, drop_incomplete
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
        if any(option is not None for option in (domain, columns, problem, labels, genome)) or drop_incomplete:
            raise RecipeError(f"domain, columns, problem and the like for the task {task}", expected=ONE_OF_TWO)
        return task
    if domain is None:
        raise RecipeError(
            f"what does {data if isinstance(data, (str, Path)) else 'the data'} hold?",
            expected=f"the domain, one of {', '.join(adapter_names())}",
            fix="--domain NAME, or domain=… in Python",
        )
    return own_recipe(
        data,
        domain,
        columns=columns,
        problem=problem,
        labels=None if labels is None else Path(labels),
        genome=None if genome is None else Path(genome),
        drop_incomplete=drop_incomplete,
    )


def _names_data(task: str) -> bool:
    return task not in task_names() and is_data(task)


def _files(data: Any, domain: str, labels: Path | None, genome: Path | None) -> tuple[dict[str, Path], str]:
    """The files by the name of their split, or one called data; and what to call the task."""
    if isinstance(data, Mapping):
        files = {_split(str(name)): _file(part, domain, labels, genome) for name, part in data.items()}  # pyright: ignore
        if "train" not in files:
            raise RecipeError(f"{', '.join(files) or 'no files'}, but no train", expected="train, and valid or test")
        return files, _stem(files["train"])
    if isinstance(data, (str, Path)) and Path(data).is_dir() and (parts := _split_files(Path(data))):
        return {name: _file(path, domain, labels, genome) for name, path in parts.items()}, Path(data).resolve().name
    file = _file(data, domain, labels, genome)
    return {"data": file}, _stem(Path(data).resolve() if isinstance(data, (str, Path)) else file)


def _stem(path: Path) -> str:
    return path.name.split(".")[0] or "data"


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


def _file(data: Any, domain: str, labels: Path | None, genome: Path | None) -> Path:
    """One file that holds all, made where it must be: labels joined, intervals cut out, folders listed."""
    if not isinstance(data, (str, Path)):
        return data_file(data)
    if str(data).startswith(HUB):
        return stored(read_hub(str(data).removeprefix(HUB)), str(data).removeprefix(HUB).replace("/", "-"))
    path = Path(data)
    if genome is not None:
        return stored(with_sequences(path, genome), _stem(path))
    if path.is_dir():
        if is_datasets_folder(path):
            return stored(read_datasets_folder(path), path.resolve().name)
        if labels is None and has_class_files(path):
            return stored(table_of_classes(path), path.resolve().name)
        return stored(_media_table(path, domain, labels), path.resolve().name)
    if not path.is_file():
        raise RecipeError(f"{path} does not exist", expected=READABLE, nearest=neighbour(path))
    return path if labels is None else stored(with_labels(path, labels), _stem(path))


def _media_table(folder: Path, domain: str, labels: Path | None) -> pa.Table:
    """The sound or music files of a folder; they are named in full, as the table is kept elsewhere."""
    suffixes = () if uses_tokenizer(domain) else endings(make_adapter(domain, {}))
    if not any(path.suffix.lower() in suffixes for path in folder.rglob("*")):
        other = f", or files that end in {', '.join(suffixes)}" if suffixes else ""
        raise RecipeError(
            f"{folder} is a folder without such files",
            expected=f"files named train, valid and test in it, such as train.csv and test.csv{other}",
            fix=f"name a file: {READABLE}",
        )
    table = table_of_folder(folder, suffixes, labels)
    places: list[str] = [str((folder / name).resolve()) for name in table.column("sequence").to_pylist()]
    return table.set_column(table.column_names.index("sequence"), "sequence", pa.array(places, pa.string()))
