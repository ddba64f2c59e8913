"""A study from start to finish: plan it, run the cells that are not finished, write the report."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from xdomain.core.errors import RecipeError
from xdomain.core.formatting import as_frame
from xdomain.core.keywords import names_misspelt_options
from xdomain.core.progress import log
from xdomain.metrics.bootstrap import Interval
from xdomain.study.config import Grid, LocalTask
from xdomain.study.engines.local import run_local
from xdomain.study.engines.progress import Progress, Table
from xdomain.study.plan import StudyPlan, open_study, plan_study
from xdomain.study.power import power_of
from xdomain.study.report.conclusions import word_of
from xdomain.study.report.write import write_report
from xdomain.study.results import Findings
from xdomain.study.summarize import collect


def run_study(
    study: str | Path | Mapping[str, Any] | Grid | StudyPlan,
    *,
    out: str | Path = "studies",
    engine: Literal["local", "ray"] = "local",
    workers: int = 1,
    address: str | None = None,
    retry_failed: bool = False,
    show: Callable[[Table], None] | None = None,
) -> Findings:
    """Run the cells of a study that are not finished yet, and write its report.

    Parameters
    ----------
    study
        A study file, its content as a mapping, or a study that `plan_study` made.
    out
        The folder of the store. All studies in it share their cells, and each has a folder for its report. Not used
        if `study` is a `StudyPlan`, which has its own.
    engine
        local: in processes on this machine. ray: on a Ray cluster, as many cells at a time as it has room for.
    workers
        The number of processes of the local engine.
    address
        Of the Ray cluster. None: one that Ray knows of on this machine, or else a new one.
    retry_failed
        Run failed cells again.
    show
        Called after each cell with the table of what is finished.

    Returns
    -------
    Findings
        What the report is made from.

    Raises
    ------
    UserError
        The study is impossible, or its store cannot be written. A cell that fails raises nothing: it is listed in
        the findings.
    """
    plan = study if isinstance(study, StudyPlan) else plan_study(study, out)
    plan.save()
    if retry_failed:
        for cell in plan.planned_cells():
            if plan.store.state(cell.key) == "failed":
                plan.store.forget_failure(cell.key)
    progress = Progress(plan, workers=workers, show=show)
    settled, total = plan.count()
    if settled == total:
        log.info(f"all {total} cells are finished already")
        return report(plan.folder)
    progress.start()
    if engine == "ray":
        from xdomain.study.engines.ray_engine import run_on_ray

        run_on_ray(plan, progress, address=address)
    else:
        run_local(plan, progress, workers=workers)
    return report(plan.folder)


def report(folder: str | Path) -> Findings:
    """Write the report of a study into its folder, from its plan and its store; no cell is run.

    Parameters
    ----------
    folder
        The folder of the study, ``STORE/NAME``.

    Returns
    -------
    Findings
        What the report is made from.

    Raises
    ------
    UserError
        The folder holds no study, or the report cannot be written.
    """
    study = open_study(folder)
    findings = collect(study)
    with study.store.locked(study.grid.name):
        write_report(findings, study.folder)
    return findings


class Study:
    """Many runs, compared: tasks × arms × seeds, each run once and shared by all studies of a store.

    Parameters
    ----------
    tasks
        Names of shipped tasks, recipe files, or ``{"data": FILE, "domain": NAME}``; one or several.
    arms
        Names of inits or baselines, or dicts as in a study file (docs/studies.md): ``{"init": "scratch", "tune": …}``.
    name
        The name of the report's folder, inside `out`.
    reference
        The arm that all others are compared with. None: the first.
    seeds
        How many, counted from 0, or a list of them, each 0 or more.
    mapping_seeds
        The same for the draws of the token mapping.
    split_seeds
        Draw the split of the records anew: how many split seeds, or a list of them, each for all seeds; or "seeds": one
        for each seed, with its number. Empty: the split of the task. See docs/splits.md.
    design
        crossed: every mapping seed and split seed with every seed; paired: the i-th of each together.
    learning_rates
        The rates to choose from on validation, separately for each arm; empty: the rate of the task.
    search
        How they are chosen: ``{"rule": "halving"}`` by short runs first, ``{"seeds": 2}`` over two seeds.
    fractions
        Shares of the training records, in (0, 1].
    backbone
        A folder or hub id. None: the checkpoint shipped with xdomain.
    set
        Changes to every recipe: ``{"train.epochs": 3}``.
    question
        What the study asks, in a sentence; printed at the head of its report.
    out
        The folder of the store.

    Raises
    ------
    RecipeError
        The study is impossible; the message lists all faults at once.
    """

    @names_misspelt_options
    def __init__(
        self,
        tasks: str | Sequence[Any],
        arms: Sequence[str | Mapping[str, Any]],
        *,
        name: str = "study",
        question: str = "",
        reference: str = "",
        seeds: int | Sequence[int] = 3,
        mapping_seeds: int | Sequence[int] = 1,
        split_seeds: int | Sequence[int] | Literal["seeds"] = (),
        design: Literal["crossed", "paired"] = "crossed",
        learning_rates: Sequence[float] = (),
        search: Mapping[str, Any] | None = None,
        fractions: Sequence[float] = (1.0,),
        backbone: str | None = None,
        set: Mapping[str, Any] | None = None,
        out: str | Path = "studies",
    ) -> None:
        given = {
            "name": name,
            "question": question,
            "tasks": tasks if isinstance(tasks, str) else list(tasks),
            "arms": list(arms),
            "reference": reference,
            "seeds": _listed(seeds),
            "mapping_seeds": _listed(mapping_seeds),
            "split_seeds": split_seeds if isinstance(split_seeds, str) else _listed(split_seeds),
            "design": design,
            "learning_rates": list(learning_rates),
            "search": dict(search or {}),
            "fractions": list(fractions),
            "backbone": backbone,
            "set": dict(set or {}),
        }
        _refuse_tables(tasks)
        self.plan = plan_study(given, out)
        self._collected: tuple[dict[str, str], Findings] | None = None

    def __repr__(self) -> str:
        settled, total = self.plan.count()
        return f"Study({self.plan.grid.name!r}: {settled} of {total} runs finished, in {str(self.folder)!r})"

    @property
    def folder(self) -> Path:
        """The folder of the report: ``report.md``, ``report.html`` and plots."""
        return self.plan.folder

    def run(
        self,
        *,
        workers: int = 1,
        engine: Literal["local", "ray"] = "local",
        address: str | None = None,
        retry_failed: bool = False,
    ) -> Study:
        """Run the cells that are not finished, and write the report.

        Parameters
        ----------
        workers
            The number of processes of the local engine.
        engine
            local: in processes on this machine. ray: on a Ray cluster.
        address
            Of the Ray cluster; None: the one that this machine is in.
        retry_failed
            Run failed cells again.

        Returns
        -------
        Study
            This study.
        """
        run_study(self.plan, workers=workers, engine=engine, address=address, retry_failed=retry_failed)
        return self

    def power(self, difference: float | None = None) -> Any:
        """Tabulate which differences the study could show; run nothing.

        Parameters
        ----------
        difference
            Above 0, in units of the metric: how many seeds would show it?

        Returns
        -------
        pandas.DataFrame or pyarrow.Table
            One row for each difference to the reference arm: the number of pairs of runs and of test records (or
            groups), the smallest true difference that four of five such studies would show (``detectable``), the
            ``seeds``, 3 or more, that would show `difference` (None: not even 200, as test records are too few), and
            from how many finished pairs of runs this is estimated (``finished``; 0: it is assumed, as fewer than three
            are finished). A DataFrame where pandas is installed.

        Raises
        ------
        UserError
            The data of a task cannot be read, or `difference` is not above 0.
        """
        rows = [
            {
                "task": one.task, "arm": one.arm, "reference": one.reference, "fraction": one.fraction,
                "metric": one.metric, "pairs": one.pairs, "test_records": one.records, "detectable": one.detectable,
                "seeds": one.seeds, "finished": one.variation.finished,
            }
            for one in power_of(self.plan, difference)
        ]  # fmt: skip
        return as_frame(pa.Table.from_pylist(rows))

    @property
    def findings(self) -> Findings:
        """The results of the cells that are finished now."""
        states = {cell.key: self.plan.store.state(cell.key) for cell in self.plan.planned_cells()}
        if self._collected is None or self._collected[0] != states:
            self._collected = states, collect(self.plan)
        return self._collected[1]

    def results(self) -> Any:
        """Tabulate the arms.

        Returns
        -------
        pandas.DataFrame or pyarrow.Table
            One row for each arm, task and share of the training records: the mean of the deciding test metric with its
            95 % interval ``low`` to ``high``, the chosen learning rate, how many of its cells are finished, and whether
            it has shown that it learned (None before any is finished). A DataFrame where pandas is installed.
        """
        rows = [
            {
                "task": group.task, "arm": group.arm, "fraction": group.fraction, "metric": group.metric,
                **_interval("value", group.test.interval if group.test else None),
                "learning_rate": group.rate, "cells": group.done,
                "learned": group.not_learned is None if group.done else None,
            }
            for group in self.findings.groups
        ]  # fmt: skip
        return as_frame(pa.Table.from_pylist(rows))

    def differences(self) -> Any:
        """Tabulate the differences to the reference arm.

        Returns
        -------
        pandas.DataFrame or pyarrow.Table
            One row for each difference of the deciding test metric, with its 95 % interval ``low`` to ``high``, p, q
            (p after Benjamini & Hochberg over all differences), the number of pairs of cells and the verdict in words.
            A DataFrame where pandas is installed.
        """
        rows = [
            {
                "task": one.task, "arm": one.arm, "reference": one.reference, "fraction": one.fraction,
                "metric": one.metric, **_interval("difference", one.estimate.interval), "p": one.estimate.p, "q": one.q,
                "pairs": one.pairs, "verdict": word_of(one),
            }
            for one in self.findings.differences
        ]  # fmt: skip
        return as_frame(pa.Table.from_pylist(rows))


def _refuse_tables(tasks: Any) -> None:
    """A study is a file, and so are its data: refuse tables in memory, which `xdomain.run` takes."""
    for task in tasks if isinstance(tasks, (list, tuple)) else [tasks]:
        data = task.get("data") if isinstance(task, Mapping) else task
        if not isinstance(data, (str, Path, Mapping, LocalTask)):
            raise RecipeError(
                f"{type(data).__name__} as the data of a study",
                expected="names of tasks, recipe files, or {'data': 'my.csv', 'domain': 'dna'}",
                fix="save the table, as by df.to_csv('my.csv', index=False), and name the file",
            )


def _listed(values: int | Sequence[int]) -> int | list[int]:
    return values if isinstance(values, int) else list(values)


def _interval(name: str, interval: Interval | None) -> dict[str, float]:
    return {
        name: interval.value if interval else math.nan, "low": interval.low if interval else math.nan,
        "high": interval.high if interval else math.nan,
    }  # fmt: skip
