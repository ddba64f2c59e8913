"""One run from start to finish: read, split, encode, train, evaluate, write. The module to read first."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from xdomain.baselines.train_baseline import train_baseline
from xdomain.core.choices import Problem
from xdomain.core.disk import explaining_full_disk
from xdomain.core.keywords import names_misspelt_options
from xdomain.core.memory import enough_memory
from xdomain.core.overrides import Overrides
from xdomain.core.progress import log, muted
from xdomain.core.recipe import Recipe, encoder_options, load_recipe, with_arm
from xdomain.core.recipe_sections import columns_with_label
from xdomain.core.run_dir import (
    RECIPE,
    check_folder,
    check_same,
    is_done,
    opened_folder,
)
from xdomain.data.own_data import task_of
from xdomain.inference.saved_model import keep_adapter
from xdomain.metrics.metrics import check_metrics
from xdomain.model.backbone import load_backbone, quiet_loading
from xdomain.runs.cross_validation import cross_validate, is_cross_validation
from xdomain.runs.finish_run import finish
from xdomain.runs.result import Result, load_result
from xdomain.runs.run_names import arm_label, default_folder
from xdomain.training.arguments import memory_need
from xdomain.training.defaults import describe_training, settle
from xdomain.training.device import Device, best_device, is_first
from xdomain.training.pace import TooFewMinutesError, check_minutes, measure_pace, plan_for_minutes
from xdomain.training.preparation import adapter_of, prepare
from xdomain.training.provenance import PeakMemory
from xdomain.training.train_encoder import build_learner, plan_encoder, train_encoder

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
        With `data`: what the sequences are, ``dna``, ``protein``, ``speech``, ``music``, ``text``, ``tokens`` or
        ``synthetic``.
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
        Where the encoder starts: pretrained, scratch, reembed, shuffled, rescaled or aligned. Here and below, None:
        as the recipe says.
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
        The run folder; by default that of `xdomain.runs.run_names.default_folder`.
    overwrite
        Whether to replace the run in `out`.
    resume
        Whether to finish the interrupted run in `out`.
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
    asked = task_of(
        task,
        data,
        domain,
        columns=columns_with_label(columns, label),
        problem=problem,
        labels=labels,
        genome=genome,
        drop_incomplete=drop_incomplete,
        negatives=negatives,
        overrides=overrides,
    )
    options = encoder_options(
        backbone=backbone, transfer=transfer, tune=tune, mapping=mapping, mapping_table=mapping_table,
        mapping_seed=mapping_seed, seed=seed,
    )  # fmt: skip
    recipe = with_arm(asked, {**options, "init": init, "baseline": baseline})
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
        if resume and (folder / RECIPE).is_file() and not is_cross_validation(recipe):  # whose size each fold has
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
            log.info(f"a step takes {pace.step:.2f} s here: {train.max_steps} steps in {minutes:g} min")
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
    """Run each fold; with `minutes` for all, the first chooses its size, and the others take the same."""

    def run_fold(one: Recipe, place: Path, folds: int) -> Result:
        first = folder / "fold-0"
        if minutes is None or place == first:
            share = None if minutes is None else minutes / folds
            try:
                return _run(one, place, overwrite=False, resume=True, minutes=share)
            except TooFewMinutesError as error:
                raise TooFewMinutesError(minutes or 0.0, error.needed * folds) from None
        return _run(with_written_size(one, first), place, overwrite=False, resume=True, minutes=None)

    opened = opened_folder(folder, recipe, asked=recipe, overwrite=overwrite, resume=resume)
    with opened if is_first() else nullcontext():
        return Result(folder, cross_validate(recipe, folder, run_fold))


def with_written_size(recipe: Recipe, folder: Path) -> Recipe:
    """Copy `recipe` with the steps and record limits in the ``recipe.yaml`` of `folder`, chosen for its ``minutes``."""
    written = load_recipe(folder / RECIPE)
    size = {name: getattr(written.train, name) for name in ("max_steps", "steps_share", "evaluations", "epochs")}
    train = recipe.train.model_copy(update=size)
    split = recipe.split.model_copy(update={"limit": written.split.limit})
    return recipe.model_copy(update={"train": train, "split": split})
