"""A linear probe, and how sure what it reaches is."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
C, ALPHA = 0.01, 100.0  # how firmly the probes are held back: fixed, chosen by nothing
DRAWS = 1000


def probe(train: Floats, labels: NDArray[Any], valid: Floats, classes: int) -> Floats:
    """Fit a linear probe on standardised features, and score others with it.

    Parameters
    ----------
    train, valid
        Shapes (m, d) and (v, d).
    labels
        Shape (m,).
    classes
        How many there are; 0 where labels are values.

    Returns
    -------
    Probabilities, shape (v, classes), by L2-regularised logistic regression; or values, shape (v,), by ridge
    regression.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(train.astype(np.float64))
    known, new = (np.asarray(scaler.transform(x.astype(np.float64))) for x in (train, valid))
    if not classes:
        return np.asarray(Ridge(alpha=ALPHA).fit(known, labels).predict(new))
    scores = np.zeros((len(valid), classes))
    seen = np.unique(labels)
    if len(seen) == 1:  # nothing to tell apart
        scores[:, seen] = 1
        return scores
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # where 500 steps leave it, it is told
        scores[:, seen] = LogisticRegression(C=C, max_iter=500).fit(known, labels).predict_proba(new)
    return scores


def interval(labels: NDArray[Any], scores: Floats, records: NDArray[np.int64], *, seed: int) -> tuple[float, float]:
    """The 95 % interval of accuracy, or of Spearman's correlation, over records.

    Accuracy of one sample a record: Wilson's. Of several: bootstrap of whole records, as the samples of one record
    are no independent draws. Correlation: bootstrap.

    Parameters
    ----------
    scores
        Shape (v, classes), or (v,) for values.
    """
    from scipy import stats

    numbers = np.unique(records, return_inverse=True)[1]
    n = int(numbers.max()) + 1
    if scores.ndim == 2:
        right = scores.argmax(1) == labels
        if n == len(records):
            found: Any = stats.binomtest(int(right.sum()), n).proportion_ci(method="wilson")
            return float(found.low), float(found.high)
        hits, sizes = np.bincount(numbers, right), np.bincount(numbers)
        drawn = _rows(n, seed)
        values = hits[drawn].sum(1) / sizes[drawn].sum(1)
    else:
        drawn = _rows(n, seed)
        with np.errstate(invalid="ignore", divide="ignore"):
            values = _correlations(stats.rankdata(labels[drawn], axis=1), stats.rankdata(scores[drawn], axis=1))
    if not np.isfinite(values).any():
        return math.nan, math.nan
    low, high = np.nanquantile(values, (0.025, 0.975))
    return float(low), float(high)


def _rows(n: int, seed: int) -> NDArray[np.int64]:
    return np.random.Generator(np.random.PCG64(seed)).integers(n, size=(DRAWS, n))


def _correlations(a: Floats, b: Floats) -> Floats:
    """Pearson's, row by row; of ranks it is Spearman's."""
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    return (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))
