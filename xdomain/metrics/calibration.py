"""How far probabilities are right, and one temperature that makes them so.

The expected calibration error and temperature scaling are those of Guo et al. 2017 (arXiv 1706.04599).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xdomain.core.import_errors import LazyModule
from xdomain.metrics.metrics import probabilities

optimize: Any = LazyModule("scipy.optimize")  # slow to import
special: Any = LazyModule("scipy.special")
BINS = 15
WARMEST = 100.0  # a temperature beyond it, or below its inverse, is not looked for
EDGE = 1.01  # a temperature as near as this factor to the last that is looked for counts as that


def fit_temperature(logits: NDArray[Any], labels: NDArray[Any]) -> float:
    """The temperature T for which the softmax of logits / T gives the labels the highest likelihood.

    Parameters
    ----------
    logits
        Shape (n, k), of records that the model was not trained on.
    labels
        Shape (n,): class indices.

    Returns
    -------
    float
        In [1 / `WARMEST`, `WARMEST`]; above 1 where the model was too sure, below where it was not sure enough. 1 where
        all records are right, as any lower temperature would then be better, and where there are none.
    """
    scores = logits.astype(np.float64)
    if not len(labels) or (scores.argmax(-1) == labels).all():
        return 1.0
    own = scores[np.arange(len(labels)), labels]

    def loss(coldness: float) -> float:  # convex in 1 / T
        return float((special.logsumexp(coldness * scores, axis=-1) - coldness * own).mean())

    found = optimize.minimize_scalar(
        loss, bounds=(1 / WARMEST, WARMEST), method="bounded", options={"xatol": 1e-6, "maxiter": 200}
    )
    return 1 / float(found.x)


def edge_note(temperature: float) -> str:
    """A sentence for a `temperature` at the edge of what `fit_temperature` looks for; empty for any other."""
    if EDGE / WARMEST < temperature < WARMEST / EDGE:
        return ""
    told = "nearly equal probabilities fit best" if temperature > 1 else "probabilities of nearly 0 and 1 fit best"
    return f"The temperature is at the edge of those looked for, {1 / WARMEST:g} to {WARMEST:g}: on validation {told}."


def calibration_of(labels: NDArray[Any], chances: NDArray[np.float64], bins: int = BINS) -> dict[str, Any]:
    """Compare the probability of each prediction with how often predictions of that probability are right.

    Parameters
    ----------
    labels
        Shape (n,): class indices.
    chances
        Shape (n, k): probabilities.
    bins
        How many bins of equal width predictions are sorted into by their probability.

    Returns
    -------
    dict
        ``error``: the expected calibration error, the mean over records of the distance between the share of right
        predictions and the mean probability in their bin; null if there are no records. ``adaptive_error``: the same
        for bins of equally many records. ``negative_log_likelihood``: the mean over records. ``bins``: for each of
        equal width that has records, {low, high, n, probability, accuracy}; a bin holds its upper end.
    """
    if not len(labels):
        return {"error": math.nan, "adaptive_error": math.nan, "negative_log_likelihood": math.nan, "bins": []}
    sure, right = chances.max(-1), chances.argmax(-1) == labels
    place = np.clip(np.ceil(sure * bins).astype(np.int64) - 1, 0, bins - 1)
    rows: list[dict[str, Any]] = []
    for number in np.unique(place).tolist():
        held = place == number
        rows.append({
            "low": number / bins, "high": (number + 1) / bins, "n": int(held.sum()),
            "probability": float(sure[held].mean()), "accuracy": float(right[held].mean()),
        })  # fmt: skip
    parts = np.array_split(np.argsort(sure, kind="stable"), min(bins, len(sure)))
    adaptive = sum(len(part) * abs(float(sure[part].mean() - right[part].mean())) for part in parts) / len(sure)
    likely = np.clip(chances[np.arange(len(labels)), labels], 1e-300, 1)
    return {
        "error": sum(row["n"] * abs(row["probability"] - row["accuracy"]) for row in rows) / len(sure),
        "adaptive_error": adaptive,
        "negative_log_likelihood": float(-np.log(likely).mean()),
        "bins": rows,
    }


def calibrations(labels: NDArray[Any], logits: NDArray[Any], temperature: float | None) -> dict[str, dict[str, Any]]:
    """The `calibration_of` one split: ``before`` and, where there is a temperature, ``after`` it was applied.

    Parameters
    ----------
    labels
        Shape (n,): class indices.
    logits
        Shape (n, k): of the model itself.
    temperature
        What they are divided by; None: nothing.
    """
    found = {"before": calibration_of(labels, probabilities(logits))}
    if temperature is not None:
        found["after"] = calibration_of(labels, probabilities(logits / temperature))
    return found
