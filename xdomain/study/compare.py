"""A few arms of one task side by side: the smallest comparison, one seed, its intervals over test examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from xdomain.errors import RecipeError
from xdomain.plugins import find_recipe
from xdomain.run import Result, arm_label, run, with_arm
from xdomain.study.statistics import Interval, bootstrap
from xdomain.training.finetune import Say
from xdomain.training.metrics import compute_metrics
from xdomain.training.plots import plot_comparison
from xdomain.training.runfolder import PREDICTIONS, write_json

BASELINES = ("kmer", "cnn")


@dataclass(frozen=True)
class Row:
    """One arm: its test value, and its difference to the first arm, paired over test examples."""

    arm: str
    value: Interval
    difference: Interval | None
    train_loss: float | None
    seconds: float
    folder: Path


@dataclass(frozen=True)
class Comparison:
    """The arms of one task, the first being the reference."""

    task: str
    metric: str
    n_test: int
    rows: tuple[Row, ...]
    folder: Path


def compare(
    task: str,
    arms: Sequence[str] = ("pretrained", "scratch", "kmer"),
    *,
    overrides: Sequence[str] = (),
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    say: Say = print,
    **options: Any,
) -> Comparison:
    """Run a task once an arm, with the same splits, seed and mapping, and compare them on test.

    Parameters
    ----------
    arms
        Names of inits (pretrained, scratch, reembed, shuffled, rescaled) or baselines (kmer, cnn).
    out
        Holds a run folder an arm, ``comparison.json`` and ``comparison.png``; by default ``runs/TASK/compare``.
    options
        Other fields of `xdomain.recipe.Run`.
    """
    if len(set(arms)) != len(arms):
        raise RecipeError(f"arms {', '.join(arms)}", expected="each arm once")
    recipe = find_recipe(task, overrides)
    folder = Path(out) if out else Path("runs") / recipe.name / "compare"
    recipes = [
        with_arm(recipe, {**options, **({"baseline": arm} if arm in BASELINES else {"init": arm})}) for arm in arms
    ]
    results: list[Result] = []
    for one in recipes:
        place = folder / arm_label(one)
        results.append(run(one, out=place, resume=resume, overwrite=overwrite, say=say))
    metric = recipe.metrics[0]
    tables = [_test_scores(result) for result in results]
    rows = tuple(
        Row(
            arm_label(one),
            _interval(metric, [table], recipe.problem),
            _interval(metric, [table, tables[0]], recipe.problem) if i else None,
            result.values["train_loss"],
            result.values["seconds"],
            result.folder,
        )
        for i, (one, result, table) in enumerate(zip(recipes, results, tables, strict=True))
    )
    comparison = Comparison(recipe.name, metric, results[0].values["n"]["test"], rows, folder)
    write_json(folder / "comparison.json", as_dict(comparison))
    plot_comparison(
        [{"label": r.arm, "value": r.value.value, "low": r.value.low, "high": r.value.high} for r in rows],
        metric=metric,
        path=folder / "comparison.png",
        title=f"{recipe.name}: test {metric}, {comparison.n_test:,} records, one seed",
    )
    return comparison


def as_dict(comparison: Comparison) -> dict[str, Any]:
    """What ``comparison.json`` holds."""
    return {
        "task": comparison.task,
        "metric": comparison.metric,
        "n_test": comparison.n_test,
        "interval": "95 %, percentile bootstrap over test records; one seed and one mapping an arm",
        "rows": [
            {
                "arm": row.arm,
                "value": vars(row.value),
                "difference_to_first": vars(row.difference) if row.difference else None,
                "train_loss": row.train_loss,
                "seconds": row.seconds,
            }
            for row in comparison.rows
        ],
    }


def _test_scores(result: Result) -> tuple[NDArray[Any], NDArray[Any], list[str]]:
    """Labels, scores and class names of the test records, as the run wrote them."""
    table = pq.read_table(result.folder / PREDICTIONS, filters=[("split", "==", "test")])
    classes: list[str] = result.values["classes"]
    if "probabilities" in table.column_names:
        flat = table.column("probabilities").combine_chunks().flatten().to_numpy()
        labels = np.array([classes.index(x) for x in table.column("label").to_pylist()])
        return labels, flat.reshape(len(labels), len(classes)), classes
    return table.column("label").to_numpy(), table.column("score").to_numpy(), classes


def _interval(metric: str, tables: Sequence[tuple[NDArray[Any], NDArray[Any], list[str]]], problem: Any) -> Interval:
    def statistic(rows: NDArray[np.int64]) -> float:
        values = [
            compute_metrics([metric], labels[rows], scores[rows], problem)[metric]["value"]
            for labels, scores, _ in tables
        ]
        return values[0] - values[1] if len(values) == 2 else values[0]

    return bootstrap(len(tables[0][0]), statistic)
