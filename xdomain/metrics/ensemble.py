"""Several models' scores as one: their mean, and how far they agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xdomain.core.choices import OF_VALUES, Problem
from xdomain.core.import_errors import LazyModule
from xdomain.data.rows import lists_by_length
from xdomain.metrics.metrics import probabilities
from xdomain.metrics.multilabel import HALF, chances_of_labels

special: Any = LazyModule("scipy.special")


def mean_scores(scores: Sequence[NDArray[Any]], problem: Problem) -> NDArray[np.float64]:
    """The mean of the values, or scores whose probabilities are the mean of the models'.

    For classes it is the logarithm of that mean, whose softmax it is; for multilabel its logit.

    Parameters
    ----------
    scores
        Of each model: logits (n, k), or values (n,) for regression.
    problem
        Any but span.
    """
    if problem in OF_VALUES:
        return np.mean(np.stack(scores).astype(np.float64), axis=0)
    if problem == "multilabel":
        return special.logit(np.mean([chances_of_labels(one) for one in scores], axis=0))
    with np.errstate(divide="ignore"):
        return np.log(np.mean([probabilities(one) for one in scores], axis=0))


def spread_columns(
    scores: Sequence[NDArray[Any]],
    problem: Problem,
    lengths: NDArray[np.int64],
    thresholds: NDArray[np.float64] | None = None,
) -> dict[str, pa.Array]:
    """How far several models agree on each record, or for tagging on each tag.

    Parameters
    ----------
    scores
        Of each of two models or more, as for `mean_scores`. Rows with NaN become null.
    problem
        Any but span.
    lengths
        Only for tagging, shape (n,): the number of tags of each record, which is the length of its lists.
    thresholds
        Only for multilabel, shape (k,): the probability from which on a label is given; None: 0.5.

    Returns
    -------
    dict
        ``std``: the standard deviation (with r - 1 of r models) of the predicted class's probability, or of the value.
        Where there are classes also ``agreement``: the share of models that predict the class that is predicted. For
        multilabel and multioutput ``std`` is the mean over labels, and for multilabel ``agreement`` the share of models
        that give the same labels.
    """
    if problem in OF_VALUES:
        std = np.std(np.stack(scores).astype(np.float64), axis=0, ddof=1)
        if problem == "multioutput":
            return {"std": pa.array(std.mean(axis=-1))}
        flat = pa.array(std, mask=~np.isfinite(std))
        return {"std": flat if problem == "regression" else lists_by_length(flat, lengths)}
    if problem == "multilabel":
        of_each = np.stack([chances_of_labels(one) for one in scores])
        least = HALF if thresholds is None else thresholds
        same = ((of_each >= least) == (of_each.mean(0) >= least)).all(-1)
        return {"std": pa.array(of_each.std(0, ddof=1).mean(-1)), "agreement": pa.array(same.mean(0))}
    chances = np.stack([probabilities(one) for one in scores])
    missing = ~np.isfinite(chances).all((0, 2))
    filled = np.nan_to_num(chances)
    best = filled.mean(0).argmax(-1)
    of_best = np.take_along_axis(filled, best[None, :, None], -1)[..., 0]
    columns = {
        "std": pa.array(of_best.std(0, ddof=1), mask=missing),
        "agreement": pa.array((filled.argmax(-1) == best).mean(0), mask=missing),
    }
    if problem != "tagging":
        return columns
    return {name: lists_by_length(column, lengths) for name, column in columns.items()}
