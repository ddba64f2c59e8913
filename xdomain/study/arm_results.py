"""The finished cells of one arm on one task: their values, and what they would be on other test records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xdomain.core.choices import UNCOUNTED
from xdomain.core.errors import DamagedError
from xdomain.core.restore import AS_WRITTEN, REPEAT
from xdomain.core.run_dir import RESULT, read_history
from xdomain.metrics.heldout import HeldOutPredictions, load_held_out
from xdomain.metrics.learned import majority_baseline
from xdomain.metrics.no_answer import best_constant
from xdomain.study.cells import Cell, Condition, effective_seeds, pair_seeds
from xdomain.study.config import RunSeeds
from xdomain.study.plan import StudyPlan
from xdomain.study.stats.estimate import Estimate, mean_with_interval
from xdomain.study.stats.factors import Cells
from xdomain.study.stats.standard_error import ROUNDING

Place = tuple[str, float, str]
"""Task, share of the training records, arm."""
Pairs = dict[RunSeeds, tuple[Cell, Cell]]
"""By seeds, the cells of two arms, the reference's second."""


@dataclass(frozen=True)
class ArmResults:
    """The finished cells of a condition.

    Parameters
    ----------
    condition
        What they are of.
    cells
        Those that are finished, in the order of the condition's seeds.
    """

    study: StudyPlan
    condition: Condition
    cells: tuple[Cell, ...]

    @classmethod
    def of(cls, study: StudyPlan, condition: Condition) -> ArmResults:
        """Collect the finished cells of a `condition` of the `study`."""
        done = [cell for cell in study.final(condition) if study.store.state(cell.key) == "done"]
        return cls(study, condition, tuple(done))

    @property
    def metric(self) -> str:
        """The metric that decides: the task's first."""
        return self.condition.recipe.metrics[0]

    @cached_property
    def values(self) -> Cells:
        """The deciding metric on test by mapping seed, seed and split seed; NaN where no cell is finished."""
        unfinished = dict.fromkeys(self.condition.seeds, math.nan)
        return by_seeds(unfinished | {cell.seeds: self.value(cell) for cell in self.cells})

    @property
    def whole(self) -> bool:
        """Whether every cell is finished and has a value."""
        return len(self.cells) == len(self.condition.seeds) and all(math.isfinite(self.value(c)) for c in self.cells)

    def value(self, cell: Cell) -> float:
        """The deciding metric of the finished `cell` on test; NaN where it is not defined."""
        metrics: dict[str, Any] = self.study.store.result(cell.key)["metrics"]["test"]
        if self.metric not in metrics:
            path = self.study.store.run_folder(cell.key) / RESULT
            raise DamagedError(f"{path} is damaged (it has no {self.metric})", expected=AS_WRITTEN, fix=REPEAT)
        value = metrics[self.metric]["value"]
        return math.nan if value is None else float(value)

    @cached_property
    def judged(self) -> dict[str, HeldOutPredictions]:
        """Labels and scores of the test records, by the key of the cell."""
        return {cell.key: load_held_out(self.study.store.run_folder(cell.key)) for cell in self.cells}

    @property
    def units(self) -> int:
        """The number of test records of a cell, or of groups where records come in groups; 0 without a cell."""
        return next(iter(self.judged.values())).units if self.cells else 0

    @cached_property
    def overlap(self) -> float:
        """The number of test records of a cell divided by that of its training records; 0 where the split is one."""
        if self.condition.splits < 2 or not self.cells:
            return 0.0
        sizes: list[dict[str, int]] = [self.study.store.result(cell.key)["n"] for cell in self.cells]
        return sum(n["test"] for n in sizes) / sum(n["train"] for n in sizes)

    def mean(self, values: Cells, draws: NDArray[np.float64], **options: Any) -> Estimate:
        """The mean of `values` with its interval.

        Parameters
        ----------
        values
            By mapping seed, seed and split seed: values of this arm, or its differences to another.
        draws
            Shape (resamples,): their mean on resamples of the test records. Not used where splits vary, as the
            variation between cells then holds that of their test records.
        options
            Others of `xdomain.study.stats.estimate.mean_with_interval`.
        """
        if self.condition.splits > 1:
            return mean_with_interval(values, overlap=self.overlap, **options)
        return mean_with_interval(values, standard_error_of(draws, self.units), units=self.units, **options)

    @cached_property
    def constant(self) -> float:
        """The score of one constant answer for every test record (see `majority_baseline`); for spans, of random ones,
        or of none at all if that is better.

        The mean over splits, taken from the result of one cell each. If a result has no such value, it is computed,
        with the validation records in place of the training records, which are not kept. NaN where it is not known.
        """
        first = {cell.seeds.split: cell.key for cell in reversed(self.cells)}
        known = [self._constant(key) for key in first.values()]
        return float(np.mean(known)) if known and all(map(math.isfinite, known)) else math.nan

    def _constant(self, key: str) -> float:
        problem = self.condition.recipe.problem
        result = self.study.store.result(key)
        told = [(result.get(part) or {}).get("test") or {} for part in ("majority", "random_span")]
        known = [one.get(self.metric) for one in told]
        value = best_constant(self.metric, *known)
        if math.isfinite(value) or problem in UNCOUNTED:
            return value
        valid, test = load_held_out(self.study.store.run_folder(key), "valid"), self.judged[key]
        k = test.scores.shape[-1] if test.scores.ndim > 1 else None
        return majority_baseline(valid.labels, test.labels, [self.metric], problem, n_classes=k)[self.metric]

    @cached_property
    def draws(self) -> dict[str, NDArray[np.float64]]:
        """The deciding metric on resamples of the test records, the same for all cells, by the key of the cell."""
        return {key: predictions.resamples(self.metric) for key, predictions in self.judged.items()}

    def mean_draws(self, cells: Sequence[Cell]) -> NDArray[np.float64]:
        """Shape (resamples,): the mean of `draws` over `cells`, without those whose test value is not defined."""
        return np.mean([self.draws[cell.key] for cell in cells if math.isfinite(self.value(cell))], axis=0)

    def losses(self) -> tuple[tuple[int, float], ...]:
        """Steps with the mean training loss over cells, for the steps that all cells have."""
        curves: list[dict[int, float]] = []
        for cell in self.cells:
            rows = read_history(self.study.store.run_folder(cell.key))
            curves.append({row["step"]: row["loss"] for row in rows if row.get("loss") is not None})
        steps = sorted(set.intersection(*map(set, curves))) if curves else []
        return tuple((step, float(np.mean([curve[step] for curve in curves]))) for step in steps)


def by_seeds(values: Mapping[RunSeeds, float]) -> Cells:
    """Arrange `values` by mapping seed, seed and split seed, an axis each; NaN where there is no value."""
    levels = [list(dict.fromkeys(axis)) for axis in zip(*values, strict=True)]
    cells = np.full([len(level) for level in levels], np.nan)
    for seeds, value in values.items():
        cells[tuple(level.index(seed) for level, seed in zip(levels, seeds, strict=True))] = value
    return cells


def cell_pairs(study: StudyPlan, one: ArmResults, reference: ArmResults) -> Pairs:
    """Pair the cells of two arms that have the same seeds and the same test records.

    Parameters
    ----------
    study
        Its seeds say which cells belong together.
    one, reference
        The results of the two arms, on one task and share of the training records.

    Returns
    -------
    dict
        By seeds, with 0 for a seed that changes neither arm.
    """
    matches: Pairs = {}
    ours, theirs = ({cell.seeds: cell for cell in some.cells} for some in (one, reference))
    for seeds in study.grid.run_seeds():
        mine, its = effective_seeds(one.condition.recipe, seeds), effective_seeds(reference.condition.recipe, seeds)
        if mine in ours and its in theirs and _same_records(one, ours[mine], reference, theirs[its]):
            matches[pair_seeds(mine, its)] = ours[mine], theirs[its]
    return matches


def _same_records(one: ArmResults, mine: Cell, reference: ArmResults, its: Cell) -> bool:
    return one.judged[mine.key].has_records_of(reference.judged[its.key])


def paired_difference(one: ArmResults, reference: ArmResults, pairs: Pairs) -> tuple[Cells, NDArray[np.float64]]:
    """Subtract the reference's values from the other arm's.

    Parameters
    ----------
    one, reference
        The results of the two arms.
    pairs
        Their cells, as `cell_pairs` gives them; both values must be defined in at least one pair.

    Returns
    -------
    tuple of arrays
        The difference of each pair by mapping seed, seed and split seed, NaN where there is none; and the difference of
        the means over pairs on resamples of the test records, shape (resamples,).
    """
    values = by_seeds(
        {
            seeds: float(difference_but_rounding(np.array(one.value(mine)), np.array(reference.value(its))))
            for seeds, (mine, its) in pairs.items()
        }
    )
    both = [(a, b) for a, b in pairs.values() if math.isfinite(one.value(a) - reference.value(b))]
    mine, its = zip(*both, strict=True)
    return values, difference_but_rounding(one.mean_draws(mine), reference.mean_draws(its))


def difference_but_rounding(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """`one` minus `other`, elementwise; 0 where the two differ by rounding only."""
    rounding = ROUNDING * np.maximum(np.abs(one), np.abs(other))
    return np.where(np.abs(one - other) <= rounding, 0.0, one - other)


def standard_error_of(draws: NDArray[np.float64], units: int) -> float:
    """The standard error over test records, or over groups of them.

    A bootstrap of g units is too narrow by √(1 - 1 / g) (Davison & Hinkley 1997, §2.3); this is corrected here.

    Parameters
    ----------
    draws
        Shape (resamples,): the value on each resample, NaN where it is not defined.
    units
        The number of units of resampling.

    Returns
    -------
    float
        0 where the metric is defined on fewer than two resamples; NaN with fewer than two units.
    """
    known = draws[np.isfinite(draws)]
    if units < 2:
        return math.nan
    return float(known.std(ddof=1)) * math.sqrt(units / (units - 1)) if len(known) > 1 else 0.0
