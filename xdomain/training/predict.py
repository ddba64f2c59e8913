"""Score many records with a model: every window is read, and the logits of a record's windows are pooled."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xdomain.core.choices import PER_SYMBOL
from xdomain.data.collate import Collator
from xdomain.data.sequence_batches import SequenceCollator
from xdomain.metrics.spans import best_spans, none_scores
from xdomain.training.device import Device
from xdomain.training.generate import written
from xdomain.training.less_padding import by_length, joined, part_of

NOT_FOR_THE_MODEL = ("labels", "weights", "windows", "owned")
"""What a `Collator` puts into a batch beside the inputs of the model:

``labels`` and ``weights``, see `Collator`; ``windows``, shape (b,), how many windows each record has; and, for
tagging and span alone, ``owned``, shape (w, s), bool: the positions of a window whose logits count. For tagging these
are the symbols that this window tags: windows overlap, and each symbol is owned by the one window in which it lies
farthest from an edge, so that it is learned from and scored once. For span they are all symbols of the passage, where
an answer may begin and end; windows may share them. Special tokens, padding and the question are never owned (in span
the start token, not owned either, stands for "not here").
"""


def pool(logits: Tensor, windows: Tensor) -> Tensor:
    """Mean over the windows of each record.

    Parameters
    ----------
    logits
        Shape (w, k): one row for each window, those of a record one after another.
    windows
        Shape (b,), in sum w: how many windows each record has.

    Returns
    -------
    Tensor
        Shape (b, k). It is computed as a matrix product, whose gradient is the same on every run, unlike a scattered
        sum's.
    """
    if len(logits) == len(windows):
        return logits
    record = torch.repeat_interleave(torch.arange(len(windows), device=logits.device), windows)
    share = torch.nn.functional.one_hot(record, len(windows)).to(logits.dtype) / windows
    return share.T @ logits


def inputs_of(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The part of `batch` that the model reads: input_ids, attention_mask and, where it has them, token_type_ids."""
    return {name: value for name, value in batch.items() if name not in NOT_FOR_THE_MODEL}


def forward(model: nn.Module, batch: dict[str, Tensor], at_once: int | None = None, *, apart: bool = False) -> Tensor:
    """Compute the logits of a batch.

    Parameters
    ----------
    model
        An encoder with its head, on the device of the batch.
    batch
        As a `Collator` makes it; what `NOT_FOR_THE_MODEL` names is held back.
    at_once
        Windows that the model reads at once. None: all.
    apart
        Whether windows much shorter than others may be read apart from them, see `xdomain.training.less_padding`; not
        where a hook keeps what the model computes.

    Returns
    -------
    Tensor
        Float32: (b, k), pooled over the windows of each record, with k = 1 for regression; for tagging (w, s, k) and
        for span (w, s, 2), of all positions, those included that are not ``owned``; for sequence (b, t, v), of the
        token that comes next.
    """
    inputs = inputs_of(batch)
    parts = by_length(model, inputs) if apart else []
    if len(parts) > 1:
        width = inputs["attention_mask"].shape[1]
        logits = joined([logits_of(model, part_of(inputs, rows), at_once) for rows in parts], parts, width)
    else:
        logits = logits_of(model, inputs, at_once)
    if logits.ndim == 3:
        return logits
    with torch.autocast(logits.device.type, enabled=False):  # under which the product would be in bfloat16
        return pool(logits, batch["windows"])


def logits_of(model: nn.Module, inputs: dict[str, Tensor], at_once: int | None = None) -> Tensor:
    """Compute the logits of windows.

    Parameters
    ----------
    model
        An encoder with its head.
    inputs
        What it reads, with w rows each.
    at_once
        Windows that it reads at once. None: all.

    Returns
    -------
    Tensor
        Float32: (w, k), or (w, s, k) where each position has logits, with k = 2 for span.
    """
    w = len(next(iter(inputs.values())))
    if at_once is not None and w > at_once:
        parts = [{name: x[i : i + at_once] for name, x in inputs.items()} for i in range(0, w, at_once)]
        return torch.cat([logits_of(model, part) for part in parts])
    output = model(**inputs)
    if "start_logits" in output:
        return torch.stack([output.start_logits, output.end_logits], dim=-1).float()
    return output.logits.float()


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
    """Compute the raw scores of `records`, in their order.

    Parameters
    ----------
    model
        An encoder with its head, on `device`. It is left in evaluation mode.
    collate
        Makes batches of the records.
    records
        Shape (n,): places in ``collate.examples``.
    device
        Where `model` is, and in which number format it computes.
    batch_size
        Windows read at once, 1 or more; a record with more windows is read in parts.
    longest
        Only for span: symbols that an answer may have.

    Returns
    -------
    ndarray
        float32: logits (n, k); values (n,) for regression; for tagging (total symbols, k), for a profile (total
        symbols,), the symbols of one record after those of another, NaN where a sequence was truncated. For span
        float64 (n, 4): the symbols of the passage that answer, [start, end), the log of their probability, and that of
        no answer, the least of any window. For sequence float64 (n, 1 + t), see `xdomain.metrics.outputs.as_scores`.
    """
    model.eval()
    lengths = collate.lengths()[records]
    if isinstance(collate, SequenceCollator):
        batches = batches_of_like_length(records, lengths, np.diff(collate.windows.offsets), batch_size)
        return written(model, collate, records, batches, device=device)
    problem = collate.examples.problem
    place = {record: row for row, record in enumerate(records.tolist())}
    tags: dict[int, NDArray[Any]] = {}
    kept: NDArray[Any] | None = None  # one array: views of each batch's scores would scatter memory that is freed
    for chosen in batches_of_like_length(records, lengths, np.diff(collate.windows.offsets), batch_size):
        batch = {name: value.to(device.name) for name, value in collate(chosen).items()}
        with device.autocast():
            logits = forward(model, batch, batch_size, apart=True)
        if problem in PER_SYMBOL:
            flat = logits[batch["owned"]].cpu().numpy()
            ends = np.cumsum([_owned(collate, r) for r in chosen])[:-1]
            tags |= dict(zip(chosen, np.split(flat, ends), strict=True))
            continue
        if problem == "span":
            of_windows = (none_scores(logits, batch["owned"]), *best_spans(logits, batch["owned"], longest))
            scores = np.stack(_over_windows(collate, chosen, *(part.cpu().numpy() for part in of_windows)))
        else:
            scores = logits.cpu().numpy()
        kept = np.empty((len(records), scores.shape[1]), scores.dtype) if kept is None else kept
        kept[[place[r] for r in chosen]] = scores
    if problem in PER_SYMBOL:
        rows = np.concatenate([_whole(tags[int(r)], int(n)) for r, n in zip(records, lengths, strict=True)])
        return rows[:, 0] if problem == "profile" else rows
    if kept is None:
        raise ValueError("no records to score")
    stacked = kept[[place[r] for r in records.tolist()]]
    return stacked[:, 0] if problem == "regression" else stacked


def _over_windows(
    collate: Collator,
    records: list[int],
    none: NDArray[np.float32],
    chances: NDArray[np.float32],
    spans: NDArray[np.int64],
) -> list[NDArray[np.float64]]:
    """The best answer of each record in any of its windows: start and end in the whole passage, and log probability.

    And the log probability of no answer: an answer need be in one window only, so the one least sure of none counts.
    """
    best: list[NDArray[np.float64]] = []
    row = 0
    for record in records:
        windows = collate.windows.of(record)
        top = row + int(chances[row : row + len(windows)].argmax())
        start = collate.windows.start[windows[top - row]]
        least = none[row : row + len(windows)].min()
        best.append(np.array([*(spans[top] + start), chances[top], least], np.float64))
        row += len(windows)
    return best


def _owned(collate: Collator, record: int) -> int:
    """How many symbols of a record its windows own together: all of them, unless the sequence was truncated."""
    plan = collate.windows
    return int(plan.own_stop[plan.offsets[record + 1] - 1])


def _whole(scores: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Fill the scores of a truncated sequence up to its length, with NaN."""
    missing = length - len(scores)
    return scores if not missing else np.pad(scores, ((0, missing), (0, 0)), constant_values=np.nan)


def batches_of_like_length(
    records: NDArray[np.int64], lengths: NDArray[np.int64], windows: NDArray[np.int64], batch_size: int
) -> list[list[int]]:
    """Batches of records of like length, the longest first, so that little is padded.

    Parameters
    ----------
    records
        Shape (n,): numbers of records.
    lengths
        Shape (n,): symbols of each of `records`.
    windows
        How many windows every record of the data set has, not only of `records`.
    batch_size
        Windows that a batch may have; a record with more is a batch by itself.
    """
    batches: list[list[int]] = []
    room = 0
    for record in records[np.argsort(-lengths, kind="stable")].tolist():
        if not batches or windows[record] > room:
            batches.append([])
            room = batch_size
        batches[-1].append(record)
        room -= int(windows[record])
    return batches
