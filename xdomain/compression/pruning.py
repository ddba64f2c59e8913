"""Remove weights: single ones of small magnitude, or whole feed-forward units of little importance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import prune
from transformers import PreTrainedModel

from xdomain.compression.original import Original
from xdomain.core.errors import BackboneError, RecipeError
from xdomain.core.progress import log
from xdomain.model.tuning import SIZES, feed_forward_blocks
from xdomain.training.losses import summed_loss
from xdomain.training.predict import forward
from xdomain.training.train_encoder import training_batches

JUDGED_ON = 512
"""Training records on which the importance of units is measured."""
BATCH = 32


def check_share(share: float) -> None:
    """Refuse a `share` of weights or units that leaves all, or none.

    Raises
    ------
    RecipeError
        It is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise RecipeError(f"share {share:g}", expected="a number between 0 and 1, such as 0.5")


def mask_small_weights(model: PreTrainedModel, share: float) -> None:
    """Let the smallest weights of the encoder's linear layers be 0, until `fix_masks`, however the others are trained.

    Parameters
    ----------
    model
        Changed in place. Its head, embeddings, biases and norms are left alone.
    share
        How many weights of all layers together become 0.
    """
    check_share(share)
    layers = _linear(model)
    prune.global_unstructured(
        [(layer, "weight") for layer in layers], pruning_method=prune.L1Unstructured, amount=share
    )
    weights = sum(layer.weight.numel() for layer in layers)
    log.info(f"{share:.0%} of {weights:,} weights of the encoder's linear layers are 0 from here on")


def fix_masks(model: PreTrainedModel) -> None:
    """Make the zeros of `mask_small_weights` in `model` plain weights, so that it is a stock model again."""
    for layer in _linear(model):
        prune.remove(layer, "weight")


def _linear(model: PreTrainedModel) -> list[nn.Linear]:
    return [layer for layer in model.base_model.modules() if isinstance(layer, nn.Linear)]


def remove_units(model: PreTrainedModel, original: Original, share: float) -> None:
    """Remove the feed-forward units of least importance, as many from each block, so that the model stays a stock one.

    The importance of a unit is how much the loss changes when it is masked, to first order: the mean over records of
    the absolute gradient by a mask of it (Michel et al. 2019, arXiv 1905.10650, eq. 2), on training records.

    Parameters
    ----------
    model
        That of `original`, changed in place.
    original
        The run.
    share
        How many units of each block are removed.

    Raises
    ------
    BackboneError
        The family has no feed-forward units that could be removed.
    """
    check_share(share)
    blocks = [(first, last) for *_, first, last in feed_forward_blocks(model)]
    if not blocks:
        raise BackboneError(
            f"a {model.config.model_type} model has no plain feed-forward blocks", expected="a run of another family",
            fix="another --how, such as distil or quantise",
        )  # fmt: skip
    units = blocks[0][0].out_features
    kept = max(1, units - round(share * units))
    for (first, last), importance in zip(blocks, _importance(model, original, blocks), strict=True):
        best = importance.argsort(descending=True, stable=True)[:kept].sort().values
        _keep(first, best, dim=0)
        _keep(last, best, dim=1)
    for option in SIZES:
        if hasattr(model.config, option):
            setattr(model.config, option, kept)
    log.info(f"{kept:,} of {units:,} feed-forward units are left in each of {len(blocks)} blocks")


def _importance(model: PreTrainedModel, original: Original, blocks: list[tuple[nn.Linear, nn.Linear]]) -> list[Tensor]:
    """For each of `blocks` the importance of its units, shape (units,)."""
    seen: list[tuple[int, Tensor]] = []
    totals = [torch.zeros(last.in_features) for _, last in blocks]

    def watch(place: int) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            given[0].retain_grad()
            seen.append((place, given[0]))

        return hook

    recipe, examples, saved = original.recipe, original.examples, original.saved
    windows = saved.collator(examples).windows
    collate, scale = training_batches(recipe, examples, saved.mapping.ids.astype(np.int64), saved.layout, windows, None)
    drawn = np.random.Generator(np.random.PCG64(recipe.run.seed)).permutation(examples.indices("train"))[:JUDGED_ON]
    hooks = [last.register_forward_pre_hook(watch(place)) for place, (_, last) in enumerate(blocks)]
    model.eval().requires_grad_(True)
    if scale:
        scale.inverse().fold_into(model)
    for start in range(0, len(drawn), BATCH):
        seen.clear()
        batch = collate(drawn[start : start + BATCH].tolist())
        summed_loss(recipe.problem, forward(model, batch), batch).backward()
        for place, states in seen:
            if states.grad is not None:
                by_window = (states * states.grad).detach().reshape(len(batch["input_ids"]), -1, states.shape[-1])
                totals[place] += by_window.sum(1).abs().sum(0)
        model.zero_grad()
    if scale:
        scale.fold_into(model)
    for hook in hooks:
        hook.remove()
    return totals


def _keep(layer: nn.Linear, places: Tensor, *, dim: int) -> None:
    """Leave the outputs (`dim` 0) or inputs (1) at `places` of `layer`."""
    layer.weight = nn.Parameter(layer.weight.detach().index_select(dim, places).contiguous())
    if dim == 0 and layer.bias is not None:  # pyright: ignore[reportUnnecessaryComparison]
        layer.bias = nn.Parameter(layer.bias.detach()[places])
    layer.out_features, layer.in_features = layer.weight.shape
