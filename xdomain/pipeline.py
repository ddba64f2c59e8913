"""One run from start to finish: read, split, encode, train, evaluate, write. The module to read first."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xdomain.baselines.train_baseline import train_baseline
from xdomain.core.choices import Problem
from xdomain.core.disk import explaining_full_disk
from xdomain.core.errors import RecipeError, names_misspelt_options
from xdomain.core.formatting import number
from xdomain.core.memory import enough_memory
from xdomain.core.overrides import Overrides
from xdomain.core.progress import log, muted
from xdomain.core.recipe import Recipe, columns_of, load_recipe, with_arm
from xdomain.core.run_dir import (
    CONFUSION_PLOT,
    FAMILIAR,
    HISTORY_PLOT,
    LABELS_PLOT,
    NEIGHBOURS,
    PREDICTIONS,
    RECIPE,
    RELIABILITY_PLOT,
    RESULT,
    SCHEMA,
    check_folder,
    check_same,
    is_done,
    opened_folder,
    tempered,
    write_history,
    write_json,
    write_predictions,
)
from xdomain.core.sequences import Adapter
from xdomain.cross_validation import cross_validate, is_cross_validation
from xdomain.data.class_weights import balancing_weights
from xdomain.data.dataset import Examples
from xdomain.data.familiar import Familiar
from xdomain.data.neighbours import Neighbours
from xdomain.data.own_data import task_of
from xdomain.inference.saved_model import SavedBaseline, keep_adapter, keep_temperature, keep_thresholds, load_saved
from xdomain.metrics.calibration import BINS, calibrations, edge_note, fit_temperature
from xdomain.metrics.heldout import HeldOutPredictions, held_out_of
from xdomain.metrics.metrics import check_metrics
from xdomain.metrics.multilabel import choose_thresholds
from xdomain.metrics.no_answer import NO_ANSWER, choose_none, learns_none
from xdomain.metrics.scoring import compute_split_metrics, drop_unscored, label_columns, predicted
from xdomain.metrics.spans import found_spans
from xdomain.model.backbone import load_backbone, quiet_loading
from xdomain.result import Result, load_result
from xdomain.run_names import arm_label, default_folder
from xdomain.training.arguments import memory_need
from xdomain.training.defaults import describe_training, settle
from xdomain.training.device import Device, best_device, is_first
from xdomain.training.model_card import write_card
from xdomain.training.pace import check_minutes, measure_pace, plan_for_minutes
from xdomain.training.preparation import JUDGED, adapter_of, prepare
from xdomain.training.provenance import PeakMemory, provenance
from xdomain.training.train_encoder import TrainResult, build_learner, plan_encoder, train_encoder
from xdomain.verdict import verdict_on

RESUME = "make room on its disk, then the same command with --resume"
BASELINE_DEVICE = Device("cpu", False, "simple baselines are fitted there")


@names_misspelt_options
def run(
    task: str | Path | Recipe | None = None,
    *,
    data: Any = None,
    domain: str | None = None,
    label: str | list[str] | None = None,
    columns: Mapping[str, str | list[str]] | None = None,
    problem: Problem | None = None,
    labels: str | Path | None = None,
    genome: str | Path | None = None,
    drop_incomplete: bool = False,
    negatives: str | None = None,
    backbone: str | None = None,
    init: str | None = None,
    transfer: Sequence[str] | None = None,
    tune: str | None = None,
    mapping: str | None = None,
    mapping_table: Mapping[str, str] | None = None,
    mapping_seed: int | None = None,
    seed: int | None = None,
    baseline: str | None = None,
    overrides: Overrides = (),
    out: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    minutes: float | None = None,
) -> Result:
    """Fine-tune one model on one task and write its run folder.

    Parameters
    ----------
    task
        The name of a shipped task (``dna/splice``), a recipe file, or a `Recipe`; None with `data`.
    data
        Your own records instead of a task: the path of a table (CSV, TSV, JSON lines, Parquet, Arrow, Excel) or of
        sequences (FASTA, FASTQ, GenBank, EMBL, PIR); a folder of train, valid and test files; ``hub:NAME``; a
        ``pandas.DataFrame``, a ``pyarrow.Table``, or (sequences, labels), or with `negatives` a list of sequences; or
        any of these by split, ``{"train": …, "test": …}``.
    domain
        With `data`: what the sequences are, ``dna``, ``protein``, ``speech``, ``music``, ``synthetic`` or ``text``.
    label
        With `data`: the column of labels; for multilabel and multioutput perhaps a list of columns, one for each.
    columns
        With `data`: other columns by what they hold, ``{"sequence": NAME, "split": NAME, …}``. Those left out are
        guessed, and the guess is logged.
    problem
        With `data`: classification, multilabel, regression, multioutput, tagging, profile, pair, span or
        sequence. None: guessed.
    labels
        With `data`: a table of ids and labels, for sequences, sounds or music that have none in their own file.
    genome
        With `data` that are intervals (BED, GTF, or a table with chrom, start, end): the genome as FASTA.
    drop_incomplete
        With `data`: leave out rows without a sequence or a label, and say how many, instead of refusing them.
    negatives
        With `data` of one class: how records of another are made, ``shuffled``, ``background=GENOME.fa`` or
        ``proteins=FILE.fasta``; docs/data.md.
    backbone
        A folder or hub id of a checkpoint. None: that of the recipe, which by default is the one shipped.
    init
        Where the encoder starts: pretrained, scratch, reembed, shuffled or rescaled. Here and below, None: as the
        recipe says.
    transfer
        The parts taken from the checkpoint: attention, ffn, norms, words, positions.
    tune
        What is trained: full, head, mix, norms, lora or bottleneck.
    mapping
        How symbols get their wordpieces: random, frequent, …, or ``given``.
    mapping_table
        Symbol to wordpiece, for the mapping ``given``.
    mapping_seed
        Seed of the mapping, 0 or more.
    seed
        Seed of the training, 0 or more.
    baseline
        A simple baseline instead of the encoder: kmer or cnn.
    overrides
        Changes to the recipe, ``["key.sub=value", …]`` or ``{"key.sub": value}``.
    out
        The run folder; by default that of `xdomain.run_names.default_folder`.
    overwrite, resume
        Whether to replace the run in `out`; whether to finish the interrupted run in it.
    minutes
        About how long the run may take. The pace is measured first; if it is too slow, fewer steps are taken and
        fewer records evaluated. The choice is logged and written into ``recipe.yaml``. None: no limit. Simple
        baselines are not shortened.

    Returns
    -------
    Result
        The finished run.

    Raises
    ------
    UserError
        An argument or a record is invalid. The message says how to fix it.
    """
    roles = {**(columns or {}), **({} if label is None else {"label": label})}
    asked = task_of(
        task,
        data,
        domain,
        columns=columns_of(roles) if roles else None,
        problem=problem,
        labels=labels,
        genome=genome,
        drop_incomplete=drop_incomplete,
        negatives=negatives,
        overrides=overrides,
    )
    arm = {
        "backbone": backbone, "init": init, "transfer": list(transfer) if transfer is not None else None, "tune": tune,
        "mapping": mapping, "mapping_table": dict(mapping_table) if mapping_table is not None else None,
        "mapping_seed": mapping_seed, "seed": seed, "baseline": baseline,
    }  # fmt: skip
    recipe = with_arm(asked, arm)
    folder = Path(out) if out else default_folder(recipe)
    with (
        quiet_loading(),
        enough_memory(lambda: memory_need(recipe)),
        explaining_full_disk(folder, fix=RESUME),
        muted(not is_first()),
    ):
        return _run(recipe, folder, overwrite=overwrite, resume=resume, minutes=minutes)


def _run(recipe: Recipe, folder: Path, *, overwrite: bool, resume: bool, minutes: float | None) -> Result:
    started, memory, asked = time.monotonic(), PeakMemory(), recipe
    check_metrics(recipe.metrics, recipe.problem)
    first = is_first()
    if minutes is not None:
        check_minutes(minutes)
        if resume and (folder / RECIPE).is_file():
            recipe, minutes = with_written_size(recipe, folder), None
            asked = recipe
    if resume and is_done(folder):
        check_same(folder, recipe)
        log.info(f"{folder} is finished already")
        return load_result(folder) if first else Result(folder, {})
    if first:
        check_folder(folder, recipe, overwrite=overwrite, resume=resume)
    if is_cross_validation(recipe):
        return _run_folds(recipe, folder, minutes=minutes, overwrite=overwrite, resume=resume)
    backbone = None if recipe.run.baseline else load_backbone(recipe.run.backbone)
    adapter = adapter_of(recipe)
    examples, counts = prepare(recipe, adapter)
    check_metrics(recipe.metrics, recipe.problem, examples.classes)
    plan = plan_encoder(recipe, backbone, adapter, examples, folder=folder) if backbone else None
    device = best_device(recipe.train.precision) if backbone else BASELINE_DEVICE
    if backbone and plan:
        train, width, sizes = recipe.train, backbone.config.hidden_size, examples.sizes()
        if minutes is None:
            train = settle(train, records=sizes["train"], width=width)
        else:
            pace = measure_pace(build_learner(recipe, backbone, examples, plan), examples, recipe, device)
            spent = time.monotonic() - started
            train, limit = plan_for_minutes(minutes, pace, train, sizes=sizes, spent=spent, width=width)
            log.info(f"{minutes:g} minutes: {pace.step:.2f} s a step")
            if limit:
                recipe = recipe.model_copy(
                    update={"split": recipe.split.model_copy(update={"limit": {**recipe.split.limit, **limit}})}
                )
                examples, counts = prepare(recipe, adapter)
                plan = plan_encoder(recipe, backbone, adapter, examples, folder=folder)
        recipe = recipe.model_copy(update={"train": train})
    # nothing has been written yet: an error above leaves the folder as it was
    opened = opened_folder(folder, recipe, asked=asked, overwrite=overwrite, resume=resume)
    with opened if first else nullcontext():
        log.info(f"{arm_label(recipe)} on {device}")
        if first:
            keep_adapter(adapter, folder, examples.outputs)
        if backbone and plan:
            log.info(describe_training(recipe.train, examples.sizes()["train"]))
            learned = train_encoder(
                recipe, backbone, adapter, examples, plan, folder=folder, device=device, resume=resume
            )
        else:
            learned = train_baseline(recipe, adapter, examples, folder=folder) if first else None
        if learned is None or not first:
            return Result(folder, {})
        return finish(recipe, adapter, examples, learned, folder, counts, device, started, memory)


def _run_folds(recipe: Recipe, folder: Path, *, minutes: float | None, overwrite: bool, resume: bool) -> Result:
    if minutes is not None:
        raise RecipeError("minutes for a run of each fold", expected="minutes for one fold", fix="--set split.fold=0")
    opened = opened_folder(folder, recipe, asked=recipe, overwrite=overwrite, resume=resume)
    with opened if is_first() else nullcontext():
        values = cross_validate(
            recipe, folder, lambda one, place: _run(one, place, overwrite=False, resume=True, minutes=None)
        )
        return Result(folder, values)


def with_written_size(recipe: Recipe, folder: Path) -> Recipe:
    """Copy `recipe` with the steps and record limits in the ``recipe.yaml`` of `folder`, chosen for its ``minutes``."""
    written = load_recipe(folder / RECIPE)
    size = {name: getattr(written.train, name) for name in ("max_steps", "evaluations", "epochs")}
    train = recipe.train.model_copy(update=size)
    split = recipe.split.model_copy(update={"limit": written.split.limit})
    return recipe.model_copy(update={"train": train, "split": split})


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
    from xdomain.training.plots import plot_confusion, plot_history, plot_labels, plot_reliability  # slow to load

    model = load_saved(folder)
    scores = {split: model.scores(examples, examples.indices(split), device) for split in JUDGED}
    calibration = _calibrated(recipe, examples, scores, folder)
    thresholds = _thresholds(recipe, examples, scores["valid"], folder)
    judged = {
        split: compute_split_metrics(examples, split, scores[split], recipe.metrics, thresholds) for split in JUDGED
    }
    Familiar.of(examples, adapter.alphabet).save(folder / FAMILIAR)
    if not isinstance(model, SavedBaseline):
        encoder = model
        Neighbours.of(examples, lambda some: np.stack(encoder.embed(examples, some, device=device))).save(
            folder / NEIGHBOURS
        )
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
    label = f"{recipe.name}, {arm_label(recipe)}"
    plot_history(learned.fit.history, metric=recipe.metrics[0], path=folder / HISTORY_PLOT, title=label)
    if recipe.problem == "multilabel":
        plot_labels(judged["test"]["per_class"], path=folder / LABELS_PLOT, title=f"{label}: test")
    elif "confusion" in judged["test"]:
        matrix = judged["test"]["confusion"]
        plot_confusion(matrix, examples.classes, path=folder / CONFUSION_PLOT, title=f"{label}: test")
    if calibration:
        plot_reliability(calibration["calibration"]["test"], path=folder / RELIABILITY_PLOT, title=f"{label}: test")
    write_card(folder, recipe, values, adapter)
    write_json(folder / RESULT, values)
    result = load_result(folder)
    first = recipe.metrics[0]
    for note in verdict.notes:
        log.warning(note)
    log.info(f"test {first} {number(result.metric())}  valid {number(result.metric(split='valid'))}  -> {folder}")
    return result


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
