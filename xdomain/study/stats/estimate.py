"""The mean over cells with its interval, p value and power, and the area under a sample-efficiency curve."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import root_scalar
from scipy.special import chdtri, ndtr, ndtri, stdtrit

from xdomain.metrics.bootstrap import TAIL, Interval
from xdomain.study.stats.factors import Cells
from xdomain.study.stats.standard_error import ROUNDING, StandardError, standard_error

POWER = 0.8
MIN_ALIKE = 3  # cells with equal values: two may be equal by chance, as a metric has a limited number of values
FARTHEST = 25.0  # normal deviates; p is 6e-138 there, and farther out Student's t is computed without any precision


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds and mappings on a sample of test examples, with its uncertainty.

    Parameters
    ----------
    interval
        The mean with its 95 % interval for other seeds, other mappings and other test examples.
    standard_error
        Of the mean, in units of the metric: over seeds, mappings and test examples together.
    p
        Two-sided, under the hypothesis that the true mean is 0; NaN where there is no test, as with a single cell.
    detectable
        The smallest true mean that would be distinguished from 0 with a power of 80 %; NaN where `p` is NaN.
    cells
        The number of values that the mean is over.
    """

    interval: Interval
    standard_error: float
    p: float
    detectable: float
    cells: int


def mean_with_interval(
    values: Cells,
    examples: float = 0.0,
    *,
    units: float = math.inf,
    overlap: float = 0.0,
    fixed: bool = False,
    possible: tuple[float, float] = (-math.inf, math.inf),
) -> Estimate:
    """The mean over seeds and mappings, with an interval for other seeds, other mappings and other test examples.

    The half-width is √((t·a)² + (u·e)²), with a the standard error over cells, t of its degrees of freedom
    (`standard_error`), e that over examples and u Student's t with `units` - 1: the squares of two independent
    half-widths added (the method of variance estimates recovery, Zou & Donner 2008, §2). It covers 95 to 99 % at 3, 5
    and 10 seeds whether seeds, mappings or examples dominate, where the percentile bootstrap over seeds and examples
    is far too narrow at so few seeds, and t over seeds alone leaves the examples out (``benchmarks/coverage.py``).
    The interaction of examples and cells is in both terms, so the interval is too wide rather than too narrow.

    Parameters
    ----------
    values
        By mapping seed and seed, or by mapping seed, seed and split seed, NaN where there is none. Crossed, crossed
        with holes, paired or one cell. For the difference of two arms, the differences of their cells.
    examples
        The standard error of the mean of `values` over test examples, 0 or more, in units of `values`; all cells
        share their test examples. For example the standard deviation of `Resampled.draws` of the mean. 0 where splits
        vary: other splits have other test examples, so that the variation between cells holds theirs.
    units
        The number of examples, or of groups of them, that `examples` is estimated from; infinity where it is known.
    overlap
        Where splits vary, the number of test records divided by that of training records: see `standard_error`.
    fixed
        Whether every seed and mapping gives the same value, as with k-mer counts, so that a single cell can be tested.
    possible
        The smallest and the largest possible value, such as 0 and 1: the interval is cut off there, which does not
        change its coverage.

    Returns
    -------
    Estimate
        With a single cell, the interval is over examples alone: it does not include the variation over seeds and
        mappings. There is no test then, unless `fixed`: `p` and `detectable` are NaN. They are also NaN for two cells
        that happen to be equal. Otherwise `p` is below .05 if and only if the interval excludes 0. The ends of the
        interval, `p` and `detectable` are NaN with fewer than two units, and where the variation of the mean is not
        known: no spread between cells, except for rounding, and none over examples. Without a finite cell all is NaN.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return Estimate(Interval(math.nan, math.nan, math.nan), math.nan, math.nan, math.nan, 0)
    mean, over_cells = float(known.mean()), standard_error(values, overlap)
    if examples <= ROUNDING * float(np.abs(known).max()):
        examples = 0.0
    error = math.hypot(over_cells.standard_error, examples)
    if error == 0 or not math.isfinite(error) or (examples and units < 2):
        return Estimate(Interval(mean, math.nan, math.nan), error, math.nan, math.nan, len(known))
    half = _half_width(over_cells, examples, -float(ndtri(TAIL)), units)
    tested = fixed or len(known) >= MIN_ALIKE or over_cells.standard_error > 0
    return Estimate(
        Interval(mean, max(mean - half, possible[0]), min(mean + half, possible[1])),
        error,
        _p(abs(mean), over_cells, examples, units) if tested else math.nan,
        detectable(over_cells, examples, units=units) if tested else math.nan,
        len(known),
    )


def detectable(
    over_cells: StandardError, examples: float = 0.0, power: float = POWER, *, units: float = math.inf
) -> float:
    """The smallest true mean for which the 95 % interval of `mean_with_interval` excludes 0 with probability `power`.

    The given standard errors are taken as the true ones. A new study would estimate the one over cells anew, which is
    modelled by a chi-square with ``over_cells.df`` degrees of freedom. Without examples this is the power of the t test
    (Cohen 1988, ch. 2).

    Parameters
    ----------
    over_cells
        Standard error and degrees of freedom over seeds and mappings.
    examples
        Standard error over test examples; the two standard errors must not both be 0.
    power
        In (0.05, 1).
    units
        As for `mean_with_interval`, 2 or more.

    Returns
    -------
    float
        Above 0, in units of the metric.
    """
    error = math.hypot(over_cells.standard_error, examples)
    deviate = -float(ndtri(TAIL))
    t = _quantile(over_cells.df, deviate)
    over_examples = _quantile(units - 1, deviate) * examples
    half = np.sqrt((t * over_cells.standard_error) ** 2 * _chi_squares(over_cells.df) + over_examples**2) / error

    def lacking(effect: float) -> float:
        return power - float((ndtr(effect - half) + ndtr(-effect - half)).mean())

    return _root(lacking, float(half.max()) + 10) * error


def area(fractions: Sequence[float], values: Cells) -> Cells:
    """The area under a sample-efficiency curve: the mean of a metric over log2 of the share of the training records.

    Trapezoids over log2(fraction), divided by its range, so that the area is in units of the metric, and every halving
    of the training records has the same weight.

    Parameters
    ----------
    fractions
        F shares of the training records, in (0, 1], strictly ascending.
    values
        Shape (F, ...): the values at each share, as (F, M, S) for cells or (F, resamples); NaN where there is none.

    Returns
    -------
    NDArray
        Shape (...); NaN where the value of a share is NaN. With one share, its values.

    Raises
    ------
    ValueError
        `fractions` are out of range or order, or not as many as `values` has rows.
    """
    logs = np.log2(np.asarray(fractions, np.float64)) if min(fractions, default=0) > 0 else np.zeros(0)
    if not len(logs) or len(logs) != len(values) or logs[-1] > 0 or (np.diff(logs) <= 0).any():
        raise ValueError(f"fractions {list(fractions)} of {len(values)} values: expected ascending ones in (0, 1]")
    if len(logs) == 1:
        return np.array(values[0])
    return np.trapezoid(values, logs, axis=0) / (logs[-1] - logs[0])


def _quantile(df: float, deviate: float) -> float:
    """The value of Student's t with the same upper tail probability as the normal `deviate`."""
    return deviate if math.isinf(df) else -float(stdtrit(df, ndtr(-deviate)))  # the lower tail, exact far out


def _half_width(over_cells: StandardError, examples: float, deviate: float, units: float) -> float:
    """Of the interval with the same coverage as ± `deviate` in the normal distribution."""
    over_examples = _quantile(units - 1, deviate) * examples if examples else 0.0
    return math.hypot(_quantile(over_cells.df, deviate) * over_cells.standard_error, over_examples)


def _p(mean: float, over_cells: StandardError, examples: float, units: float) -> float:
    """The level at which an interval around `mean` would just reach 0."""
    if mean <= _half_width(over_cells, examples, 0.0, units):  # 0 except for rounding
        return 1.0
    if mean >= _half_width(over_cells, examples, FARTHEST, units):
        return 0.0

    def beyond(deviate: float) -> float:
        return _half_width(over_cells, examples, deviate, units) - mean

    return 2 * float(ndtr(-_root(beyond, FARTHEST)))


def _root(function: Callable[[float], float], high: float) -> float:
    return float(root_scalar(function, bracket=(0.0, high), xtol=1e-12).root)


@lru_cache(maxsize=128)
def _chi_squares(df: float) -> Cells:
    """Chi-square divided by its degrees of freedom, at 400 evenly spaced levels: the mean over them is an integral."""
    if math.isinf(df):
        return np.ones(1)
    return chdtri(df, (np.arange(400) + 0.5) / 400) / df
