"""Metrics under their usual names, computed by scikit-learn and scipy.

A new metric needs two entries: here, and in `xdomain.metrics.bootstrap.STATISTICS`, where it is computed for many
resamples at once.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xdomain.core.choices import OF_VALUES, Problem
from xdomain.core.errors import RecipeError, unknown
from xdomain.core.import_errors import LazyModule
from xdomain.data.known_labels import is_known
from xdomain.metrics.multilabel import mean_over_labels, of_counts, subset_accuracy
from xdomain.metrics.outputs import OUTPUT_METRICS, check_installed

sk: Any = LazyModule("sklearn.metrics")  # slow to import, and not needed to check names
stats: Any = LazyModule("scipy.stats")
special: Any = LazyModule("scipy.special")

CLASSES: tuple[Problem, ...] = ("classification", "pair", "tagging")
LABELS: tuple[Problem, ...] = ("multilabel",)
CLASSES_OR_LABELS = (*CLASSES, *LABELS)
VALUES = OF_VALUES
SPANS: tuple[Problem, ...] = ("span",)
OUTPUTS: tuple[Problem, ...] = ("sequence",)
NOTHING: Any = 0  # the score of a class that is never predicted
UNDEFINED: Any = math.nan
Compute = Callable[[NDArray[Any], NDArray[Any]], float]
ERROR = (0.0, math.inf)
PERCENT = (0.0, 100.0)
"""As sacrebleu has it, and the papers."""
ABOUT_POSITIVE = ("f1_binary", "average_precision")
"""Metrics that would have another value if the other of two classes were the positive one; `roc_auc` would not."""
OF_CORRELATIONS: Any = {"possible": (-1.0, 1.0), "correlation": True}


@dataclass(frozen=True)
class Metric:
    """A metric.

    Parameters
    ----------
    name
        As a recipe lists it in `metrics`.
    higher_is_better
        False for errors.
    problems
        The problems that it fits.
    compute
        Takes labels and scores: class indices (n,) and logits or probabilities (n, k); or values (n,) twice; or
        references (n, r, 2), NaN where a question has fewer than r, and predicted spans (n, 2), half-open, or NaN; or
        targets and outputs (n,), objects of `xdomain.metrics.outputs.Output`.
    of_labels
        The same for multilabel: takes labels (n, k) and scores (n, k, 2), see `xdomain.metrics.multilabel`. None where
        `compute` does, or the metric does not fit.
    two_classes
        True if the metric is about a positive class, the second of two in sorted order (1 of 0 and 1).
    possible
        The smallest and the largest value that the metric can have.
    correlation
        True if answers that have nothing to do with the labels get 0.
    """

    name: str
    higher_is_better: bool
    problems: tuple[Problem, ...]
    compute: Compute
    two_classes: bool = False
    of_labels: Compute | None = None
    possible: tuple[float, float] = (0.0, 1.0)
    correlation: bool = False


def _of_classes(function: str, **options: Any) -> Compute:
    return lambda labels, scores: float(getattr(sk, function)(labels, scores.argmax(-1), **options))


def _macro(function: str) -> Compute:
    return _of_classes(function, average="macro", zero_division=0)


def _f1_of_second(labels: NDArray[Any], scores: NDArray[Any]) -> float:
    """F1 of the second class, as GLUE has it for MRPC and QQP; NaN if the class neither occurs nor is predicted."""
    return float(sk.f1_score(labels, scores.argmax(-1), average="binary", pos_label=1, zero_division=UNDEFINED))


def _roc_auc(labels: NDArray[Any], scores: NDArray[Any]) -> float:
    if len(np.unique(labels)) < scores.shape[1]:
        return math.nan
    if scores.shape[1] == 2:
        return float(sk.roc_auc_score(labels, lead(scores)))
    return float(sk.roc_auc_score(labels, as_chances(scores), multi_class="ovr"))


def _average_precision(labels: NDArray[Any], scores: NDArray[Any]) -> float:
    if len(np.unique(labels)) < scores.shape[1]:
        return math.nan
    if scores.shape[1] == 2:
        return float(sk.average_precision_score(labels, lead(scores)))
    truth = np.eye(scores.shape[1])[labels]
    return float(sk.average_precision_score(truth, as_chances(scores)))


def lead(scores: NDArray[Any]) -> NDArray[Any]:
    """Shape (n,): the second class's score minus the first's, from `scores` of shape (n, 2).

    It ranks records as the probability of the second class does, but does not round to 1 for large logits.
    """
    return scores[:, 1].astype(np.float64) - scores[:, 0]


def as_chances(scores: NDArray[Any]) -> NDArray[Any]:
    """Probabilities from `scores`, shape (n, k), by softmax; unchanged if the rows are probabilities already."""
    scores = scores.astype(np.float64)
    if (scores >= 0).all() and np.allclose(scores.sum(-1), 1):
        return scores
    return probabilities(scores)


def probabilities(scores: NDArray[Any]) -> NDArray[np.float64]:
    """The softmax of `scores` over the last axis, in float64."""
    return special.softmax(scores.astype(np.float64), axis=-1)


def _correlation(function: str) -> Compute:
    def compute(labels: NDArray[Any], scores: NDArray[Any]) -> float:
        if len(labels) < 2 or np.ptp(labels) == 0 or np.ptp(scores) == 0:
            return math.nan
        return float(getattr(stats, function)(labels.astype(np.float64), scores.astype(np.float64)).statistic)

    return compute


def lacking(references: NDArray[Any]) -> NDArray[np.bool_]:
    """Shape (n,): whether a question has no answer: all of its `references`, shape (n, r, 2), are NaN."""
    return np.asarray(np.isnan(references).all(axis=(1, 2)))


def none_to_none(references: NDArray[Any], spans: NDArray[Any]) -> NDArray[np.bool_]:
    """Shape (n,): whether a question without an answer was given none; `references` and `spans` as in `covering`."""
    return np.logical_and(lacking(references), np.isnan(spans).all(axis=1))


def covering(references: NDArray[np.float64], spans: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shape (n,), in [0, 1]: the overlap |P ∩ G| / |P ∪ G| of each span with its best reference.

    The union is the one interval from the first to the last end of both (Lin et al. 2022); no overlap gives 0. As in
    SQuAD 2.0 (Rajpurkar et al. 2018), a question without an answer counts 1 if none was given, else 0.

    Parameters
    ----------
    references
        Shape (n, r, 2), half-open; NaN where a question has fewer than r references.
    spans
        Shape (n, 2): predicted spans, half-open; NaN where no answer was given.
    """
    start, end = spans[:, None, 0], spans[:, None, 1]
    shared = np.minimum(end, references[..., 1]) - np.maximum(start, references[..., 0])
    whole = np.maximum(end, references[..., 1]) - np.minimum(start, references[..., 0])
    with np.errstate(invalid="ignore", divide="ignore"):
        overlap = np.nan_to_num(np.where(shared > 0, shared / whole, 0.0)).max(axis=1)
    return np.where(none_to_none(references, spans), 1.0, overlap)


def frame_f1(references: NDArray[np.float64], spans: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shape (n,): the harmonic mean of |P ∩ G| / |P| and |P ∩ G| / |G| for the best reference (Lin et al. 2022).

    Where it is not 0, P and G overlap, so |P| + |G| = |P ∩ G| + |P ∪ G|, and FF1 = 2 AOS / (1 + AOS) for each record.
    `references` and `spans` are as in `covering`.
    """
    overlap = covering(references, spans)
    return 2 * overlap / (1 + overlap)


def exact(references: NDArray[Any], spans: NDArray[Any]) -> NDArray[np.float64]:
    """Shape (n,): 1 if a span has both ends (within 1e-6) of one of its references, else 0.

    `references` and `spans` are as in `covering`; so is what counts for a question without an answer.
    """
    same = np.isclose(references, spans[:, None], rtol=0, atol=1e-6).all(-1).any(-1)
    return np.asarray(same | none_to_none(references, spans), np.float64)


def _exact_match(labels: NDArray[Any], scores: NDArray[Any]) -> float:
    """Of spans, or of outputs."""
    if labels.dtype == object:
        return OUTPUT_METRICS["exact_match"].compute(labels, scores)
    return float(exact(labels, scores).mean())


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", True, CLASSES_OR_LABELS, _of_classes("accuracy_score"), of_labels=subset_accuracy),
        Metric("balanced_accuracy", True, CLASSES, _of_classes("balanced_accuracy_score")),
        Metric("f1", True, CLASSES_OR_LABELS, _macro("f1_score"), of_labels=of_counts("f1")),
        Metric("f1_micro", True, LABELS, of_counts("f1_micro")),
        Metric("f1_binary", True, ("classification", "pair"), _f1_of_second, two_classes=True),
        Metric("precision", True, CLASSES_OR_LABELS, _macro("precision_score"), of_labels=of_counts("precision")),
        Metric("recall", True, CLASSES_OR_LABELS, _macro("recall_score"), of_labels=of_counts("recall")),
        Metric(
            "matthews_correlation",
            True,
            CLASSES_OR_LABELS,
            _of_classes("matthews_corrcoef"),
            of_labels=of_counts("matthews_correlation"),
            **OF_CORRELATIONS,
        ),
        Metric("hamming_loss", False, LABELS, of_counts("hamming_loss")),
        Metric("roc_auc", True, CLASSES_OR_LABELS, _roc_auc, of_labels=mean_over_labels("roc_auc_score")),
        Metric(
            "average_precision",
            True,
            CLASSES_OR_LABELS,
            _average_precision,
            of_labels=mean_over_labels("average_precision_score"),
        ),
        Metric("spearmanr", True, VALUES, _correlation("spearmanr"), **OF_CORRELATIONS),
        Metric("pearsonr", True, VALUES, _correlation("pearsonr"), **OF_CORRELATIONS),
        Metric("mse", False, VALUES, lambda y, p: float(sk.mean_squared_error(y, p)), possible=ERROR),
        Metric("rmse", False, VALUES, lambda y, p: float(sk.root_mean_squared_error(y, p)), possible=ERROR),
        Metric("mae", False, VALUES, lambda y, p: float(sk.mean_absolute_error(y, p)), possible=ERROR),
        Metric("FF1", True, SPANS, lambda references, spans: float(frame_f1(references, spans).mean())),
        Metric("AOS", True, SPANS, lambda references, spans: float(covering(references, spans).mean())),
        Metric("exact_match", True, (*SPANS, *OUTPUTS), _exact_match),
        Metric("token_accuracy", True, OUTPUTS, OUTPUT_METRICS["token_accuracy"].compute),
        Metric("edit_similarity", True, OUTPUTS, OUTPUT_METRICS["edit_similarity"].compute),
        Metric("chrf", True, OUTPUTS, OUTPUT_METRICS["chrf"].compute, possible=PERCENT),
        Metric("bleu", True, OUTPUTS, OUTPUT_METRICS["bleu"].compute, possible=PERCENT),
        Metric(
            "r2",
            True,
            VALUES,
            lambda y, p: float(sk.r2_score(y, p)) if np.ptp(y) else math.nan,
            possible=(-math.inf, 1.0),
        ),
    )
}


WORDS = {
    "f1": "macro F1",
    "f1_micro": "micro F1",
    "f1_binary": "F1 of the positive class",
    "precision": "macro precision",
    "recall": "macro recall",
    "matthews_correlation": "Matthews correlation",
    "hamming_loss": "Hamming loss",
    "roc_auc": "area under the ROC curve",
    "spearmanr": "Spearman correlation",
    "pearsonr": "Pearson correlation",
    "mse": "mean squared error",
    "rmse": "root mean squared error",
    "mae": "mean absolute error",
    "FF1": "frame F1",
    "AOS": "overlap (AOS)",
    "chrf": "chrF",
    "bleu": "BLEU",
    "r2": "R²",
}
"""Names of metrics in figures, where they are not those of `METRICS` with blanks."""


def metric_label(name: str) -> str:
    """The metric called `name` in words, for an axis of a figure."""
    return WORDS.get(name, name.replace("_", " "))


def check_metrics(names: Sequence[str], problem: Problem, classes: Sequence[str] | None = None) -> None:
    """Refuse metrics that do not exist or do not fit the problem.

    Parameters
    ----------
    names
        The names to check.
    problem
        What the labels are.
    classes
        The classes of the data: a metric with a positive class needs exactly two. None if they are not known yet.

    Raises
    ------
    RecipeError
        A metric is unknown, does not judge this problem, or needs two classes.
    MissingError
        A metric needs a package that is not installed.
    """
    fitting = [m.name for m in METRICS.values() if problem in m.problems]
    for name in names:
        if name not in METRICS:
            raise unknown("metric", name, fitting)
        if name not in fitting:
            raise RecipeError(f"{name} does not judge {problem}", expected=f"one of {', '.join(fitting)}")
        if classes is not None and METRICS[name].two_classes and len(classes) != 2:
            raise RecipeError(
                f"{name} is about the positive one of two classes, but there are {len(classes)}",
                expected="two classes",
                nearest="f1",
                fix="name f1, the mean over all classes, in metrics",
            )
    if problem in OUTPUTS:
        check_installed(names)


def compute_metrics(
    names: Sequence[str], labels: NDArray[Any], scores: NDArray[Any], problem: Problem
) -> dict[str, dict[str, Any]]:
    """Compute metrics by name.

    Parameters
    ----------
    names
        Names in `METRICS`.
    labels
        Class indices (n,), or values (n,), or references (n, r, 2); for multilabel 1, 0 or `IGNORED`, (n, k);
        for multioutput values (n, k), NaN where unknown.
    scores
        Logits or probabilities (n, k), or values (n,), or spans (n, 2); for multilabel what
        `xdomain.metrics.multilabel.decided` returns, (n, k, 2); for multioutput values (n, k). For sequence both are
        objects of `xdomain.metrics.outputs.Output`, (n,).
    problem
        What the labels are.

    Returns
    -------
    dict
        ``{name: {"value": …, "higher_is_better": …}}``. The value of an undefined metric (a correlation with a
        constant, the area under a curve without one of the classes) is NaN, which becomes null in JSON; 0 would be
        misleading. For multioutput it is the mean over targets. Macro averages are over the classes that occur among
        labels or predictions.

    Raises
    ------
    RecipeError
        A metric does not exist or does not fit the problem.
    """
    check_metrics(names, problem)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NaN stands for what is undefined
        return {
            name: {
                "value": _value(METRICS[name], problem, labels, scores) if len(labels) else math.nan,
                "higher_is_better": METRICS[name].higher_is_better,
            }
            for name in names
        }


def _value(metric: Metric, problem: Problem, labels: NDArray[Any], scores: NDArray[Any]) -> float:
    if problem in LABELS:
        return (metric.of_labels or metric.compute)(labels, scores)
    if problem == "multioutput":
        known = [pair for pair in known_columns(labels, scores) if len(pair[0])]  # a target may be unknown in all
        return float(np.mean([metric.compute(*pair) for pair in known])) if known else math.nan
    return metric.compute(labels, scores)


def known_columns(labels: NDArray[Any], scores: NDArray[Any]) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """For each of the k targets in `labels` and `scores`, shape (n, k), those of the records of which it is known."""
    pairs = zip(labels.T, scores.T, strict=True)
    return [(own[is_known(own)], given[is_known(own)]) for own, given in pairs]


def confusion(labels: NDArray[Any], predictions: NDArray[Any], classes: Sequence[str]) -> list[list[int]]:
    """Shape (k, k): the number of records of class i (row) that were predicted as class j (column).

    `labels` and `predictions` are class indices of shape (n,), `classes` the k names.
    """
    return sk.confusion_matrix(labels, predictions, labels=range(len(classes))).tolist()


def per_class(labels: NDArray[Any], predictions: NDArray[Any], classes: Sequence[str]) -> list[dict[str, Any]]:
    """One row per class: precision, recall and f1 in [0, 1], and support.

    `labels` and `predictions` are class indices of shape (n,), `classes` the names by index.
    """
    columns: Any = sk.precision_recall_fscore_support(
        labels, predictions, labels=range(len(classes)), zero_division=NOTHING
    )
    return [
        {"class": name, "precision": float(p), "recall": float(r), "f1": float(f), "support": int(n)}
        for name, p, r, f, n in zip(classes, *columns, strict=True)
    ]
