"""How far a study is: cells done, time left, the table so far; before it starts, what it will take."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from xdomain.core.formatting import duration, number
from xdomain.core.progress import log
from xdomain.study.cells import Cell, Condition
from xdomain.study.plan import StudyPlan

Table = list[dict[str, str]]


class Progress:
    """Told by an engine what has become of a cell, it tells a person.

    Parameters
    ----------
    workers
        Cells at a time.
    show
        For the table so far, whenever a line is said.
    """

    def __init__(self, study: StudyPlan, *, workers: int, show: Callable[[Table], None] | None = None) -> None:
        self.study, self.workers, self.show = study, workers, show

    def start(self) -> None:
        """Before the first cell: how many are to come, and how long they take where anything tells."""
        settled, total = self.study.count()
        log.info(f"{total - settled} of {total} cells to run; a line for each that is finished{self._left()}")

    def tell(self, key: str, state: str) -> None:
        """A cell is begun, done or failed."""
        if state == "begun":
            return
        cell = self.study.cell(key)
        if state == "failed":
            what = f"failed: {self.study.store.fault(key)}".splitlines()[0]
        else:
            found = self.study.store.result(key)
            name = cell.recipe.metrics[0]
            what = f"{name} {number(found['metrics']['test'][name]['value'])}, {duration(found['seconds'])}"
        settled, total = self.study.count()
        log.info(f"[{settled}/{total}] {cell}: {what}{self._left()}")
        if self.show:
            self.show(self.table())

    def left(self) -> float:
        """Seconds until all is done, if no other process helps; NaN where unknown."""
        return sum(seconds * cells for seconds, cells in remaining(self.study)) / self.workers

    def _left(self) -> str:
        left = self.left()
        return f"; {duration(left)} left" if left and math.isfinite(left) else ""

    def table(self) -> Table:
        """A row a setting: mean of the deciding metric on test over the cells that are done."""
        return [_row(self.study, setting) for setting in self.study.settings]


def _row(study: StudyPlan, setting: Condition) -> dict[str, str]:
    choice, final = study.choice(setting), study.final(setting)
    done = [cell for cell in final if study.store.state(cell.key) == "done"]
    name = setting.recipe.metrics[0]
    values = [study.store.result(cell.key)["metrics"]["test"][name]["value"] for cell in done]
    known = [value for value in values if value is not None]
    return {
        "task": setting.task + ("" if setting.fraction == 1 else f" ({setting.fraction:g} of train)"),
        "arm": setting.arm,
        "rate": f"{choice.rate:g}" if choice.rate else "searching" if not choice.settled else "–",
        "cells": f"{len(done)}/{len(setting.seed_pairs)}",
        "test": f"{name} {number(sum(known) / len(known))}" if known else "–",
    }


def remaining(study: StudyPlan) -> list[tuple[float, int]]:
    """Of each setting: seconds a cell takes (NaN where unknown), and how many of its cells are to come."""
    found: list[tuple[float, int]] = []
    for setting in study.settings:
        cells = [*setting.searched(), *study.final(setting)]
        open_cells = {cell.key for cell in cells if study.store.state(cell.key) in ("open", "running")}
        unknown = 0 if study.choice(setting).settled else setting.most_cells - len(setting.searched())
        found.append((seconds_of(study, setting) if open_cells or unknown else 0.0, len(open_cells) + unknown))
    return found


def seconds_of(study: StudyPlan, setting: Condition) -> float:
    """What a cell takes, as finished ones of its setting did, or of its task and kind, or as the recipe says."""
    kind = setting.recipe.run.baseline is None
    for others in (
        [setting],
        [s for s in study.settings if s.task == setting.task and (s.recipe.run.baseline is None) == kind],
    ):
        taken = [
            study.store.result(cell.key)["seconds"] * setting.fraction / other.fraction
            for other in others
            for cell in _candidates(other)
            if study.store.state(cell.key) == "done"
        ]
        if taken:
            return sum(taken) / len(taken)
    runtime = setting.recipe.runtime
    return runtime[0].minutes * 60 * setting.fraction if runtime and kind else math.nan


def _candidates(setting: Condition) -> list[Cell]:
    """All cells that a setting could have, whatever rate is chosen."""
    return [cell for rate in setting.rates or (None,) for cell in setting.final(rate)]


def forecast(study: StudyPlan) -> list[dict[str, Any]]:
    """A row a setting: its cells, how many are finished, and minutes that the rest takes; what ``--dry-run`` prints."""
    rows: list[dict[str, Any]] = []
    for setting, (seconds, left) in zip(study.settings, remaining(study), strict=True):
        rows.append(
            {
                "task": setting.task,
                "arm": setting.arm,
                "train": f"{setting.fraction:g}",
                "rates": ", ".join(f"{rate:g}" for rate in setting.rates) or "–",
                "cells": setting.most_cells,
                "to run": left,
                "minutes": round(seconds * left / 60, 1) if math.isfinite(seconds) else None,
            }
        )
    return rows
