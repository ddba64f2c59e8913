"""What a smaller model costs and saves: bytes, time for a record, and the metric lost, beside its run."""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xdomain.compression.original import Original
from xdomain.data.dataset import Examples
from xdomain.metrics.bootstrap import Resampled
from xdomain.metrics.heldout import NEED_CHANCES, HeldOutPredictions, resampled_metric
from xdomain.metrics.metrics import METRICS
from xdomain.training.device import Device
from xdomain.training.predict import batches_of_like_length, inputs_of, logits_of
from xdomain.training.saved_encoder import SavedModel

BATCH, TIMED, ALONE = 32, 128, 16
"""Windows read at once, records timed in such batches, and records timed one by one."""
REPEATS = 7
PIECE = 2**20  # bytes read at once
WEIGHTS = (".safetensors", ".onnx", ".data")


def sizes(folder: Path) -> dict[str, int]:
    """Count the bytes of the weights in `folder`: on disk, and deflated as a zip archive would hold them.

    Zeros cost as much as any number on disk, but hardly anything deflated.

    Returns
    -------
    dict
        ``bytes`` and ``deflated``.
    """
    files = [path for path in sorted(folder.iterdir()) if path.suffix in WEIGHTS]
    return {"bytes": sum(path.stat().st_size for path in files), "deflated": sum(map(_deflated, files))}


def _deflated(path: Path) -> int:
    packed, total = zlib.compressobj(), 0
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            total += len(packed.compress(piece))
    return total + len(packed.flush())


def weights(model: nn.Module) -> dict[str, int]:
    """Count the weights of `model`, and those that are not 0: ``all`` and ``nonzero``."""
    values = [value.detach() for value in model.parameters()]
    return {"all": sum(v.numel() for v in values), "nonzero": sum(int(v.count_nonzero()) for v in values)}


@torch.inference_mode()
def latency(models: Sequence[SavedModel], examples: Examples, device: Device) -> list[dict[str, float]]:
    """Measure how long models take for the same test records, taking turns.

    Parameters
    ----------
    models
        One or more.
    examples
        Records, of which the first of test are read.
    device
        Where they compute, in float32.

    Returns
    -------
    list
        For each model the median over `REPEATS` turns, in milliseconds for a record: ``alone``, where each record is
        read by itself, and ``batch``, where `BATCH` windows are read at once. Encoding is not timed.
    """
    records = examples.indices("test")
    timed: list[dict[str, list[float]]] = [{"alone": [], "batch": []} for _ in models]
    read = [
        {"alone": _batches(one, examples, records[:ALONE], 1, device),
         "batch": _batches(one, examples, records[:TIMED], BATCH, device)}
        for one in models
    ]  # fmt: skip
    counts = {"alone": min(ALONE, len(records)), "batch": min(TIMED, len(records))}
    for saved in models:
        saved.model.to(device.name).eval()  # pyright: ignore
    for _ in range(REPEATS + 1):
        for saved, batches, times in zip(models, read, timed, strict=True):
            for how, some in batches.items():
                started = time.perf_counter()
                for inputs in some:
                    logits_of(saved.model, inputs, BATCH).cpu()  # which waits for a GPU
                times[how].append((time.perf_counter() - started) * 1000 / counts[how])
    return [{how: float(np.median(values[1:])) for how, values in times.items()} for times in timed]


def _batches(
    saved: SavedModel, examples: Examples, records: NDArray[np.int64], size: int, device: Device
) -> list[dict[str, Tensor]]:
    collate = saved.collator(examples)
    windows = np.diff(collate.windows.offsets) if size > 1 else np.full(len(examples), 1)
    chosen = batches_of_like_length(records, collate.lengths()[records], windows, size)
    return [{name: value.to(device.name) for name, value in inputs_of(collate(one)).items()} for one in chosen]


def lost(original: Original, after: HeldOutPredictions, *, exact: bool = False) -> dict[str, dict[str, Any]]:
    """How much of each test metric is lost, with a 95 % interval paired over test records.

    Where no resample shows a difference, the interval allows for the share of records unlike the ones seen that so many
    can hide, as that of a metric does (`xdomain.metrics.bootstrap.Resampled.interval`).

    Parameters
    ----------
    original
        The run.
    after
        The test predictions of the smaller model, for the same records.
    exact
        Whether it gives the same answers to all records, not only to these.

    Returns
    -------
    dict
        By metric {before, after, lost: {value, low, high}}; what is lost is above 0 if the smaller model is worse. A
        metric that cannot be computed from stored predictions is left out.
    """
    found: dict[str, dict[str, Any]] = {}
    for name in original.recipe.metrics:
        if after.problem == "tagging" and name in NEED_CHANCES:
            continue
        before, now = (resampled_metric(name, one) for one in (original.held_out, after))
        sign = 1 if METRICS[name].higher_is_better else -1
        value, (least, most) = sign * (before.value - now.value), before.possible
        reach = 0.0 if exact else (most - least) / 2
        draws = sign * (before.draws - now.draws)
        change = Resampled(value, draws, before.units, (value - reach, value + reach)).interval()
        found[name] = {"before": before.value, "after": now.value, "lost": vars(change)}
    return found
