"""Write outputs with a model, as its own ``generate`` does, and tell how probable each is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from xdomain.data.sequence_batches import SequenceCollator, frame_of
from xdomain.metrics.outputs import as_scores
from xdomain.model.sequence_model import rows_of
from xdomain.training.device import Device

MAX_NUMBERS = 2**27
"""Logits of all steps that are kept at once: half a gibibyte."""


def written(
    model: nn.Module,
    collate: SequenceCollator,
    records: NDArray[np.int64],
    batches: Sequence[Sequence[int]],
    *,
    device: Device,
) -> NDArray[np.float64]:
    """Write an output for each of `records`, by the search that the model's generation configuration names.

    Parameters
    ----------
    model
        In evaluation mode, on `device`.
    collate
        Makes prompts of the records.
    records
        Shape (n,): places in ``collate.examples``.
    batches
        The same records, in batches of like length.
    device
        Where `model` is, and in which number format it computes.

    Returns
    -------
    ndarray
        Shape (n, 1 + t), see `xdomain.metrics.outputs.as_scores`.
    """
    generator: Any = model
    settings = generator.generation_config
    _, end = frame_of(collate.layout)
    symbol_of = {int(row): symbol for symbol, row in enumerate(collate.target_rows)}
    at_once = max(1, MAX_NUMBERS // (rows_of(generator.config) * settings.max_new_tokens * settings.num_beams))
    found: dict[int, tuple[list[int], float]] = {}
    for batch in batches:
        for first in range(0, len(batch), at_once):
            part = batch[first : first + at_once]
            prompts = {name: value.to(device.name) for name, value in collate.prompts(part).items()}
            with device.autocast():
                lines, chances = _generated(generator, prompts, prefix=collate.prefix)
            for record, line, chance in zip(part, lines.tolist(), chances.tolist(), strict=True):
                length = line.index(end) if end in line else len(line)
                found[record] = [symbol_of[row] for row in line[:length]], sum(chance[: length + 1])
    outputs = [found[record] for record in records.tolist()]
    return as_scores([symbols for symbols, _ in outputs], [chance for _, chance in outputs])


def _generated(model: Any, prompts: dict[str, Tensor], *, prefix: bool) -> tuple[Tensor, Tensor]:
    """The rows that follow the prompts, shape (b, t), and the log-probability of each, given those before it."""
    output = model.generate(**prompts, output_scores=True, return_dict_in_generate=True)
    before = prompts["input_ids"].shape[1] if prefix else 1
    beams = getattr(output, "beam_indices", None)
    chances = model.compute_transition_scores(output.sequences, output.scores, beams, normalize_logits=beams is None)
    return output.sequences[:, before:], chances
