"""The progress of a study: cells done, time left, the table so far; before the start, a forecast."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from xdomain.core.errors import UserError
from xdomain.core.formatting import duration, number
from xdomain.core.progress import log
from xdomain.study.cells import SHORT, Cell, Condition
from xdomain.study.plan import StudyPlan

Table = list[dict[str, str]]
Measured = Callable[[Condition], float]
"""The seconds of a cell of a condition, NaN where they cannot be measured."""


class Progress:
    """Logs a line for each cell that an engine has finished.

    Parameters
    ----------
    study
        The study that is run.
    workers
        The number of cells that run at a time.
    show
        Called after each line with the table so far.
    """

    def __init__(self, study: StudyPlan, *, workers: int, show: Callable[[Table], None] | None = None) -> None:
        self.study, self.workers, self.show = study, workers, show

    def start(self) -> None:
        """Log, before the first cell, how many cells are to come and how long they take, if known."""
        settled, total = self.study.count()
        log.info(f"{total - settled} of {total} cells to run; a line for each that is finished{self._left()}")

    def tell(self, key: str, state: str) -> None:
        """Log that the cell with this `key` is done or failed; the `state` "begun" is not logged."""
        if state == "begun":
            return
        cell = self.study.cell(key)
        if state == "failed":
            what = f"failed: {self.study.store.fault(key)}".splitlines()[0]
        else:
            result = self.study.store.result(key)
            name = cell.recipe.metrics[0]
            valid = result["metrics"]["valid"][name]["value"]  # test is for the report
            what = f"valid {name} {number(valid)}, {duration(result['seconds'])}"
        settled, total = self.study.count()
        log.info(f"[{settled}/{total}] {cell}: {what}{self._left()}")
        if self.show:
            self.show(self.table())

    def left(self) -> float:
        """Seconds until all cells are done, if no other process helps; NaN where unknown."""
        return sum(seconds for seconds, _ in remaining(self.study)) / self.workers

    def _left(self) -> str:
        left = self.left()
        return f"; {duration(left)} left" if left and math.isfinite(left) else ""

    def table(self) -> Table:
        """A row for each condition, with the mean of the deciding metric on test over the cells that are done."""
        return [_row(self.study, condition) for condition in self.study.conditions]


def _row(study: StudyPlan, condition: Condition) -> dict[str, str]:
    choice, final = study.choose_learning_rate(condition), study.final(condition)
    done = [cell for cell in final if study.store.state(cell.key) == "done"]
    name = condition.recipe.metrics[0]
    values = [study.store.result(cell.key)["metrics"]["test"][name]["value"] for cell in done]
    known = [value for value in values if value is not None]
    return {
        "task": condition.task + ("" if condition.fraction == 1 else f" ({condition.fraction:g} of train)"),
        "arm": condition.arm,
        "rate": f"{choice.rate:g}" if choice.rate else "searching" if not choice.settled else "–",
        "cells": f"{len(done)}/{len(condition.seeds)}",
        "test": f"{name} {number(sum(known) / len(known))}" if known else "–",
    }


def remaining(study: StudyPlan, measured: Measured | None = None) -> list[tuple[float, int]]:
    """For each condition of `study`: how many of its cells are to come, and before it their seconds, NaN if unknown.

    `measured` is asked where no finished cell tells, and the recipe's runtime, of another machine, comes last.
    """
    estimates: list[tuple[float, int]] = []
    for condition in study.conditions:
        searched = study.searched(condition)
        cells = {cell.key: cell for cell in (*searched, *study.final(condition))}
        shares = [cell.share for cell in cells.values() if study.store.state(cell.key) in ("open", "running")]
        settled = study.choose_learning_rate(condition).settled
        unknown = 0 if settled else condition.most_cells - len(searched)
        seconds = 0.0
        if shares or unknown:
            seconds = _seconds(study, condition, measured) * (sum(shares) + unknown)
        estimates.append((seconds, len(shares) + unknown))
    return estimates


def _seconds(study: StudyPlan, condition: Condition, measured: Measured | None) -> float:
    """The seconds of a cell of all steps by the best that is known, NaN if nothing is."""
    each = _seconds_by_cells(study, condition)
    if math.isnan(each) and measured:
        each = measured(condition)
    runtime = condition.recipe.runtime
    if math.isnan(each) and runtime and condition.recipe.run.baseline is None:
        each = runtime[0].minutes * 60 * condition.fraction
    return each


def _seconds_by_cells(study: StudyPlan, condition: Condition) -> float:
    """The seconds of a cell of all steps by finished cells, NaN without any.

    The mean over those of the condition, or else over those of its task, scaled by their shares of the training
    records: encoders if it has one, else baselines.
    """
    kind = condition.recipe.run.baseline is None
    for others in (
        [condition],
        [s for s in study.conditions if s.task == condition.task and (s.recipe.run.baseline is None) == kind],
    ):
        taken = [
            study.store.result(cell.key)["seconds"] * condition.fraction / other.fraction / cell.share
            for other in others
            for cell in _candidates(other)
            if study.store.state(cell.key) == "done"
        ]
        if taken:
            return sum(taken) / len(taken)
    return math.nan


def _candidates(condition: Condition) -> list[Cell]:
    """All cells that a condition could be judged by, whichever rate is chosen."""
    full = [cell for rate in condition.rates or (None,) for cell in condition.final(rate)]
    return [*full, *(condition.searched(share=SHORT) if condition.halving else ())]


def measured_seconds(*, workers: int = 1) -> Measured:
    """A function that times a few steps of an encoder's condition, once for all conditions that take as long.

    Each of `workers` has its share of this machine's threads.
    """
    known: dict[tuple[str, str | None, str], float] = {}

    def seconds(condition: Condition) -> float:
        options = condition.recipe.run
        if options.baseline is not None:
            return math.nan
        key = (condition.task, options.backbone, options.tune)
        if key not in known:
            from xdomain.runs.estimate import estimate_seconds  # which loads torch

            log.info(f"timing a few steps of {condition.task}")
            try:
                known[key] = estimate_seconds(condition.recipe, share=1 / workers) / condition.fraction
            except UserError as error:
                log.warning(f"{condition.task}, {condition.arm} cannot be run: {error.what}")
                known[key] = math.nan
        return known[key] * condition.fraction

    return seconds


def forecast(study: StudyPlan, measured: Measured | None = None) -> list[dict[str, Any]]:
    """The table that ``--plan`` prints: a row for each condition of `study`.

    Parameters
    ----------
    study
        What would be run.
    measured
        Times cells of which nothing is known. None: their minutes stay unknown.

    Returns
    -------
    list of dict
        Each with the number of cells, how many are still to run, and the minutes that these take one after another,
        None where unknown.
    """
    rows: list[dict[str, Any]] = []
    for condition, (seconds, left) in zip(study.conditions, remaining(study, measured), strict=True):
        rows.append(
            {
                "task": condition.task,
                "arm": condition.arm,
                "train": f"{condition.fraction:g}",
                "rates": ", ".join(f"{rate:g}" for rate in condition.rates) or "–",
                "cells": condition.most_cells,
                "to run": left,
                "minutes": round(seconds / 60, 1) if math.isfinite(seconds) else None,
            }
        )
    return rows
