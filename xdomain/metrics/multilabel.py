"""Records with any number of labels: which are given above a threshold, and how good that is.

Scores are arrays of shape (n, k, 2) for k labels: what a label is ranked by, and 1 where it is given, else 0. What is
`IGNORED` among the labels is unknown: it counts for no label and no record.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xdomain.core.choices import Thresholds
from xdomain.core.import_errors import LazyModule
from xdomain.data.known_labels import is_known

sk: Any = LazyModule("sklearn.metrics")  # slow to import
special: Any = LazyModule("scipy.special")
Floats = NDArray[np.float64]
Finish = Callable[[Floats, Floats, Floats, Floats], Floats]
"""Maps four counts of each label, shape (…, k), to a value, shape (…): given and right, true, given, known."""
HALF = 0.5


def chances_of_labels(logits: NDArray[Any]) -> Floats:
    """Shape (n, k), in [0, 1]: the probability of each label by itself, the sigmoid of `logits`."""
    return special.expit(logits.astype(np.float64))


def choose_thresholds(labels: NDArray[Any], logits: NDArray[Any], how: Thresholds = "validation") -> Floats:
    """Choose, for each label, the probability from which on it is given.

    Parameters
    ----------
    labels
        Shape (n, k): 1, 0 or `IGNORED`, of records that the model was not trained on.
    logits
        Shape (n, k).
    how
        validation: that with the highest F1 of the label on these records, half-way between two probabilities that
        occur; of equals the one nearest to 0.5. half: 0.5.

    Returns
    -------
    ndarray
        Shape (k,), in [0, 1]; 0.5 for a label that no record has.
    """
    thresholds = np.full(logits.shape[1], HALF)
    if how == "half":
        return thresholds
    for label, (own, chances) in enumerate(zip(labels.T, chances_of_labels(logits).T, strict=True)):
        known = is_known(own) & np.isfinite(chances)
        if (own[known] == 1).any():
            thresholds[label] = _best_cut(own[known] == 1, chances[known])
    return thresholds


def _best_cut(true: NDArray[np.bool_], chances: Floats) -> float:
    values, place = np.unique(chances, return_inverse=True)
    given = np.bincount(place)[::-1].cumsum()[::-1]  # records from each value on
    right = np.bincount(place, true)[::-1].cumsum()[::-1]
    f1 = 2 * right / (given + true.sum())
    below = np.concatenate(([0.0], values[:-1]))
    cuts = np.where(below < values, (below + values) / 2, values)
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    return float(cuts[best[np.argmin(np.abs(cuts[best] - HALF))]])


def decided(logits: NDArray[Any], thresholds: Floats) -> Floats:
    """Shape (n, k, 2): `logits`, shape (n, k), and 1 where their probability is at least that of `thresholds`, (k,)."""
    given = chances_of_labels(logits) >= thresholds
    return np.stack([logits.astype(np.float64), given.astype(np.float64)], axis=-1)


def label_counts(labels: NDArray[Any], scores: Floats) -> NDArray[np.float64]:
    """Shape (n, 4, k): whether each label of each record is given and right, true, given, known.

    `labels` have shape (n, k), `scores` (n, k, 2).
    """
    known = is_known(labels)
    true, given = known & (labels == 1), known & (scores[..., 1] == 1)
    return np.stack([true & given, true, given, known], axis=1).astype(np.float64)


def right_records(labels: NDArray[Any], scores: Floats) -> NDArray[np.bool_]:
    """Shape (n,): whether all known labels of a record are given right, from `labels` (n, k) and `scores` (n, k, 2)."""
    return ((scores[..., 1] == labels) | ~is_known(labels)).all(axis=1)


def mean_of_present(values: Floats, true: Floats, given: Floats) -> Floats:
    """The mean of `values` over the labels with a count in `true` or `given`; undefined values count as 0."""
    present = (true > 0) | (given > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(present, np.nan_to_num(values), 0.0).sum(-1) / present.sum(-1)


def _ratio(a: Floats, b: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return a / b


def _matthews(right: Floats, true: Floats, given: Floats, known: Floats) -> Floats:
    product = true * given * (known - true) * (known - given)
    value = np.where(product > 0, _ratio(right * known - true * given, np.sqrt(np.maximum(product, 1e-300))), 0.0)
    return mean_of_present(value, true, given)


OF_COUNTS: dict[str, Finish] = {
    "f1": lambda right, true, given, _: mean_of_present(_ratio(2 * right, true + given), true, given),
    "f1_micro": lambda right, true, given, _: _ratio(2 * right.sum(-1), true.sum(-1) + given.sum(-1)),
    "precision": lambda right, true, given, _: mean_of_present(_ratio(right, given), true, given),
    "recall": lambda right, true, given, _: mean_of_present(_ratio(right, true), true, given),
    "matthews_correlation": _matthews,
    "hamming_loss": lambda right, true, given, known: _ratio((true + given - 2 * right).sum(-1), known.sum(-1)),
}
"""Metrics of labels that are made of four counts of each. Those of several labels are means over the labels that are
true or given anywhere (scikit-learn's ``average="macro"`` with ``zero_division=nan``), ``f1_micro`` is of all together.
"""


def of_counts(name: str) -> Callable[[NDArray[Any], NDArray[Any]], float]:
    """The metric of `OF_COUNTS` called `name`, as a function of labels, shape (n, k), and scores, (n, k, 2)."""
    return lambda labels, scores: float(OF_COUNTS[name](*label_counts(labels, scores).sum(0)))


def subset_accuracy(labels: NDArray[Any], scores: NDArray[Any]) -> float:
    """The share of records all of whose labels are given right, from `labels` (n, k) and `scores` (n, k, 2)."""
    return float(right_records(labels, scores).mean())


def mean_over_labels(function: str) -> Callable[[NDArray[Any], NDArray[Any]], float]:
    """The mean of scikit-learn's `function` of a ranking over the labels that some records have, and some have not."""

    def compute(labels: NDArray[Any], scores: NDArray[Any]) -> float:
        values: list[float] = []
        for own, ranked in zip(labels.T, scores[..., 0].T, strict=True):
            known = is_known(own)
            if len(np.unique(own[known])) == 2:
                values.append(getattr(sk, function)(own[known], ranked[known]))
        return float(np.mean(values)) if values else math.nan

    return compute


def per_label(labels: NDArray[Any], scores: NDArray[Any], names: tuple[str, ...]) -> list[dict[str, Any]]:
    """One row per label, called by `names`: precision, recall and f1 in [0, 1], and support.

    `labels` have shape (n, k), `scores` (n, k, 2).
    """
    right, true, given, _ = label_counts(labels, scores).sum(0)
    columns = [np.nan_to_num(_ratio(a, b)) for a, b in ((right, given), (right, true), (2 * right, true + given))]
    return [
        {"class": name, "precision": float(p), "recall": float(r), "f1": float(f), "support": int(n)}
        for name, p, r, f, n in zip(names, *columns, true, strict=True)
    ]
