"""The attention weights of records, as they are: from every position to every other, in each head of each layer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from xdomain.core.errors import BackboneError, DataError, RecipeError
from xdomain.data.collate import Collator
from xdomain.training.device import Device, plain_attention
from xdomain.training.predict import inputs_of


def attend(
    model: PreTrainedModel, collate: Collator, *, device: Device, layer: int | None = None
) -> Iterator[NDArray[np.float32]]:
    """Yield the attention weights of each record, one record after another, so that nothing is padded.

    Parameters
    ----------
    model
        An encoder with or without a head, on `device`. It is read with the plain kernel, the only one that has weights.
    collate
        Makes batches of the records, all of which must fit one window.
    device
        Where `model` is.
    layer
        1 is the first layer, -1 the last. None: all of them.

    Yields
    ------
    numpy.ndarray
        Shape (layers, heads, s, s), float32, with s positions, special tokens included: how much of its attention the
        position of the third axis pays to that of the fourth; the fourth sums to 1.

    Raises
    ------
    DataError
        A record does not fit one window.
    RecipeError
        The model has no such layer.
    BackboneError
        The attention of a Longformer is not from every position to every other.
    """
    if model.config.model_type == "longformer":
        raise BackboneError(
            "the attention of a Longformer is not from every position to every other", expected="another backbone"
        )
    layers = int(model.config.num_hidden_layers)
    if layer is not None and (not 1 <= abs(layer) <= layers):
        raise RecipeError(f"attention in layer {layer}", expected=f"1 to {layers} (the last, also -1)")
    _check_windows(collate)
    model.eval()
    with plain_attention(model):
        for record in range(len(collate.examples)):
            batch = {name: value.to(device.name) for name, value in collate([record]).items()}
            with torch.inference_mode():
                found = model.base_model(**inputs_of(batch), output_attentions=True).attentions
            if layer is not None:
                found = [found[layer - 1 if layer > 0 else layer]]
            yield torch.cat(list(found)).float().cpu().numpy()


def _check_windows(collate: Collator) -> None:
    windows = np.diff(collate.windows.offsets)
    if (windows == 1).all():
        return
    first = int(np.argmax(windows > 1))
    raise DataError(
        f"record {collate.examples.ids[first]!r} has {collate.lengths()[first]:,} symbols, which are read in "
        f"{windows[first]} windows" + (f" ({(windows > 1).sum()} such records)" if (windows > 1).sum() > 1 else ""),
        expected="records that fit one window: attention reaches no further",
        fix="cut them into shorter records, or take a backbone with more positions",
    )
