"""A linear model for each of several labels, against all records that have not this label."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xdomain.data.known_labels import is_known

ALWAYS = 20.0
"""The log-odds of a label that all, or minus it for one that none of the training records have."""


def fit_labels(
    seen: Any, labels: NDArray[np.int64], make: Callable[[], Any], share: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Fit a logistic regression for each label.

    Parameters
    ----------
    seen
        Shape (n, f), dense or sparse: the features of the training records.
    labels
        Shape (n, k): 1, 0 or `IGNORED`; records of which a label is unknown are left out for this label.
    make
        Returns a ``LogisticRegression`` of scikit-learn that has not been fitted.
    share
        Shape (n,): how much each record counts; None: all alike.

    Returns
    -------
    tuple
        Weights (f, k) and bias (k,) of the log-odds, and the mean cross-entropy over all known labels.
    """
    share = np.ones(len(labels)) if share is None else share
    weights, bias = np.zeros((seen.shape[1], labels.shape[1])), np.zeros(labels.shape[1])
    total, count = 0.0, 0.0
    for label, own in enumerate(labels.T):
        known = is_known(own)
        wanted = own[known]
        if len(np.unique(wanted)) < 2:
            bias[label] = ALWAYS if wanted.any() else -ALWAYS
            continue
        model = make().fit(seen[known], wanted, sample_weight=share[known])
        weights[:, label], bias[label] = model.coef_[0], model.intercept_[0]
        chances = np.clip(model.predict_proba(seen[known])[np.arange(len(wanted)), wanted], 1e-12, 1)
        total, count = total - float(np.log(chances) @ share[known]), count + float(share[known].sum())
    return weights, bias, total / max(count, 1.0)
