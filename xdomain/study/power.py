"""Which difference a study could show, before anything is run, and how many seeds a given one would take."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from xdomain.core.errors import RecipeError
from xdomain.core.recipe import Recipe
from xdomain.data.loading import load_table
from xdomain.data.negatives.make import split_with_negatives
from xdomain.metrics.heldout import number_groups
from xdomain.metrics.metrics import METRICS
from xdomain.study.arm_results import ArmResults, by_seeds, cell_pairs, paired_difference, standard_error_of
from xdomain.study.cells import Condition, effective_seeds, pair_seeds
from xdomain.study.config import Grid, RunSeeds
from xdomain.study.plan import StudyPlan
from xdomain.study.stats.estimate import detectable
from xdomain.study.stats.factors import layout
from xdomain.study.stats.standard_error import expected_standard_error

MAX_SEEDS = 200
"""With this many seeds a study is not feasible, so that no larger number is looked for."""
MIN_PAIRS = 3
"""So many pairs are needed to estimate how much pairs vary: of finished ones, and in a study."""


class Variation(NamedTuple):
    """How much the difference of two arms varies.

    Parameters
    ----------
    pairs
        The standard deviation between pairs of runs with other seeds and mappings, in units of the metric.
    records
        The standard deviation between test records, of the difference of a record, as averaged over runs: about the
        square root of the share of records that one arm gets right and the other does not.
    finished
        From how many finished pairs of runs both are estimated; 0 where they are assumed.
    """

    pairs: float
    records: float
    finished: int = 0


ASSUMED = Variation(0.05, 0.22)
"""Between what pairs of encoders varied by on dna/splice (in accuracy 0.013 to 0.030, and 0.06 to 0.13) and on 400
records of one's own (0.1 and more)."""


@dataclass(frozen=True)
class Power:
    """What a study can say of one difference.

    Parameters
    ----------
    fraction
        Of the training records, in (0, 1].
    pairs
        The number of pairs of runs in the plan.
    records
        The number of test records, or of groups where records come in groups.
    variation
        What the numbers rest on.
    detectable
        The smallest true difference of which the 95 % interval excludes 0 in four of five such studies, in units of the
        metric; NaN with a single pair, which has no test.
    seeds
        With how many seeds, 3 or more, the difference that was asked for would be detectable; None where none was asked
        for, and where not even `MAX_SEEDS` would do, as test records are too few.
    """

    task: str
    arm: str
    reference: str
    fraction: float
    metric: str
    pairs: int
    records: int
    variation: Variation
    detectable: float
    seeds: int | None = None


def power_of(study: StudyPlan, difference: float | None = None) -> tuple[Power, ...]:
    """Compute what the study could show of each difference to its reference arm.

    How much arms vary is estimated from finished cells where there are three pairs of them, else assumed (`ASSUMED`);
    where mappings and seeds are crossed, a third of the variance is attributed to each, and a third to the rest.

    Parameters
    ----------
    study
        The data of its tasks are read, for the number of test records.
    difference
        Above 0, in units of the metric: how many seeds would show it?

    Raises
    ------
    UserError
        The data of a task cannot be read, or `difference` is not above 0.
    """
    if difference is not None and not difference > 0:
        raise RecipeError(f"a difference of {difference:g}", expected="a number above 0, in units of the metric")
    for metric in dict.fromkeys(one.recipe.metrics[0] for one in study.conditions):
        low, high = METRICS[metric].possible
        if difference is not None and difference >= high - low:
            raise RecipeError(f"a difference of {difference:g} in {metric}", nearest=f"{difference / 100:g}",
                              expected=f"less than {high - low:g}, as values are from {low:g} to {high:g}")  # fmt: skip
    sizes: dict[tuple[str, float], SampleSize] = {}
    references = {
        (one.task, one.fraction): ArmResults.of(study, one)
        for one in study.conditions if one.arm == study.grid.reference_arm
    }  # fmt: skip
    rows: list[Power] = []
    for condition in study.conditions:
        place = condition.task, condition.fraction
        reference = references[place]
        if condition is not reference.condition:
            if place not in sizes:
                sizes[place] = records_of(condition.recipe)
            rows.append(_power(ArmResults.of(study, condition), reference, sizes[place], difference))
    return tuple(rows)


class SampleSize(NamedTuple):
    """By how many test records a run is judged.

    Parameters
    ----------
    units
        Their number, or that of their groups where records come in groups.
    overlap
        The number of test records divided by that of training records.
    """

    units: int
    overlap: float


def records_of(recipe: Recipe) -> SampleSize:
    """Read and split the data of `recipe`, and count test records; of all folds, where a run takes each in turn."""
    table, split = split_with_negatives(load_table(recipe), recipe.split, recipe.problem)
    every_fold = recipe.split.rule == "fold" and recipe.split.fold is None
    judged = split != "" if every_fold else split == "test"
    test, units = table.filter(judged), int(judged.sum())
    if "group" in table.column_names:
        units = int(number_groups(test).max(initial=-1)) + 1
    return SampleSize(units, test.num_rows / max(1, int((split == "train").sum())))


def variation_of(one: ArmResults, other: ArmResults) -> Variation | None:
    """Estimate how much the difference of two arms varies, from the pairs of their cells that are finished.

    Parameters
    ----------
    one, other
        The results of the two arms, on one task and share of the training records.

    Returns
    -------
    Variation or None
        None with fewer than three pairs.
    """
    pairs = cell_pairs(one.study, one, other)
    pairs = {seeds: cells for seeds, cells in pairs.items()
             if math.isfinite(one.value(cells[0]) - other.value(cells[1]))}  # fmt: skip
    if len(pairs) < MIN_PAIRS:
        return None
    values, draws = paired_difference(one, other, pairs)
    records = standard_error_of(draws, one.units) * math.sqrt(one.units)
    return Variation(float(np.nanstd(values, ddof=1)), records, len(pairs))


def smallest_detectable(variation: Variation, pairs: Collection[RunSeeds], test: SampleSize) -> float:
    """The smallest true difference that `pairs` of runs with these seeds would show in four of five studies.

    Parameters
    ----------
    variation
        How much their differences vary.
    pairs
        Seeds of the pairs; with several split seeds, each split has test records of its own.
    test
        How many each run is judged by.

    Returns
    -------
    float
        NaN with a single pair whose seeds matter, and with fewer than two test records.
    """
    arranged = layout(by_seeds(dict.fromkeys(pairs, 1.0)))
    over_records = variation.records / math.sqrt(test.units) if test.units > 1 else math.nan
    if len({seeds.split for seeds in pairs}) > 1:
        within = 0.0 if variation.finished else over_records  # finished pairs vary by their test records, too
        spread = expected_standard_error(arranged, math.hypot(variation.pairs, within), test.overlap)
        return detectable(spread) if spread.standard_error else math.nan
    spread = expected_standard_error(arranged, variation.pairs)
    if not math.isfinite(over_records) or not math.hypot(spread.standard_error, over_records):
        return math.nan
    return detectable(spread, over_records, units=test.units)


def _power(one: ArmResults, other: ArmResults, test: SampleSize, difference: float | None) -> Power:
    grid, condition, reference = one.study.grid, one.condition, other.condition
    fixed = condition.fixed and reference.fixed
    known = variation_of(one, other) or (ASSUMED._replace(pairs=0.0) if fixed else ASSUMED)

    def smallest(seeds: int | None = None) -> float:
        pairs = _pairs(grid if seeds is None else _with_seeds(grid, seeds), condition, reference)
        return math.nan if len(pairs) == 1 and not fixed else smallest_detectable(known, pairs, test)

    needed: int | None = None
    if difference is not None and math.isfinite(smallest(MAX_SEEDS)):
        place = bisect_left(range(MIN_PAIRS, MAX_SEEDS + 1), -difference, key=lambda seeds: -smallest(seeds))
        needed = MIN_PAIRS + place if MIN_PAIRS + place <= MAX_SEEDS else None
    return Power(
        condition.task, condition.arm, reference.arm, condition.fraction, condition.recipe.metrics[0],
        len(_pairs(grid, condition, reference)), test.units, known, smallest(), needed,
    )  # fmt: skip


def _pairs(grid: Grid, condition: Condition, reference: Condition) -> set[RunSeeds]:
    """The seeds of the pairs of runs that the two arms have, with 0 for a seed that changes neither."""
    pairs: set[RunSeeds] = set()
    for seeds in grid.run_seeds():
        pairs.add(pair_seeds(effective_seeds(condition.recipe, seeds), effective_seeds(reference.recipe, seeds)))
    return pairs


def _with_seeds(grid: Grid, seeds: int) -> Grid:
    """The same study with so many seeds, in a paired design with as many mapping and split seeds."""
    numbers = list(range(seeds))
    paired = {"mapping_seeds": numbers} if grid.design == "paired" else {}
    if grid.design == "paired" and isinstance(grid.split_seeds, list) and grid.split_seeds:
        paired["split_seeds"] = numbers
    return grid.model_copy(update={"seeds": numbers, **paired})
