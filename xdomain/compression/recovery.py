"""Train a model that was made smaller, as the run was trained, and save it into a run folder of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from xdomain.compression.original import Original, Smaller
from xdomain.core.progress import log
from xdomain.core.run_dir import MAPPING, MODEL, as_svg, read_history
from xdomain.data.collate import Collator, fit_windows
from xdomain.inference.saved_model import keep_adapter
from xdomain.model.families import max_positions
from xdomain.model.layer_mix import LAYER_MIX
from xdomain.model.tokenizer import check_tokenizer, layout_of
from xdomain.model.vocabulary import restore_vocabulary, slice_vocabulary
from xdomain.training.defaults import describe_training
from xdomain.training.device import Device, quick_attention
from xdomain.training.plots import LAYER_PLOT
from xdomain.training.saved_encoder import save_model
from xdomain.training.train_encoder import CHECKED_RECORDS, augmentation_of, training_batches
from xdomain.training.trainer import FitResult, Objective, fit


def recover(
    smaller: Smaller,
    original: Original,
    *,
    folder: Path,
    device: Device,
    objective: Callable[[Collator], Objective] | None = None,
) -> FitResult:
    """Train the model of `smaller` in place on the run's training records; validation chooses the step.

    Parameters
    ----------
    smaller
        Its model predicts in native units, before and afterwards.
    original
        The run, whose records, options of training and seed are used.
    folder
        For checkpoints, which are removed in the end.
    device
        Where to train, and in which number format.
    objective
        Given what makes the batches, the loss to train by; None: that of the problem.
    """
    recipe, examples, model = original.recipe, original.examples, smaller.model
    layout, rows = layout_of(smaller.tokenizer), smaller.mapping.ids.astype(np.int64)
    positions = min(max_positions(one.config) for one in (model, original.saved.model))  # a teacher reads them too
    windows = fit_windows(examples, layout, positions, recipe.train)
    in_use = [*rows.tolist(), *layout.rows(), layout.pad]
    cut = slice_vocabulary(model, in_use) if recipe.train.slice_vocabulary else None
    collate, scale = training_batches(recipe, examples, rows, layout, windows, cut)
    if scale:
        scale.inverse().fold_into(model)
    log.info(describe_training(recipe.train, examples.sizes()["train"]))
    with quick_attention(model, device, collate.lengths().sum() / len(windows.start)):
        course = fit(
            model.requires_grad_(True),
            examples,
            collate,
            recipe,
            seed=recipe.run.seed,
            device=device,
            folder=folder,
            scale=scale,
            augment=augmentation_of(recipe.train.augment, original.adapter),
            objective=objective(collate) if objective else None,
        )
    model.cpu()
    if scale:
        scale.fold_into(model)
    if cut:
        restore_vocabulary(model, cut)
    return course


def as_trained(original: Original) -> FitResult:
    """The course of training of the run `original` itself, for a model that needed no recovery."""
    values = original.values

    def told(name: str) -> Any:
        value = values.get(name)
        return float("nan") if value is None else value

    return FitResult(
        history=read_history(original.folder),
        train_loss=told("train_loss"),
        best_step=values.get("best_step", 0),
        steps=values.get("steps", 0),
        tokens_per_second=told("tokens_per_second"),
        seconds=0.0,
    )


def save_smaller(smaller: Smaller, original: Original, folder: Path) -> None:
    """Write what a run folder holds beside its results: model, tokenizer, mapping, the files of the adapter.

    Parameters
    ----------
    smaller
        The model that was made.
    original
        The run, whose mix of layers, where it has one, goes with the model.
    folder
        The run folder, which exists.
    """
    adapter, examples = original.adapter, original.examples
    sample = [adapter.decode(examples.symbols[i]) for i in range(min(len(examples), CHECKED_RECORDS))]
    check_tokenizer(smaller.tokenizer, adapter, smaller.mapping, sample)
    keep_adapter(adapter, folder)
    smaller.mapping.save(folder / MAPPING)
    save_model(smaller.model, smaller.tokenizer, folder)
    for name in (LAYER_MIX, LAYER_PLOT, as_svg(LAYER_PLOT)):
        if smaller.backbone is None and (original.folder / MODEL / name).is_file():
            shutil.copyfile(original.folder / MODEL / name, folder / MODEL / name)
