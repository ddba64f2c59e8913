"""Scores of a model for many records: every window is read, its logits pooled, nothing is learned."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xdomain.data.collate import Collator
from xdomain.metrics.spans import best_spans
from xdomain.training.device import Device

NOT_FOR_THE_MODEL = ("labels", "windows", "owned")


def pool(logits: Tensor, windows: Tensor) -> Tensor:
    """Mean over the windows of each record.

    Parameters
    ----------
    logits
        Shape (w, k): one row a window, those of a record in a run.
    windows
        Shape (b,), summing to w: the windows of each record.

    Returns
    -------
    Tensor
        Shape (b, k). As a matrix product, whose gradient is the same on every run, unlike a scattered sum's.
    """
    if len(logits) == len(windows):
        return logits
    record = torch.repeat_interleave(torch.arange(len(windows), device=logits.device), windows)
    share = torch.nn.functional.one_hot(record, len(windows)).to(logits.dtype) / windows
    return share.T @ logits


def inputs_of(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """What of a batch goes into the model."""
    return {name: value for name, value in batch.items() if name not in NOT_FOR_THE_MODEL}


def forward(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """Float32 logits of a batch: (b, k) pooled over windows, or (w, s, k) for tagging, (w, s, 2) for span."""
    told = model(**inputs_of(batch))
    if "start_logits" in told:
        return torch.stack([told.start_logits, told.end_logits], dim=-1).float()
    logits = told.logits.float()
    if logits.ndim == 3:
        return logits
    with torch.autocast(logits.device.type, enabled=False):  # a product of float32 would become one of bfloat16
        return pool(logits, batch["windows"])


@torch.inference_mode()
def predict_scores(
    model: nn.Module,
    collate: Collator,
    records: NDArray[np.int64],
    *,
    device: Device,
    batch_size: int,
    longest: int = 1,
) -> NDArray[Any]:
    """Raw scores of `records`, in their order.

    Parameters
    ----------
    model
        An encoder with its head, on `device`.
    collate
        Makes batches of the records.
    records
        Shape (n,): places in ``collate.examples``.
    device
        Where `model` is, and in which number format it computes.
    batch_size
        Windows read at once, 1 or more.
    longest
        Only for span: symbols that an answer may have.

    Returns
    -------
    ndarray
        float32: logits (n, k); values (n,) for regression; for tagging (total symbols, k), the symbols of
        one record after those of another. NaN where a tagged sequence was truncated. For span float64 (n, 3):
        the symbols of the passage that answer, [start, end), and the log of their probability.
    """
    model.eval()
    lengths = collate.lengths()[records]
    problem = collate.examples.problem
    found: dict[int, NDArray[Any]] = {}
    for chosen in batches_of_like_length(records, lengths, np.diff(collate.windows.offsets), batch_size):
        batch = {name: value.to(device.name) for name, value in collate(chosen).items()}
        with device.autocast():
            logits = forward(model, batch)
        if problem == "span":
            best = (part.cpu().numpy() for part in best_spans(logits, batch["owned"], longest))
            found |= dict(zip(chosen, _over_windows(collate, chosen, *best), strict=True))
            continue
        if problem != "tagging":
            found |= dict(zip(chosen, logits.cpu().numpy(), strict=True))
            continue
        flat = logits[batch["owned"]].cpu().numpy()
        ends = np.cumsum([_owned(collate, r) for r in chosen])[:-1]
        found |= dict(zip(chosen, np.split(flat, ends), strict=True))
    if problem == "tagging":
        return np.concatenate([_whole(found[int(r)], int(n)) for r, n in zip(records, lengths, strict=True)])
    stacked = np.stack([found[int(r)] for r in records])
    return stacked[:, 0] if problem == "regression" else stacked


def _over_windows(
    collate: Collator, records: list[int], chances: NDArray[np.float32], spans: NDArray[np.int64]
) -> list[NDArray[np.float64]]:
    """Of each record the best answer in any of its windows, in symbols of the whole passage."""
    best: list[NDArray[np.float64]] = []
    row = 0
    for record in records:
        windows = collate.windows.of(record)
        top = row + int(chances[row : row + len(windows)].argmax())
        start = collate.windows.start[windows[top - row]]
        best.append(np.array([*(spans[top] + start), chances[top]], np.float64))
        row += len(windows)
    return best


def _owned(collate: Collator, record: int) -> int:
    plan = collate.windows
    return int(plan.own_stop[plan.offsets[record + 1] - 1])


def _whole(scores: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    missing = length - len(scores)
    return scores if not missing else np.pad(scores, ((0, missing), (0, 0)), constant_values=np.nan)


def batches_of_like_length(
    records: NDArray[np.int64], lengths: NDArray[np.int64], windows: NDArray[np.int64], batch_size: int
) -> list[list[int]]:
    """The longest first, each batch of at most `batch_size` windows, or of one record that has more."""
    batches: list[list[int]] = []
    room = 0
    for record in records[np.argsort(-lengths, kind="stable")].tolist():
        if not batches or windows[record] > room:
            batches.append([])
            room = batch_size
        batches[-1].append(record)
        room -= int(windows[record])
    return batches
