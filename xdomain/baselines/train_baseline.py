"""Train a simple baseline within a run: on the same data and splits as an encoder, with the same kind of result."""

from __future__ import annotations

import time
from pathlib import Path

from xdomain.baselines.api import fit_baseline
from xdomain.core.progress import log, reporter
from xdomain.core.recipe import Recipe
from xdomain.core.run_dir import MODEL
from xdomain.core.sequences import Adapter
from xdomain.data.dataset import Examples
from xdomain.training.train_encoder import TrainResult
from xdomain.training.trainer import FitResult


def train_baseline(recipe: Recipe, adapter: Adapter, examples: Examples, *, folder: Path) -> TrainResult:
    """Fit the baseline that `recipe` names and save it.

    Parameters
    ----------
    recipe
        Names the baseline, the problem, the metrics and the seed.
    adapter
        Gives the size of the alphabet.
    examples
        All encoded records, with labels.
    folder
        The run folder; the baseline goes into its subfolder ``model``.
    """
    kind = recipe.run.baseline
    if kind is None or examples.labels is None:
        raise ValueError("no baseline was asked for, or there are no labels")
    reporter().phase(f"fitting {kind}")
    started = time.monotonic()
    fitted = fit_baseline(
        kind,
        symbols=examples.symbols,
        symbols_b=examples.symbols_b,
        labels=examples.labels,
        split=examples.split,
        alphabet_size=len(adapter.alphabet),
        problem=recipe.problem,
        n_classes=len(examples.classes),
        seed=recipe.run.seed,
        metric=recipe.metrics[0],
        balance=recipe.class_balance,
        shares=examples.shares(),
        learning_rate=recipe.run.cnn_rate,
    )
    seconds = time.monotonic() - started
    reporter().finished()
    (folder / MODEL).mkdir(exist_ok=True)
    fitted.save(folder / MODEL)
    log.info(f"{kind} fitted: {fitted.chosen}")
    tokens = float(examples.symbols.lengths[examples.indices("train")].sum())
    last = fitted.history[-1]["step"] if fitted.history else 0
    course = FitResult(fitted.history, fitted.train_loss, last, last, tokens / seconds, seconds)
    return TrainResult(course, {"chosen": fitted.chosen})
