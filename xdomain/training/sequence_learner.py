"""What is particular about learning to write sequences: limits, windows, and the model before its first step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import nn
from transformers import PreTrainedModel

from xdomain.core.errors import RecipeError
from xdomain.core.recipe import Recipe
from xdomain.data.collate import SpecialTokenLayout
from xdomain.data.dataset import Examples
from xdomain.data.sequence_batches import SequenceCollator, fit_sequences, frame_of
from xdomain.data.windows import Windows
from xdomain.model.backbone import Backbone
from xdomain.model.families import architecture_of
from xdomain.model.sequence_model import check_writer, freeze_writer, set_generation
from xdomain.model.token_mapping import TokenMapping
from xdomain.model.tokenizer import layout_of


def goes_on(backbone: Backbone) -> bool:
    """Whether `backbone` reads an input and goes on with the output, as decoders do."""
    return architecture_of(backbone.config) == "decoder"


def check_sequence(recipe: Recipe, backbone: Backbone, mapping: TokenMapping) -> None:
    """Refuse what a model that writes sequences cannot have.

    Parameters
    ----------
    recipe
        A recipe for the problem sequence.
    backbone
        The checkpoint to start from.
    mapping
        Of the symbols of what goes in and of what comes out.

    Raises
    ------
    RecipeError, BackboneError
        A way of tuning, a decoder, a mapping or an attention that does not go with this problem or backbone.
    """
    check_writer(backbone.name, backbone.config, recipe.train.decoder, recipe.run.tune)
    strategy = recipe.run.mapping
    kind = strategy.partition(":")[0]
    if kind in ("learned", "search") or (kind == "own" and recipe.target):
        raise RecipeError(
            f"mapping {strategy} for sequence",
            expected="one that is drawn, given or a rule; own only if what comes out is of the domain that goes in",
        )
    if recipe.train.attention != "own":
        raise RecipeError(
            f"train.attention {recipe.train.attention} for sequence",
            expected="own: a model that writes cannot attend to what it has not written yet",
        )
    layout = layout_of(backbone.tokenizer)
    if shared := mapping.special_token_collisions([*layout.rows(), layout.pad]):
        raise RecipeError(
            f"mapping {strategy} puts {', '.join(shared[:5])} on rows of special tokens",
            expected="other rows, as one of those tokens ends an output",
        )


def fit_outputs(
    recipe: Recipe, backbone: Backbone, examples: Examples, layout: SpecialTokenLayout, positions: int
) -> Windows:
    """Plan the window of each record, so that the longest output has room.

    Parameters
    ----------
    recipe, backbone, examples
        The task, the checkpoint to start from, and all encoded records.
    layout
        Where the special tokens stand.
    positions
        Of a window, special tokens included.

    Raises
    ------
    DataError
        An input or an output does not fit.
    """
    learned = _longest(examples)
    longest = max(learned, recipe.train.max_output or learned)
    return fit_sequences(examples, layout, positions, recipe.train, longest=longest, prefix=goes_on(backbone))


def learn_to_write(
    recipe: Recipe,
    backbone: Backbone,
    model: PreTrainedModel,
    examples: Examples,
    rows: NDArray[np.int64],
    layout: SpecialTokenLayout,
    windows: Windows,
) -> tuple[SequenceCollator, nn.Module]:
    """Make `model` ready to learn, in place; return the batches that it learns from, and what is trained of it.

    Parameters
    ----------
    recipe, backbone, examples
        The task, the checkpoint that the model started from, and all encoded records.
    model
        A stock model. It is told how outputs are searched, and parts of it are frozen where `recipe` says so.
    rows
        Shape (alphabet,): the row of each symbol of what goes in and of what comes out.
    layout, windows
        Where the special tokens stand, and what `fit_outputs` planned.
    """
    collate = SequenceCollator(examples, None, rows, layout, windows, examples.shares(), prefix=goes_on(backbone))
    start, end = frame_of(layout)
    longest = recipe.train.max_output or _longest(examples)
    set_generation(
        model, collate.target_rows.tolist(), start=start, end=end, pad=layout.pad, longest=longest,
        beams=recipe.train.beams,
    )  # fmt: skip
    return collate, freeze_writer(model, recipe.run.tune, seed=recipe.run.seed)


def _longest(examples: Examples) -> int:
    """Symbols of the longest training target."""
    return 0 if examples.outputs is None else examples.outputs.longest(examples.indices("train"))
