"""What weakens a comparison: arms that did not learn, cells made with different software or other test records."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from xdomain.core.choices import OF_VALUES
from xdomain.metrics.learned import not_above, not_learned, of_losses, one_answer
from xdomain.metrics.metrics import METRICS, lacking
from xdomain.study.arm_results import ArmResults, Place, standard_error_of
from xdomain.study.cells import Cell
from xdomain.study.plan import StudyPlan

NORMAL = 1.96
ONE = {"multilabel": "set of labels", "sequence": "output"}
"""What is the same in all answers of a model that did not learn, where that is neither a class nor a value."""
VERSIONS = ("xdomain", "torch", "transformers")


def why_not_learned(series: ArmResults) -> str | None:
    """Why the finished cells of an arm, taken together, have not shown that they learned.

    An interval over test records alone decides whether their mean is better than a constant answer: the question is
    about these models, not about other seeds.

    Parameters
    ----------
    series
        The results of the arm.

    Returns
    -------
    str or None
        The end of a sentence that begins with the arm; None where they have learned, or no cell is finished.
    """
    if not series.cells:
        return None
    problem, losses = series.condition.recipe.problem, [loss for _, loss in series.losses()]
    judged = [series.judged[cell.key] for cell in series.cells]
    if all(one_answer(one.labels, one.scores, problem) for one in judged):
        first = judged[0]
        if len(judged) == 1:
            names: list[str] = series.study.store.result(series.cells[0].key)["classes"]
            return not_learned(first.labels, first.scores, problem, series.metric, losses=losses, classes=names)
        thing = ONE.get(problem, "value" if problem in OF_VALUES else "class")
        what = f"{len(first):,} test records with one and the same {thing}"
        return f"answers all {what} in each of its {len(judged)} cells{of_losses(losses)}"
    known = [cell for cell in series.cells if math.isfinite(series.value(cell))]
    if not known:
        return not_above(series.metric, math.nan, problem=problem)
    value = float(np.mean([series.value(cell) for cell in known]))
    error = NORMAL * standard_error_of(series.mean_draws(known), series.units)
    low = value - error if METRICS[series.metric].higher_is_better else value + error
    unanswered = problem == "span" and bool(lacking(judged[0].labels).any())
    return not_above(
        series.metric, value, problem=problem, constant=series.constant, low=low, losses=losses, unanswered=unanswered
    )


def cells_not_learned(series: ArmResults) -> list[Cell]:
    """The finished cells of `series` that answer with one class or value, or are not better than a constant answer."""
    return [cell for cell in series.cells if _is_unlearned(series, cell)]


def _is_unlearned(series: ArmResults, cell: Cell) -> bool:
    judged, problem = series.judged[cell.key], series.condition.recipe.problem
    if one_answer(judged.labels, judged.scores, problem):
        return True
    return not_above(series.metric, series.value(cell), problem=problem, constant=series.constant) is not None


def mixed(series: Mapping[Place, ArmResults]) -> tuple[str, ...]:
    """Versions and number formats that differ between the cells of one task.

    Parameters
    ----------
    series
        The results of all arms of the study.

    Returns
    -------
    tuple of str
        A line for each task and version, which names the values of each arm.
    """
    lines: list[str] = []
    for task in dict.fromkeys(task for task, _, _ in series):
        arms = dict.fromkeys(arm for name, _, arm in series if name == task)
        for what in (*VERSIONS, "number format"):
            values = {
                arm: set[str]().union(
                    *(_values(one, what) for place, one in series.items() if place[::2] == (task, arm))
                )
                for arm in arms
            }
            if len(set[str]().union(*values.values())) > 1:
                by_arm = "; ".join(f"{arm}: {', '.join(sorted(some))}" for arm, some in values.items() if some)
                lines.append(f"{task}: {what} ({by_arm})")
    return tuple(lines)


def unmatched(study: StudyPlan, series: Mapping[Place, ArmResults]) -> tuple[str, ...]:
    """Arms that were judged on other test records than the reference, and so are not compared with it.

    Parameters
    ----------
    study
        Says which arm is the reference.
    series
        The results of all arms of the study.

    Returns
    -------
    tuple of str
        A line for each arm, with the numbers of test records of both and how many they share.
    """
    lines: list[str] = []
    for (task, fraction, arm), one in series.items():
        first = series[task, fraction, study.grid.reference_arm]
        ours, theirs = ({cell.seeds.split: some.judged[cell.key] for cell in some.cells} for some in (one, first))
        for split in [split for split in ours if split in theirs][:1]:
            mine, its = ours[split], theirs[split]
            if not mine.has_records_of(its):
                shared = len(set(mine.ids.to_pylist()) & set(its.ids.to_pylist()))
                lines.append(f"{task}: {arm} ({len(mine):,}) and {first.condition.arm} ({len(its):,}) share {shared:,}")
    return tuple(lines)


def _values(series: ArmResults, what: str) -> set[str]:
    """The versions of `what`, or number formats, of the finished cells; a baseline has no number format."""
    results: list[dict[str, Any]] = [series.study.store.result(cell.key) for cell in series.cells]
    if what == "number format":
        return set() if series.condition.recipe.run.baseline else {str(one["dtype"]) for one in results}
    return {str(one["versions"].get(what, "unknown")) for one in results}
