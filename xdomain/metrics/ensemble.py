"""Several models' scores as one: their mean, and how far they agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xdomain.core.choices import Problem
from xdomain.metrics.metrics import probabilities


def mean_scores(scores: Sequence[NDArray[Any]], problem: Problem) -> NDArray[np.float64]:
    """The mean of the values, or the logarithm of the mean of the probabilities, whose softmax is that mean.

    Parameters
    ----------
    scores
        Of each model: logits (n, k), or values (n,) for regression.
    problem
        Any but span.
    """
    if problem == "regression":
        return np.mean(np.stack(scores).astype(np.float64), axis=0)
    with np.errstate(divide="ignore"):
        return np.log(np.mean([probabilities(one) for one in scores], axis=0))


def spread_columns(scores: Sequence[NDArray[Any]], problem: Problem, lengths: NDArray[np.int64]) -> dict[str, pa.Array]:
    """How far several models agree on each record, or for tagging on each tag.

    Parameters
    ----------
    scores
        Of each of two models or more, as for `mean_scores`. Rows with NaN become null.
    problem
        Any but span.
    lengths
        Only for tagging, shape (n,): the number of tags of each record, which is the length of its lists.

    Returns
    -------
    dict
        ``std``: the standard deviation (with r - 1 of r models) of the predicted class's probability, or of the value.
        Where there are classes also ``agreement``: the share of models that predict the class that is predicted.
    """
    if problem == "regression":
        return {"std": pa.array(np.std(np.stack(scores).astype(np.float64), axis=0, ddof=1))}
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
    offsets = pa.array(np.concatenate(([0], np.cumsum(lengths))).astype(np.int32))
    return {name: pa.ListArray.from_arrays(offsets, column) for name, column in columns.items()}
