"""Tests besides that of the interval: over seeds alone, over test examples alone, and over many differences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import false_discovery_control

from xdomain.study.stats.factors import Cells, layout

MAX_ENUMERATED = 14  # units; 2 ** 14 sign patterns
DRAWS = 10_000
FEW_DISCORDANT = 25
TIE = 1e-9  # statistics whose relative difference is smaller are equal except for rounding


def sign_flip(values: Cells) -> tuple[float, float]:
    """The sign-flip permutation test of the hypothesis that the mean over seeds and mappings is 0.

    If differences are symmetric around 0, their signs may be flipped (Fisher 1935, §21; Pesarin & Salmaso
    2010). Cells with one mapping or one seed in common are not independent, so all cells of a mapping are flipped at
    once, and for a second p all cells of a seed; the larger p counts. The test is exact if a single factor adds
    variance, which includes one mapping, one seed and paired cells. If several do, it is approximate, because flipping
    the cells of one breaks what those of another share. For this case the statistic is studentized by the spread of
    all: the square of the sum divided by the sum of squares of the sums at every level of every factor (Janssen 1997;
    Canay, Romano & Shaikh 2017). With a single factor this is equivalent to the plain sum.

    Parameters
    ----------
    values
        Differences by mapping seed and seed, NaN where there is none.

    Returns
    -------
    p, least
        Two-sided p, and the smallest p possible with so many levels: 2 / 2^levels, so that 5 seeds cannot reach .05.
        Up to 14 levels all sign patterns are taken, beyond that 10,000 seeded random ones and the observed one. Both
        are NaN with fewer than 2 cells.
    """
    cells = np.nan_to_num(layout(values).values)
    tests = [_flip(cells, axis) for axis in range(cells.ndim)]
    if not tests:
        return float("nan"), float("nan")
    return max(p for p, _ in tests), max(least for _, least in tests)


def _flip(cells: Cells, axis: int) -> tuple[float, float]:
    """Flip the cells of each level of the factor `axis` together."""
    levels, others = cells.shape[axis], [other for other in range(cells.ndim) if other != axis]
    if levels <= MAX_ENUMERATED:  # the first sign is kept: flipping all signs does not change the statistic
        patterns = np.arange(2 ** (levels - 1))[:, None] >> np.arange(levels) & 1
    else:
        draws = np.random.Generator(np.random.PCG64(0)).integers(2, size=(DRAWS, levels))
        patterns = np.vstack([np.zeros((1, levels), np.int64), draws])
    signs = 1.0 - 2.0 * patterns
    own = cells.sum(axis=tuple(others))
    squares = np.full(len(signs), np.square(own).sum())
    for other in others:  # shape (levels, levels of the other) where the rest is summed over
        both = np.moveaxis(cells, (axis, other), (0, 1)).reshape(levels, cells.shape[other], -1).sum(axis=2)
        squares += np.square(signs @ both).sum(axis=1)
    statistic = np.square(signs @ own) / np.where(squares > 0, squares, 1.0)
    return float(np.mean(statistic >= statistic[0] * (1 - TIE))), 1 / len(patterns)


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """The false discovery rate at which each of many tests would be called an effect (Benjamini & Hochberg 1995, §3).

    Parameters
    ----------
    p
        In [0, 1]; NaN where there was no test: it stays NaN and is not counted as a test.

    Returns
    -------
    list of float
        The q values in the order of `p`, each in [p, 1].
    """
    given = np.asarray(p, np.float64)
    known = np.isfinite(given)
    q = np.full(len(given), np.nan)
    if known.any():
        q[known] = false_discovery_control(given[known], method="bh")
    return q.tolist()


def mcnemar(differences: NDArray[np.integer]) -> float:
    """McNemar's test of the hypothesis that two arms are right equally often, for one pair of runs or several.

    The cells of an example are not independent: they are summed, and examples are the units (Eliasziw & Donner 1991;
    Obuchowski 1998). With d the sums, z = Σd / √Σd²; for one cell its square is the chi-square of McNemar (1947)
    without continuity correction. With up to 25 examples whose d is not 0, all patterns of their signs are counted
    instead, which for one cell is the exact binomial test. The result holds for these runs on other examples: the
    variation over seeds and mappings is not included, so where the seed matters this is not a test of the arms.

    Parameters
    ----------
    differences
        Shape (cells, n): 1 where the arm alone is right, -1 where the reference alone is, 0 where both or none.

    Returns
    -------
    float
        Two-sided p; 1 where no example differs.
    """
    sums = differences.sum(axis=0, dtype=np.int64)
    sums = sums[sums != 0]
    total = abs(int(sums.sum()))
    if len(sums) > FEW_DISCORDANT:
        return float(2 * ndtr(-total / np.sqrt(np.square(sums).sum())))
    chances = np.ones(1)  # the distribution of Σ±|d|, from its smallest value on
    for size in np.abs(sums):
        step = np.zeros(2 * size + 1)
        step[[0, -1]] = 0.5
        chances = np.convolve(chances, step)
    reached = np.arange(len(chances)) - len(chances) // 2
    return min(1.0, float(chances[np.abs(reached) >= total].sum()))
