"""Whether a model learned anything: the value of a constant answer, and signs that training failed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xdomain.core.choices import OF_VALUES, Problem
from xdomain.core.errors import clipped
from xdomain.core.formatting import number
from xdomain.core.sequences import object_array
from xdomain.data.known_labels import is_known
from xdomain.metrics.metrics import METRICS, compute_metrics, lacking
from xdomain.metrics.outputs import Output

STAYED = 0.97
"""A training loss that ends above this share of its start has not moved."""
FELL = 0.7
"""If the training loss ends below this share of its start, the model has learned the training records."""
MIN_LOSSES = 5
MAX_SHOWN = 80  # characters of an output in a sentence
ALIKE = 1e-6  # predicted values that differ by less than this share of the labels' range count as one value


def majority_baseline(
    labels_train: NDArray[Any],
    labels_test: NDArray[Any],
    metrics: Sequence[str],
    problem: Problem,
    *,
    n_classes: int | None = None,
) -> dict[str, float]:
    """Compute the metrics of a constant answer: the most frequent class of the training records, or their mean.

    Parameters
    ----------
    labels_train, labels_test
        As in `xdomain.data.dataset.Examples`: class indices (n,), labels (n, k), class indices of all tags (total,), or
        values (n,).
        Tags that are not scored (-100) are left out.
    metrics
        Names in `xdomain.metrics.metrics.METRICS`.
    problem
        What the labels are.
    n_classes
        The number of the model's classes; None: one more than the largest label.

    Returns
    -------
    dict of str to float
        The value of each metric; NaN if the metric is undefined for a constant, as a correlation is, or if train or
        test has no labels. Empty for span, which has `random_span` and `oracle` instead. If several classes are
        equally frequent, the answer is the first of them. For multilabel the better one of two constant answers: all
        labels, and those that more than half of the training records have.
    """
    if problem == "span":
        return {}
    if problem == "multilabel":
        return _constant_labels(labels_train, labels_test, metrics)
    if problem == "multioutput":
        means = np.nanmean(labels_train.astype(np.float64), axis=0) if len(labels_train) else labels_train
        answers, labels = np.tile(means, (len(labels_test), 1)), labels_test
    elif problem in OF_VALUES:
        known, labels = (some[is_known(some)].astype(np.float64) for some in (labels_train, labels_test))
        answers = np.full(len(labels), known.mean() if len(known) else math.nan)
    else:
        train, labels = (some[is_known(some)].astype(np.int64) for some in (labels_train, labels_test))
        k = n_classes or int(max(train.max(initial=0), labels.max(initial=0))) + 1
        answers = np.tile(np.eye(k)[np.bincount(train, minlength=k).argmax()], (len(labels), 1))
    if not len(labels) or not len(labels_train) or not np.isfinite(answers).all():
        return dict.fromkeys(metrics, math.nan)
    return {name: row["value"] for name, row in compute_metrics(metrics, labels, answers, problem).items()}


def of_constant_output(output: Output, labels: NDArray[Any], metrics: Sequence[str]) -> dict[str, float]:
    """The value of each of `metrics` if `output` is written for all records, of which `labels`, (n,), are wanted."""
    if not len(labels):
        return dict.fromkeys(metrics, math.nan)
    same = object_array([output] * len(labels))
    return {name: row["value"] for name, row in compute_metrics(metrics, labels, same, "sequence").items()}


def _constant_labels(labels_train: NDArray[Any], labels_test: NDArray[Any], metrics: Sequence[str]) -> dict[str, float]:
    if not len(labels_test) or not len(labels_train):
        return dict.fromkeys(metrics, math.nan)
    known = is_known(labels_train)
    often = 2 * (known & (labels_train == 1)).sum(0) > known.sum(0)
    answers = (np.ones(labels_train.shape[1]), often.astype(np.float64))
    each = [
        compute_metrics(metrics, labels_test, np.tile(one[:, None], (len(labels_test), 1, 2)), "multilabel")
        for one in answers
    ]
    values = {name: [one[name]["value"] for one in each if math.isfinite(one[name]["value"])] for name in metrics}
    best = {name: max if METRICS[name].higher_is_better else min for name in metrics}
    return {name: best[name](own) if own else math.nan for name, own in values.items()}


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
    """Say why a model has not shown that it learned anything that holds on the test records; None if it has.

    Parameters
    ----------
    labels, scores
        Of the test records, as `xdomain.metrics.metrics.compute_metrics` takes them.
    problem
        What the labels are.
    metric
        The metric that decides.
    constant
        The metric's value for a constant answer on the same records, from `majority_baseline` (for span: from
        `random_span`, or of none to all questions); NaN if unknown.
    low
        The worse end of the model's 95 % interval over test records: the lower one if higher is better, else the
        upper one. NaN if unknown.
    losses
        Training losses in the order of their steps.
    classes
        The names of the classes, for the message.

    Returns
    -------
    str or None
        The end of a sentence that begins with the model: "answers all 40 test records with 'donor'",
        "has a test accuracy of 0.5000, not above the 0.5125 of the most frequent class; its training loss stayed …".
    """
    if not len(labels):
        return None
    value = compute_metrics([metric], labels, scores, problem)[metric]["value"]
    if one_answer(labels, scores, problem):
        thing = {"tagging": "tags", "profile": "symbols"}.get(problem, "records")
        answer = "one and the same value"
        if problem == "multilabel":
            answer = "one and the same labels"
        elif problem == "sequence":
            answer = repr(clipped(scores[0].text, MAX_SHOWN))
        elif problem not in OF_VALUES:
            best = int(scores[0].argmax())
            answer = repr(classes[best]) if best < len(classes) else "one and the same class"
        return f"answers all {len(labels):,} test {thing} with {answer}{of_losses(losses)}"
    unanswered = problem == "span" and bool(lacking(labels).any())
    return not_above(metric, value, problem=problem, constant=constant, low=low, losses=losses, unanswered=unanswered)


def one_answer(labels: NDArray[Any], scores: NDArray[Any], problem: Problem) -> bool:
    """Whether two or more records all get the same class, value or output; never for spans.

    Parameters
    ----------
    labels, scores
        As `xdomain.metrics.metrics.compute_metrics` takes them; the range of `labels` is the scale for values.
    problem
        What the labels are.
    """
    if problem == "span" or len(scores) < 2:
        return False
    if problem == "sequence":
        return len(set(scores)) == 1
    if problem in OF_VALUES:
        ranges = np.nanmax(labels, axis=0) - np.nanmin(labels, axis=0)
        return bool((np.ptp(scores, axis=0) <= ALIKE * np.maximum(ranges, 1e-30)).all())
    if problem == "multilabel":
        return bool((scores[..., 1] == scores[0, :, 1]).all())
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
    unanswered: bool = False,
) -> str | None:
    """Say why a test value is no sign of learning; None if it is one.

    A value that is better than that of a constant answer by more than its error is a sign of learning, whatever the
    loss did.

    Parameters
    ----------
    metric
        The name of the metric.
    value
        The test value of one model, or the mean of several.
    problem, constant, low, losses
        As in `not_learned`.
    unanswered
        Only for span: whether questions have no answer, so that `constant` may be that of none to all.

    Returns
    -------
    str or None
        The end of a sentence, as in `not_learned`.
    """
    definition = METRICS[metric]
    if math.isnan(constant) and definition.correlation:
        constant = 0.0
    if math.isnan(value):
        return f"has no {metric} on test, as it is not defined for its answers"
    above = (value > constant) if definition.higher_is_better else (value < constant)
    clear = (low > constant) if definition.higher_is_better else (low < constant)
    if above and clear:
        return None
    if math.isnan(constant) or (above and math.isnan(low)):
        return f"has a training loss that {_stayed(losses)}" if loss_stayed(losses) else None
    word = ("above" if definition.higher_is_better else "below") if not above else "distinguishable from"
    than = _named(metric, constant, problem, unanswered=unanswered)
    return f"has a test {metric} of {number(value)}, not {word} {than}{of_losses(losses)}"


def not_above_rule(metric: str, value: float, reached: float, rule: str = "k-mer counts") -> str | None:
    """Say that a model is not better than a simple rule; None if it is, or if a value is undefined.

    A model that is not better may still have learned: both may be good.

    Parameters
    ----------
    metric
        The name of the metric.
    value, reached
        The test values of the model and of the rule.
    rule
        The rule's name, for the message.
    """
    better = value > reached if METRICS[metric].higher_is_better else value < reached
    if better or math.isnan(value) or math.isnan(reached):
        return None
    word = "above" if METRICS[metric].higher_is_better else "below"
    return f"has a test {metric} of {number(value)}, not {word} the {number(reached)} of {rule}"


def loss_stayed(losses: Sequence[float]) -> bool:
    """Whether the training `losses`, in the order of their steps, end where they started; False if too few."""
    first, last = _ends(losses)
    return bool(last >= STAYED * first)


def what_to_try(losses: Sequence[float] = (), *, counted: bool = True, in_study: bool = False) -> str:
    """Advise on a model that did not learn.

    Parameters
    ----------
    losses
        Its training losses in the order of their steps.
    counted
        Whether there is a baseline of counts for its problem.
    in_study
        Whether it is an arm of a study, which has a file of its own.
    """
    first, last = _ends(losses)
    epochs, rate, kmers = (
        ("set: {train.epochs: N}", "learning_rates: […]", "the arm kmer") if in_study
        else ("--set train.epochs=N", "--set train.learning_rate=…", "--baseline kmer")
    )  # fmt: skip
    counts = f"; {kmers} tells whether simple counts find anything" * counted
    if last < FELL * first:
        return (
            "It has learned its training records, but nothing that holds on others yet: try more records, more or "
            f"fewer steps ({epochs}), or another rate ({rate}){counts}."
        )
    return f"Try more steps ({epochs}) or another rate ({rate}){counts}."


def _named(metric: str, constant: float, problem: Problem, *, unanswered: bool) -> str:
    if problem == "span":
        return f"the {number(constant)} of spans drawn at random" + (", or of no answer at all" if unanswered else "")
    if METRICS[metric].correlation:
        return f"the {number(constant)} of answers that have nothing to do with the labels"
    if problem in OF_VALUES:
        return f"the {number(constant)} of the training records' mean"
    if problem == "sequence":
        return f"the {number(constant)} of the most frequent symbol at each position"
    if problem == "multilabel":
        return f"the {number(constant)} of one and the same labels for all records"
    return f"the {number(constant)} of the most frequent {'tag' if problem == 'tagging' else 'class'}"


def _ends(losses: Sequence[float]) -> tuple[float, float]:
    """The means of the first and of the last fifth; NaN if there are fewer than `MIN_LOSSES`."""
    if len(losses) < MIN_LOSSES:
        return math.nan, math.nan
    part = len(losses) // 5
    return float(np.mean(losses[:part])), float(np.mean(losses[-part:]))


def _stayed(losses: Sequence[float]) -> str:
    first, last = _ends(losses)
    return f"stayed where it began ({first:.3g}, at the end {last:.3g})"


def of_losses(losses: Sequence[float]) -> str:
    """Say how the training `losses` went, for the end of a sentence; empty if they neither stayed nor fell far."""
    first, last = _ends(losses)
    if loss_stayed(losses):
        return f"; its training loss {_stayed(losses)}"
    if last < FELL * first:
        return f", though its training loss fell from {first:.3g} to {last:.3g}"
    return ""
