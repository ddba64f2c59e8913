"""Questions without an answer (SQuAD 2.0): how likely that is, and the probability above which no answer is given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xdomain.core.choices import Thresholds
from xdomain.core.import_errors import LazyModule
from xdomain.data.answers import NONE
from xdomain.data.dataset import Examples
from xdomain.metrics.metrics import METRICS, compute_metrics, frame_f1, lacking
from xdomain.metrics.multilabel import HALF

special: Any = LazyModule("scipy.special")  # slow to import
Floats = NDArray[np.float64]
NO_ANSWER = "no answer"
COLUMN = f"p({NO_ANSWER})"
ALIKE = 1e-9  # sums of scores that differ by less are equal


def learns_none(examples: Examples) -> bool:
    """Whether some training questions of `examples` have no answer, so that a model learns to give none."""
    answers = examples.answers
    return answers is not None and bool(answers.lacking[examples.indices("train")].any())


def chances_of_none(scores: Floats) -> Floats:
    """Shape (n,), in [0, 1]: the probability that there is no answer, against the best answer.

    `scores` have shape (n, 4), as `xdomain.training.predict.predict_scores` returns them. The logit is what
    transformers' ``run_qa`` calls the null score difference.
    """
    return special.expit(scores[:, 3] - scores[:, 2])


def given_spans(scores: Floats, threshold: Floats | None) -> NDArray[np.int64]:
    """Shape (n, 2): the answers in symbols of the passage, half-open; `NONE` twice where none is given.

    Parameters
    ----------
    scores
        Shape (n, 4), see `chances_of_none`.
    threshold
        Shape (1,): the probability of no answer above which none is given. None: there is always an answer.
    """
    spans = scores[:, :2].astype(np.int64)
    return spans if threshold is None else np.where((chances_of_none(scores) > threshold)[:, None], NONE, spans)


def choose_none(references: Floats, spans: Floats, scores: Floats, how: Thresholds = "validation") -> Floats:
    """Choose the probability of no answer above which none is given.

    Parameters
    ----------
    references
        Shape (n, r, 2): of questions that the model was not trained on; all NaN where there is no answer.
    spans
        Shape (n, 2): the best answer to each, whether it is given or not, in the coordinate of `references`.
    scores
        Shape (n, 4), see `chances_of_none`.
    how
        validation: that with the best mean FF1 on these questions, half-way between two log-odds that occur; of equals
        the one nearest to 0.5. half: 0.5.

    Returns
    -------
    ndarray
        Shape (1,), in [0, 1]: 1 if there is always an answer, 0 if there never is; 0.5 if all questions have one, or
        none has.
    """
    none, odds = lacking(references), scores[:, 3] - scores[:, 2]
    if how == "half" or none.all() or not none.any():
        return np.array([HALF])
    values, place = np.unique(odds, return_inverse=True)
    answered = np.bincount(place, np.where(none, 0.0, frame_f1(references, spans)), len(values))
    unanswered = np.bincount(place, none, len(values))
    reached = np.concatenate(([0], answered.cumsum())) + np.concatenate((unanswered[::-1].cumsum()[::-1], [0]))
    chances, middle = special.expit(values), special.expit((values[:-1] + values[1:]) / 2)
    middle = np.where(middle < chances[1:], middle, chances[:-1])  # two that differ by a rounding
    cuts = np.concatenate(([0.0], middle, [1.0]))
    best = np.flatnonzero(reached >= reached.max() - ALIKE)
    return cuts[best[[np.argmin(np.abs(cuts[best] - HALF))]]]


def by_answer(metrics: list[str], references: Floats, spans: Floats) -> dict[str, dict[str, float]]:
    """The values of `metrics` over the questions that have an answer, and over the others.

    Parameters
    ----------
    metrics
        Names in `xdomain.metrics.metrics.METRICS`.
    references, spans
        As `xdomain.metrics.metrics.covering` takes them.

    Returns
    -------
    dict
        `has_answer` and `no_answer`: by metric its value, NaN if there is no such question, and `n`, how many there
        are. Empty if all questions have an answer.
    """
    none = lacking(references)
    if not none.any():
        return {}
    return {name: _values(metrics, references[kind], spans[kind])
            for name, kind in (("has_answer", ~none), ("no_answer", none))}  # fmt: skip


def _values(metrics: list[str], references: Floats, spans: Floats) -> dict[str, float]:
    rows = compute_metrics(metrics, references, spans, "span")
    return {**{name: row["value"] for name, row in rows.items()}, "n": len(references)}


def never_answering(metrics: list[str], references: Floats) -> dict[str, float]:
    """The value of each of `metrics`, by name, if no question is answered; empty if all `references` have an answer."""
    if not lacking(references).any():
        return {}
    rows = compute_metrics(metrics, references, np.full((len(references), 2), np.nan), "span")
    return {name: row["value"] for name, row in rows.items()}


def best_constant(metric: str, *values: float | None) -> float:
    """The best of the `values` of a `metric` for answers that read nothing; NaN if none is known."""
    known = [value for value in values if value is not None and np.isfinite(value)]
    return float((max if METRICS[metric].higher_is_better else min)(known)) if known else np.nan
