"""Read the trained model of a finished run, to score records. Torch is loaded for an encoder only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xdomain.baselines.api import load_baseline
from xdomain.core.adapter_protocols import KeepsFiles
from xdomain.core.errors import BackboneError, DamagedError, RecipeError
from xdomain.core.overrides import Overrides
from xdomain.core.plugins import make_adapter
from xdomain.core.recipe import Recipe, load_recipe
from xdomain.core.recipe_sections import AdapterChoice
from xdomain.core.restore import REPEAT, reading
from xdomain.core.run_dir import (
    ADAPTER,
    CALIBRATION,
    FOLD,
    MODEL,
    RECIPE,
    TARGET_ADAPTER,
    THRESHOLDS,
    saved_temperature,
    tempered,
    write_json,
)
from xdomain.core.sequences import Adapter
from xdomain.data.dataset import Examples
from xdomain.data.outputs import Outputs
from xdomain.metrics.no_answer import NO_ANSWER
from xdomain.training.device import Device

if TYPE_CHECKING:
    from xdomain.training.saved_encoder import SavedModel


READING = ("source", "reader", "reader_options", "columns", "adapter")
"""Parts of a recipe that say what is read, and how. All others determined the model and cannot be changed."""


class Saved(Protocol):
    """A trained model, read from its run folder: a `SavedBaseline` or a `SavedModel`."""

    @property
    def recipe(self) -> Recipe:
        """The recipe of its run."""
        ...

    def scores(self, examples: Examples, records: NDArray[np.int64], device: Device | None = None) -> NDArray[Any]:
        """Score records.

        Parameters
        ----------
        examples
            Encoded records.
        records
            Shape (n,): which of them to score.
        device
            Where to compute. None: the fastest device of this machine.

        Returns
        -------
        numpy.ndarray
            Logits, shape (n, k); for regression values, shape (n,); for tagging logits of all symbols, shape
            (total symbols, k); for span and sequence see `xdomain.training.predict.predict_scores`.
        """
        ...


@dataclass(frozen=True)
class SavedBaseline:
    """A fitted baseline, read from its run folder; its logits are divided by its `temperature`."""

    recipe: Recipe
    folder: Path
    temperature: float = 1.0

    def scores(self, examples: Examples, records: NDArray[np.int64], device: Device | None = None) -> NDArray[Any]:
        """Score the `records` of `examples`: see `Saved`. `device` is ignored: baselines are computed on the CPU."""
        fitted = load_baseline(self.folder / MODEL)
        if fitted.problem != self.recipe.problem:
            raise DamagedError(f"{self.folder / MODEL} is for {fitted.problem}, and {RECIPE} for {self.recipe.problem}",
                               expected="a model and a recipe of one run", fix=REPEAT)  # fmt: skip
        second = examples.symbols_b.take(records) if examples.symbols_b else None
        return tempered(fitted.scores(examples.symbols.take(records), second), self.temperature)


def refuse_folds(folder: Path) -> None:
    """Refuse a run `folder` with folds, each of which has a model of its own.

    Raises
    ------
    BackboneError
        The message names a fold.
    """
    folds = sorted(path.name for path in folder.iterdir() if FOLD.fullmatch(path.name)) if folder.is_dir() else []
    if folds and not (folder / MODEL).is_dir():
        raise BackboneError(
            f"{folder} holds {len(folds)} folds, with a model each",
            expected=f"one of them, such as {folder / folds[0]}, or all, whose answers are averaged: {folder}/fold-*",
        )


def load_saved(folder: Path, overrides: Overrides = ()) -> SavedModel | SavedBaseline:
    """Read the model of the run in `folder`.

    Parameters
    ----------
    folder
        A run folder.
    overrides
        Changes to how records are read, as in ``--set``: to the parts of the recipe in `READING` only.

    Raises
    ------
    BackboneError
        It holds no run with a trained model.
    """
    refuse_folds(folder)
    if not (folder / RECIPE).is_file() or not (folder / MODEL).is_dir():
        raise BackboneError(
            f"{folder} holds no trained model",
            expected="a run folder, as `xdomain run … --out DIR` writes it",
        )
    recipe = _read_otherwise(folder / RECIPE, overrides)
    if recipe.run.baseline:
        return SavedBaseline(recipe, folder, saved_temperature(folder))
    from xdomain.training.saved_encoder import load_encoder  # which loads torch

    return load_encoder(folder, recipe)


def _read_otherwise(path: Path, overrides: Overrides) -> Recipe:
    """The recipe of a run with `overrides`, which may change the parts in `READING` only."""
    before = load_recipe(path)
    if not overrides:
        return before
    recipe = load_recipe(path, overrides=overrides)
    for name in type(recipe).model_fields:
        kept = name not in READING or (name == "adapter" and recipe.adapter.name != before.adapter.name)
        if kept and getattr(recipe, name) != getattr(before, name):
            raise RecipeError(
                f"{name} cannot be another once a model is trained",
                expected=f"--set for {', '.join(READING)}",
                fix=f"`xdomain run` with that {name}",
            )
    if recipe.adapter != before.adapter:
        kept, now = (saved_adapter(path.parent, one).alphabet.symbols for one in (before, recipe))
        if kept != now:
            raise RecipeError(
                f"the model has learned {len(kept)} symbols; with these adapter.options there are others, {len(now)}",
                expected="options that leave the symbols as they are",
            )
    return recipe


def keep_temperature(temperature: float, folder: Path) -> None:
    """Write the `temperature` that logits are to be divided by into the run `folder`, where `load_saved` reads it."""
    write_json(folder / CALIBRATION, {"method": "temperature", "temperature": temperature})


def keep_thresholds(thresholds: NDArray[np.float64], names: Sequence[str], folder: Path) -> None:
    """Write the `thresholds` of the labels `names`, shape (k,), into the run `folder`, for `saved_thresholds`.

    The only one of a run for span is called `NO_ANSWER`.
    """
    write_json(folder / THRESHOLDS, dict(zip(names, thresholds.tolist(), strict=True)))


def saved_thresholds(folder: Path, names: Sequence[str]) -> NDArray[np.float64] | None:
    """Shape (k,): the thresholds of the labels `names` of the run in `folder`, without names that of no answer.

    None if it has none: it is neither for multilabel nor for questions some of which have no answer.

    Raises
    ------
    DamagedError
        They cannot be read, or a label has none.
    """
    path = folder / THRESHOLDS
    if not path.is_file():
        return None
    with reading(path):
        kept: dict[str, float] = json.loads(path.read_text("utf-8"))
        return np.array([float(kept[name]) for name in names or (NO_ANSWER,)])


def keep_adapter(adapter: Adapter, folder: Path, outputs: Outputs | None = None) -> None:
    """Copy the files that options of `adapter` name, and those of `outputs`, into the run `folder`, so that it can be
    moved.
    """
    _keep(adapter, folder / ADAPTER)
    if outputs and outputs.adapter is not adapter:
        _keep(outputs.adapter, folder / TARGET_ADAPTER)


def _keep(adapter: Adapter, place: Path) -> None:
    if isinstance(adapter, KeepsFiles):
        place.mkdir(exist_ok=True)
        adapter.export_assets(place)
        if not any(place.iterdir()):
            place.rmdir()


def saved_adapter(folder: Path, recipe: Recipe) -> Adapter:
    """Make the adapter of the run in `folder` from its `recipe`, with the files that `keep_adapter` copied."""
    return _kept(recipe.adapter, folder / ADAPTER)


def saved_target(folder: Path, recipe: Recipe) -> Adapter | None:
    """Make the adapter of what the run in `folder` writes from its `recipe`; None where it is that of what it reads."""
    return _kept(recipe.target, folder / TARGET_ADAPTER) if recipe.target else None


def _kept(choice: AdapterChoice, place: Path) -> Adapter:
    kept = place.iterdir() if place.is_dir() else ()
    return make_adapter(choice.name, choice.options | {path.stem: str(path) for path in kept})
