"""Results to a terminal as tables, to a pipe as plain lines."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from xdomain.training.card import number
from xdomain.training.runfolder import finite

if TYPE_CHECKING:  # a listing should not wait for torch
    from xdomain.run import Result
    from xdomain.study.compare import Comparison


def print_json(value: Any) -> None:
    """JSON to stdout."""
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
    table = Table(*columns, header_style="bold", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(str(row[c]) for c in columns))
    Console().print(table)


def print_result(result: Result) -> None:
    """The metrics of a run, a line each, and where it lies."""
    metrics = result.values["metrics"]
    print_rows(
        [
            {"metric": name, **{split: number(metrics[split][name]["value"]) for split in metrics}}
            for name in metrics["test"]
        ]
    )
    print(f"run folder: {result.folder}")


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


def print_report(report: Mapping[str, Any], indent: int = 0) -> None:
    """Nested facts, a line each."""
    for key, value in report.items():
        if isinstance(value, Mapping) and value:
            print(f"{' ' * indent}{key}:")
            print_report(value, indent + 2)
        else:
            print(f"{' ' * indent}{key}: {value if value or value == 0 else 'none'}")
