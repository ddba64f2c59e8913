"""From which layer on can a linear probe read the labels?"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pyarrow as pa
from matplotlib.figure import Figure
from numpy.typing import NDArray

from xdomain.analysis.layers import drawn_symbols, held, symbol_vectors
from xdomain.analysis.loaded_run import OpenedRun
from xdomain.analysis.result import STYLE, Analysis, Finding, Options, empty_figure, one_task
from xdomain.core.choices import OF_COLUMNS, PER_SYMBOL
from xdomain.core.errors import RecipeError
from xdomain.core.run_dir import finite
from xdomain.data.known_labels import is_known
from xdomain.metrics.bootstrap import Rows, resample
from xdomain.metrics.metrics import METRICS, metric_label
from xdomain.training.figure_style import GREY, arm_looks

Floats = NDArray[np.floating[Any]]
READING = (
    "A linear probe is a simple model that sees the vectors of one layer alone. The better it does, the more of what "
    "the labels depend on can be read there. The way from start to tuned is what fine-tuning added; what a probe "
    "reads at the start, by more than chance, was there before."
)
C, ALPHA = 0.01, 100.0  # regularisation of the probes: fixed, not tuned on anything
DRAWS = 1000
MAX_SYMBOLS = 4000  # per split, if each symbol has a label


def probe(train: Floats, labels: NDArray[Any], valid: Floats, classes: int) -> Floats:
    """Fit a linear probe on standardised features, and score other samples with it.

    Parameters
    ----------
    train, valid
        Features to fit on and to score, shapes (m, d) and (samples, d).
    labels
        Shape (m,): the labels of `train`, class indices or values.
    classes
        The number of classes; 0 if labels are values.

    Returns
    -------
    ndarray
        Probabilities, shape (samples, classes), by L2-regularised logistic regression; or values, shape (samples,), by
        ridge regression.
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
        warnings.simplefilter("ignore", ConvergenceWarning)  # after 500 steps the probe is used as it is
        scores[:, seen] = LogisticRegression(C=C, max_iter=500).fit(known, labels).predict_proba(new)
    return scores


def interval(labels: NDArray[Any], scores: Floats, records: NDArray[np.int64], *, seed: int) -> tuple[float, float]:
    """Compute the 95 % interval of the accuracy, or of Spearman's correlation, over records.

    Wilson's interval for the accuracy if each record has one sample. If records have several samples, which are not
    independent, and for correlations, a bootstrap of whole records.

    Parameters
    ----------
    labels
        Shape (m,): class indices, or values.
    scores
        Shape (m, classes), or (m,) for values.
    records
        Shape (m,): the record of each sample.
    seed
        The seed of the bootstrap, 0 or more.
    """
    from scipy import stats

    numbers = np.unique(records, return_inverse=True)[1].astype(np.int64)
    n = int(numbers.max()) + 1
    by_class = scores.ndim == 2
    if by_class and n == len(records):
        right = scores.argmax(1) == labels
        wilson: Any = stats.binomtest(int(right.sum()), n).proportion_ci(method="wilson")
        return float(wilson.low), float(wilson.high)
    metric, problem = ("accuracy", "classification") if by_class else ("spearmanr", "regression")
    around = resample(metric, Rows(problem, labels, scores, numbers, n), draws=DRAWS, seed=seed).interval()
    return around.low, around.high


@dataclass(frozen=True)
class Samples:
    """The samples of one split that a probe reads.

    Parameters
    ----------
    features
        Shape (layers + 1, m, d).
    labels
        Shape (m,): class indices or values.
    records
        Shape (m,): the record of each sample; a record has several samples if each symbol has a label.
    """

    features: NDArray[np.float32]
    labels: NDArray[Any]
    records: NDArray[np.int64]


@dataclass(frozen=True)
class ProbeResult:
    """The value of one probe on the valid records, with its 95 % interval over records.

    It belongs to one layer of one state, start or tuned, of a run.
    """

    run: str
    state: str
    layer: int
    value: float
    low: float
    high: float


def find(runs: Sequence[OpenedRun], options: Options) -> list[Finding]:
    """Probe every layer of every one of `runs`, at its end and at its start.

    `options` say how many records to read of train and of valid, and the seed.

    Raises
    ------
    RecipeError
        The records that are read have no labels.
    """
    classes = len(runs[0].examples.classes)
    metric = "accuracy" if classes else "spearmanr"
    results: list[ProbeResult] = []
    baseline, sizes = 0.0, (0, 0)
    for run in runs:
        train, valid = (run.some(split, options.records, seed=options.seed) for split in ("train", "valid"))
        for state, model in (("start", run.start), ("tuned", run.model)):
            fitted, asked = (_samples(run, model, records, options.seed) for records in (train, valid))
            for layer, (known, new) in enumerate(zip(fitted.features, asked.features, strict=True)):
                scores = probe(known, fitted.labels, new, classes)
                value = METRICS[metric].compute(asked.labels, scores)
                low, high = interval(asked.labels, scores, asked.records, seed=options.seed)
                results.append(ProbeResult(run.label, state, layer, value, low, high))
            if classes:
                baseline = float((asked.labels == np.bincount(fitted.labels).argmax()).mean())
            sizes = len(fitted.labels), len(asked.labels)
    return [
        Finding(
            "probes",
            "From which layer on can a linear probe read the labels?",
            READING,
            _caption(runs, results, metric, baseline, sizes),
            _table(results, metric, baseline),
            _draw(runs[0], results, metric, baseline),
        )
    ]


def refuses(runs: Sequence[OpenedRun], _: Options) -> str | None:
    """Say why `runs` cannot be probed, or None.

    They answer by spans or several labels, or have different tasks, records or splits.
    """
    if runs[0].recipe.problem == "span":
        return "an answer's place in a passage is no label that a probe could read"
    if runs[0].recipe.problem in OF_COLUMNS:
        return "a record has several labels, and a probe reads one"
    return one_task(runs)


def _samples(run: OpenedRun, model: Any, records: NDArray[np.int64], seed: int) -> Samples:
    reach = held(run, records)
    if run.recipe.problem not in PER_SYMBOL:
        means = [vectors.mean(1) for vectors in symbol_vectors(run, model, records, reach)]
        return Samples(np.stack(means, axis=1), run.examples.labels_of(records), records)
    ends = np.cumsum(run.examples.symbols.lengths[records])
    tags = [t[:m] for t, m in zip(np.split(run.examples.labels_of(records), ends[:-1]), reach[:, 0], strict=True)]
    chosen = drawn_symbols([is_known(t) for t in tags], MAX_SYMBOLS, seed)
    read = [v[:, c] for v, c in zip(symbol_vectors(run, model, records, reach), chosen, strict=True)]
    labels = np.concatenate([t[c] for t, c in zip(tags, chosen, strict=True)])
    if not len(labels):
        split = run.examples.split[records[0]]
        raise RecipeError(
            f"{run.recipe.name}: none of the {len(records):,} {split} records that are read has a tag that is scored",
            expected="tags to predict", fix="more --records",
        )  # fmt: skip
    return Samples(np.concatenate(read, axis=1), labels, np.repeat(records, [len(c) for c in chosen]))


def _table(results: Sequence[ProbeResult], metric: str, baseline: float) -> pa.Table:
    return pa.Table.from_pylist([finite({**vars(t), "metric": metric, "baseline": baseline}) for t in results])


def _caption(
    runs: Sequence[OpenedRun], results: Sequence[ProbeResult], metric: str, baseline: float, sizes: tuple[int, int]
) -> str:
    problem = runs[0].recipe.problem
    what = "symbols" if problem in PER_SYMBOL else "records"
    read = "each symbol's hidden state" if problem in PER_SYMBOL else "the mean hidden state of a record's symbols"
    fitted = f"ridge regression, alpha = {ALPHA:g}" if metric == "spearmanr" else f"logistic regression, C = {C:g}"
    bars = "Wilson" if problem in ("classification", "pair") else "bootstrap of records"
    parts = [
        f"Linear probes ({fitted}, fixed; features standardised) of {read}, fitted on {sizes[0]:,} train {what}, "
        f"scored on {sizes[1]:,} valid {what}; bars: 95 % ({bars})"
    ]
    if metric == "accuracy":
        parts.append(f"Always the most frequent class: {baseline:.3f}")
    for run in runs:
        start, tuned = ([t for t in results if t.run == run.label and t.state == s] for s in ("start", "tuned"))
        best = max(start, key=lambda t: t.value if math.isfinite(t.value) else -math.inf)
        parts.append(
            f"{run.label}: embeddings {_three(start[0])} at the start, {_three(tuned[0])} tuned; last layer "
            f"{_three(start[-1])} at the start, {_three(tuned[-1])} tuned; best at the start in layer {best.layer}, "
            f"{_three(best)}"
        )
    if any(t.state == "tuned" for t in results):
        parts.append("The tuned models learned from train records, these among them")
    return ". ".join(parts) + "."


def _three(result: ProbeResult) -> str:
    return f"{result.value:.3f}" if math.isfinite(result.value) else "not known"


def _draw(run: OpenedRun, results: Sequence[ProbeResult], metric: str, baseline: float) -> Figure:
    lines = list(dict.fromkeys((t.run, t.state) for t in results))
    looks = arm_looks(list(dict.fromkeys(t.run for t in results)))
    with mpl.rc_context(STYLE):
        figure = empty_figure(4.4)
        axes = figure.subplots()
        for place, (label, state) in enumerate(lines):
            own = [t for t in results if (t.run, t.state) == (label, state)]
            aside = 0.05 * (place - (len(lines) - 1) / 2)  # so that bars do not hide each other
            values = np.array([[t.value, t.low, t.high] for t in own])
            axes.errorbar(
                np.arange(len(own)) + aside, values[:, 0],
                yerr=np.abs(values[:, 1:] - values[:, :1]).T, label=f"{label}, {state}",
                color=looks[label]["color"], marker=looks[label]["marker"], markersize=5.5,
                markerfacecolor="white" if state == "start" else None,
                linestyle="--" if state == "start" else "-", elinewidth=1, capsize=2,
            )  # fmt: skip
        name = "most frequent class" if metric == "accuracy" else "no correlation"
        axes.axhline(baseline, color=GREY, linestyle=":", linewidth=1.2, label=name)
        layers = 1 + max(t.layer for t in results)
        shown = range(0, layers, 1 if layers <= 13 else 2)
        axes.set_xticks(shown, ["0\nembeddings", *(str(layer) for layer in shown[1:])])
        axes.set_xlabel("layer")
        axes.set_ylabel(f"{metric_label(metric)} on valid")
        axes.set_title(f"From which layer on can a linear probe read the labels? {run.recipe.name}")
        axes.grid(axis="y", color=GREY, alpha=0.2)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=9)
    return figure


ANALYSIS = Analysis(
    "probes", "From which layer on can a linear probe read the labels?", ("records", "seed"), refuses, find
)
