"""Print results of runs, comparisons and studies: as tables in a terminal, as plain lines in a pipe."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live

from xdomain.core.choices import UNCOUNTED
from xdomain.core.formatting import duration, number, with_interval
from xdomain.core.printing import print_json as print_json  # commands print by this module alone
from xdomain.core.printing import print_rows, table_of
from xdomain.core.recipe import load_recipe
from xdomain.core.recipe_sections import Negatives

if TYPE_CHECKING:  # a listing should not load torch
    from xdomain.hub.push import Pushed
    from xdomain.inference.evaluation import Evaluation
    from xdomain.runs.pipeline import Result
    from xdomain.study.comparison import Comparison
    from xdomain.study.power import Power
    from xdomain.study.results import Findings


def _typed(path: Path) -> str:
    """The `path` as it is typed in a shell, with quotes where it has blanks."""
    return shlex.quote(str(path))


def print_result(result: Result) -> None:
    """Print the metrics in `result`, one per line, the run folder and commands to go on with."""
    from xdomain.core.result_file import metric_rows
    from xdomain.core.run_dir import RECIPE  # which loads pyarrow
    from xdomain.metrics.metrics import ABOUT_POSITIVE

    values = result.values
    metrics = values["metrics"]
    print_rows(metric_rows(values))
    if values.get("folds"):
        print("test is over the records of all folds, every other column a mean over folds")
    about = [name for name in metrics["test"] if name in ABOUT_POSITIVE]
    if about and "positive_class" in values:
        print(f"positive class of {', '.join(about)}: {values['positive_class']} (--set positive=NAME for the other)")
    if values.get("negatives"):
        print(Negatives(**values["negatives"]).sentence())
    if values.get("class_weights"):
        counted = ", ".join(f"{name} {number(weight)}" for name, weight in list(values["class_weights"].items())[:10])
        print(f"classes balanced by {values['class_balance']}; a record counts {counted}")
    for when, found in (values.get("calibration") or {}).get("test", {}).items():
        after = f", {when} calibration" if (values["calibration"] or {}).get("temperature") else ""
        print(f"expected calibration error on test{after}: {number(found['error'])}")
    if result.values.get("parameters"):
        sizes = result.values["parameters"]
        stored = sizes.get("bytes_per_task")
        print(
            f"{sizes['trained']:,} of {sizes['all']:,} parameters trained"
            + (f"; {stored / 1e6:.2f} MB to store for this task" if stored is not None else "")
        )
    print(f"run folder: {result.folder}")
    folder = result.folder
    if values.get("folds"):
        print_rows([{"fold": name, **{m: number(v) for m, v in one.items()}} for name, one in values["folds"].items()])
        print_next(
            (f"xdomain predict {_typed(folder)}/fold-* FILE", "labels for other records, by the models of all folds")
        )
        return
    recipe = load_recipe(folder / RECIPE)
    problem = recipe.problem
    arms = "pretrained and scratch" if problem in UNCOUNTED else "pretrained, scratch and k-mers"
    inside = (f"xdomain analyze {_typed(folder)}", "what each layer knows, which symbols matter")
    print_next(
        (f"xdomain predict {_typed(folder)} FILE", "labels for other records"),
        (f"xdomain compare {_typed(folder / RECIPE)}", f"{arms} over several seeds"),
        *([] if problem == "sequence" or recipe.run.baseline else [inside]),
    )


def print_next(*commands: tuple[str, str]) -> None:
    """Print `commands` to go on with, pairs of a command and what it is for."""
    width = max(len(command) for command, _ in commands)
    print("next:")
    for command, purpose in commands:
        print(f"  {command:<{width}}  # {purpose}")


def print_pushed(pushed: Pushed) -> None:
    """Print the files that were `pushed` to the hub, or would be, and who sees them."""
    print_rows([{"file": file.name, "size": _bytes(file.size)} for file in pushed.files])
    seen = "private: only you, or your organisation, see it" if pushed.private else "public: everybody sees it"
    total = f"{len(pushed.files)} files, {_bytes(pushed.size)}"
    if not pushed.commit:
        print(f"would upload {total}, to {pushed.repo} ({seen})")
        return
    print(f"uploaded {total}, to {pushed.url} ({seen})")
    print_next((f"xdomain predict hub:{pushed.repo} FILE", "labels for other records, on any machine"))


def _bytes(size: int) -> str:
    """A `size` in bytes for reading."""
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


def print_evaluation(evaluation: Evaluation) -> None:
    """Print the metrics in `evaluation`, one per line."""
    print_rows(
        [
            {
                "metric": name,
                "value [95 %]": str(value),
                **({"oracle": number(evaluation.oracle[name])} if evaluation.oracle else {}),
                **{kind: number(values[name]) for kind, values in evaluation.by_answer.items()},
            }
            for name, value in evaluation.metrics.items()
        ]
    )
    if evaluation.calibration_error is not None:
        print(f"expected calibration error: {number(evaluation.calibration_error)}")
    print(f"{len(evaluation):,} records; intervals over records, for this one model.")


def print_compression(section: Mapping[str, Any]) -> None:
    """Print what a model cost before and after it was made smaller, from the `section` compression of its result."""
    pair = ("before", "after")
    size, count, times = (section[name] for name in ("size", "weights", "milliseconds"))
    rows = [
        ("weights on disk, MB", *(f"{size[when]['bytes'] / 1e6:.2f}" for when in pair), ""),
        ("the same, deflated", *(f"{size[when]['deflated'] / 1e6:.2f}" for when in pair), ""),
        ("weights", *(f"{count[when]['all']:,}" for when in pair), ""),
        ("weights that are not 0", *(f"{count[when]['nonzero']:,}" for when in pair), ""),
        ("ms a record, in batches", *(f"{times[when]['batch']:.2f}" for when in pair), ""),
        ("ms a record, alone", *(f"{times[when]['alone']:.2f}" for when in pair), ""),
        *(
            (f"test {name}", number(told["before"]), number(told["after"]), with_interval(told["lost"]))
            for name, told in section["metrics"].items()
        ),
    ]
    print_rows([dict(zip(("", *pair, "lost [95 %]"), row, strict=True)) for row in rows])


def print_comparison(comparison: Comparison) -> None:
    """Print the arms of `comparison` with their intervals, and its conclusions."""
    from xdomain.study.report.tables import comparison_rows

    print_rows(comparison_rows(comparison))
    print(comparison.basis())
    for sentence in comparison.conclusions:
        print(sentence)
    print(f"plot: {comparison.folder / 'comparison.png'}")
    encoder = comparison.rows[0].folder
    print_next(
        (f"xdomain predict {encoder} FILE", "labels for other records"),
        (f"xdomain analyze {' '.join(_typed(row.folder) for row in comparison.rows[:2])}", "look inside"),
        ("xdomain study FILE", "more tasks, arms, seeds and a search over learning rates: docs/studies.md"),
    )


def print_forecast(rows: Sequence[Mapping[str, Any]], workers: int) -> None:
    """Print what a study would run and how long it would take.

    Parameters
    ----------
    rows
        From `xdomain.study.engines.progress.forecast`; ``minutes`` is None if unknown.
    workers
        Number of cells that run at the same time.
    """
    known = [row["minutes"] for row in rows if row["minutes"] is not None]
    print_rows([{**row, "minutes": "?" if row["minutes"] is None else row["minutes"]} for row in rows])
    cells, left = (sum(row[name] for row in rows) for name in ("cells", "to run"))
    time = f"about {duration(60 * sum(known) / workers)}" if known else "duration not known yet"
    unknown = ", plus cells of unknown duration" if known and len(known) < len(rows) else ""
    print(f"{cells:,} cells, {left:,} to run: {time}{unknown}")


def print_power(rows: Sequence[Power], difference: float | None) -> None:
    """Print which differences a study could show, and what that rests on.

    Parameters
    ----------
    rows
        From `xdomain.study.power.power_of`.
    difference
        The one that numbers of seeds were asked for; None for none.
    """
    from xdomain.study.power import ASSUMED, MAX_SEEDS

    if not rows:
        return
    several = len({row.fraction for row in rows}) > 1
    print()
    table: list[dict[str, Any]] = []
    for row in rows:
        enough = f"> {MAX_SEEDS}" if row.seeds is None else row.seeds
        table.append(
            {
                "task": row.task + (f" ({row.fraction:g} of train)" if several else ""),
                "difference": f"{row.arm} − {row.reference}",
                "pairs": row.pairs,
                "test records": row.records,
                f"detectable {row.metric}": number(row.detectable),
                **({f"seeds for {difference:g}": enough} if difference is not None else {}),
                "from": f"{row.variation.finished} finished pairs" if row.variation.finished else "assumptions",
            }
        )
    for metric in dict.fromkeys(row.metric for row in rows):  # a table for each, as their units are not alike
        print_rows([one for one, row in zip(table, rows, strict=True) if row.metric == metric])
    print("Detectable: the smallest true difference that four of five such studies would show, as a single difference.")
    if not all(row.variation.finished for row in rows):
        print(
            f"Assumptions: pairs of runs with other seeds differ by {number(ASSUMED.pairs)} (standard deviation), and "
            f"{ASSUMED.records**2:.0%} of the test records are right in one arm alone. Run a few seeds and "
            "plan again: from three finished pairs on, both are estimated."
        )


def print_findings(findings: Findings, folder: Path) -> None:
    """Print the `findings` of the study in `folder`.

    First the arms that did not learn, then every arm, every difference with its verdict, whether pre-training helps,
    and where the report is.
    """
    from xdomain.study.report.conclusions import word_of, would_pass_alone
    from xdomain.study.report.not_learned import not_learned
    from xdomain.study.report.sentences import answers

    if warning := not_learned(findings):
        print(f"{warning.title}:")
        for place, why in warning.arms:
            print(f"  {place} {why}")
        print(f"{warning.advice}\n" if warning.advice else "")
    several = len({group.fraction for group in findings.groups}) > 1
    print_rows(
        [
            {
                "task": group.task + (f" ({group.fraction:g} of train)" if several else ""),
                "arm": group.arm,
                "test [95 %]": f"{group.metric} {group.test.interval}" if group.test else "–",
                "constant": number(group.constant),
                "cells": f"{group.done}/{group.wanted}",
                "rate": f"{group.rate:g}" if group.rate else "–",
            }
            for group in findings.groups
        ]
    )
    if findings.differences:
        print()
        print_rows(
            [
                {
                    "task": one.task + (f" ({one.fraction:g} of train)" if several else ""),
                    "difference": f"{one.arm} − {one.reference}",
                    "[95 %]": str(one.estimate.interval),
                    "corrected p": number(one.q),
                    "detectable": number(one.estimate.detectable),
                    "verdict": word_of(one) + ("; alone it would pass" if would_pass_alone(one) else ""),
                }
                for one in findings.differences
            ]
        )
    for task, fraction, answer in answers(findings):
        print(f"{task}{f', {fraction:g} of train' if several else ''}: {answer}")
    done, failed, unrun = findings.cells
    if findings.missing:
        print(f"{failed + unrun} of {done + failed + unrun} cells are missing: {failed} failed, {unrun} not run")
    print(f"report: {folder / 'report.html'}")


class LiveTable:
    """A table of the study so far, updated in place in a terminal. In a pipe nothing: there, each cell logs a line."""

    def __enter__(self) -> Callable[[Sequence[Mapping[str, str]]], None] | None:
        self.live = Live(console=Console(stderr=True), transient=True) if sys.stderr.isatty() else None
        if self.live is None:
            return None
        self.live.start()
        live = self.live
        return lambda rows: live.update(table_of(rows, live.console.width), refresh=True)

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()


def print_report(report: Mapping[str, Any]) -> None:
    """Print the `report` of a check, a value per line."""
    from xdomain.inspection import report_lines

    for line in report_lines(report):
        print(line)
