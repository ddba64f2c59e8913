"""How sure a difference is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import root_scalar
from scipy.special import chdtri, ndtr, ndtri, stdtrit

from xdomain.metrics.bootstrap import Interval
from xdomain.study.stats.standard_error import ROUNDING, Cells, StandardError, standard_error

LEVEL = 0.95
POWER = 0.8
FEWEST_ALIKE = 3  # cells: that two are equal may be chance, as a metric has only so many values
FARTHEST = 25.0  # normal deviates; p is 6e-138 there, and Student's t farther out is not computed to any precision


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds and mappings on a sample of test examples, with what follows from it.

    Parameters
    ----------
    interval
        The mean with its 95 % interval, where seeds, mappings and test examples all vary.
    standard_error
        Of the mean, in units of the metric: over seeds and mappings, and examples, together.
    p
        Two-sided, that the true mean is 0; NaN where it says nothing, as of a single cell.
    detectable
        The smallest true mean that would have been told from 0 with a power of 80 %; NaN where `p` is.
    cells
        How many values the mean is over.
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
    fixed: bool = False,
    possible: tuple[float, float] = (-math.inf, math.inf),
) -> Estimate:
    """The mean over seeds and mappings, with an interval for other seeds, other mappings and other test examples.

    The half-width is √((t·a)² + (u·e)²), with a the standard error over cells, t of its degrees of freedom
    (`standard_error`), e that over examples and u Student's t with `units` - 1: the squares of two independent
    half-widths added (the method of variance estimates recovery, Zou & Donner 2008, §2). It covers 95 to 99 % at 3, 5
    and 10 seeds whether seeds, mappings or examples dominate, where the percentile bootstrap over seeds and examples
    is far too narrow at so few seeds, and t over seeds alone leaves the examples out (``benchmarks/coverage.py``).
    What examples and cells do together is in both terms, so that it is rather too wide.

    Parameters
    ----------
    values
        Shape (M, S): a value a mapping seed and training seed, NaN where there is none. Crossed, crossed with holes,
        paired (no two in a row or a column), one row, one column or one cell. For the difference of two arms the
        differences of their cells.
    examples
        The standard error of the mean of `values` over test examples, 0 or more, in units of `values`; all cells
        share their test examples. The standard deviation of `Resampled.draws` of the mean is one.
    units
        How many examples, or groups of them, `examples` is estimated from; infinity where it is known.
    fixed
        Whether no other seed or mapping could give another value, as with k-mer counts: then a single cell is all
        there is to know, but for the examples.
    possible
        The least and the greatest value that there can be, such as 0 and 1: the interval goes no farther, and covers
        no less for it.

    Returns
    -------
    Estimate
        Of a single cell, the interval is over examples alone: that another seed or mapping would give another value
        is not in it. So it is no test, unless `fixed`: `p` and `detectable` are NaN, as they are of two cells that
        happen to be equal. Otherwise `p` is below .05 where and only where the interval is without 0. Where nothing
        tells how the mean varies (no spread between cells and none over examples, but for rounding, or one cell and
        none over examples), or fewer than two units, interval, `p` and `detectable` are NaN; without a finite cell
        all is NaN.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return Estimate(Interval(math.nan, math.nan, math.nan), math.nan, math.nan, math.nan, 0)
    mean, found = float(known.mean()), standard_error(values)
    if examples <= ROUNDING * float(np.abs(known).max()):
        examples = 0.0
    error = math.hypot(found.standard_error, examples)
    if error == 0 or not math.isfinite(error) or (examples and units < 2):
        return Estimate(Interval(mean, math.nan, math.nan), error, math.nan, math.nan, len(known))
    half = _half_width(found, examples, -float(ndtri((1 - LEVEL) / 2)), units)
    tested = fixed or len(known) >= FEWEST_ALIKE or found.standard_error > 0
    return Estimate(
        Interval(mean, max(mean - half, possible[0]), min(mean + half, possible[1])),
        error,
        _p(abs(mean), found, examples, units) if tested else math.nan,
        detectable(found, examples, units=units) if tested else math.nan,
        len(known),
    )


def detectable(found: StandardError, examples: float = 0.0, power: float = POWER, *, units: float = math.inf) -> float:
    """The smallest true mean that the 95 % interval of `mean_with_interval` leaves 0 out of with a chance of `power`.

    Takes the standard errors for the true ones: that over cells is estimated anew in the study thought of, by a
    chi-square of `found.df`. Without examples this is the power of the t test (Cohen 1988, ch. 2).

    Parameters
    ----------
    found
        Standard error and degrees of freedom over seeds and mappings.
    examples
        Standard error over test examples; not both 0.
    power
        In (0.05, 1).
    units
        As `mean_with_interval` has it, 2 or more.

    Returns
    -------
    float
        Above 0, in units of the metric.
    """
    error = math.hypot(found.standard_error, examples)
    deviate = -float(ndtri((1 - LEVEL) / 2))
    t = _quantile(found.df, deviate)
    over_examples = _quantile(units - 1, deviate) * examples
    half = np.sqrt((t * found.standard_error) ** 2 * _chi_squares(found.df) + over_examples**2) / error

    def lacking(effect: float) -> float:
        return power - float((ndtr(effect - half) + ndtr(-effect - half)).mean())

    return _root(lacking, float(half.max()) + 10) * error


def area(fractions: Sequence[float], values: Cells) -> Cells:
    """The area under a sample-efficiency curve: what a metric is on the mean over log2 of the share of the records.

    Trapezoids over log2(fraction), divided by its range, so that the area is in units of the metric, and halving the
    training records counts alike everywhere.

    Parameters
    ----------
    fractions
        F shares of the training records, in (0, 1], strictly ascending.
    values
        Shape (F, ...): of each share the values, as (F, M, S) for cells or (F, draws) for resamples; NaN where there
        is none.

    Returns
    -------
    NDArray
        Shape (...); NaN where a share has none. With one share its value itself.

    Raises
    ------
    ValueError
        The fractions are not so, or not as many as `values` has rows.
    """
    logs = np.log2(np.asarray(fractions, np.float64)) if min(fractions, default=0) > 0 else np.zeros(0)
    if not len(logs) or len(logs) != len(values) or logs[-1] > 0 or (np.diff(logs) <= 0).any():
        raise ValueError(f"fractions {list(fractions)} of {len(values)} values: expected ascending ones in (0, 1]")
    if len(logs) == 1:
        return np.array(values[0])
    return np.trapezoid(values, logs, axis=0) / (logs[-1] - logs[0])


def _quantile(df: float, deviate: float) -> float:
    """Student's t where as much lies above as lies above `deviate` in the normal distribution."""
    return deviate if math.isinf(df) else -float(stdtrit(df, ndtr(-deviate)))  # the lower tail, exact far out


def _half_width(found: StandardError, examples: float, deviate: float, units: float) -> float:
    """Of the interval that leaves out as much as lies beyond ± `deviate` in the normal distribution."""
    over_examples = _quantile(units - 1, deviate) * examples if examples else 0.0
    return math.hypot(_quantile(found.df, deviate) * found.standard_error, over_examples)


def _p(mean: float, found: StandardError, examples: float, units: float) -> float:
    """The level at which an interval around `mean` would just reach 0."""
    if mean <= _half_width(found, examples, 0.0, units):  # 0 but for rounding
        return 1.0
    if mean >= _half_width(found, examples, FARTHEST, units):
        return 0.0

    def beyond(deviate: float) -> float:
        return _half_width(found, examples, deviate, units) - mean

    return 2 * float(ndtr(-_root(beyond, FARTHEST)))


def _root(function: Callable[[float], float], high: float) -> float:
    return float(root_scalar(function, bracket=(0.0, high), xtol=1e-12).root)


@lru_cache(maxsize=128)
def _chi_squares(df: float) -> Cells:
    """Chi-square over its degrees of freedom at evenly spaced levels, to take means over it."""
    if math.isinf(df):
        return np.ones(1)
    return chdtri(df, (np.arange(400) + 0.5) / 400) / df
