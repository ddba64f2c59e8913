"""Results to a terminal as tables, to a pipe as plain lines."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from xdomain.wording import duration, number

if TYPE_CHECKING:  # a listing should not wait for torch
    from xdomain.evaluation import Evaluation
    from xdomain.run import Result
    from xdomain.study.compare import Comparison
    from xdomain.study.findings import Findings


BOUNDS = ("majority", "oracle", "random_span")
"""What a test value is held against: a constant answer; for spans the best that symbols allow, and random spans."""
KMERS = "kmer"


def print_json(value: Any) -> None:
    """JSON to stdout."""
    from xdomain.training.runfolder import finite  # which loads pyarrow

    print(json.dumps(finite(value), indent=2, ensure_ascii=False))


def print_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows under their common keys: a table in a terminal, tab-separated in a pipe."""
    if not rows:
        print("nothing")
        return
    columns = list(rows[0])
    if not sys.stdout.isatty():
        print("\t".join(columns))
        for row in rows:
            print("\t".join(str(row[c]) for c in columns))
        return
    Console().print(table_of(rows))


def table_of(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Rows under their common keys, for a terminal."""
    columns = list(rows[0])
    table = Table(*columns, header_style="bold", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(str(row[c]) for c in columns))
    return table


def print_result(result: Result) -> None:
    """The metrics of a run, a line each, and where it lies."""
    values = result.values
    metrics = values["metrics"]
    rules = values.get("simple_rules", {}).get("test", {})
    print_rows(
        [
            {
                "metric": name,
                "valid": number(metrics["valid"][name]["value"]),
                "test [95 %]": _with_interval(metrics["test"][name]),
                **{part: number(values[part]["test"][name]) for part in BOUNDS if part in values},
                **({"k-mers": number(rules[KMERS][name])} if KMERS in rules else {}),
            }
            for name in metrics["test"]
        ]
    )
    if "parameters" in result.values:
        sizes = result.values["parameters"]
        print(
            f"{sizes['trained']:,} of {sizes['all']:,} parameters trained; "
            f"{sizes['bytes_per_task'] / 1e6:.2f} MB to store for this task"
        )
    print(f"run folder: {result.folder}")
    folder, task = result.folder, values["task"]
    print_next(
        (f"xdomain predict {folder} FILE", "labels for other records"),
        (f"xdomain compare {task}", "beside scratch, over several seeds"),
        (f"xdomain analyze {folder}", "what each layer knows, which symbols matter"),
    )


def print_next(*commands: tuple[str, str]) -> None:
    """Commands that go on from here, and what each is for."""
    width = max(len(command) for command, _ in commands)
    print("next:")
    for command, purpose in commands:
        print(f"  {command:<{width}}  # {purpose}")


def _with_interval(entry: Mapping[str, Any]) -> str:
    """A metric's value and its interval, where the run kept one."""
    if entry.get("low") is None or entry.get("high") is None:
        return number(entry["value"])
    return f"{number(entry['value'])} [{number(entry['low'])}, {number(entry['high'])}]"


def print_evaluation(evaluation: Evaluation) -> None:
    """The metrics of a run on some records, a line each."""
    print_rows(
        [
            {
                "metric": name,
                "value [95 %]": str(value),
                **({"oracle": number(evaluation.oracle[name])} if evaluation.oracle else {}),
            }
            for name, value in evaluation.metrics.items()
        ]
    )
    print(f"{len(evaluation):,} records; intervals over records, for this one model.")


def print_comparison(comparison: Comparison) -> None:
    """The arms of a comparison with their intervals, and what the intervals mean."""
    first = comparison.rows[0].arm
    print_rows(
        [
            {
                "arm": row.arm,
                f"test {comparison.metric} [95 %]": str(row.value),
                f"difference to {first} [95 %]": str(row.difference) if row.difference else "–",
                "train loss": number(row.train_loss),
                "seconds": f"{row.seconds:.0f}",
            }
            for row in comparison.rows
        ]
    )
    print(f"{comparison.task}: {comparison.n_test:,} test records; intervals over test records, one seed and mapping.")
    print(f"plot: {comparison.folder / 'comparison.png'}")


def print_forecast(rows: Sequence[Mapping[str, Any]], workers: int) -> None:
    """What a study would run, and how long it would take."""
    known = [row["minutes"] for row in rows if row["minutes"] is not None]
    print_rows([{**row, "minutes": "?" if row["minutes"] is None else row["minutes"]} for row in rows])
    cells, left = (sum(row[name] for row in rows) for name in ("cells", "to run"))
    told = f"about {duration(60 * sum(known) / workers)}" if known else "how long, nothing tells yet"
    unknown = ", and what nothing tells yet" if known and len(known) < len(rows) else ""
    print(f"{cells:,} cells, {left:,} to run: {told}{unknown}")


def print_findings(findings: Findings, folder: Path) -> None:
    """First what did not learn, then each arm, each difference with its verdict, and where the report lies."""
    from xdomain.study.report.learning import unlearned
    from xdomain.study.report.verdicts import word_of

    if found := unlearned(findings):
        print(f"{found.title}:")
        for place, why in found.arms:
            print(f"  {place} {why}")
        print(f"{found.advice}\n")
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
                    "q": number(one.q),
                    "detectable": number(one.estimate.detectable),
                    "verdict": word_of(one),
                }
                for one in findings.differences
            ]
        )
    done, failed, unrun = findings.cells
    if findings.missing:
        print(f"{failed + unrun} of {done + failed + unrun} cells are missing: {failed} failed, {unrun} not run")
    print(f"report: {folder / 'report.html'}")


class Showing:
    """The table of a study so far, renewed in place in a terminal; nothing in a pipe, which has a line a cell."""

    def __enter__(self) -> Callable[[Sequence[Mapping[str, str]]], None] | None:
        self.live = Live(console=Console(stderr=True), transient=True) if sys.stderr.isatty() else None
        if self.live is None:
            return None
        self.live.start()
        return lambda rows: self.live.update(table_of(rows), refresh=True) if self.live else None

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()


def print_report(report: Mapping[str, Any], indent: int = 0) -> None:
    """Nested facts, a line each."""
    for key, value in report.items():
        if isinstance(value, Mapping) and value:
            print(f"{' ' * indent}{key}:")
            print_report(value, indent + 2)
        else:
            print(f"{' ' * indent}{key}: {value if value or value == 0 else 'none'}")
