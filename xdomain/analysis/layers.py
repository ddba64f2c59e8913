"""The hidden states of the symbols of a record in every layer, read from its first window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedModel

from xdomain.analysis.loaded_run import BATCH, OpenedRun, hidden_states
from xdomain.analysis.result import one_task

AT_ONCE = 8192
"""Positions per batch, whose hidden states of all layers are held in memory."""


def same_symbols(runs: Sequence[OpenedRun]) -> str | None:
    """Say why `runs` do not read the same symbols of the same records; None if they do."""
    if why := one_task(runs):
        return why
    first = runs[0]
    for run in runs[1:]:
        for mine, theirs in zip(_sequences(first), _sequences(run), strict=True):
            if not np.array_equal(mine.offsets, theirs.offsets) or not np.array_equal(mine.values, theirs.values):
                return f"{first.label} and {run.label} read other symbols of the same records (options of the adapter)"
    return None


def held(run: OpenedRun, records: NDArray[np.int64]) -> NDArray[np.int64]:
    """Shape (n, 2): the numbers of symbols of the first and of the second sequence in each record's first window.

    `records`, shape (n,), are places in ``run.examples`` of the `run`. The second number is 0 if records have one
    sequence.
    """
    plan = run.collate.windows
    windows = plan.offsets[records]
    cut = plan.stop[windows] - plan.start[windows]
    if plan.first is None:
        return np.column_stack([cut, np.zeros_like(cut)])
    return np.column_stack([plan.first[records], cut])


def held_by_all(runs: Sequence[OpenedRun], records: NDArray[np.int64]) -> NDArray[np.int64]:
    """Shape (n, 2): as `held` for `records`, the smallest numbers over all `runs`."""
    return np.min([held(run, records) for run in runs], axis=0)


def in_several_windows(runs: Sequence[OpenedRun], records: NDArray[np.int64]) -> bool:
    """Whether any of `runs` needs more than one window for any of `records`, so that the first is not the whole."""
    return any((np.diff(run.collate.windows.offsets)[records] > 1).any() for run in runs)


def drawn_symbols(usable: Sequence[NDArray[np.bool_]], most: int, seed: int) -> list[NDArray[np.int64]]:
    """Draw symbols of some records, and return their positions in each record, in ascending order.

    Parameters
    ----------
    usable
        For each record, shape (m,): which of its m symbols may be drawn.
    most
        The largest number of symbols to draw in all.
    seed
        The seed of the draw, 0 or more.
    """
    flat = np.concatenate(usable)
    order = np.random.Generator(np.random.PCG64(seed)).permutation(np.flatnonzero(flat))
    chosen = np.zeros(len(flat), bool)
    chosen[order[:most]] = True
    return [np.flatnonzero(part) for part in np.split(chosen, np.cumsum([len(u) for u in usable])[:-1])]


def symbol_vectors(
    run: OpenedRun, model: PreTrainedModel, records: NDArray[np.int64], reach: NDArray[np.int64]
) -> Iterator[NDArray[np.float32]]:
    """Yield the hidden states of the symbols of each record, in the order of `records`, without special tokens.

    Parameters
    ----------
    run
        The run whose records are read.
    model
        ``run.model`` or ``run.start``.
    records
        Shape (n,): places in ``run.examples``.
    reach
        Shape (n, 2): how many symbols of the first and of the second sequence to return, at most as many as `held`
        gives.

    Yields
    ------
    ndarray
        Shape (layers + 1, m, d): the embeddings and the states behind each layer; the symbols of the first sequence
        come first.
    """
    plan, layout = run.collate.windows, run.saved.layout
    longest = int(held(run, records).sum(1).max(initial=1)) + len(layout.start) + len(layout.middle) + len(layout.end)
    size = min(BATCH, max(1, AT_ONCE // longest))
    for begin in range(0, len(records), size):
        chosen = records[begin : begin + size].tolist()
        states: NDArray[Any] = hidden_states(model, run.collate_first(chosen)).float().numpy()
        for row, record in enumerate(chosen):
            first, second = reach[begin + row].tolist()
            places = run.before + np.arange(first)
            if plan.first is not None:
                after = run.before + int(plan.first[record]) + len(layout.middle)
                places = np.concatenate([places, after + np.arange(second)])
            yield states[:, row, places]


def _sequences(run: OpenedRun) -> list[Any]:
    return [s for s in (run.examples.symbols, run.examples.symbols_b) if s is not None]
