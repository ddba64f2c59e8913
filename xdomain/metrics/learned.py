"""Whether a model learned anything: what a constant answer gets, and the signs that training led nowhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xdomain.core.choices import Problem
from xdomain.core.formatting import number
from xdomain.data.dataset import IGNORED
from xdomain.metrics.metrics import METRICS, SIGNED, compute_metrics

STAYED = 0.97
"""Of its start: a training loss that ends above this has not moved."""
FELL = 0.7
"""Of its start: a training loss that ends below this has learned the training records."""
FEWEST_LOSSES = 5
ALIKE = 1e-6  # predicted values that differ by less, as a share of the labels' range, are one value


def majority_baseline(
    labels_train: NDArray[Any],
    labels_test: NDArray[Any],
    metrics: Sequence[str],
    problem: Problem,
    *,
    n_classes: int | None = None,
) -> dict[str, float]:
    """Each metric of the constant answer that training records suggest: their most frequent class, or their mean.

    Parameters
    ----------
    labels_train, labels_test
        As in `xdomain.data.dataset.Examples`: class indices (n,), those of all tags (total,), or values (n,).
        Tags that are not scored (-100) are left out.
    metrics
        Names of `xdomain.metrics.metrics.METRICS`.
    problem
        What the labels are.
    n_classes
        How many classes the model tells apart; None: as many as the labels have.

    Returns
    -------
    dict of str to float
        In units of the metric; NaN where a constant has no value, such as a correlation, and where either has no
        labels. Empty for span, which has `random_span` and `oracle` instead. Of equally frequent classes the first
        one answers.
    """
    if problem == "span":
        return {}
    if problem == "regression":
        known = labels_train[np.isfinite(labels_train)].astype(np.float64)
        answers = np.full(len(labels_test), known.mean() if len(known) else math.nan)
        labels = labels_test.astype(np.float64)
    else:
        train, labels = (some[some != IGNORED].astype(np.int64) for some in (labels_train, labels_test))
        k = n_classes or int(max(train.max(initial=0), labels.max(initial=0))) + 1
        answers = np.tile(np.eye(k)[np.bincount(train, minlength=k).argmax()], (len(labels), 1))
    if not len(labels) or not len(labels_train) or not np.isfinite(answers).all():
        return dict.fromkeys(metrics, math.nan)
    return {name: found["value"] for name, found in compute_metrics(metrics, labels, answers, problem).items()}


def not_learned(
    labels: NDArray[Any],
    scores: NDArray[Any],
    problem: Problem,
    metric: str,
    *,
    constant: float = math.nan,
    low: float = math.nan,
    losses: Sequence[float] = (),
    classes: Sequence[str] = (),
) -> str | None:
    """Why one model has not shown that it learned anything that holds on these records; None where it has.

    Parameters
    ----------
    labels, scores
        Of the test records, as `xdomain.metrics.metrics.compute_metrics` takes them.
    problem
        What the labels are.
    metric
        The one that decides.
    constant
        Its value for a constant answer on the same records, as `majority_baseline` has it (for span: of
        `random_span`); NaN where it is not known.
    low
        The end of the 95 % interval of the model's value, over test records, that lies nearer to `constant`: the
        lower one where higher is better, else the upper. NaN where it is not known.
    losses
        Training losses in order of their steps.
    classes
        Names of the classes, to name the one that is answered.

    Returns
    -------
    str or None
        Ends a sentence that begins with the model: "answers all 40 test records with 'donor'",
        "has a test accuracy of 0.5000, not above the 0.5125 of the most frequent class; its training loss stayed …".
    """
    if not len(labels):
        return None
    value = compute_metrics([metric], labels, scores, problem)[metric]["value"]
    if one_answer(labels, scores, problem):
        thing = "tags" if problem == "tagging" else "records"
        answer = "one and the same value"
        if problem != "regression":
            best = int(scores[0].argmax())
            answer = repr(classes[best]) if best < len(classes) else "one and the same class"
        return f"answers all {len(labels):,} test {thing} with {answer}{of_losses(losses)}"
    return not_above(metric, value, problem=problem, constant=constant, low=low, losses=losses)


def one_answer(labels: NDArray[Any], scores: NDArray[Any], problem: Problem) -> bool:
    """Whether two or more records all get the same class or value; of spans never."""
    if problem == "span" or len(scores) < 2:
        return False
    if problem == "regression":
        return bool(np.ptp(scores) <= ALIKE * max(float(np.ptp(labels)), 1e-30))
    best = scores.argmax(-1)
    return bool((best == best[0]).all())


def not_above(
    metric: str,
    value: float,
    *,
    problem: Problem,
    constant: float = math.nan,
    low: float = math.nan,
    losses: Sequence[float] = (),
) -> str | None:
    """Why a test value, of one model or the mean of several, is no sign of learning; None where it is one.

    A value that is better than a constant answer by more than its error is a sign of learning, whatever the loss did.
    Parameters and what comes back: see `not_learned`.
    """
    told = METRICS[metric]
    if math.isnan(constant) and told.possible == SIGNED:
        constant = 0.0  # what unrelated values correlate by
    if math.isnan(value):
        return f"has no {metric} on test, as it is not defined for its answers"
    above = (value > constant) if told.higher_is_better else (value < constant)
    clear = (low > constant) if told.higher_is_better else (low < constant)
    if above and clear:
        return None
    if math.isnan(constant) or (above and math.isnan(low)):
        return f"has a training loss that {_stayed(losses)}" if loss_stayed(losses) else None
    word = ("above" if told.higher_is_better else "below") if not above else "distinguishable from"
    than = _named(metric, constant, problem)
    return f"has a test {metric} of {number(value)}, not {word} {than}{of_losses(losses)}"


def not_above_rule(metric: str, value: float, reached: float, rule: str = "k-mer counts") -> str | None:
    """What to say where a simple rule does as well as a test value; None where it does not, or one is not defined.

    This is not the same as not to have learned: both may be good.

    Parameters
    ----------
    metric
        The name of the metric.
    value, reached
        Test values of the model and of the rule.
    rule
        The rule's name, to end a sentence with.
    """
    better = value > reached if METRICS[metric].higher_is_better else value < reached
    if better or math.isnan(value) or math.isnan(reached):
        return None
    word = "above" if METRICS[metric].higher_is_better else "below"
    return f"has a test {metric} of {number(value)}, not {word} the {number(reached)} of {rule}"


def loss_stayed(losses: Sequence[float]) -> bool:
    """Whether a training loss is at its end where it was at its start; False where too few of them are known."""
    first, last = _ends(losses)
    return bool(last >= STAYED * first)


def what_to_try(losses: Sequence[float] = ()) -> str:
    """What may help a model that did not learn, a sentence."""
    first, last = _ends(losses)
    if last < FELL * first:
        return (
            "It has learned its training records, but nothing that holds on others: try more records, or fewer steps "
            "(--set train.epochs=N); --baseline kmer tells whether simple counts find anything."
        )
    return (
        "Try more steps (--set train.epochs=N) or another rate (--set train.learning_rate=…); --baseline kmer tells "
        "whether simple counts find anything."
    )


def _named(metric: str, constant: float, problem: Problem) -> str:
    if problem == "span":
        return f"the {number(constant)} of spans drawn at random"
    if METRICS[metric].possible == SIGNED:
        return f"the {number(constant)} of answers that have nothing to do with the labels"
    if problem == "regression":
        return f"the {number(constant)} of the training records' mean"
    return f"the {number(constant)} of the most frequent {'tag' if problem == 'tagging' else 'class'}"


def _ends(losses: Sequence[float]) -> tuple[float, float]:
    """Means of the first and of the last fifth; NaN where there are too few."""
    if len(losses) < FEWEST_LOSSES:
        return math.nan, math.nan
    part = len(losses) // 5
    return float(np.mean(losses[:part])), float(np.mean(losses[-part:]))


def _stayed(losses: Sequence[float]) -> str:
    first, last = _ends(losses)
    return f"stayed where it began ({first:.3g}, at the end {last:.3g})"


def of_losses(losses: Sequence[float]) -> str:
    """What training did, for the end of a sentence; nothing where it tells nothing."""
    first, last = _ends(losses)
    if loss_stayed(losses):
        return f"; its training loss {_stayed(losses)}"
    if last < FELL * first:
        return f", though its training loss fell from {first:.3g} to {last:.3g}"
    return ""
