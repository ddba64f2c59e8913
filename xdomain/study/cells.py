"""The cells of a study: each is one run, with a key made of everything that decides its outcome."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from xdomain.core.errors import RecipeError, UserError
from xdomain.core.paths import expanded
from xdomain.core.plugins import find_recipe, make_adapter, path_options, uses_tokenizer
from xdomain.core.progress import muted
from xdomain.core.recipe import (
    ENCODER_FIELDS,
    AdapterChoice,
    Negatives,
    Recipe,
    Source,
    columns_of,
    recipe_from,
    with_arm,
)
from xdomain.core.run_dir import SCHEMA
from xdomain.data.loading import load_table
from xdomain.data.media_files import endings, named_files
from xdomain.data.own_data import task_of
from xdomain.data.sources import data_home, digest, file_sha256, paths_of
from xdomain.metrics.heldout import check_comparable
from xdomain.metrics.metrics import check_metrics
from xdomain.model.checkpoints import shipped_folder
from xdomain.model.token_mapping import is_drawn
from xdomain.study.config import Arm, Grid, LocalTask, RunSeeds

OPTIONS = {"adapter": "option ", "target": "target option "}
"""In the digests of a recipe, the prefixes of options that name a file or a folder, by the part they are in."""
METADATA_FIELDS = ("title", "version", "notes", "published", "landmarks", "runtime")
"""Parts of a recipe that do not affect the result."""
LATER_COLUMNS = ("answer", "fold", "weight")
"""Columns that recipes of version 0.1 could not name: without them a key is what it was."""
DRAWN_SPLITS = ("random", "group", "cluster", "entity")
"""The rules by which another split seed gives other splits."""
LATER_KEYS = {
    "positive": None,
    "calibration": "none",
    "thresholds": "validation",
    "class_balance": "none",
    "negatives": Negatives().model_dump(mode="json"),
    "target": None,
}
"""Keys that recipes could not have before, and their values that change nothing."""
LATER_TRAIN = {"attention": "own", "decoder": "fresh", "beams": 1, "max_output": None}
"""The same of options of training."""
DIGITS = 16


def _named_options(choice: AdapterChoice | None) -> Mapping[str, Path]:
    """The options of an adapter that name an existing file or folder, such as a codebook."""
    if choice is None:
        return {}
    given = {name: str(choice.options[name]) for name in path_options(choice.name) if choice.options.get(name)}
    paths = {name: expanded(shipped_folder(value)) for name, value in given.items()}
    return {name: path for name, path in paths.items() if path.exists()}


class Digests:
    """Digests of files, folders and backbones, each computed once."""

    def __init__(self) -> None:
        self._files: dict[Path, str] = {}
        self._backbones: dict[str | None, str] = {}
        self._named: dict[str, str] = {}

    def of(self, recipe: Recipe) -> dict[str, str]:
        """Digest everything that `recipe` names but does not contain.

        Parameters
        ----------
        recipe
            Of one run.

        Returns
        -------
        dict
            Digests by what they are of: ``file ROLE`` for each data file, ``option NAME`` for each option that names a
            file or folder, ``named files`` for the files that a table lists, and ``backbone``. A file or backbone that
            does not exist has a text that begins with "absent", or the digest that its download must have.
        """
        digests = {f"file {role}": self._file(recipe.source, role) for role in recipe.source.files}
        for part, prefix in OPTIONS.items():
            named = _named_options(getattr(recipe, part))
            digests |= {f"{prefix}{name}": _content(path) for name, path in named.items()}
        digests |= self._media(recipe)
        if not recipe.run.baseline or uses_tokenizer(recipe.adapter.name):
            digests["backbone"] = self._backbone(recipe.run.backbone)
        return digests

    def _file(self, source: Source, role: str) -> str:
        path = paths_of(source)[role]
        if not path.is_file():  # its cells fetch it when they are run, or report that it is missing
            return source.downloads[role].sha256 if role in source.downloads else "absent"
        if path not in self._files:
            self._files[path] = file_sha256(path)
        return self._files[path]

    def _media(self, recipe: Recipe) -> dict[str, str]:
        """One digest over all files that the rows of a table name; none where the table itself does not exist yet."""
        there = all(path.is_file() for path in paths_of(recipe.source).values())
        if uses_tokenizer(recipe.adapter.name) or not there:
            return {}
        try:
            adapter = make_adapter(recipe.adapter.name, recipe.adapter.options)
            if not endings(adapter):
                return {}
            source = recipe.model_dump_json(include={"source", "reader", "reader_options", "columns", "problem"})
            if source not in self._named:
                with muted():
                    table = load_table(recipe)
                files = named_files(table, adapter, _folder(recipe.source))
                self._named[source] = digest({str(i): path for i, path in enumerate(files)}) if files else ""
        except UserError:  # its cells report the reason when they are run
            return {"named files": "absent"}
        return {"named files": self._named[source]} if self._named[source] else {}

    def _backbone(self, name: str | None) -> str:
        from xdomain.model.backbone import load_backbone, quiet_loading  # which loads torch
        from xdomain.model.vocabulary import Vocabulary

        if name not in self._backbones:
            try:
                with quiet_loading():
                    backbone = load_backbone(name)
                self._backbones[name] = backbone.sha256 + Vocabulary.of(backbone.tokenizer).sha256
            except UserError:  # its cells report the reason when they are run
                self._backbones[name] = f"absent {name}"
        return self._backbones[name]


def _content(path: Path) -> str:
    if path.is_file():
        return file_sha256(path)
    return digest({str(file.relative_to(path)): file for file in path.rglob("*") if file.is_file()})


def _folder(source: Source) -> Path:
    return next(iter(paths_of(source).values()), data_home()).parent


@dataclass(frozen=True)
class Condition:
    """One arm on one task, trained on one share of its training records: its cells differ only in seeds and rate.

    Parameters
    ----------
    fraction
        Of the training records, in (0, 1].
    recipe
        Of all its cells, except for seeds and learning rate.
    rates
        The learning rates to choose from; empty where there is nothing to choose: for a baseline without any, and where
        each run takes the rate of its backbone.
    seeds, search_seeds
        The seeds of its cells, and of the cells that choose the rate.
    digests
        Of what the recipe names but does not contain: see `Digests.of`.
    """

    task: str
    arm: str
    fraction: float
    recipe: Recipe
    rates: tuple[float, ...]
    seeds: tuple[RunSeeds, ...]
    search_seeds: tuple[RunSeeds, ...]
    digests: Mapping[str, str]
    _made: dict[Any, Cell] = field(default_factory=dict[Any, "Cell"], init=False, repr=False, compare=False)

    def cell(self, seeds: RunSeeds, rate: float | None) -> Cell:
        """Make the cell of `seeds` and the learning `rate`, or return it if made before: its key is costly."""
        return self._made.setdefault((seeds, rate), Cell(self, seeds, rate))

    @property
    def fixed(self) -> bool:
        """Whether it has a single cell, as nothing that the study varies changes it."""
        return is_fixed(self.recipe) and self.splits == 1

    @property
    def splits(self) -> int:
        """The number of splits that its cells are run on."""
        return len({seeds.split for seeds in self.seeds})

    def searched(self) -> list[Cell]:
        """The cells that choose the rate; none where there is nothing to choose."""
        return [self.cell(one, rate) for rate in self.rates for one in self.search_seeds] if self.rates[1:] else []

    def final(self, rate: float | None) -> list[Cell]:
        """The cells that are judged on test, at the chosen learning `rate` (None: each run's own)."""
        return [self.cell(one, rate) for one in self.seeds]

    def possible(self) -> list[Cell]:
        """Every cell that the condition can have, whichever rate is chosen."""
        every = dict.fromkeys((*self.search_seeds, *self.seeds))
        return [self.cell(one, rate) for rate in self.rates or (None,) for one in every]

    @property
    def most_cells(self) -> int:
        """The number of cells; those of the search at the chosen rate are not counted twice."""
        shared = len(set(self.seeds).intersection(self.search_seeds)) if self.rates[1:] else 0
        searched = len(self.rates) * len(self.search_seeds) if self.rates[1:] else 0
        return searched + len(self.seeds) - shared


@dataclass(frozen=True)
class Cell:
    """One run of a study.

    Parameters
    ----------
    setting
        Its condition.
    rate
        The learning rate; None where the recipe does not fix one.
    """

    setting: Condition
    seeds: RunSeeds
    rate: float | None

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe of the run."""
        recipe = self.setting.recipe
        mapping, seed, split_seed = self.seeds
        rated = {"cnn_rate": self.rate} if recipe.run.baseline else {}
        run = recipe.run.model_copy(update={"mapping_seed": mapping, "seed": seed, **rated})
        train = recipe.train
        if self.rate is not None and not recipe.run.baseline:
            train = train.model_copy(update={"learning_rate": self.rate})
        split = recipe.split if split_seed is None else recipe.split.model_copy(update={"seed": split_seed})
        return recipe.model_copy(update={"run": run, "train": train, "split": split})

    @cached_property
    def key(self) -> str:
        """Equal for two cells if and only if they are the same run of the same data with the same backbone."""
        return self._key(exclude={"name"})

    @cached_property
    def former_key(self) -> str:
        """The `key` in stores of version 0.1, which depended on the name of the task."""
        return self._key(exclude=set())

    def _key(self, *, exclude: set[str]) -> str:
        tree = self.recipe.model_dump(mode="json", exclude=set(METADATA_FIELDS) | {"source"} | exclude)
        tree["columns"] = {role: name for role, name in tree["columns"].items() if name or role not in LATER_COLUMNS}
        tree["train"].pop("report_to")
        tree["run"].pop("backbone")
        if tree["run"]["cnn_rate"] is None:
            tree["run"].pop("cnn_rate")
        for part, later in ((tree, LATER_KEYS), (tree["train"], LATER_TRAIN)):
            for name, default in later.items():
                if part[name] == default:
                    part.pop(name)
        if splits_as_before(self.recipe):
            for name in ("identity", "sides", "folds", "fold"):
                tree["split"].pop(name)
        for part, prefix in OPTIONS.items():
            for name in (name for name in self.setting.digests if name.startswith(prefix)):
                tree[part]["options"].pop(name.removeprefix(prefix))  # identified by its content, wherever it is now
        if self.recipe.run.baseline:
            tree.pop("train")
        identity = json.dumps({"schema": SCHEMA, **self.setting.digests, **tree}, sort_keys=True)
        return hashlib.sha256(identity.encode()).hexdigest()[:DIGITS]

    def __str__(self) -> str:
        rate = "" if self.rate is None else f", learning rate {self.rate:g}"
        share = "" if self.setting.fraction == 1 else f", {self.setting.fraction:g} of the training records"
        split = "" if self.seeds.split is None else f", split seed {self.seeds.split}"
        return (
            f"{self.setting.task}, {self.setting.arm}{share}{rate}, mapping seed {self.seeds.mapping}, "
            f"seed {self.seeds.seed}{split}"
        )


def conditions_of(grid: Grid) -> tuple[Condition, ...]:
    """Every arm on every task and share of the training records, in the order of the study file.

    Parameters
    ----------
    grid
        The study.

    Raises
    ------
    UserError
        A task, an arm or a change is impossible, or there are more cells than ``grid.max_cells``.
    """
    by_task = [
        [_condition(grid, task, arm, fraction) for fraction in grid.fractions for arm in grid.arms]
        for task in grid.tasks
    ]
    cells = sum(condition.most_cells for its in by_task for condition in its)
    if cells > grid.max_cells:
        axes = f"{len(grid.tasks)} tasks × {len(grid.arms)} arms × {len(list(grid.run_seeds()))} seeds"
        raise RecipeError(
            f"{cells:,} cells ({axes} and a search over {len(grid.learning_rates)} learning rates)",
            expected=f"{grid.max_cells:,} at most",
            fix=f"fewer seeds, or max_cells: {cells}",
        )
    digests = Digests()  # of large files and models: only now
    names = _task_names(grid.tasks, [its[0].task for its in by_task])
    return tuple(
        replace(condition, task=name, digests=digests.of(condition.recipe))
        for name, its in zip(names, by_task, strict=True)
        for condition in its
    )


def _task_names(tasks: Sequence[str | LocalTask], names: Sequence[str]) -> list[str]:
    """The `names` of the recipes of `tasks`, or those given; where several are equal, with what tells them apart."""
    given = [
        task.name or name if isinstance(task, LocalTask) else name for task, name in zip(tasks, names, strict=True)
    ]
    described = [task.described if isinstance(task, LocalTask) else task for task in tasks]
    apart = [
        f"{name} ({about})" if given.count(name) > 1 else name for name, about in zip(given, described, strict=True)
    ]
    return [f"{name} [{place}]" if apart.count(name) > 1 else name for place, name in enumerate(apart, 1)]


def _condition(grid: Grid, task: str | LocalTask, arm: Arm, fraction: float) -> Condition:
    """One condition, as yet without digests."""
    recipe = _recipe(task, {**grid.set, **arm.set})
    options: dict[str, Any] = {"baseline": arm.baseline}
    if not arm.baseline:
        options |= {"init": arm.init, "transfer": arm.transfer, "tune": arm.tune, "mapping": arm.mapping}
        options |= {"backbone": arm.backbone or grid.backbone}
    elif recipe.run.baseline is None:
        plain = recipe.run.model_dump(exclude=set(ENCODER_FIELDS))
        recipe = recipe.model_copy(update={"run": type(recipe.run)(**plain)})
    recipe = with_arm(recipe, options)
    check_metrics(recipe.metrics, recipe.problem)
    check_comparable(recipe.metrics[0], recipe.problem)
    if fraction < 1:
        limit = recipe.split.limit | {"train": fraction}
        recipe = recipe_from(recipe.model_dump(mode="json"), where=recipe.name, overrides={"split.limit": limit})
    if grid.split_seeds and recipe.split.rule not in DRAWN_SPLITS:
        raise RecipeError(
            f"split_seeds: the splits of {recipe.name} are not drawn (split.rule: {recipe.split.rule})",
            expected=f"split.rule {', '.join(DRAWN_SPLITS[:-1])} or {DRAWN_SPLITS[-1]}",
            fix="set: {split.rule: random} in the study draws them anew; or no split_seeds",
        )
    seeds, search = (_distinct_seeds(recipe, grid.run_seeds(search=search)) for search in (False, True))
    rates = tuple(arm.learning_rates or ([] if arm.baseline else grid.learning_rates or _own_rate(recipe)))
    return Condition(recipe.name, arm.label, fraction, recipe, rates, seeds, search, {})


def _own_rate(recipe: Recipe) -> tuple[float, ...]:
    rate = recipe.train.learning_rate
    return () if rate is None else (rate,)


def _recipe(task: str | LocalTask, changes: Mapping[str, Any]) -> Recipe:
    if isinstance(task, str):
        return find_recipe(task, changes)
    with muted():  # the guesses would be said once per arm
        return task_of(
            None, task.data, task.domain, columns=columns_of(task.columns), problem=task.problem, labels=task.labels,
            genome=task.genome, drop_incomplete=task.drop_incomplete, negatives=task.negatives,
            overrides={**task.set, **changes},
        )  # fmt: skip


def effective_seeds(recipe: Recipe, seeds: RunSeeds) -> RunSeeds:
    """The `seeds` with 0 for a mapping seed or seed that does not change a run of `recipe`.

    k-mer counts depend on neither, and a mapping that is not random does not depend on the mapping seed.
    """
    mapping = seeds.mapping if mapping_is_drawn(recipe) else 0
    return RunSeeds(mapping, 0 if recipe.run.baseline == "kmer" else seeds.seed, seeds.split)


def is_fixed(recipe: Recipe) -> bool:
    """Whether a run of `recipe` gives the same result for all seeds and mapping seeds."""
    return effective_seeds(recipe, RunSeeds(1, 1)) == RunSeeds(0, 0)


def mapping_is_drawn(recipe: Recipe) -> bool:
    """Whether the mapping seed changes a run of `recipe`."""
    return is_drawn(recipe.run.mapping) and not recipe.run.baseline


def splits_as_before(recipe: Recipe) -> bool:
    """Whether `recipe` splits records as before there were the options identity, sides, folds and fold.

    If so, cells that were finished then still count. Classes at random are drawn differently since.
    """
    stratified = recipe.problem in ("classification", "pair")
    return recipe.split.rule in ("given", "group") or (recipe.split.rule == "random" and not stratified)


def _distinct_seeds(recipe: Recipe, seeds: Iterator[RunSeeds]) -> tuple[RunSeeds, ...]:
    return tuple(dict.fromkeys(effective_seeds(recipe, one) for one in seeds))


def to_dict(condition: Condition) -> dict[str, Any]:
    """The `condition` as a JSON object, for `from_dict`."""
    tree = {part.name: getattr(condition, part.name) for part in fields(condition) if part.init}
    return {**tree, "digests": dict(condition.digests), "recipe": condition.recipe.model_dump(mode="json")}


def from_dict(tree: Mapping[str, Any]) -> Condition:
    """The condition of a `tree` that `to_dict` returned, or version 0.1 wrote."""
    return Condition(
        tree["task"],
        tree["arm"],
        tree["fraction"],
        recipe_from(tree["recipe"], where=tree["task"]),
        tuple(tree["rates"]),
        _seeds_of(tree, "seeds", "seed_pairs", "draws"),
        _seeds_of(tree, "search_seeds", "search_pairs", "search_draws"),
        tree["digests"],
    )


def _seeds_of(tree: Mapping[str, Any], *names: str) -> tuple[RunSeeds, ...]:
    """Under the first of `names` that there is: the later ones are those of earlier versions."""
    name = next(name for name in names if name in tree)
    return tuple(RunSeeds(*seeds) for seeds in tree[name])
