"""The cells of a study: each is one run, with a key made of everything that decides its outcome."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from xdomain.core.recipe import Recipe, recipe_from
from xdomain.core.recipe_sections import Negatives
from xdomain.core.run_dir import SCHEMA
from xdomain.model.token_mapping import is_drawn
from xdomain.study.config import RunSeeds
from xdomain.study.digests import OPTIONS

METADATA_FIELDS = ("title", "version", "notes", "published", "landmarks", "runtime")
"""Parts of a recipe that do not affect the result."""
LATER_COLUMNS = ("answer", "fold", "weight")
"""Columns that recipes of version 0.1 could not name: without them a key is what it was."""
LATER_KEYS = {
    "positive": None,
    "calibration": "none",
    "thresholds": "validation",
    "class_balance": "none",
    "negatives": Negatives().model_dump(mode="json"),
    "target": None,
}
"""Keys that recipes could not have before, and their values that change nothing."""
LATER_TRAIN = {"attention": "own", "decoder": "fresh", "beams": 1, "max_output": None, "steps_share": 1.0,
               "align_steps": 100}  # fmt: skip
"""The same of options of training."""
DIGITS = 16
SHORT = 1 / 3
"""The share of the steps that the short runs of a search by halving take, and of the rates that go on."""


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
    halving
        Whether the search begins with short runs.
    digests
        Of what the recipe names but does not contain: see `xdomain.study.digests.Digests.of`.
    """

    task: str
    arm: str
    fraction: float
    recipe: Recipe
    rates: tuple[float, ...]
    seeds: tuple[RunSeeds, ...]
    search_seeds: tuple[RunSeeds, ...]
    digests: Mapping[str, str]
    halving: bool = False
    _made: dict[Any, Cell] = field(default_factory=dict[Any, "Cell"], init=False, repr=False, compare=False)

    def cell(self, seeds: RunSeeds, rate: float | None, share: float = 1.0) -> Cell:
        """Make the cell of `seeds`, the learning `rate` and the `share` of the steps, or return it if made before.

        Its key is costly.
        """
        return self._made.setdefault((seeds, rate, share), Cell(self, seeds, rate, share))

    @property
    def fixed(self) -> bool:
        """Whether it has a single cell, as nothing that the study varies changes it."""
        return is_fixed(self.recipe) and self.splits == 1

    @property
    def splits(self) -> int:
        """The number of splits that its cells are run on."""
        return len({seeds.split for seeds in self.seeds})

    def searched(self, rates: Sequence[float] | None = None, share: float = 1.0) -> list[Cell]:
        """The cells that choose between `rates` (None: all) by runs of a `share` of the steps; none for one rate."""
        asked = self.rates if rates is None else rates
        return [self.cell(one, rate, share) for rate in asked for one in self.search_seeds] if asked[1:] else []

    @property
    def kept_rates(self) -> int:
        """How many rates have full runs in the search, if they are more than one."""
        return math.ceil(SHORT * len(self.rates)) if self.halving else len(self.rates)

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
        full = self.kept_rates if self.kept_rates > 1 else 0
        short = len(self.rates) if self.halving and self.rates[1:] else 0
        shared = len(set(self.seeds).intersection(self.search_seeds)) if full else 0
        return (short + full) * len(self.search_seeds) + len(self.seeds) - shared


@dataclass(frozen=True)
class Cell:
    """One run of a study.

    Parameters
    ----------
    condition
        What it is one cell of.
    rate
        The learning rate; None where the recipe does not fix one.
    share
        Of the steps of a full run.
    """

    condition: Condition
    seeds: RunSeeds
    rate: float | None
    share: float = 1.0

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe of the run."""
        recipe = self.condition.recipe
        mapping, seed, split_seed = self.seeds
        rated = {"cnn_rate": self.rate} if recipe.run.baseline else {}
        run = recipe.run.model_copy(update={"mapping_seed": mapping, "seed": seed, **rated})
        train = recipe.train
        if self.rate is not None and not recipe.run.baseline:
            train = train.model_copy(update={"learning_rate": self.rate, "steps_share": self.share})
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
        fraction = tree["split"].pop("fraction")
        if fraction < 1:  # written as before where it is drawn as before
            tree["split"] |= {"fraction": fraction} if tree["split"]["limit"] else {"limit": {"train": fraction}}
        if splits_as_before(self.recipe):
            for name in ("identity", "sides", "folds", "fold"):
                tree["split"].pop(name)
        for part, prefix in OPTIONS.items():
            for name in (name for name in self.condition.digests if name.startswith(prefix)):
                tree[part]["options"].pop(name.removeprefix(prefix))  # identified by its content, wherever it is now
        if self.recipe.run.baseline:
            tree.pop("train")
        identity = json.dumps({"schema": SCHEMA, **self.condition.digests, **tree}, sort_keys=True)
        return hashlib.sha256(identity.encode()).hexdigest()[:DIGITS]

    def __str__(self) -> str:
        rate = "" if self.rate is None else f", learning rate {self.rate:g}"
        rate += "" if self.share == 1 else f", {self.share:.2g} of the steps"
        share = "" if self.condition.fraction == 1 else f", {self.condition.fraction:g} of the training records"
        split = "" if self.seeds.split is None else f", split seed {self.seeds.split}"
        return (
            f"{self.condition.task}, {self.condition.arm}{share}{rate}, mapping seed {self.seeds.mapping}, "
            f"seed {self.seeds.seed}{split}"
        )


def effective_seeds(recipe: Recipe, seeds: RunSeeds) -> RunSeeds:
    """The `seeds` with 0 for a mapping seed or seed that does not change a run of `recipe`.

    k-mer counts depend on neither, and a mapping that is not random does not depend on the mapping seed.
    """
    mapping = seeds.mapping if mapping_is_drawn(recipe) else 0
    return RunSeeds(mapping, 0 if recipe.run.baseline == "kmer" else seeds.seed, seeds.split)


def pair_seeds(mine: RunSeeds, its: RunSeeds) -> RunSeeds:
    """The seeds of a pair of runs whose effective ones are `mine` and `its`: 0 for one that changes neither."""
    return RunSeeds(max(mine.mapping, its.mapping), max(mine.seed, its.seed), mine.split)


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
        tree.get("halving", False),
    )


def _seeds_of(tree: Mapping[str, Any], *names: str) -> tuple[RunSeeds, ...]:
    """Under the first of `names` that there is: the later ones are those of earlier versions."""
    name = next(name for name in names if name in tree)
    return tuple(RunSeeds(*seeds) for seeds in tree[name])
