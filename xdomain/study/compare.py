"""A few arms of one task side by side: the smallest comparison, one seed, its intervals over test examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xdomain.errors import RecipeError
from xdomain.plugins import find_recipe
from xdomain.progress import Say, part
from xdomain.recipe import BASELINES, OF_AN_ENCODER, Recipe, with_arm
from xdomain.run import arm_label, run
from xdomain.study.statistics.estimate import Interval
from xdomain.training.heldout import check_comparable, load_judged, resampled
from xdomain.training.plots import plot_comparison
from xdomain.training.runfolder import Result, check_folder, write_json


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
    task: str | Path | Recipe,
    arms: Sequence[str] | None = None,
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
        Names of inits (pretrained, scratch, reembed, shuffled, rescaled) or baselines (kmer, cnn); by default
        pretrained, scratch and kmer, the last not for span.
    out
        Holds a run folder an arm, ``comparison.json`` and ``comparison.png``; by default ``runs/TASK/compare``.
    options
        Other fields of `xdomain.recipe.Run`.
    """
    recipe = find_recipe(task, overrides)
    if arms is None:
        arms = ("pretrained", "scratch") if recipe.problem == "span" else ("pretrained", "scratch", "kmer")
    if not arms or len(set(arms)) != len(arms):
        raise RecipeError(f"arms {', '.join(arms) or 'none'}", expected="one or more, each once, as pretrained,scratch")
    folder = Path(out) if out else Path("runs") / recipe.name / "compare"
    recipes = [_arm(recipe, arm, options) for arm in arms]
    metric = recipe.metrics[0]
    check_comparable(metric, recipe.problem)
    for one in recipes:  # all before the first is run
        check_folder(folder / arm_label(one), one, overwrite=overwrite, resume=resume)
    results: list[Result] = []
    for i, one in enumerate(recipes, 1):
        with part(f"arm {i} of {len(recipes)}"):
            results.append(run(one, out=folder / arm_label(one), resume=resume, overwrite=overwrite, say=say))
    if not results[0].values:  # another process of these runs tells
        return Comparison(recipe.name, metric, 0, (), folder)
    values = [resampled(metric, load_judged(result.folder)) for result in results]
    rows = tuple(
        Row(
            arm_label(one),
            value.interval(),
            (value - values[0]).interval() if i else None,
            result.values["train_loss"],
            result.values["seconds"],
            result.folder,
        )
        for i, (one, result, value) in enumerate(zip(recipes, results, values, strict=True))
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


def _arm(recipe: Recipe, arm: str, options: dict[str, Any]) -> Recipe:
    """The recipe of an arm, which is the name of an init or of a baseline."""
    if arm in BASELINES:
        plain = {key: value for key, value in options.items() if key not in OF_AN_ENCODER}
        return with_arm(recipe, {**plain, "baseline": arm})
    plain = recipe.model_copy(update={"run": recipe.run.model_copy(update={"baseline": None})})
    return with_arm(plain, {**options, "init": arm})


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
