"""How sure a difference is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


def bootstrap(n: int, statistic: Callable[[Rows], float], *, draws: int = 1000, seed: int = 0) -> Interval:
    """A percentile bootstrap over n examples (Efron & Tibshirani 1993, ch. 13).

    `statistic` maps row numbers, shape (n,), to a number. It speaks of the examples alone: that another
    seed or mapping would give another model is not in this interval.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    found: NDArray[Any] = np.array([statistic(rng.integers(n, size=n)) for _ in range(draws)])
    found = found[np.isfinite(found)]
    value = statistic(np.arange(n))
    if not len(found):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(found, (0.025, 0.975))
    return Interval(value, float(low), float(high))
