"""How sure a difference is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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


@dataclass(frozen=True, eq=False)
class Resampled:
    """A statistic and what it was on resampled examples.

    Parameters
    ----------
    value
        On the examples as they are.
    draws
        Shape (draws,): on each resample; the same resamples for all statistics of as many examples and one seed, so
        that a difference of two is paired.
    """

    value: float
    draws: NDArray[np.float64]

    def __sub__(self, other: Resampled) -> Resampled:
        return Resampled(self.value - other.value, self.draws - other.draws)

    def interval(self) -> Interval:
        """The percentile interval (Efron & Tibshirani 1993, ch. 13); resamples where it is undefined are left out."""
        known = self.draws[np.isfinite(self.draws)]
        if not len(known):
            return Interval(self.value, float("nan"), float("nan"))
        low, high = np.quantile(known, (0.025, 0.975))
        return Interval(self.value, float(low), float(high))


def bootstrap(n: int, statistic: Callable[[Rows], float], *, draws: int = 1000, seed: int = 0) -> Resampled:
    """Resample n examples with replacement.

    `statistic` maps row numbers, shape (n,), to a number. What comes out speaks of the examples alone: that another
    seed or mapping would give another model is not in it.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    return Resampled(statistic(np.arange(n)), np.array([statistic(rng.integers(n, size=n)) for _ in range(draws)]))
