"""What a finished run predicted for its test records, and how sure its value is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
from numpy.typing import NDArray

from xdomain.data.examples import IGNORED
from xdomain.data.sequences import offsets_of
from xdomain.errors import RecipeError
from xdomain.recipe import Problem, load_recipe
from xdomain.study.statistics.estimate import Resampled, Rows, bootstrap
from xdomain.training.metrics import compute_metrics
from xdomain.training.runfolder import PREDICTIONS, RECIPE, load_result

pc: Any = pyarrow.compute  # its functions are made at import and have no types
RESAMPLES = 400
"""For a standard error, which 400 tell to about 4 %."""
NEED_CHANCES = ("roc_auc", "average_precision")


@dataclass(frozen=True)
class Judged:
    """Labels and scores of n test records.

    Parameters
    ----------
    labels, scores
        As `xdomain.training.metrics.compute_metrics` takes them. Of tagged records a row a tag, those of one record
        after those of another, and as scores 1 for the predicted class: the run keeps no others.
    offsets
        Shape (n + 1,): where the rows of each record lie.
    """

    problem: Problem
    labels: NDArray[Any]
    scores: NDArray[Any]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def value(self, metric: str, records: Rows) -> float:
        """A metric over some records, in which a record may come more than once."""
        lengths = np.diff(self.offsets)[records]
        places = offsets_of(lengths)
        rows = np.repeat(self.offsets[:-1][records] - places[:-1], lengths) + np.arange(places[-1])
        return compute_metrics([metric], self.labels[rows], self.scores[rows], self.problem)[metric]["value"]

    @property
    def right(self) -> NDArray[np.int64]:
        """Shape (n,): how many rows of each record are predicted right; of classes alone."""
        hits = np.concatenate(([0], np.cumsum(self.scores.argmax(-1) == self.labels)))
        return hits[self.offsets[1:]] - hits[self.offsets[:-1]]

    def resamples(self, metric: str) -> NDArray[np.float64]:
        """Shape (RESAMPLES,): a metric on resamples of the records, the same for all runs with as many of them."""
        n = len(self)
        chosen = np.random.Generator(np.random.PCG64(0)).integers(n, size=(RESAMPLES, n))
        if metric == "accuracy":  # quicker, as studies do this for every cell
            return self.right[chosen].sum(1) / np.diff(self.offsets)[chosen].sum(1)
        return np.array([self.value(metric, records) for records in chosen])


def load_judged(folder: Path) -> Judged:
    """The test records of a finished run, as it wrote them."""
    table = pq.read_table(folder / PREDICTIONS, filters=[("split", "==", "test")])
    return judged_of(table, load_recipe(folder / RECIPE).problem, load_result(folder).values["classes"])


def judged_of(table: pa.Table, problem: Problem, names: Sequence[str]) -> Judged:
    """The labels and scores of a table of predictions; `names` are the model's classes."""
    label, score = (table.column(name).combine_chunks() for name in ("label", "score"))
    if problem == "regression":
        return Judged(problem, label.to_numpy(), score.to_numpy(), np.arange(len(table) + 1))
    if problem == "span":
        return _spans(label, table)
    classes = pa.array(names, pa.string())
    if problem != "tagging":
        chances = table.column("probabilities").combine_chunks().flatten().to_numpy().reshape(-1, len(classes))
        return Judged(problem, _index(label, classes), chances, np.arange(len(table) + 1))
    lengths = pc.list_value_length(label).to_numpy()
    labels = _index(label.flatten(), classes)
    predicted = _index(table.column("prediction").combine_chunks().flatten(), classes)
    known = (labels != IGNORED) & (predicted != IGNORED)
    record = np.repeat(np.arange(len(table)), lengths)[known]
    scores = np.eye(len(classes))[predicted[known]]
    return Judged(problem, labels[known], scores, offsets_of(np.bincount(record, minlength=len(table))))


def _spans(label: pa.Array, table: pa.Table) -> Judged:
    """References padded with NaN, and the spans that were answered."""
    counts = pc.list_value_length(label).to_numpy()
    references = np.full((len(label), int(counts.max()), 2), np.nan)
    flat = label.flatten()
    there = np.arange(references.shape[1]) < counts[:, None]
    for place, name in enumerate(("start", "end")):
        references[..., place][there] = flat.field(name).to_numpy()
    spans = np.column_stack([table.column(name).to_numpy() for name in ("start", "end")])
    return Judged("span", references, spans, np.arange(len(table) + 1))


def check_comparable(metric: str, problem: Problem) -> None:
    """Refuse a metric that predictions on disk do not suffice for.

    Raises
    ------
    RecipeError
        The metric needs the chances of every class, of which tagging keeps only the highest.
    """
    if problem == "tagging" and metric in NEED_CHANCES:
        raise RecipeError(f"{metric} of tagging cannot be compared", expected="accuracy, f1 or the like, as the first")


def resampled(metric: str, found: Judged) -> Resampled:
    """A run's test value, and what it would be for other draws of the test records."""
    check_comparable(metric, found.problem)
    return bootstrap(len(found), lambda records: found.value(metric, records))


def _index(names: pa.Array, classes: pa.Array) -> NDArray[np.int64]:
    """The class of each name; what is null is not scored."""
    return pc.index_in(names, value_set=classes).fill_null(IGNORED).to_numpy(zero_copy_only=False).astype(np.int64)
