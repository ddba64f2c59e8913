"""The bootstrap: a metric on resampled test records, many resamples at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from xdomain.core.choices import Problem
from xdomain.core.formatting import number
from xdomain.data.known_labels import IGNORED, is_known
from xdomain.metrics.metrics import METRICS, as_chances, check_metrics, compute_metrics, covering, exact, frame_f1, lead
from xdomain.metrics.multilabel import OF_COUNTS, Finish, label_counts, right_records
from xdomain.metrics.outputs import OUTPUT_METRICS

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""Maps how often each unit was drawn, shape (b, units) for b resamples, to one value per resample, shape (b,)."""

TAIL = 0.025
"""The chance on each side of an interval: all intervals are of 95 %."""
DRAWS = 1000
BLOCK = 2_000_000  # numbers held in memory at once: 16 MB
ROUNDING = 1e-12


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval; as text ``0.8750 [0.8110, 0.9250]``, with a dash for what is unknown."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        known = math.isfinite(self.low) and math.isfinite(self.high)
        return f"{number(self.value)} [{f'{number(self.low)}, {number(self.high)}' if known else number(None)}]"


@dataclass(frozen=True, eq=False)
class Resampled:
    """The value of a statistic, and its values on resampled records.

    Parameters
    ----------
    value
        The value on the original records.
    draws
        Shape (draws,): the value on each resample. Statistics with the same seed and the same number of units share
        their resamples, so the difference of two draws is paired.
    units
        The number of records, or of groups of records, that were drawn from; infinity if unknown.
    possible
        The smallest and the largest value that the statistic can have.
    """

    value: float
    draws: Floats
    units: float = math.inf
    possible: tuple[float, float] = (-math.inf, math.inf)

    def interval(self) -> Interval:
        """Return the 95 % percentile interval (Efron & Tibshirani 1993, ch. 13).

        Resamples where the statistic is undefined are left out. If all resamples have the same value, for example
        because every answer is right, they say nothing about unseen records. The interval then allows for a share
        ``1 - 0.025 ** (1 / units)`` of records unlike the ones seen, the most that so many units can hide (Clopper &
        Pearson 1934). Its ends are NaN if the effect of such records is not bounded.
        """
        known = self.draws[np.isfinite(self.draws)]
        if not len(known):
            return Interval(self.value, math.nan, math.nan)
        low, high = np.quantile(known, (TAIL, 1 - TAIL))
        if np.ptp(known) <= ROUNDING and math.isfinite(self.units):
            least, most = self.possible
            hidden = (1 - TAIL ** (1 / self.units)) * (most - least)
            if not math.isfinite(hidden):
                return Interval(self.value, math.nan, math.nan)
            low, high = max(least, self.value - hidden), min(most, self.value + hidden)
        return Interval(self.value, float(low), float(high))


@dataclass(frozen=True)
class Rows:
    """The labels and scores of n rows. Rows belong to units, and a bootstrap draws whole units.

    Parameters
    ----------
    labels, scores
        As `xdomain.metrics.metrics.compute_metrics` takes them.
    unit
        Shape (n,), int64: the unit of each row, from 0. A unit is a record, or a group of records that belong
        together.
    units
        The number of units; a unit may have no rows.
    """

    problem: Problem
    labels: NDArray[Any]
    scores: NDArray[Any]
    unit: NDArray[np.int64]
    units: int

    def sums(self, statistics: Floats) -> Floats:
        """Shape (units, m): `statistics` of the rows, shape (n, m), summed over the rows of each unit."""
        return np.stack([np.bincount(self.unit, one, self.units).astype(np.float64) for one in statistics.T], axis=1)


def resample(metric: str, rows: Rows, *, draws: int = DRAWS, seed: int = 0) -> Resampled:
    """Draw units with replacement, as many as there are, and compute the metric of all their rows.

    The draws reflect the choice of test records only, not the differences between models of other seeds or mappings.
    If units are groups, this is the cluster bootstrap (Davison & Hinkley 1997, §3.8; Field & Welsh 2007). Memory is
    bounded whatever the number of records.

    Parameters
    ----------
    metric
        A name in `xdomain.metrics.metrics.METRICS` that fits the problem.
    rows
        Labels and scores, and the unit of each row.
    draws
        The number of resamples, 1 or more.
    seed
        0 or more. The same seed and number of units give the same resamples.

    Returns
    -------
    Resampled
        Up to rounding, each draw is the result of `compute_metrics` on the rows of one resample. All draws are NaN
        if there are no rows.

    Raises
    ------
    RecipeError
        The metric does not exist or does not fit the problem.
    """
    check_metrics([metric], rows.problem)
    value = compute_metrics([metric], rows.labels, rows.scores, rows.problem)[metric]["value"]
    possible = METRICS[metric].possible
    if not len(rows.labels):
        return Resampled(value, np.full(draws, math.nan), rows.units, possible)
    statistic = _statistic(metric, rows)
    width = max(rows.units, len(rows.labels) if metric in BY_RANK else 1, _matrix(rows) if metric in BY_CLASS else 1)
    with np.errstate(invalid="ignore", divide="ignore"):  # undefined values become NaN
        values = [statistic(drawn) for drawn in _drawn(rows.units, draws, seed, width)]
    return Resampled(float(value), np.concatenate(values), rows.units, possible)


def _statistic(metric: str, rows: Rows) -> Statistic:
    if rows.problem == "multilabel":
        return OF_LABELS[metric](rows)
    if rows.problem == "sequence":
        sums = rows.sums(OUTPUT_METRICS[metric].statistics(rows.labels, rows.scores))
        return lambda drawn: OUTPUT_METRICS[metric].finish(drawn @ sums)
    if rows.problem != "multioutput":
        return STATISTICS[metric](rows)
    each: list[Statistic] = []
    for labels, scores in zip(rows.labels.T, rows.scores.T, strict=True):
        known = is_known(labels)
        if not known.any():  # as in the metric itself
            continue
        each.append(STATISTICS[metric](Rows("regression", labels[known], scores[known], rows.unit[known], rows.units)))
    if not each:
        return lambda drawn: np.full(len(drawn), np.nan)
    return lambda drawn: np.mean([statistic(drawn) for statistic in each], axis=0)


def _drawn(units: int, draws: int, seed: int, width: int) -> Iterator[Floats]:
    """Yield blocks of shape (b, units): how often each unit is drawn. The draws do not depend on the block size."""
    rng = np.random.Generator(np.random.PCG64(seed))
    block = max(1, BLOCK // width)
    for start in range(0, draws, block):
        b = min(block, draws - start)
        chosen = rng.integers(units, size=(b, units)) + units * np.arange(b)[:, None]
        yield np.bincount(chosen.ravel(), minlength=b * units).reshape(b, units).astype(np.float64)


# Metrics of classes, computed from confusion matrices of shape (b, k, k) with the true classes in rows.


def _matrix(rows: Rows) -> int:
    return rows.scores.shape[-1] ** 2


def _of_confusion(finish: Callable[[Floats], Floats]) -> Callable[[Rows], Statistic]:
    def prepare(rows: Rows) -> Statistic:
        k = rows.scores.shape[-1]
        code = rows.labels.astype(np.int64) * k + rows.scores.argmax(-1)
        shape = (rows.units, k * k)
        by_unit: Any = sparse.csr_matrix((np.ones(len(code)), (rows.unit, code)), shape=shape)
        return lambda drawn: finish(np.asarray((by_unit.T @ drawn.T).T).reshape(-1, k, k))

    return prepare


def _parts(matrices: Floats) -> tuple[Floats, Floats, Floats]:
    """For each class, shape (b, k): the counts of right predictions, of labels, and of predictions."""
    return np.diagonal(matrices, axis1=1, axis2=2), matrices.sum(2), matrices.sum(1)


def _accuracy(matrices: Floats) -> Floats:
    right, true, _ = _parts(matrices)
    return right.sum(1) / true.sum(1)


def _balanced(matrices: Floats) -> Floats:
    right, true, _ = _parts(matrices)
    return np.nanmean(np.where(true.sum(1, keepdims=True) > 0, right / true, np.nan), axis=1)


def _mean_of_present(values: Floats, true: Floats, named: Floats) -> Floats:
    """The mean over classes that occur among labels or predictions; undefined values count as 0."""
    present = (true > 0) | (named > 0)
    return np.where(present, np.nan_to_num(values), 0.0).sum(1) / present.sum(1)


def _f1(matrices: Floats) -> Floats:
    right, true, named = _parts(matrices)
    return _mean_of_present(2 * right / (true + named), true, named)


def _precision(matrices: Floats) -> Floats:
    right, true, named = _parts(matrices)
    return _mean_of_present(right / named, true, named)


def _recall(matrices: Floats) -> Floats:
    right, true, named = _parts(matrices)
    return _mean_of_present(right / true, true, named)


def _f1_binary(matrices: Floats) -> Floats:
    right, true, named = _parts(matrices)
    return 2 * right[:, 1] / (true + named)[:, 1]


def _matthews(matrices: Floats) -> Floats:
    """Gorodkin (2004), eq. 8; 0 if all labels or all predictions are one class, as in scikit-learn."""
    right, true, named = _parts(matrices)
    s = true.sum(1)
    both = (s**2 - np.square(named).sum(1)) * (s**2 - np.square(true).sum(1))
    return np.where(both > 0, (right.sum(1) * s - (true * named).sum(1)) / np.sqrt(both), np.where(s > 0, 0.0, np.nan))


# Metrics of values and spans, computed from sums over rows.


def _of_mean(each: Callable[[NDArray[Any], NDArray[Any]], Floats], root: bool = False) -> Callable[[Rows], Statistic]:
    def prepare(rows: Rows) -> Statistic:
        values = each(rows.labels.astype(np.float64), rows.scores.astype(np.float64))
        sums = rows.sums(np.column_stack([values, np.ones(len(values))]))

        def statistic(drawn: Floats) -> Floats:
            total, n = (drawn @ sums).T
            return np.sqrt(total / n) if root else total / n

        return statistic

    return prepare


def _moments(rows: Rows) -> Callable[[Floats], tuple[Floats, ...]]:
    """A function that gives the sums of squares of labels and of scores, of their products, and of squared errors.

    All but the last are taken about the means of the drawn rows. A sum of squares that vanishes is NaN.
    """
    y, p = rows.labels.astype(np.float64), rows.scores.astype(np.float64)
    errors = np.square(y - p)
    y, p = y - y.mean(), p - p.mean()
    sums = rows.sums(np.column_stack([np.ones(len(y)), y, p, y * y, p * p, y * p, errors]))

    def moments(drawn: Floats) -> tuple[Floats, ...]:
        n, sy, sp, yy, pp, yp, error = (drawn @ sums).T
        spreads = [
            np.where(own - s * s / n > ROUNDING * own, own - s * s / n, np.nan) for own, s in ((yy, sy), (pp, sp))
        ]
        return (*spreads, yp - sy * sp / n, error)

    return moments


def _r2(rows: Rows) -> Statistic:
    moments = _moments(rows)

    def statistic(drawn: Floats) -> Floats:
        yy, _, _, error = moments(drawn)
        return 1 - error / yy

    return statistic


def _pearson(rows: Rows) -> Statistic:
    moments = _moments(rows)

    def statistic(drawn: Floats) -> Floats:
        yy, pp, yp, _ = moments(drawn)
        return np.clip(yp / np.sqrt(yy * pp), -1, 1)

    return statistic


# Metrics of ranks, computed from sorted rows weighted by how often each was drawn.


@dataclass(frozen=True)
class _Order:
    """Rows in ascending order of their values; rows of equal value form one group."""

    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    place: NDArray[np.int64]

    @classmethod
    def of(cls, values: NDArray[Any]) -> _Order:
        order = np.argsort(values, kind="stable")
        ascending = values[order]
        new = np.concatenate(([True], ascending[1:] != ascending[:-1]))
        place = np.empty(len(values), np.int64)
        place[order] = np.cumsum(new) - 1
        return cls(order, np.flatnonzero(new), place)

    def weights(self, drawn: Floats) -> Floats:
        """Shape (b, distinct values): `drawn`, shape (b, n), summed over rows of equal value."""
        return np.add.reduceat(drawn[:, self.order], self.starts, axis=1)

    def ranks(self, drawn: Floats) -> Floats:
        """Shape (b, n): the mean rank of each row among all drawn rows; `drawn` has shape (b, n)."""
        weights = self.weights(drawn)
        return (np.cumsum(weights, axis=1) - weights + (weights + 1) / 2)[:, self.place]


def _spearman(rows: Rows) -> Statistic:
    y, p = _Order.of(rows.labels), _Order.of(rows.scores)

    def statistic(drawn: Floats) -> Floats:
        each = drawn[:, rows.unit]
        middle = (each.sum(1, keepdims=True) + 1) / 2
        a, b = y.ranks(each) - middle, p.ranks(each) - middle
        both = (each * a * a).sum(1) * (each * b * b).sum(1)
        return np.where(both > 0, (each * a * b).sum(1) / np.sqrt(both), np.nan)

    return statistic


def _of_ranking(one: Callable[[Floats, Floats], Floats]) -> Callable[[Rows], Statistic]:
    """A metric of how a ranking separates positives from negatives; with more than two classes, the mean over them."""

    def prepare(rows: Rows) -> Statistic:
        k = rows.scores.shape[1]
        leads = [lead(rows.scores)] if k == 2 else list(as_chances(rows.scores).T)
        rankings = [(_Order.of(values), rows.labels == c) for c, values in enumerate(leads, 1 if k == 2 else 0)]

        def statistic(drawn: Floats) -> Floats:
            each = drawn[:, rows.unit]
            return np.mean([one(o.weights(each * true), o.weights(each * ~true)) for o, true in rankings], axis=0)

        return statistic

    return prepare


def _auc(positive: Floats, negative: Floats) -> Floats:
    """The Mann-Whitney statistic: the share of pairs in the right order, ties counted as half."""
    pairs = positive.sum(1) * negative.sum(1)
    right = (positive * (np.cumsum(negative, axis=1) - negative / 2)).sum(1)
    return np.where(pairs > 0, right / pairs, np.nan)


def _average_precision(positive: Floats, negative: Floats) -> Floats:
    """The mean over positives of the precision at each one's rank."""
    above = np.cumsum(positive[:, ::-1], axis=1)
    named = above + np.cumsum(negative[:, ::-1], axis=1)
    precision = np.where(named > 0, above / named, 0.0)
    both = (positive.sum(1) > 0) & (negative.sum(1) > 0)
    return np.where(both, (positive[:, ::-1] * precision).sum(1) / positive.sum(1), np.nan)


# Metrics of labels, computed from four counts of each label, or from a ranking for each.


def _of_label_counts(finish: Finish) -> Callable[[Rows], Statistic]:
    def prepare(rows: Rows) -> Statistic:
        counts = label_counts(rows.labels, rows.scores)
        sums = rows.sums(counts.reshape(len(counts), -1))
        return lambda drawn: finish(*np.moveaxis((drawn @ sums).reshape(len(drawn), *counts.shape[1:]), 1, 0))

    return prepare


def _of_label_rankings(one: Callable[[Floats, Floats], Floats]) -> Callable[[Rows], Statistic]:
    """The mean over the labels of which a resample has positives and negatives."""

    def prepare(rows: Rows) -> Statistic:
        rankings = [
            (_Order.of(np.where(own == IGNORED, -np.inf, ranked)), own == 1, own == 0)
            for own, ranked in zip(rows.labels.T, rows.scores[..., 0].T, strict=True)
        ]

        def statistic(drawn: Floats) -> Floats:
            each = drawn[:, rows.unit]
            values = [one(o.weights(each * true), o.weights(each * false)) for o, true, false in rankings]
            known = np.isfinite(values)
            return np.where(known, values, 0).sum(0) / known.sum(0)

        return statistic

    return prepare


def _of_right(rows: Rows) -> Statistic:
    right_rows = right_records(rows.labels, rows.scores).astype(np.float64)
    sums = rows.sums(np.column_stack([right_rows, np.ones(len(right_rows))]))

    def statistic(drawn: Floats) -> Floats:
        right, n = (drawn @ sums).T
        return right / n

    return statistic


OF_LABELS: dict[str, Callable[[Rows], Statistic]] = {
    **{name: _of_label_counts(finish) for name, finish in OF_COUNTS.items()},
    "accuracy": _of_right,
    "roc_auc": _of_label_rankings(_auc),
    "average_precision": _of_label_rankings(_average_precision),
}
BY_CLASS: dict[str, Callable[[Rows], Statistic]] = {
    "accuracy": _of_confusion(_accuracy),
    "balanced_accuracy": _of_confusion(_balanced),
    "f1": _of_confusion(_f1),
    "f1_binary": _of_confusion(_f1_binary),
    "precision": _of_confusion(_precision),
    "recall": _of_confusion(_recall),
    "matthews_correlation": _of_confusion(_matthews),
}
BY_RANK: dict[str, Callable[[Rows], Statistic]] = {
    "roc_auc": _of_ranking(_auc),
    "average_precision": _of_ranking(_average_precision),
    "spearmanr": _spearman,
}
STATISTICS: dict[str, Callable[[Rows], Statistic]] = {
    **BY_CLASS,
    **BY_RANK,
    "pearsonr": _pearson,
    "r2": _r2,
    "mse": _of_mean(lambda y, p: np.square(y - p)),
    "rmse": _of_mean(lambda y, p: np.square(y - p), root=True),
    "mae": _of_mean(lambda y, p: np.abs(y - p)),
    "FF1": _of_mean(frame_f1),
    "AOS": _of_mean(covering),
    "exact_match": _of_mean(exact),
}
