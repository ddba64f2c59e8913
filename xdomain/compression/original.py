"""A finished run, opened to be made smaller: its model, the records that it was trained on, its test predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerFast

from xdomain.core.errors import DataError, RecipeError
from xdomain.core.plugins import find_recipe
from xdomain.core.progress import log, muted
from xdomain.core.recipe import Recipe
from xdomain.core.run_dir import MODEL, RECIPE
from xdomain.core.safe_loading import load
from xdomain.core.sequences import Adapter
from xdomain.data.dataset import Examples
from xdomain.inference.predictor import finished_run
from xdomain.metrics.heldout import HeldOutPredictions, load_held_out
from xdomain.model.token_mapping import TokenMapping
from xdomain.training.preparation import prepare
from xdomain.training.saved_encoder import SavedModel, load_encoder


@dataclass(frozen=True)
class Original:
    """The run that is made smaller.

    Parameters
    ----------
    folder
        The run folder.
    recipe
        Of the run, with the changed options of training.
    saved
        Its model, which stays as it is.
    tokenizer
        The one beside the model.
    adapter, examples, counts
        As `xdomain.training.preparation.prepare` made them for the run.
    values
        The contents of its ``result.json``.
    held_out
        Its test predictions.
    """

    folder: Path
    recipe: Recipe
    saved: SavedModel
    tokenizer: PreTrainedTokenizerFast
    adapter: Adapter
    examples: Examples
    counts: dict[str, Any]
    values: dict[str, Any]
    held_out: HeldOutPredictions

    def copy(self) -> Smaller:
        """Its model and what belongs to it, read again, to be changed."""
        return Smaller(load_encoder(self.folder, self.saved.recipe).model, self.tokenizer, self.saved.mapping)


@dataclass(frozen=True)
class Smaller:
    """What a method makes of a run: a stock model, which predicts in native units, with what belongs to it.

    Parameters
    ----------
    model, tokenizer, mapping
        As a run folder holds them.
    backbone
        For the result: the checkpoint that the model started from; None: the weights of the run.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    mapping: TokenMapping
    backbone: dict[str, Any] | None = None


def open_original(folder: Path, overrides: Sequence[str] = ()) -> Original:
    """Open the run in `folder` and read its records again.

    Parameters
    ----------
    folder
        The folder of a finished run.
    overrides
        Changes to its options of training, each ``train.key=value``.

    Raises
    ------
    BackboneError
        There is no finished run.
    RecipeError
        It is the run of a simple baseline, or `overrides` change more than training.
    DataError
        Its records cannot be read, or are no longer those of the run.
    """
    saved, adapter, values = finished_run(folder)
    if not isinstance(saved, SavedModel):
        raise RecipeError(
            f"{folder} holds the run of a {saved.recipe.run.baseline} baseline", expected="the run of an encoder",
            fix="such a baseline is small as it is",
        )  # fmt: skip
    if saved.recipe.problem == "sequence":
        raise RecipeError(f"{folder} holds a run for sequence", expected="a run for another problem: of models that "
                          "write sequences none is made smaller")  # fmt: skip
    recipe = find_recipe(folder / RECIPE, overrides)
    for name in type(recipe).model_fields:
        if name != "train" and getattr(recipe, name) != getattr(saved.recipe, name):
            raise RecipeError(f"{name} cannot be another than that of the run", expected="--set train.…")
    with muted():
        examples, counts = prepare(recipe, adapter)
    held_out = load_held_out(folder)
    names = [examples.ids[i] for i in examples.indices("test")]
    if held_out.ids.to_pylist() != names or list(examples.classes) != values["classes"]:
        raise DataError(
            f"the test records or the classes of {recipe.name} are no longer those of {folder}",
            expected="the data as the run read it, or differences in metrics would mean nothing",
        )
    log.info(f"{recipe.name}: " + ", ".join(f"{n:,} {name}" for name, n in examples.sizes().items()))
    tokenizer = load("PreTrainedTokenizerFast", folder / MODEL)
    return Original(folder, recipe, saved, tokenizer, adapter, examples, counts, values, held_out)
