"""How a baseline chooses among its candidates: by a metric on validation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xdomain.core.choices import PER_SYMBOL, Problem
from xdomain.core.sequences import Ragged
from xdomain.metrics.metrics import METRICS


def rows_of(symbols: Ragged, split: NDArray[np.str_], name: str, problem: Problem) -> NDArray[np.int64]:
    """Find the rows of labels and scores that belong to a split.

    Parameters
    ----------
    symbols
        n sequences; only their lengths are used.
    split
        Shape (n,): the split of each record.
    name
        The split that is wanted.
    problem
        For tagging and profiles a row is a symbol, otherwise a record.
    """
    if problem not in PER_SYMBOL:
        return np.flatnonzero(split == name)
    return np.flatnonzero(np.repeat(split == name, symbols.lengths))


def better(metric: str, value: float, best: float | None) -> bool:
    """Whether `value` beats `best` by `metric`; any finite value beats None, and one that is not finite nothing."""
    if not np.isfinite(value):
        return False
    return best is None or (value > best if METRICS[metric].higher_is_better else value < best)
