"""Test predictions of a run, and the interval of its metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
from numpy.typing import NDArray

from xdomain.core.choices import Problem
from xdomain.core.errors import RecipeError
from xdomain.core.recipe import load_recipe
from xdomain.core.restore import reading
from xdomain.core.run_dir import PREDICTIONS, RECIPE, read_result
from xdomain.core.sequences import offsets_of
from xdomain.data.dataset import label_matrix
from xdomain.data.known_labels import IGNORED, is_known
from xdomain.data.label_sets import held_by
from xdomain.data.target_columns import target_matrix
from xdomain.metrics.bootstrap import Resampled, Rows, resample
from xdomain.metrics.outputs import stored_outputs
from xdomain.metrics.scoring import chances_of

pc: Any = pyarrow.compute  # its functions are made at import and have no types
RESAMPLES = 400
"""Enough for a standard error, which 400 resamples estimate to about 4 %."""
NEED_CHANCES = ("roc_auc", "average_precision")


@dataclass(frozen=True)
class HeldOutPredictions:
    """Labels and scores of n test records.

    Parameters
    ----------
    labels, scores
        As `xdomain.metrics.metrics.compute_metrics` takes them. For tagging: one row per tag, record after record;
        the scores are 1 for the predicted class and 0 for the others, because a run stores no other scores of tags.
    offsets
        Shape (n + 1,): the rows of record i are ``offsets[i]:offsets[i + 1]``.
    group
        Shape (n,): the number of each record's group, from 0; None if records have no groups.
    ids
        Shape (n,): the names of the records; empty if they were not given.
    """

    problem: Problem
    labels: NDArray[Any]
    scores: NDArray[Any]
    offsets: NDArray[np.int64]
    group: NDArray[np.int64] | None = None
    ids: pa.Array = field(default_factory=partial(pa.array, (), pa.string()))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def groups(self) -> int | None:
        """The number of groups; None if records have no groups."""
        return None if self.group is None else int(self.group.max(initial=-1)) + 1

    def has_records_of(self, other: HeldOutPredictions) -> bool:
        """Whether `other` holds the same records in the same order, so that a difference can be paired over them."""
        return self.ids.equals(other.ids)

    @property
    def units(self) -> int:
        """The units of resampling: the number of groups, or of records if these have no groups."""
        return len(self) if self.groups is None else self.groups

    @cached_property
    def rows(self) -> Rows:
        """Labels and scores, and the unit of each row."""
        unit = np.arange(len(self)) if self.group is None else self.group
        return Rows(self.problem, self.labels, self.scores, np.repeat(unit, np.diff(self.offsets)), self.units)

    @property
    def right(self) -> NDArray[np.int64]:
        """Shape (units,): how many rows of each record or group are predicted right; only for problems with classes."""
        hits = self.scores.argmax(-1) == self.labels
        return np.bincount(self.rows.unit, hits, self.units).astype(np.int64)

    def resamples(self, metric: str) -> NDArray[np.float64]:
        """Shape (RESAMPLES,): the value of `metric` on resamples of the units.

        Runs with the same number of units share their resamples.
        """
        return resample(metric, self.rows, draws=RESAMPLES).draws


def load_held_out(folder: Path, split: str = "test") -> HeldOutPredictions:
    """Read the stored predictions of the run in `folder` for the records of one `split`: train, valid or test.

    Raises
    ------
    DamagedError
        They cannot be read, or do not fit the problem and the classes of the run.
    """
    path = folder / PREDICTIONS
    problem, classes = load_recipe(folder / RECIPE).problem, read_result(folder).values["classes"]
    with reading(path):
        judged = held_out_of(pq.read_table(path, filters=[("split", "==", split)]), problem, classes)
        if not (pa.types.is_string(judged.ids.type) or pa.types.is_large_string(judged.ids.type)):
            raise ValueError(f"ids of type {judged.ids.type}")
        kinds = "O" if problem == "sequence" else "biuf"
        if odd := next((one.dtype for one in (judged.labels, judged.scores) if one.dtype.kind not in kinds), None):
            raise ValueError(f"labels or scores of type {odd}")
        return judged


def held_out_of(table: pa.Table, problem: Problem, names: Sequence[str]) -> HeldOutPredictions:
    """Read labels and scores from a table of predictions.

    Parameters
    ----------
    table
        As in ``predictions.parquet``: columns id, label, prediction and so on. Records have groups if there is a
        column ``group``.
    problem
        What the labels are.
    names
        The model's classes, in the order of its scores; empty for regression and span.
    """
    group = number_groups(table) if "group" in table.column_names else None
    return replace(_judged(table, problem, names), group=group, ids=table.column("id").combine_chunks())


def number_groups(table: pa.Table) -> NDArray[np.int64]:
    """Number the groups of a `table` in order of their first records; a record without a group forms its own."""
    names = table.column("group").to_pylist()
    known: dict[str | int, int] = {}
    return np.array(
        [known.setdefault(row if name is None else name, len(known)) for row, name in enumerate(names)], np.int64
    )


def _judged(table: pa.Table, problem: Problem, names: Sequence[str]) -> HeldOutPredictions:
    label = table.column("label").combine_chunks()
    if problem == "regression":
        score = table.column("score").to_numpy()
        return HeldOutPredictions(problem, label.to_numpy(), score, np.arange(len(table) + 1))
    if problem == "span":
        return _spans(label, table)
    if problem == "sequence":
        targets, written = (stored_outputs(table, name) for name in ("label", "prediction"))
        return HeldOutPredictions(problem, targets, written, np.arange(len(table) + 1))
    if problem == "multioutput":
        columns = [table.column(f"prediction({name})").to_numpy() for name in names]
        return HeldOutPredictions(
            problem, target_matrix(label, names), np.column_stack(columns), np.arange(len(table) + 1)
        )
    if problem == "multilabel":
        labels, given = label_matrix(table, names), held_by(table.column("prediction"), names)
        return HeldOutPredictions(
            problem, labels, np.stack([chances_of(table, names), given], axis=-1), np.arange(len(table) + 1)
        )
    if problem == "profile":
        return _profiles(label, table)
    classes = pa.array(names, pa.string())
    if problem != "tagging":
        return HeldOutPredictions(problem, _index(label, classes), chances_of(table, names), np.arange(len(table) + 1))
    lengths = pc.list_value_length(label).to_numpy()
    labels = _index(label.flatten(), classes)
    predicted = _index(table.column("prediction").combine_chunks().flatten(), classes)
    known = is_known(labels) & is_known(predicted)
    record = np.repeat(np.arange(len(table)), lengths)[known]
    scores = np.eye(len(classes))[predicted[known]]
    return HeldOutPredictions(problem, labels[known], scores, offsets_of(np.bincount(record, minlength=len(table))))


def _profiles(label: pa.Array, table: pa.Table) -> HeldOutPredictions:
    """The values of all symbols where both the target and the prediction are known."""
    predicted = table.column("prediction").combine_chunks()
    lengths = pc.list_value_length(label).to_numpy()
    labels, scores = (one.flatten().to_numpy(zero_copy_only=False) for one in (label, predicted))
    known = is_known(labels) & is_known(scores)
    record = np.repeat(np.arange(len(table)), lengths)[known]
    offsets = offsets_of(np.bincount(record, minlength=len(table)))
    return HeldOutPredictions("profile", labels[known], scores[known], offsets)


def _spans(label: pa.Array, table: pa.Table) -> HeldOutPredictions:
    """The references, padded with NaN, and the predicted spans."""
    counts = pc.list_value_length(label).to_numpy()
    references = np.full((len(label), int(counts.max(initial=1)), 2), np.nan)
    flat = label.flatten()
    there = np.arange(references.shape[1]) < counts[:, None]
    for place, name in enumerate(("start", "end")):
        references[..., place][there] = flat.field(name).to_numpy()
    spans = np.column_stack([table.column(name).to_numpy() for name in ("start", "end")])
    return HeldOutPredictions("span", references, spans, np.arange(len(table) + 1))


def check_comparable(metric: str, problem: Problem) -> None:
    """Refuse a `metric` that cannot be computed from the stored predictions of a `problem`.

    Raises
    ------
    RecipeError
        The metric needs the probability of every class, of which tagging stores only the highest.
    """
    if problem == "tagging" and metric in NEED_CHANCES:
        raise RecipeError(f"{metric} of tagging cannot be compared", expected="accuracy, f1 or the like, as the first")


def resampled_metric(metric: str, predictions: HeldOutPredictions) -> Resampled:
    """Bootstrap a `metric` over the records, or the groups of records, of `predictions`.

    Raises
    ------
    RecipeError
        The metric does not fit the problem, or the stored predictions do not suffice for it.
    """
    check_comparable(metric, predictions.problem)
    return resample(metric, predictions.rows)


def _index(names: pa.Array, classes: pa.Array) -> NDArray[np.int64]:
    """The class of each name; `IGNORED` for null and for unknown names."""
    return pc.index_in(names, value_set=classes).fill_null(IGNORED).to_numpy(zero_copy_only=False).astype(np.int64)
