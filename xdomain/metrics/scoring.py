"""Scores to what a person reads: predicted labels, metrics a split, the table of predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xdomain.core.choices import Problem
from xdomain.core.sequences import Adapter
from xdomain.data.dataset import IGNORED, Examples
from xdomain.metrics.metrics import compute_metrics, confusion, per_class
from xdomain.metrics.spans import RANDOM_DRAWS, found_spans, oracle_spans, random_spans


def metric_inputs(
    examples: Examples, records: NDArray[np.int64], scores: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """What metrics compare: labels and scores where there are both; references and predicted spans for span."""
    if examples.answers is not None:
        return examples.answers.references(records), found_spans(examples, records, scores)
    return drop_unscored(examples.labels_of(records), scores)


def drop_unscored(labels: NDArray[Any], scores: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Labels and scores where there is both a label and a score."""
    finite = np.isfinite(scores) if scores.ndim == 1 else np.isfinite(scores).all(-1)
    both = finite if labels.dtype.kind == "f" else finite & (labels != IGNORED)
    return labels[both], scores[both]


def metric_values(
    metrics: list[str], examples: Examples, records: NDArray[np.int64], scores: NDArray[Any]
) -> dict[str, float]:
    """The value of each metric for the scores of `records`."""
    found = compute_metrics(metrics, *metric_inputs(examples, records, scores), examples.problem)
    return {name: one["value"] for name, one in found.items()}


def compute_split_metrics(examples: Examples, split: str, scores: NDArray[Any], metrics: list[str]) -> dict[str, Any]:
    """The metrics of a split; for classes also the confusion matrix and a table a class, for span what the references
    reach once they went through symbols (`oracle`) and what spans drawn at random do (`random_span`).
    """
    records = examples.indices(split)
    labels, given = metric_inputs(examples, records, scores)
    found: dict[str, Any] = {"metrics": compute_metrics(metrics, labels, given, examples.problem)}
    if examples.problem == "span":
        found["oracle"] = span_values(metrics, labels, oracle_spans(examples, records))
        draws = [span_values(metrics, labels, random_spans(examples, records, draw)) for draw in range(RANDOM_DRAWS)]
        found["random_span"] = {name: float(np.mean([one[name] for one in draws])) for name in metrics}
    elif examples.problem != "regression":
        predicted = given.argmax(-1)
        found["confusion"] = confusion(labels, predicted, examples.classes)
        found["per_class"] = per_class(labels, predicted, examples.classes)
    return found


def span_values(metrics: list[str], references: NDArray[Any], spans: NDArray[Any]) -> dict[str, float]:
    """The value of each metric for spans, shape (n, 2), against references, shape (n, r, 2)."""
    return {name: found["value"] for name, found in compute_metrics(metrics, references, spans, "span").items()}


def span_columns(
    examples: Examples, adapter: Adapter, records: NDArray[np.int64], scores: NDArray[np.float64]
) -> dict[str, pa.Array]:
    """The columns `start` and `end` in the passage's own coordinate, `answer`, its text, and `score`, a probability."""
    if examples.symbols_b is None:
        raise ValueError("no passages")
    spans = found_spans(examples, records, scores)
    places = scores[:, :2].astype(np.int64)
    answers = [adapter.decode(examples.symbols_b[r][a:b]) for r, (a, b) in zip(records, places, strict=True)]
    return {
        "start": pa.array(spans[:, 0]),
        "end": pa.array(spans[:, 1]),
        "answer": pa.array(answers, pa.string()),
        "score": pa.array(np.exp(scores[:, 2])),
    }


def per_tag(
    examples: Examples, records: NDArray[np.int64], rows: NDArray[Any], missing: float
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Rows of the symbols of `records`, one a tag, and how many each record has.

    Where tags are one a word: the rows of the words' first symbols, `missing` for a word without any. Else as given.
    """
    lengths = examples.symbols.lengths[records]
    if examples.heads is None:
        return rows, lengths
    heads = examples.heads.take(records)
    there = heads.values < np.repeat(lengths, heads.lengths)
    places = np.repeat(np.cumsum(lengths) - lengths, heads.lengths) + heads.values
    found = np.full((len(places), *rows.shape[1:]), missing, rows.dtype)
    found[there] = rows[places[there]]
    return found, heads.lengths


def predicted(
    examples: Examples, adapter: Adapter, records: NDArray[np.int64], scores: NDArray[Any]
) -> dict[str, pa.Array]:
    """What was predicted for records, in their order, as columns: see `prediction_columns` and `span_columns`."""
    if examples.problem == "span":
        return span_columns(examples, adapter, records, scores)
    rows, lengths = per_tag(examples, records, scores, np.nan)
    return prediction_columns(examples.problem, examples.classes, rows, lengths)


def prediction_columns(
    problem: Problem, classes: tuple[str, ...], scores: NDArray[Any], lengths: NDArray[np.int64]
) -> dict[str, pa.Array]:
    """The columns `prediction` and `score` (and `probabilities`) of records, in their order.

    `lengths` are the tags of each record (see `per_tag`): a tagged record's predictions are a list of that length.
    """
    if problem == "regression":
        return {"prediction": pa.array(scores.astype(np.float64)), "score": pa.array(scores.astype(np.float64))}
    chances = probabilities(scores)
    missing = ~np.isfinite(chances).all(-1)
    best = np.where(missing, 0, np.nan_to_num(chances).argmax(-1))
    names = pa.DictionaryArray.from_arrays(
        pa.array(best.astype(np.int32), mask=missing), pa.array(classes, pa.string())
    ).cast(pa.string())
    top = pa.array(np.take_along_axis(chances, best[:, None], -1)[:, 0], mask=missing)
    if problem == "tagging":
        offsets = pa.array(np.concatenate(([0], np.cumsum(lengths))).astype(np.int32))
        return {
            "prediction": pa.ListArray.from_arrays(offsets, names),
            "score": pa.ListArray.from_arrays(offsets, top),
        }
    each = pa.FixedSizeListArray.from_arrays(pa.array(chances.ravel()), len(classes))
    return {"prediction": names, "score": top, "probabilities": each}


def probabilities(scores: NDArray[Any]) -> NDArray[Any]:
    """Softmax over the last axis, in float64."""
    shifted = np.exp(scores.astype(np.float64) - scores.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def label_column(examples: Examples, records: NDArray[np.int64]) -> pa.Array:
    """The true labels of `records`, as the file named them; null where there is none."""
    if examples.answers is not None:
        own = examples.answers
        spans_of_each = [own.spans[own.offsets[r] : own.offsets[r + 1]] for r in records]
        return pa.array([[{"start": start, "end": end} for start, end in spans.tolist()] for spans in spans_of_each])
    labels, lengths = per_tag(examples, records, examples.labels_of(records), IGNORED)
    if examples.problem == "regression":
        return pa.array(labels.astype(np.float64))
    names = pa.DictionaryArray.from_arrays(
        pa.array(labels.astype(np.int32), mask=labels == IGNORED), pa.array(examples.classes, pa.string())
    ).cast(pa.string())
    if examples.problem != "tagging":
        return names
    return pa.ListArray.from_arrays(pa.array(np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)), names)
