"""The parts of the variance between runs that are due to mapping, seed and split: crossed random effects."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, fdtrc, fdtri

from xdomain.metrics.bootstrap import TAIL, Interval
from xdomain.study.stats.factors import Cells, layout
from xdomain.study.stats.standard_error import mean_squares, residual_df

DRAWS = 10_000


@dataclass(frozen=True)
class Component:
    """What one factor adds to the variance between cells.

    Parameters
    ----------
    factor
        ``mapping``, ``seed`` or ``split``, or those that vary together, such as ``seed and split``.
    variance
        With its 95 % interval, in squared units of the metric; a negative estimate is set to 0.
    share
        The variance divided by the sum over all factors and the residual, in [0, 1].
    p
        Of the F test of the hypothesis that the factor adds nothing: its mean square over that of the residual; NaN
        where the residual is 0.
    """

    factor: str
    variance: Interval
    share: Interval
    p: float


@dataclass(frozen=True)
class Components:
    """Variance components of crossed cells, one cell each.

    Parameters
    ----------
    factors
        One for each factor that varies, two or more.
    residual
        The variance that no factor explains alone, with its 95 % interval.
    """

    factors: tuple[Component, ...]
    residual: Interval

    def of(self, factor: str) -> Component | None:
        """The component of the `factor`, None where it does not vary by itself."""
        return next((one for one in self.factors if one.factor == factor), None)


def components(values: Cells) -> Components:
    """Variance components of complete crossed cells, by analysis of variance.

    The model is value = mean + an effect of each factor + residual, all normal and independent; interactions are in the
    residual. Estimates equate mean squares with their expectations (Searle, Casella & McCulloch 1992, ch. 4); negative
    ones are set to 0. The interval of the residual is by chi-square. Those of the factors are by the modified
    large-sample method for a difference of mean squares (Ting, Burdick, Graybill, Jeyaratnam & Lu 1990; Burdick &
    Graybill 1992, §3.3), cut off at 0. Those of the shares are generalized intervals: percentiles of the share when
    each mean square is divided by a random chi-square over its degrees of freedom (Tsui & Weerahandi 1989; Hamada &
    Weerahandi 2000), from 10,000 seeded draws. Coverage at 3, 5 and 10: ``benchmarks/coverage.py``.

    Parameters
    ----------
    values
        By mapping seed and seed, or by mapping seed, seed and split seed. Two factors or more vary, in all their
        combinations; those that vary together count as one.

    Returns
    -------
    Components
        With few seeds the intervals are wide: with 3 mapping seeds the upper end for the mapping is about 40 times its
        estimate. Where all values are equal, all variances are 0, and the shares are 0 with the interval [0, 1]. Where
        the residual is 0, the F test is not defined, and its p is NaN.

    Raises
    ------
    ValueError
        Fewer than two factors vary, or a cell is missing.
    """
    arranged = layout(values)
    shape = arranged.values.shape
    if len(shape) < 2 or not arranged.complete:
        raise ValueError(f"values of shape {values.shape}: expected two factors or more in all their combinations")
    squares = mean_squares(arranged.values)
    times, df = [math.prod(shape) // levels for levels in shape], [levels - 1 for levels in shape]
    rest, last = squares.residual, residual_df(shape)
    low, high = (float(last * rest / chdtri(last, tail)) for tail in (TAIL, 1 - TAIL))
    shares = _shares_of(np.array([*squares.factors, rest]), (*df, last), times)
    return Components(
        tuple(
            Component(name, _difference(square, rest, freedom, last, n), share, _f_test(square, rest, freedom, last))
            for name, square, freedom, n, share in zip(arranged.names, squares.factors, df, times, shares, strict=True)
        ),
        Interval(rest, low, high),
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


def _shares_of(squares: NDArray[np.float64], freedom: tuple[int, ...], times: list[int]) -> list[Interval]:
    """The share of each factor in the variance, from the mean squares; that of the residual is the last."""
    if not squares.any():
        return [Interval(0.0, 0.0, 1.0) for _ in times]
    drawn = squares[:, None] / _drawn(freedom)
    shares: list[Interval] = []
    for value, *others in _shares(np.column_stack([squares, drawn]), times):
        low, high = np.quantile(others, (TAIL, 1 - TAIL))
        shares.append(Interval(float(value), min(float(low), float(value)), max(float(high), float(value))))
    return shares


def _shares(squares: NDArray[np.float64], times: list[int]) -> NDArray[np.float64]:
    """Each factor's share of the variance, shape (k, n), from the mean squares, shape (k + 1, n)."""
    *factors, rest = squares
    parts = np.stack([np.maximum(one - rest, 0) / n for one, n in zip(factors, times, strict=True)])
    total = parts.sum(axis=0) + rest
    return parts / np.where(total > 0, total, 1.0)


@lru_cache(maxsize=32)
def _drawn(freedom: tuple[int, ...]) -> NDArray[np.float64]:
    """Random chi-squares divided by their degrees of freedom, shape (len(freedom), DRAWS)."""
    rng = np.random.Generator(np.random.PCG64(0))
    return np.stack([rng.chisquare(df, DRAWS) / df for df in freedom])
