"""What a study consists of: every arm on every task and share of the training records, each with its seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from xdomain.core.errors import RecipeError
from xdomain.core.plugins import find_recipe
from xdomain.core.progress import muted
from xdomain.core.recipe import ENCODER_FIELDS, Recipe, with_arm
from xdomain.core.recipe_sections import columns_of
from xdomain.data.own_data import task_of
from xdomain.metrics.heldout import check_comparable
from xdomain.metrics.metrics import check_metrics
from xdomain.study.cells import Condition, effective_seeds
from xdomain.study.config import Arm, Grid, LocalTask, RunSeeds
from xdomain.study.digests import Digests

DRAWN_SPLITS = ("random", "group", "cluster", "entity")
"""The rules by which another split seed gives other splits."""


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
    of_train = fraction * recipe.split.fraction
    recipe = recipe.model_copy(update={"split": recipe.split.model_copy(update={"fraction": of_train})})
    if grid.split_seeds and recipe.split.rule not in DRAWN_SPLITS:
        raise RecipeError(
            f"split_seeds: the splits of {recipe.name} are not drawn (split.rule: {recipe.split.rule})",
            expected=f"split.rule {', '.join(DRAWN_SPLITS[:-1])} or {DRAWN_SPLITS[-1]}",
            fix="set: {split.rule: random} in the study draws them anew; or no split_seeds",
        )
    seeds, search = (_distinct_seeds(recipe, grid.run_seeds(search=search)) for search in (False, True))
    rates = tuple(arm.learning_rates or ([] if arm.baseline else grid.learning_rates or _own_rate(recipe)))
    halving = grid.search.rule == "halving" and not arm.baseline
    return Condition(recipe.name, arm.label, fraction, recipe, rates, seeds, search, {}, halving)


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


def _distinct_seeds(recipe: Recipe, seeds: Iterator[RunSeeds]) -> tuple[RunSeeds, ...]:
    return tuple(dict.fromkeys(effective_seeds(recipe, one) for one in seeds))
