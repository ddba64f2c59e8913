"""A finished model as it lies on disk: stock checkpoint, tokenizer, mapping; loaded again to score records."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

from xdomain.data.batches import Collator, Layout
from xdomain.data.examples import Examples
from xdomain.data.fitting import fit_windows
from xdomain.data.sequences import Adapter
from xdomain.errors import BackboneError
from xdomain.model.backbone import max_positions
from xdomain.model.heads import head_of
from xdomain.model.layermix import wear_mix
from xdomain.model.layout import layout_of
from xdomain.model.mapping import TokenMapping
from xdomain.plugins import make_adapter
from xdomain.recipe import Recipe, load_recipe
from xdomain.training.baselines.fitted import load_baseline
from xdomain.training.device import Device
from xdomain.training.predict import predict_scores
from xdomain.training.runfolder import ADAPTER, MAPPING, MODEL, RECIPE

FULL_PRECISION = "scores are written in float32, so that any machine repeats them"


def save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write ``model/``: a checkpoint and a tokenizer that load with `transformers` alone."""
    model.save_pretrained(folder / MODEL)
    tokenizer.save_pretrained(folder / MODEL)


@dataclass(frozen=True)
class SavedModel:
    """A fine-tuned encoder that was read back from its run folder."""

    recipe: Recipe
    model: PreTrainedModel
    layout: Layout
    mapping: TokenMapping

    def scores(self, examples: Examples, records: NDArray[np.int64], device: Device) -> NDArray[Any]:
        """Scores in float32, as `xdomain.training.predict.predict_scores` gives them, in native units."""
        train = self.recipe.train
        windows = fit_windows(examples, self.layout, max_positions(self.model.config), train)
        collate = Collator(examples, examples.labels, self.mapping.ids.astype(np.int64), self.layout, windows)
        self.model.to(device.name)  # pyright: ignore[reportArgumentType]
        exact = Device(device.name, False, FULL_PRECISION)
        return predict_scores(self.model, collate, records, device=exact, batch_size=4 * train.batch_size,
                              longest=train.max_answer)  # fmt: skip


@dataclass(frozen=True)
class SavedBaseline:
    """A fitted baseline that was read back from its run folder."""

    recipe: Recipe
    folder: Path

    def scores(self, examples: Examples, records: NDArray[np.int64], device: Device) -> NDArray[Any]:
        """Scores of the same shapes as an encoder's."""
        fitted = load_baseline(self.folder / MODEL)
        second = examples.symbols_b.take(records) if examples.symbols_b else None
        return fitted.scores(examples.symbols.take(records), second)


def load_saved(folder: Path) -> SavedModel | SavedBaseline:
    """The model of a run folder.

    Raises
    ------
    BackboneError
        `folder` holds no run with a model.
    """
    if not (folder / RECIPE).is_file() or not (folder / MODEL).is_dir():
        raise BackboneError(
            f"{folder} holds no trained model",
            expected="a run folder, as `xdomain run … --out DIR` writes it",
        )
    recipe = load_recipe(folder / RECIPE)
    if recipe.run.baseline:
        return SavedBaseline(recipe, folder)
    model = head_of(recipe.problem).from_pretrained(folder / MODEL, local_files_only=True)
    wear_mix(model, folder / MODEL)
    tokenizer = AutoTokenizer.from_pretrained(folder / MODEL, local_files_only=True)
    return SavedModel(recipe, model, layout_of(tokenizer), TokenMapping.load(folder / MAPPING))


def keep_adapter(adapter: Adapter, folder: Path) -> None:
    """Put the files that an adapter's options name into ``folder/adapter``, so that the run needs no other place."""
    keep = getattr(adapter, "keep", None)
    if keep:
        (folder / ADAPTER).mkdir(exist_ok=True)
        keep(folder / ADAPTER)
        if not any((folder / ADAPTER).iterdir()):
            (folder / ADAPTER).rmdir()


def saved_adapter(folder: Path, recipe: Recipe) -> Adapter:
    """The adapter that encoded a run's data, with the files that the run kept."""
    kept = (folder / ADAPTER).iterdir() if (folder / ADAPTER).is_dir() else ()
    return make_adapter(recipe.adapter.name, recipe.adapter.options | {path.stem: str(path) for path in kept})
