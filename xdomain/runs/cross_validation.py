"""One run for each fold of a task, and their test predictions judged together."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from xdomain.core.formatting import number
from xdomain.core.progress import log, muted
from xdomain.core.recipe import Recipe
from xdomain.core.run_dir import PREDICTIONS, RESULT, StoredResult, write_json, write_predictions
from xdomain.data.loading import load_table
from xdomain.data.splits.folds import fold_names
from xdomain.metrics.heldout import NEED_CHANCES, held_out_of, resampled_metric
from xdomain.metrics.scoring import read_predictions
from xdomain.runs.verdict import not_above_rules

RunFold = Callable[[Recipe, Path, int], StoredResult]
OF_ONE_FOLD = ("n", "best_step", "steps", "counts", "majority", "simple_rules", "learned", "notes",
               "confusion", "per_class", "per_target", "calibration", "thresholds", "tokens_per_second", "oracle",
               "random_span", "has_answer", "no_answer")  # fmt: skip
"""Parts of a fold's ``result.json`` that do not hold for all folds together; they stay in the folder of the fold."""


def is_cross_validation(recipe: Recipe) -> bool:
    """Whether `recipe` asks for a run of each fold, not of one that it names."""
    return recipe.split.rule == "fold" and recipe.split.fold is None


def cross_validate(recipe: Recipe, folder: Path, run_fold: RunFold) -> dict[str, Any]:
    """Run each fold of `recipe` and judge all test predictions together.

    Parameters
    ----------
    recipe
        For which `is_cross_validation` holds.
    folder
        Gets a run folder ``fold-I`` for each fold, their test predictions in one ``predictions.parquet``, with a column
        ``fold``, and ``result.json``.
    run_fold
        Runs a recipe that names its fold and writes its run folder; what is finished there already is taken as it is.
        It is told the number of folds as well.

    Returns
    -------
    dict
        The contents of ``result.json``; empty in processes that write nothing. ``metrics.test`` is computed once on the
        test predictions of all folds, in which each record stands once, with an interval over these records: it does
        not hold how the models of other training sets would differ. ``metrics.valid`` is the mean over folds.
        ``majority`` and ``simple_rules`` are means over folds, too. ``folds`` has the metrics of each fold and
        ``between_folds`` their standard deviation.

    Raises
    ------
    UserError
        The data has no folds, or a run of a fold cannot work.
    """
    with muted():
        names = fold_names(load_table(recipe), recipe.split)
    results: list[StoredResult] = []
    for place, name in enumerate(names):
        log.info(f"fold {name} ({place + 1} of {len(names)})")
        split = recipe.split.model_copy(update={"fold": place})
        results.append(run_fold(recipe.model_copy(update={"split": split}), folder / f"fold-{place}", len(names)))
    if not all(result.values for result in results):
        return {}
    table = _pooled(results, names)
    write_predictions(folder / PREDICTIONS, {name: table.column(name) for name in table.column_names})
    values = _values(recipe, results, names, table)
    write_json(folder / RESULT, values)
    first = recipe.metrics[0]
    entry = values["metrics"]["test"][first]
    log.info(
        f"{len(names)} folds, {table.num_rows:,} test records: {first} {number(entry['value'])}, "
        f"between folds ± {number(values['between_folds'][first])}  -> {folder}"
    )
    for note in values["notes"]:
        log.warning(note)
    return values


def _pooled(results: list[StoredResult], names: list[str]) -> pa.Table:
    parts: list[pa.Table] = []
    for result, name in zip(results, names, strict=True):
        part = read_predictions(result.folder / PREDICTIONS, result.values["classes"], split="test")
        parts.append(part.append_column("fold", pa.array([name] * part.num_rows, pa.string())))
    return pa.concat_tables(parts)


def _values(recipe: Recipe, results: list[StoredResult], names: list[str], table: pa.Table) -> dict[str, Any]:
    first = results[0].values
    metrics = list(first["metrics"]["test"])
    by_fold = {name: {m: result.metric(m) for m in metrics} for name, result in zip(names, results, strict=True)}
    held_out = held_out_of(table, recipe.problem, first["classes"])
    test: dict[str, dict[str, Any]] = {}
    for name in metrics:
        known = {key: value for key, value in first["metrics"]["test"][name].items() if key not in ("low", "high")}
        if recipe.problem == "tagging" and name in NEED_CHANCES:  # predictions of tags hold no chances
            test[name] = {**known, "value": _mean_of(one[name] for one in by_fold.values())}
            continue
        interval = resampled_metric(name, held_out).interval()
        test[name] = {**known, "value": interval.value, "low": interval.low, "high": interval.high}
    valid = {
        name: {**first["metrics"]["valid"][name], "value": _mean_of(r.metric(name, "valid") for r in results)}
        for name in metrics
    }
    simple = _simple(results)
    return {
        **{name: value for name, value in first.items() if name not in OF_ONE_FOLD},
        "n": {"folds": len(names), "test": table.num_rows},
        "metrics": {"valid": valid, "test": test},
        "train_loss": _mean_of(r.values["train_loss"] for r in results),
        "folds": by_fold,
        **simple,
        "between_folds": {name: _deviation(one[name] for one in by_fold.values()) for name in metrics},
        "learned": all(result.values.get("learned", True) for result in results),
        "notes": [*_notes(results, names), *_beaten(recipe, results, simple)],
        "seconds": sum(result.values["seconds"] for result in results),
        "training_seconds": sum(result.values["training_seconds"] for result in results),
    }


def _finite(values: Iterable[float | None]) -> list[float]:
    """Those of `values` that are defined: a metric may not be for a fold, as where all its labels are the same."""
    return [value for value in values if value is not None and math.isfinite(value)]


def _mean_of(values: Iterable[float | None]) -> float:
    """The mean over the folds for which the value is defined; NaN for none."""
    defined = _finite(values)
    return statistics.fmean(defined) if defined else math.nan


def _deviation(values: Iterable[float | None]) -> float:
    """The standard deviation over the folds for which the value is defined; NaN for fewer than two."""
    defined = _finite(values)
    return statistics.stdev(defined) if len(defined) > 1 else math.nan


def _simple(results: list[StoredResult]) -> dict[str, Any]:
    """What a constant answer and simple rules reach on test, on average over folds, where it is known for all."""
    parts: dict[str, Any] = {}
    for name in ("majority", "simple_rules"):
        told = [result.values.get(name) for result in results]
        if all(told):
            parts[name] = _mean(told)
    return parts


def _beaten(recipe: Recipe, results: list[StoredResult], simple: dict[str, Any]) -> list[str]:
    """A sentence where the best rule in `simple`, of `_simple`, is as good as the model, on average over folds."""
    first = recipe.metrics[0]
    rules = simple.get("simple_rules", {}).get("test", {})
    known = {name: {first: values[first]} for name, values in rules.items() if values[first] is not None}
    beaten = not_above_rules(first, _mean_of(result.metric(first) for result in results), known)
    return [f"on average over folds {results[0].values['arm']['label']} {beaten}."] if beaten else []


def _mean(trees: list[Any]) -> Any:
    """The mean of numbers at the same place of nested mappings; None where one is missing."""
    if isinstance(trees[0], dict):
        shared = [key for key in trees[0] if all(key in tree for tree in trees)]
        return {key: _mean([tree[key] for tree in trees]) for key in shared}
    return None if None in trees else statistics.fmean(trees)


def _notes(results: list[StoredResult], names: list[str]) -> list[str]:
    failed = [name for name, result in zip(names, results, strict=True) if not result.values.get("learned", True)]
    return [f"did not learn in fold {', '.join(failed)}"] if failed else []
