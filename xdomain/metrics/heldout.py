"""What a finished run predicted for its test records, and how sure its value is."""

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
from xdomain.core.run_dir import PREDICTIONS, RECIPE, load_result
from xdomain.core.sequences import offsets_of
from xdomain.data.dataset import IGNORED
from xdomain.metrics.bootstrap import Resampled, Rows, resample

pc: Any = pyarrow.compute  # its functions are made at import and have no types
RESAMPLES = 400
"""For a standard error, which 400 tell to about 4 %."""
NEED_CHANCES = ("roc_auc", "average_precision")


@dataclass(frozen=True)
class HeldOutPredictions:
    """Labels and scores of n test records.

    Parameters
    ----------
    labels, scores
        As `xdomain.metrics.metrics.compute_metrics` takes them. Of tagged records a row a tag, those of one record
        after those of another, and as scores 1 for the predicted class: the run keeps no others.
    offsets
        Shape (n + 1,): where the rows of each record lie.
    group
        Shape (n,): the number of each record's group, from 0 on; None where records come in no groups.
    ids
        Shape (n,): names of the records; none where they were not asked for.
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
        """How many groups the records come in; None where they come in none."""
        return None if self.group is None else int(self.group.max(initial=-1)) + 1

    def has_records_of(self, other: HeldOutPredictions) -> bool:
        """Whether both are of the same records in the same order, so that a difference may be paired over them."""
        return self.ids.equals(other.ids)

    @property
    def units(self) -> int:
        """How many groups, or records where these come in none, are drawn by a bootstrap and counted by a test."""
        return len(self) if self.groups is None else self.groups

    @cached_property
    def rows(self) -> Rows:
        """Every row with its unit."""
        unit = np.arange(len(self)) if self.group is None else self.group
        return Rows(self.problem, self.labels, self.scores, np.repeat(unit, np.diff(self.offsets)), self.units)

    @property
    def right(self) -> NDArray[np.int64]:
        """Shape (units,): how many rows of each record or group are predicted right; of classes alone."""
        hits = self.scores.argmax(-1) == self.labels
        return np.bincount(self.rows.unit, hits, self.units).astype(np.int64)

    def resamples(self, metric: str) -> NDArray[np.float64]:
        """Shape (RESAMPLES,): a metric on resamples of the units, the same for all runs with as many of them."""
        return resample(metric, self.rows, draws=RESAMPLES).draws


def load_held_out(folder: Path, split: str = "test") -> HeldOutPredictions:
    """The test records of a finished run, or those of another split, as it wrote them."""
    table = pq.read_table(folder / PREDICTIONS, filters=[("split", "==", split)])
    return held_out_of(table, load_recipe(folder / RECIPE).problem, load_result(folder).values["classes"])


def held_out_of(table: pa.Table, problem: Problem, names: Sequence[str]) -> HeldOutPredictions:
    """The labels and scores of a table of predictions; `names` are the model's classes.

    Records come in groups where the table has a column ``group``.
    """
    group = _groups(table) if "group" in table.column_names else None
    return replace(_judged(table, problem, names), group=group, ids=table.column("id").combine_chunks())


def _groups(table: pa.Table) -> NDArray[np.int64]:
    """Numbers of groups in order of their first records; a record without one is a group of its own."""
    names = table.column("group").to_pylist()
    known: dict[str | int, int] = {}
    return np.array([known.setdefault(row if name is None else name, len(known)) for row, name in enumerate(names)])


def _judged(table: pa.Table, problem: Problem, names: Sequence[str]) -> HeldOutPredictions:
    label, score = (table.column(name).combine_chunks() for name in ("label", "score"))
    if problem == "regression":
        return HeldOutPredictions(problem, label.to_numpy(), score.to_numpy(), np.arange(len(table) + 1))
    if problem == "span":
        return _spans(label, table)
    classes = pa.array(names, pa.string())
    if problem != "tagging":
        chances = table.column("probabilities").combine_chunks().flatten().to_numpy().reshape(-1, len(classes))
        return HeldOutPredictions(problem, _index(label, classes), chances, np.arange(len(table) + 1))
    lengths = pc.list_value_length(label).to_numpy()
    labels = _index(label.flatten(), classes)
    predicted = _index(table.column("prediction").combine_chunks().flatten(), classes)
    known = (labels != IGNORED) & (predicted != IGNORED)
    record = np.repeat(np.arange(len(table)), lengths)[known]
    scores = np.eye(len(classes))[predicted[known]]
    return HeldOutPredictions(problem, labels[known], scores, offsets_of(np.bincount(record, minlength=len(table))))


def _spans(label: pa.Array, table: pa.Table) -> HeldOutPredictions:
    """References padded with NaN, and the spans that were answered."""
    counts = pc.list_value_length(label).to_numpy()
    references = np.full((len(label), int(counts.max()), 2), np.nan)
    flat = label.flatten()
    there = np.arange(references.shape[1]) < counts[:, None]
    for place, name in enumerate(("start", "end")):
        references[..., place][there] = flat.field(name).to_numpy()
    spans = np.column_stack([table.column(name).to_numpy() for name in ("start", "end")])
    return HeldOutPredictions("span", references, spans, np.arange(len(table) + 1))


def check_comparable(metric: str, problem: Problem) -> None:
    """Refuse a metric that predictions on disk do not suffice for.

    Raises
    ------
    RecipeError
        The metric needs the chances of every class, of which tagging keeps only the highest.
    """
    if problem == "tagging" and metric in NEED_CHANCES:
        raise RecipeError(f"{metric} of tagging cannot be compared", expected="accuracy, f1 or the like, as the first")


def resampled_metric(metric: str, found: HeldOutPredictions) -> Resampled:
    """A run's test value, and what it would be for other draws of the test records, or of their groups."""
    check_comparable(metric, found.problem)
    return resample(metric, found.rows)


def _index(names: pa.Array, classes: pa.Array) -> NDArray[np.int64]:
    """The class of each name; what is null is not scored."""
    return pc.index_in(names, value_set=classes).fill_null(IGNORED).to_numpy(zero_copy_only=False).astype(np.int64)
