"""Turn scores into predicted labels, metrics per split, and the table of predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from xdomain.core.choices import OF_VALUES, Problem
from xdomain.core.restore import reading
from xdomain.core.sequences import Adapter
from xdomain.data.answer_cells import ANSWERS
from xdomain.data.answers import NONE
from xdomain.data.dataset import Examples
from xdomain.data.known_labels import IGNORED, is_known, unknown_mark
from xdomain.data.label_sets import UNKNOWN, lists_of
from xdomain.data.rows import lists_by_length
from xdomain.data.target_columns import targets_of
from xdomain.metrics.metrics import compute_metrics, confusion, known_columns, per_class, probabilities
from xdomain.metrics.multilabel import HALF, chances_of_labels, choose_thresholds, decided, per_label
from xdomain.metrics.no_answer import COLUMN, by_answer, chances_of_none, choose_none, given_spans, learns_none
from xdomain.metrics.outputs import columns_of, named, named_targets, output_columns, outputs_in
from xdomain.metrics.spans import RANDOM_DRAWS, found_spans, oracle_spans, random_spans

Cutoffs = NDArray[np.float64] | None
OLD = "probabilities"
"""The column of lists that held the probabilities of all classes before each class had a column of its own."""


def metric_inputs(
    examples: Examples, records: NDArray[np.int64], scores: NDArray[Any], thresholds: Cutoffs = None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return what `compute_metrics` takes: labels and scores; for span, references and spans; for sequence, outputs.

    Parameters
    ----------
    examples
        The records, with labels.
    records
        Shape (n,): places in `examples`.
    scores
        The scores of `records`, as `xdomain.training.predict.predict_scores` returns them. Rows without a label or a
        score are dropped.
    thresholds
        See `judged_rows`. For span, shape (1,): the probability above which no answer is given; None: the best on these
        records, as on validation, or if all training questions have an answer, there always is one.
    """
    if examples.outputs is not None:
        return named_targets(examples.outputs, records), named(examples.outputs, outputs_in(scores))
    if examples.answers is not None:
        references = examples.answers.references(records)
        if thresholds is None and learns_none(examples):
            thresholds = choose_none(references, found_spans(examples, records, scores), scores)
        return references, found_spans(examples, records, scores, thresholds)
    return judged_rows(examples.problem, examples.labels_of(records), scores, thresholds)


def judged_rows(
    problem: Problem, labels: NDArray[Any], scores: NDArray[Any], thresholds: Cutoffs = None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return labels and scores as `compute_metrics` takes them, for any problem but span.

    Parameters
    ----------
    problem
        What the labels are.
    labels, scores
        See `drop_unscored`; for multilabel (n, k), logits.
    thresholds
        Only for multilabel, shape (k,): the probability from which on a label is given. None: the best on these
        records, as on validation.
    """
    if problem == "multioutput":
        return labels, scores
    if problem != "multilabel":
        return drop_unscored(labels, scores)
    return labels, decided(scores, choose_thresholds(labels, scores) if thresholds is None else thresholds)


def drop_unscored(labels: NDArray[Any], scores: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Keep the rows that have both a label and a score.

    Parameters
    ----------
    labels
        Shape (n,): class indices, `IGNORED` where not scored; or values, NaN where unknown.
    scores
        Shape (n, k) or (n,): NaN where a record or tag has no score.
    """
    finite = np.isfinite(scores) if scores.ndim == 1 else np.isfinite(scores).all(-1)
    both = finite & is_known(labels)
    return labels[both], scores[both]


def metric_values(
    metrics: list[str],
    examples: Examples,
    records: NDArray[np.int64],
    scores: NDArray[Any],
    thresholds: Cutoffs = None,
) -> dict[str, float]:
    """The value of each of `metrics`, by name; `examples`, `records`, `scores`, `thresholds` as in `metric_inputs`."""
    rows = compute_metrics(metrics, *metric_inputs(examples, records, scores, thresholds), examples.problem)
    return {name: row["value"] for name, row in rows.items()}


def compute_split_metrics(
    examples: Examples, split: str, scores: NDArray[Any], metrics: list[str], thresholds: Cutoffs = None
) -> dict[str, Any]:
    """Judge the scores of a split.

    Parameters
    ----------
    examples
        The records, with labels.
    split
        train, valid or test.
    scores
        The scores of ``examples.indices(split)``, as `xdomain.training.predict.predict_scores` returns them.
    metrics
        Names in `xdomain.metrics.metrics.METRICS`.
    thresholds
        See `judged_rows`.

    Returns
    -------
    dict
        `metrics`, as `compute_metrics` returns them. For problems with classes also `confusion` and `per_class`; for
        multilabel only `per_class`; for multioutput `per_target`, the metrics of each. For span also the values of
        `oracle`, the references after they went through symbols, and of `random_span`, spans drawn at random; where
        questions have no answer also those of `has_answer` and `no_answer`, the two kinds of questions by themselves.
    """
    records = examples.indices(split)
    labels, given = metric_inputs(examples, records, scores, thresholds)
    result: dict[str, Any] = {"metrics": compute_metrics(metrics, labels, given, examples.problem)}
    if examples.problem == "span":
        result["oracle"] = span_values(metrics, labels, oracle_spans(examples, records))
        draws = [span_values(metrics, labels, random_spans(examples, records, draw)) for draw in range(RANDOM_DRAWS)]
        result["random_span"] = {name: float(np.mean([one[name] for one in draws])) for name in metrics}
        result |= by_answer(metrics, labels, given)
    elif examples.problem == "multilabel":
        result["per_class"] = per_label(labels, given, examples.classes)
    elif examples.problem == "multioutput":
        result["per_target"] = {
            name: {m: row["value"] for m, row in compute_metrics(metrics, *known, "regression").items()}
            for name, known in zip(examples.classes, known_columns(labels, given), strict=True)
        }
    elif examples.problem not in (*OF_VALUES, "sequence"):
        predicted = given.argmax(-1)
        result["confusion"] = confusion(labels, predicted, examples.classes)
        result["per_class"] = per_class(labels, predicted, examples.classes)
    return result


def span_values(metrics: list[str], references: NDArray[Any], spans: NDArray[Any]) -> dict[str, float]:
    """The value of each of `metrics`, by name, for `spans`, shape (n, 2), and `references`, shape (n, r, 2)."""
    return {name: row["value"] for name, row in compute_metrics(metrics, references, spans, "span").items()}


def span_columns(
    examples: Examples,
    adapter: Adapter,
    records: NDArray[np.int64],
    scores: NDArray[np.float64],
    threshold: Cutoffs = None,
) -> dict[str, pa.Array]:
    """Make the columns of predicted answers.

    Parameters
    ----------
    examples
        The records, with their passages.
    adapter
        Decodes the symbols of an answer into its text.
    records
        Shape (n,): places in `examples`.
    scores
        Shape (n, 4), as `xdomain.training.predict.predict_scores` returns them.
    threshold
        Shape (1,): the probability of no answer above which none is given. None: there is always an answer.

    Returns
    -------
    dict
        The columns `start` and `end` in the passage's own coordinate, `answer`, its text, and `score`, a probability.
        With a threshold also `p(no answer)`; where none is given, start and end are null, and the text is empty.
    """
    if examples.symbols_b is None:
        raise ValueError("no passages")
    spans, places = found_spans(examples, records, scores, threshold), given_spans(scores, threshold)
    given = places[:, 0] != NONE
    answers = [
        adapter.decode(examples.symbols_b[r][a:b]) if there else ""
        for r, (a, b), there in zip(records, places, given, strict=True)
    ]
    return {
        "start": pa.array(spans[:, 0], mask=~given),
        "end": pa.array(spans[:, 1], mask=~given),
        "answer": pa.array(answers, pa.string()),
        "score": pa.array(np.exp(np.where(given, scores[:, 2], scores[:, 3]))),
        **({} if threshold is None else {COLUMN: pa.array(chances_of_none(scores))}),
    }


def per_tag(
    examples: Examples, records: NDArray[np.int64], rows: NDArray[Any], missing: float
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Reduce rows of symbols to rows of tags.

    Parameters
    ----------
    examples
        The records; with `heads` if tags belong to words.
    records
        Shape (n,): places in `examples`.
    rows
        One row per symbol of `records`, record after record.
    missing
        The value of the row of a word without symbols.

    Returns
    -------
    tuple
        The rows, one per tag: those of each word's first symbol if tags belong to words, else `rows` unchanged. And
        shape (n,): the number of tags of each record.
    """
    lengths = examples.symbols.lengths[records]
    if examples.heads is None:
        return rows, lengths
    heads = examples.heads.take(records)
    there = heads.values < np.repeat(lengths, heads.lengths)
    places = np.repeat(np.cumsum(lengths) - lengths, heads.lengths) + heads.values
    tags = np.full((len(places), *rows.shape[1:]), missing, rows.dtype)
    tags[there] = rows[places[there]]
    return tags, heads.lengths


def predicted(
    examples: Examples,
    adapter: Adapter,
    records: NDArray[np.int64],
    scores: NDArray[Any],
    thresholds: Cutoffs = None,
) -> dict[str, pa.Array]:
    """Make the columns of predictions, in the order of `records`.

    See `prediction_columns`, `span_columns` and `xdomain.metrics.outputs.output_columns`.

    Parameters
    ----------
    examples
        The records; labels are not needed.
    adapter
        Decodes the answers of a span problem.
    records
        Shape (n,): places in `examples`.
    scores
        The scores of `records`, as `xdomain.training.predict.predict_scores` returns them.
    thresholds
        See `prediction_columns` and `span_columns`.
    """
    if examples.problem == "span":
        return span_columns(examples, adapter, records, scores, thresholds)
    if examples.outputs is not None:
        return output_columns(examples.outputs, scores)
    rows, lengths = per_tag(examples, records, scores, np.nan)
    return prediction_columns(examples.problem, examples.classes, rows, lengths, thresholds)


def prediction_columns(
    problem: Problem,
    classes: tuple[str, ...],
    scores: NDArray[Any],
    lengths: NDArray[np.int64],
    thresholds: Cutoffs = None,
) -> dict[str, pa.Array]:
    """Make the columns `prediction` and `score`, and for classification and pair those of `class_columns`.

    For multilabel, `prediction` has a list of labels in each row, for a profile a list of values, for multioutput
    there is a column ``prediction(NAME)`` for each target; there is no `score`.

    Parameters
    ----------
    problem
        Any but span.
    classes
        The names of the k classes; empty for regression.
    scores
        Logits (n, k); values (n,) for regression; logits (tags, k) for tagging; values (tags,) for a profile. Those
        that are NaN become null.
    lengths
        Only for tagging and profiles, shape (n,): the number of tags of each record, which is the length of its lists.
    thresholds
        Only for multilabel, shape (k,): the probability from which on a label is given; None: 0.5.
    """
    if problem == "profile":
        values = pa.array(scores.astype(np.float64), mask=~np.isfinite(scores))
        return {"prediction": lists_by_length(values, lengths)}
    if problem == "multioutput":
        each = zip(classes, scores.astype(np.float64).T, strict=True)
        return {f"prediction({name})": pa.array(values) for name, values in each}
    if problem == "regression":
        return {"prediction": pa.array(scores.astype(np.float64)), "score": pa.array(scores.astype(np.float64))}
    if problem == "multilabel":
        of_each = chances_of_labels(scores)
        given = of_each >= (HALF if thresholds is None else thresholds)
        return {"prediction": lists_of(given, classes), **class_columns(classes, of_each)}
    chances = probabilities(scores)
    missing = ~np.isfinite(chances).all(-1)
    best = np.where(missing, 0, np.nan_to_num(chances).argmax(-1))
    names = pa.DictionaryArray.from_arrays(
        pa.array(best.astype(np.int32), mask=missing), pa.array(classes, pa.string())
    ).cast(pa.string())
    top = pa.array(np.take_along_axis(chances, best[:, None], -1)[:, 0], mask=missing)
    if problem == "tagging":
        return {
            "prediction": lists_by_length(names, lengths),
            "score": lists_by_length(top, lengths),
        }
    return {"prediction": names, "score": top, **class_columns(classes, chances)}


def class_columns(classes: Sequence[str], chances: NDArray[np.float64]) -> dict[str, pa.Array]:
    """A column ``p(NAME)`` for each of the k `classes`, from their probabilities `chances`, shape (n, k)."""
    return {f"p({name})": pa.array(column) for name, column in zip(classes, chances.T, strict=True)}


def chances_of(table: pa.Table, classes: Sequence[str]) -> NDArray[np.float64]:
    """Shape (n, k): the probabilities of the k `classes` in a `table` of predictions that has them for each record."""
    if OLD in table.column_names:
        return table.column(OLD).combine_chunks().flatten().to_numpy().reshape(-1, len(classes))
    return np.column_stack([table.column(f"p({name})").to_numpy() for name in classes])


def by_class(table: pa.Table, classes: Sequence[str]) -> pa.Table:
    """A stored `table` of predictions with `class_columns`, even if an earlier version wrote it; k `classes`."""
    if OLD not in table.column_names:
        return table
    columns = {name: table.column(name) for name in table.column_names if name != OLD}
    return pa.table({**columns, **class_columns(classes, chances_of(table, classes))})


def read_predictions(path: Path, classes: Sequence[str], *, split: str | None = None) -> pa.Table:
    """Read the predictions that a run stored in `path`: a row per record of valid and test, or of `split`; k `classes`.

    Raises
    ------
    DamagedError
        The file is missing or cannot be read.
    """
    with reading(path):
        return by_class(pq.read_table(path, filters=[("split", "==", split)] if split else None), classes)


def unknown_column(examples: Examples, records: NDArray[np.int64]) -> dict[str, pa.Array]:
    """The column `UNKNOWN` of `records`, places in `examples`; empty unless a label of a record is unknown."""
    if examples.problem != "multilabel" or examples.labels is None or is_known(examples.labels).all():
        return {}
    return {UNKNOWN: lists_of(~is_known(examples.labels[records]), examples.classes)}


def label_columns(examples: Examples, records: NDArray[np.int64]) -> dict[str, pa.Array]:
    """The columns `label` and, where there is more to tell of `records`, places in `examples`, those beside it."""
    if examples.outputs is not None:
        return columns_of("label", named_targets(examples.outputs, records))
    return {"label": label_column(examples, records), **unknown_column(examples, records)}


def label_column(examples: Examples, records: NDArray[np.int64]) -> pa.Array:
    """The true labels of `records`, shape (n,) places in `examples`, under the names of the data file; null if none."""
    if examples.answers is not None:
        own = examples.answers
        spans_of_each = [own.spans[own.offsets[r] : own.offsets[r + 1]] for r in records]
        lists = [[{"start": start, "end": end} for start, end in spans.tolist()] for spans in spans_of_each]
        return pa.array(lists, ANSWERS)
    own = examples.labels_of(records)
    labels, lengths = per_tag(examples, records, own, unknown_mark(own))
    if examples.problem == "multioutput":
        return targets_of(labels, examples.classes)
    if examples.problem == "profile":
        return lists_by_length(pa.array(labels.astype(np.float64), mask=~np.isfinite(labels)), lengths)
    if examples.problem == "multilabel":
        return lists_of(labels == 1, examples.classes)
    if examples.problem == "regression":
        return pa.array(labels.astype(str).astype(np.float64))  # the digits of the file, -0.14, not the nearest float32
    names = pa.DictionaryArray.from_arrays(
        pa.array(labels.astype(np.int32), mask=labels == IGNORED), pa.array(examples.classes, pa.string())
    ).cast(pa.string())
    if examples.problem != "tagging":
        return names
    return lists_by_length(names, lengths)
