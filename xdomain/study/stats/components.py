"""The parts of the variance between runs that are due to the mapping and to the seed: two-way random effects."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, fdtrc, fdtri

from xdomain.metrics.bootstrap import Interval
from xdomain.study.stats.standard_error import Cells, mean_squares

TAIL = 0.025
DRAWS = 10_000


@dataclass(frozen=True)
class Components:
    """Variance components of cells that cross mapping seeds with training seeds, one cell each.

    Parameters
    ----------
    mapping, seed, residual
        Variances with 95 % intervals, in squared units of the metric; negative estimates are set to 0.
    mapping_variance_share
        The variance of the mapping divided by the sum of all three, in [0, 1].
    mapping_p
        Of the F test of the hypothesis that the mapping adds nothing: mean square of the mapping over that of the
        residual; NaN where the residual is 0.
    """

    mapping: Interval
    seed: Interval
    residual: Interval
    mapping_variance_share: Interval
    mapping_p: float


def components(values: Cells) -> Components:
    """Variance components of complete crossed cells, by analysis of variance.

    The model is value = mean + mapping + seed + residual, all normal and independent; the interaction of mapping and
    seed is in the residual. Estimates equate mean squares with their expectations (Searle, Casella & McCulloch 1992,
    ch. 4); negative ones are set to 0. The interval of the residual is by chi-square. Those of mapping and seed are by
    the modified large-sample method for a difference of mean squares (Ting, Burdick, Graybill, Jeyaratnam & Lu 1990;
    Burdick & Graybill 1992, §3.3), cut off at 0. That of the share is the generalized interval: percentiles of the
    share when each mean square is divided by a random chi-square over its degrees of freedom (Tsui & Weerahandi 1989;
    Hamada & Weerahandi 2000), from 10,000 seeded draws. Coverage at 3, 5 and 10: ``benchmarks/coverage.py``.

    Parameters
    ----------
    values
        Shape (M, S), M and S at least 2, all finite: a row for each mapping seed, a column for each training seed.

    Returns
    -------
    Components
        With few seeds the intervals are wide: with M = 3 the upper end for the mapping is about 40 times its estimate.
        Where all values are equal, all variances are 0, and the share is 0 with the interval [0, 1]. Where the
        residual is 0, the F test is not defined, and its p is NaN.

    Raises
    ------
    ValueError
        Fewer than 2 rows or columns, or a cell is missing.
    """
    if values.ndim != 2 or min(values.shape) < 2 or not np.isfinite(values).all():
        raise ValueError(f"values of shape {values.shape}: expected 2 or more rows and columns, all finite")
    mappings, seeds = values.shape
    squares = mean_squares(values)
    m, s, r = squares.mapping, squares.seed, squares.residual
    freedom = (mappings - 1, seeds - 1, (mappings - 1) * (seeds - 1))
    low, high = (float(freedom[2] * r / chdtri(freedom[2], tail)) for tail in (TAIL, 1 - TAIL))
    return Components(
        mapping=_difference(m, r, freedom[0], freedom[2], seeds),
        seed=_difference(s, r, freedom[1], freedom[2], mappings),
        residual=Interval(r, low, high),
        mapping_variance_share=_share(np.array([m, s, r]), freedom, mappings, seeds),
        mapping_p=_f_test(m, r, freedom[0], freedom[2]),
    )


def _f_test(effect: float, residual: float, df: int, residual_df: int) -> float:
    if residual == 0:
        return math.nan
    return float(fdtrc(df, residual_df, effect / residual))


def _difference(effect: float, residual: float, df: int, residual_df: int, times: int) -> Interval:
    """(`effect` - `residual`) / `times` of two mean squares: its modified large-sample interval, cut off at 0."""
    least = _Constants.of(df, residual_df, TAIL)
    most = _Constants.of(df, residual_df, 1 - TAIL)
    value = effect - residual
    below = (least.own * effect) ** 2 + (least.other * residual) ** 2 + least.both * effect * residual
    above = (most.own * effect) ** 2 + (most.other * residual) ** 2 + most.both * effect * residual
    ends = (value, value - math.sqrt(max(below, 0.0)), value + math.sqrt(max(above, 0.0)))
    return Interval(*(max(end, 0.0) / times for end in ends))


@dataclass(frozen=True)
class _Constants:
    """The coefficients of the mean squares for one end of the interval (Burdick & Graybill 1992, §3.3).

    `own` and `other` make the end exact where either mean square is 0, and `both` where the end itself is 0.
    """

    own: float
    other: float
    both: float

    @staticmethod
    @lru_cache(maxsize=128)
    def of(df: int, residual_df: int, tail: float) -> _Constants:
        own = 1 - df / float(chdtri(df, tail))  # G for the lower end, -H for the upper
        other = residual_df / float(chdtri(residual_df, 1 - tail)) - 1  # H for the lower end, -G for the upper
        ratio = float(fdtri(df, residual_df, 1 - tail))
        return _Constants(own, other, ((ratio - 1) ** 2 - (own * ratio) ** 2 - other**2) / ratio)


def _share(squares: NDArray[np.float64], freedom: tuple[int, int, int], mappings: int, seeds: int) -> Interval:
    if not squares.any():
        return Interval(0.0, 0.0, 1.0)
    drawn = squares[:, None] / _drawn(freedom)
    value, *shares = _shares(np.column_stack([squares, drawn]), mappings, seeds)
    low, high = np.quantile(shares, (TAIL, 1 - TAIL))
    return Interval(float(value), min(float(low), float(value)), max(float(high), float(value)))


def _shares(squares: NDArray[np.float64], mappings: int, seeds: int) -> NDArray[np.float64]:
    """The mapping's share of the variance, shape (n,), from the mean squares, shape (3, n)."""
    m, s, r = squares
    mapping, seed = np.maximum(m - r, 0) / seeds, np.maximum(s - r, 0) / mappings
    total = mapping + seed + r
    return mapping / np.where(total > 0, total, 1.0)


@lru_cache(maxsize=32)
def _drawn(freedom: tuple[int, int, int]) -> NDArray[np.float64]:
    """Random chi-squares divided by their degrees of freedom, shape (3, DRAWS)."""
    rng = np.random.Generator(np.random.PCG64(0))
    return np.stack([rng.chisquare(df, DRAWS) / df for df in freedom])
