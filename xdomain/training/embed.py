"""Embeddings of records: the hidden states of one layer, pooled over a record's symbols."""

from __future__ import annotations

from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel

from xdomain.core.choices import Pooling
from xdomain.core.errors import RecipeError, unknown
from xdomain.core.sequences import offsets_of
from xdomain.data.collate import Collator
from xdomain.model.families import architecture_of
from xdomain.training.device import Device
from xdomain.training.predict import batches_of_like_length, inputs_of, pool


@torch.inference_mode()
def embed(
    model: PreTrainedModel,
    collate: Collator,
    records: NDArray[np.int64],
    *,
    device: Device,
    batch_size: int,
    layer: int = -1,
    pooling: Pooling = "mean",
) -> list[NDArray[np.float32]]:
    """Compute the embedding of each record.

    Parameters
    ----------
    model
        An encoder with or without a head, on `device`.
    collate
        Makes batches of the records, in windows where they are long.
    records
        Shape (n,): places in ``collate.examples``.
    device
        Where `model` is, and in which number format it computes.
    batch_size
        Windows read at once, 1 or more; a record with more windows is read in parts.
    layer
        Of the ``hidden_states`` of `transformers`: 0 is the embedding layer, 1 the first layer, -1 the last.
    pooling
        ``mean``: over the symbols of a record, each counted once however many windows hold it, special tokens left
        out. ``max``: the largest value of each dimension over the same symbols. ``cls``: the state of the first token,
        of a decoder the last, averaged over windows. ``none``: one vector per symbol.

    Returns
    -------
    list of numpy.ndarray
        n arrays, in the order of `records`, float32: shape (d,), or (symbols, d) where nothing is pooled. Of a
        pair, the symbols of the first sequence stand before those of the second.

    Raises
    ------
    RecipeError
        The model has no such layer, or there is no such pooling.
    """
    if pooling not in get_args(Pooling):
        raise unknown("pooling", pooling, get_args(Pooling))
    check_layer(model, layer)
    model.eval()
    lengths = collate.lengths()[records]
    windows = np.diff(collate.windows.offsets)
    rows = offsets_of(lengths if pooling == "none" else np.ones_like(lengths))
    # One array for all: small ones that outlive their batch would lie between its large ones, and memory would grow.
    found = np.empty((int(rows[-1]), int(model.config.hidden_size)), np.float32)
    first_row = dict(zip(records.tolist(), rows.tolist(), strict=False))
    embeddings: dict[int, NDArray[np.float32]] = {}
    for chosen in batches_of_like_length(records, lengths, windows, batch_size):
        batch = {name: value.to(device.name) for name, value in collate(chosen).items()}
        with device.autocast():
            states = _states(model, inputs_of(batch), layer, batch_size)
        firsts = pool(_read_by_head(model, states, batch), batch["windows"]) if pooling == "cls" else None
        window = 0
        for place, record in enumerate(chosen):
            if firsts is not None:
                vectors = firsts[place : place + 1]
            else:
                vectors = _pooled(_symbols_of(states, collate, record, window), pooling)
            window += int(windows[record])
            begin = first_row[record]
            embeddings[record] = found[begin : begin + len(vectors)]
            embeddings[record][:] = vectors.cpu().numpy()
    vectors_of = [embeddings[int(record)] for record in records]
    return vectors_of if pooling == "none" else [one[0] for one in vectors_of]


def check_layer(model: PreTrainedModel, layer: int) -> None:
    """Refuse a `layer` that is not among the ``hidden_states`` of `model`, counted from either end.

    Raises
    ------
    RecipeError
        There is no such layer.
    """
    layers = int(model.config.num_hidden_layers)
    if not -layers - 1 <= layer <= layers:
        raise RecipeError(f"layer {layer}", expected=f"0 to {layers} (the last, also -1), as in hidden_states")


def _states(model: PreTrainedModel, inputs: dict[str, Tensor], layer: int, at_once: int) -> Tensor:
    """Shape (w, s, d), float32: the states of one layer, of `at_once` windows at a time."""
    parts: list[Tensor] = []
    for first in range(0, len(inputs["input_ids"]), at_once):
        part = {name: value[first : first + at_once] for name, value in inputs.items()}
        parts.append(model.base_model(**part, output_hidden_states=True).hidden_states[layer].float())
    return torch.cat(parts)


def _read_by_head(model: PreTrainedModel, states: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """Shape (w, d): the state that a classifier's head reads, of the first token, or of a decoder's last."""
    if architecture_of(model.config) != "decoder":
        return states[:, 0]
    last = batch["attention_mask"].sum(1) - 1
    return states[torch.arange(len(states), device=states.device), last]


def _pooled(symbols: Tensor, pooling: Pooling) -> Tensor:
    """Shape (1, d), or as `symbols` where nothing is pooled."""
    if pooling == "none":
        return symbols
    return symbols.amax(0, keepdim=True) if pooling == "max" else symbols.mean(0, keepdim=True)


def _symbols_of(states: Tensor, collate: Collator, record: int, row: int) -> Tensor:
    """Shape (symbols, d): the states of a record's symbols, whose windows begin at `row` of a batch.

    Where windows overlap, the state of a symbol is taken from the window that owns it: see `Windows.own_start`.
    """
    plan, layout = collate.windows, collate.layout
    before = len(layout.start)
    parts: list[Tensor] = []
    if plan.first is not None:
        first = int(plan.first[record])
        parts.append(states[row, before : before + first])
        before += first + len(layout.middle)
    for number, window in enumerate(plan.of(record)):
        begin, end = (int(edge[window] - plan.start[window]) for edge in (plan.own_start, plan.own_stop))
        parts.append(states[row + number, before + begin : before + end])
    return torch.cat(parts)
