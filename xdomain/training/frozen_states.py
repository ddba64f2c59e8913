"""Train a head on what a frozen body says: every window is read once, not once an epoch."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from transformers import PreTrainedModel

from xdomain.core.progress import log, reporter
from xdomain.core.recipe import Recipe
from xdomain.core.run_dir import CHECKPOINTS
from xdomain.data.collate import Collator
from xdomain.data.dataset import Examples
from xdomain.model.frozen_body import body_is_frozen, states_as_inputs, states_of, without_dropout_in_body
from xdomain.model.last_layer import reads_first_position
from xdomain.training.arguments import scored_at_once
from xdomain.training.device import Device
from xdomain.training.predict import batches_of_like_length, inputs_of

IN_MEMORY = 2**30
"""Bytes of states that are kept in memory; more are kept in a file."""


@dataclass(frozen=True)
class StateCollator(Collator):
    """A `Collator` whose batches hold what the body says of windows, in place of the windows.

    Parameters
    ----------
    states
        Float32, (read, k, d), see `xdomain.model.frozen_body.states_of`.
    places
        The row of `states` of each window; -1 for windows that were not read.
    """

    states: NDArray[np.float32] | None = None
    places: NDArray[np.int64] | None = None

    def inputs(self, places: Sequence[tuple[int, int]]) -> dict[str, NDArray[Any]]:
        """The states of windows, (w, k, d), as ``inputs_embeds``; `places` are pairs of record and window."""
        if self.states is None or self.places is None:
            raise ValueError("nothing was read")
        return {"inputs_embeds": self.states[self.places[[window for _, window in places]]]}


def can_be_read_once(model: PreTrainedModel, recipe: Recipe) -> bool:
    """Whether all that a run of `recipe` trains of `model` is above the first position's states, which never change."""
    return body_is_frozen(model) and reads_first_position(model) and recipe.train.augment == "none"


@contextmanager
def reading_once(
    model: PreTrainedModel, collate: Collator, examples: Examples, recipe: Recipe, *, device: Device, folder: Path
) -> Generator[Collator]:
    """A context in which a run trains and evaluates on batches that cost as little as they can.

    Parameters
    ----------
    model
        As it is before its first step, frozen as the recipe says. If its body is frozen altogether, the body is without
        dropout within the context.
    collate
        Makes batches of what the model reads.
    examples
        All encoded records, of which those of train and valid are read.
    recipe
        Of the run.
    device
        Where to compute; the model is moved there.
    folder
        The run folder. States of more than `IN_MEMORY` bytes lie in its ``checkpoints``, which end with the training.

    Yields
    ------
    Collator
        `collate` itself, or, where `can_be_read_once`, one that makes batches of states, which `model` takes within the
        context in place of what it reads.
    """
    if not body_is_frozen(model):
        yield collate
        return
    with without_dropout_in_body(model):
        if not can_be_read_once(model, recipe):
            yield collate
            return
        model.to(device.name).eval()  # pyright: ignore[reportArgumentType]
        records = np.concatenate([examples.indices(split) for split in ("train", "valid")])
        read = _read(model, collate, records, device, scored_at_once(recipe.train), folder)
        with states_as_inputs(model):
            yield read


@torch.inference_mode()
def _read(
    model: PreTrainedModel, collate: Collator, records: NDArray[np.int64], device: Device, at_once: int, folder: Path
) -> StateCollator:
    """Read the windows of `records`, `at_once` of them at a time."""
    counts = np.diff(collate.windows.offsets)
    places = np.full(int(collate.windows.offsets[-1]), -1, np.int64)
    needed = np.concatenate([np.asarray(collate.windows.of(record)) for record in records.tolist()])
    places[needed] = np.arange(len(needed))
    states: NDArray[np.float32] | None = None
    done = 0
    reporter().started("reading once", len(records), unit="records")
    for chosen in batches_of_like_length(records, collate.lengths()[records], counts, at_once):
        batch = {name: value.to(device.name) for name, value in inputs_of(collate(chosen)).items()}
        rows = places[np.concatenate([np.asarray(collate.windows.of(record)) for record in chosen])]
        for first in range(0, len(rows), at_once):
            with device.autocast():
                part = states_of(model, {name: value[first : first + at_once] for name, value in batch.items()})
            if states is None:
                states = _room((len(needed), *part.shape[1:]), folder)
            states[rows[first : first + at_once]] = part.cpu().numpy()
        done += len(chosen)
        reporter().advanced(done)
    reporter().finished()
    log.info(f"the body is frozen: its {len(needed):,} windows were read once, for all epochs")
    own = {one.name: getattr(collate, one.name) for one in fields(Collator)}
    return StateCollator(**own, states=states, places=places)


def _room(shape: tuple[int, ...], folder: Path) -> NDArray[np.float32]:
    """An array in memory, or in a file where it is large; processes that share a run have a file each."""
    if 4 * int(np.prod(shape)) <= IN_MEMORY:
        return np.empty(shape, np.float32)
    file = folder / CHECKPOINTS / f"states-{os.environ.get('RANK', '0')}.npy"
    file.parent.mkdir(exist_ok=True)
    return open_memmap(file, mode="w+", dtype=np.float32, shape=shape)
