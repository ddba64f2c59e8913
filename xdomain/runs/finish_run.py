"""The end of a run: the trained model is scored on validation and test, and everything is written."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xdomain.core.formatting import number
from xdomain.core.progress import log
from xdomain.core.recipe import Recipe
from xdomain.core.run_dir import (
    CONFUSION_PLOT,
    FAMILIAR,
    HISTORY_PLOT,
    LABELS_PLOT,
    NEIGHBOURS,
    PREDICTIONS,
    RELIABILITY_PLOT,
    RESULT,
    SCHEMA,
    tempered,
    write_history,
    write_json,
    write_predictions,
)
from xdomain.core.sequences import Adapter
from xdomain.data.class_weights import balancing_weights
from xdomain.data.dataset import Examples
from xdomain.data.familiar import Familiar
from xdomain.data.neighbours import Neighbours
from xdomain.inference.saved_model import SavedBaseline, keep_temperature, keep_thresholds, load_saved
from xdomain.metrics.calibration import BINS, calibrations, edge_note, fit_temperature
from xdomain.metrics.heldout import HeldOutPredictions, held_out_of
from xdomain.metrics.multilabel import choose_thresholds
from xdomain.metrics.no_answer import NO_ANSWER, choose_none, learns_none
from xdomain.metrics.scoring import compute_split_metrics, drop_unscored, label_columns, predicted
from xdomain.metrics.spans import found_spans
from xdomain.runs.model_card import write_card
from xdomain.runs.result import Result, load_result
from xdomain.runs.run_names import arm_label
from xdomain.runs.verdict import verdict_on
from xdomain.training.device import Device
from xdomain.training.preparation import JUDGED
from xdomain.training.provenance import PeakMemory, data_files, provenance
from xdomain.training.train_encoder import TrainResult

if TYPE_CHECKING:
    from xdomain.training.saved_encoder import SavedModel


def finish(
    recipe: Recipe,
    adapter: Adapter,
    examples: Examples,
    learned: TrainResult,
    folder: Path,
    counts: dict[str, Any],
    device: Device,
    started: float,
    memory: PeakMemory,
    *,
    facts_of: Callable[[HeldOutPredictions], Mapping[str, Any]] | None = None,
) -> Result:
    """Evaluate the model as it was saved and write the results, ``result.json`` last.

    Parameters
    ----------
    recipe, adapter, examples, counts
        The task: its options as they were settled, and what `xdomain.training.preparation.prepare` made of it.
    learned
        The course of training, and facts for the result.
    folder
        The run folder, which holds recipe, model and mapping.
    device
        Where to score.
    started, memory
        ``time.monotonic()`` when the run began, and its memory since then.
    facts_of
        Given the test predictions, further facts for the result.
    """
    model = load_saved(folder)
    scores = {split: model.scores(examples, examples.indices(split), device) for split in JUDGED}
    calibration = _calibrated(recipe, examples, scores, folder)
    thresholds = _thresholds(recipe, examples, scores["valid"], folder)
    judged = {
        split: compute_split_metrics(examples, split, scores[split], recipe.metrics, thresholds) for split in JUDGED
    }
    _keep_training_data(model, examples, adapter, device, folder)
    write_history(folder, learned.fit.history)
    predictions = predictions_of(examples, adapter, scores, thresholds)
    write_predictions(folder / PREDICTIONS, predictions)
    held_out = held_out_of(_test_of(predictions), recipe.problem, examples.classes)
    verdict = verdict_on(
        recipe,
        examples,
        held_out,
        label=arm_label(recipe),
        alphabet_size=len(adapter.alphabet),
        losses=[row["loss"] for row in learned.fit.history if row.get("loss") is not None],
        random_span=judged["test"].get("random_span", {}).get(recipe.metrics[0], math.nan),
    )
    for name, interval in verdict.intervals.items():
        judged["test"]["metrics"][name] |= {"low": interval.low, "high": interval.high}
    facts = {**learned.facts, **(facts_of(held_out) if facts_of else {})}
    values = {
        "schema": SCHEMA,
        "task": recipe.name,
        "data": data_files(recipe.source),
        "arm": {"label": arm_label(recipe), **recipe.run.model_dump(include={"init", "transfer", "tune", "baseline"})},
        "seed": recipe.run.seed,
        "n": examples.sizes(),
        "paired": examples.symbols_b is not None,
        "metrics": {split: entry["metrics"] for split, entry in judged.items()},
        "chosen_on": "valid",
        "train_loss": learned.fit.train_loss,
        "best_step": learned.fit.best_step,
        "steps": learned.fit.steps,
        **calibration,
        **_thresholds_by_name(examples, thresholds),
        **_balance(recipe, examples),
        **({"negatives": recipe.negatives.model_dump()} if recipe.negatives.how != "none" else {}),
        **({"positive_class": examples.classes[1]} if examples.has_positive else {}),
        **{part: {split: entry[part] for split, entry in judged.items()} for part in _beside(judged["test"])},
        **verdict.as_dict(),
        "classes": list(examples.classes),
        "counts": {**counts, **facts.pop("counts", {})},
        **facts,
        "seconds": time.monotonic() - started,
        "training_seconds": learned.fit.seconds,
        "tokens_per_second": learned.fit.tokens_per_second,
        **provenance(device, memory),
    }
    _plot(recipe, examples.classes, learned, judged["test"], calibration, folder)
    write_card(folder, recipe, values, adapter)
    write_json(folder / RESULT, values)
    result = load_result(folder)
    first = recipe.metrics[0]
    for note in verdict.notes:
        log.warning(note)
    log.info(f"test {first} {number(result.metric())}  valid {number(result.metric(split='valid'))}  -> {folder}")
    return result


def _keep_training_data(
    model: SavedBaseline | SavedModel, examples: Examples, adapter: Adapter, device: Device, folder: Path
) -> None:
    """Write what tells later whether a record is unlike the training data."""
    Familiar.of(examples, adapter.alphabet).save(folder / FAMILIAR)
    if not isinstance(model, SavedBaseline):
        near = Neighbours.of(examples, lambda some: np.stack(model.embed(examples, some, device=device)))
        near.save(folder / NEIGHBOURS)


def _plot(
    recipe: Recipe,
    classes: Sequence[str],
    learned: TrainResult,
    judged: Mapping[str, Any],
    calibration: Mapping[str, Any],
    folder: Path,
) -> None:
    """Draw the course of training, and the test results `judged` as the problem asks."""
    from xdomain.training.plots import plot_confusion, plot_history, plot_labels, plot_reliability  # slow to load

    label = f"{recipe.name}, {arm_label(recipe)}"
    plot_history(learned.fit.history, metric=recipe.metrics[0], path=folder / HISTORY_PLOT, title=label)
    if recipe.problem == "multilabel":
        plot_labels(judged["per_class"], path=folder / LABELS_PLOT, title=f"{label}: test")
    elif "confusion" in judged:
        plot_confusion(judged["confusion"], classes, path=folder / CONFUSION_PLOT, title=f"{label}: test")
    if calibration:
        plot_reliability(calibration["calibration"]["test"], path=folder / RELIABILITY_PLOT, title=f"{label}: test")


def _balance(recipe: Recipe, examples: Examples) -> dict[str, Any]:
    """How the classes were balanced, for the result; empty where they were not."""
    if recipe.class_balance == "none":
        return {}
    weights = balancing_weights(examples.labels_of(examples.indices("train")), recipe.problem, len(examples.classes))
    counted = weights[1] if recipe.problem == "multilabel" else weights
    return {
        "class_balance": recipe.class_balance,
        "class_weights": dict(zip(examples.classes, counted.tolist(), strict=True)),
    }


def _thresholds(recipe: Recipe, examples: Examples, scores: Any, folder: Path) -> NDArray[np.float64] | None:
    """Choose and keep thresholds, shape (k,), by the `scores` of validation: of labels, or of no answer; else None."""
    valid = examples.indices("valid")
    if examples.answers is not None and learns_none(examples):
        references, spans = examples.answers.references(valid), found_spans(examples, valid, scores)
        chosen = choose_none(references, spans, scores, recipe.thresholds)
    elif recipe.problem == "multilabel":
        chosen = choose_thresholds(examples.labels_of(valid), scores, recipe.thresholds)
    else:
        return None
    keep_thresholds(chosen, examples.classes or (NO_ANSWER,), folder)
    return chosen


def _calibrated(recipe: Recipe, examples: Examples, scores: dict[str, Any], folder: Path) -> dict[str, Any]:
    """How far probabilities are right, for the result; if the recipe asks for it, `scores` are tempered in place."""
    if recipe.problem not in ("classification", "pair"):
        return {}
    given = {split: drop_unscored(examples.labels_of(examples.indices(split)), scores[split]) for split in JUDGED}
    temperature = None
    if recipe.calibration == "temperature":
        labels, logits = given["valid"]
        temperature = fit_temperature(logits, labels)
        keep_temperature(temperature, folder)
        for split in JUDGED:
            scores[split] = tempered(scores[split], temperature)
    told = {split: calibrations(*given[split], temperature) for split in JUDGED}
    if temperature is not None:
        before, after = (told["test"][when]["error"] for when in ("before", "after"))
        log.info(
            f"calibration: temperature {number(temperature)}; expected calibration error on test {number(after)}, "
            f"{number(before)} before. {edge_note(temperature)}".rstrip(". ")
        )
    return {"calibration": {"method": recipe.calibration, "temperature": temperature, "n_bins": BINS, **told}}


def _beside(judged: dict[str, Any]) -> list[str]:
    """What was computed for a split beside its metrics: tables by class, or values of perfect and random spans."""
    return [part for part in judged if part != "metrics"]


def _test_of(predictions: dict[str, pa.Array]) -> pa.Table:
    return pa.table(predictions).filter(pc.field("split") == "test")


def _thresholds_by_name(examples: Examples, thresholds: NDArray[np.float64] | None) -> dict[str, dict[str, float]]:
    if thresholds is None:
        return {}
    return {"thresholds": dict(zip(examples.classes or (NO_ANSWER,), thresholds.tolist(), strict=True))}


def predictions_of(
    examples: Examples, adapter: Adapter, scores: Mapping[str, Any], thresholds: NDArray[np.float64] | None
) -> dict[str, pa.Array]:
    """The columns of ``predictions.parquet``, by name.

    Parameters
    ----------
    examples, adapter
        All records, and what encoded them.
    scores
        By split, the scores of its records, calibrated where the run is.
    thresholds
        As `xdomain.metrics.scoring.predicted` takes them.
    """
    parts: list[pa.Table] = []
    for split, of_split in scores.items():
        records = examples.indices(split)
        columns = {
            "id": pa.array([examples.ids[i] for i in records], pa.string()),
            "split": pa.array([split] * len(records), pa.string()),
            **examples.group_column(records),
            **label_columns(examples, records),
            **predicted(examples, adapter, records, of_split, thresholds),
        }
        parts.append(pa.table(columns))
    whole = pa.concat_tables(parts).combine_chunks()
    return {name: whole.column(name) for name in whole.column_names}
