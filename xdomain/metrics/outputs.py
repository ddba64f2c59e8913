"""Metrics of written sequences, each computed from a few numbers of every record, which can be added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xdomain.core.errors import MissingError
from xdomain.core.import_errors import LazyModule
from xdomain.core.sequences import Ids, object_array
from xdomain.data.outputs import Outputs

sacrebleu: Any = LazyModule("sacrebleu.metrics")  # both are an extra
rapidfuzz: Any = LazyModule("rapidfuzz.distance")

Floats = NDArray[np.float64]
NOTHING = -1.0
"""Fills the scores of an output up to the length of the longest."""
SYMBOLS = "{}_symbols"
"""The column of a table of predictions with the symbols of the text in another."""
END = ""
"""Stands for the end of an output where symbols are counted."""
ORDER = 4  # the longest n-gram of BLEU, as always


class Output(NamedTuple):
    """A sequence that is to come out, or came: its text, and the names of its symbols."""

    text: str
    symbols: tuple[str, ...]


@dataclass(frozen=True)
class OutputMetric:
    """A metric of n outputs.

    Parameters
    ----------
    of_record
        Takes a target and an output, returns m numbers.
    finish
        Takes sums of them over records, shape (b, m), and returns b values.
    package
        What must be installed.
    """

    of_record: Callable[[Output, Output], tuple[float, ...]]
    finish: Callable[[Floats], Floats]
    package: str | None = None

    def statistics(self, labels: NDArray[Any], outputs: NDArray[Any]) -> Floats:
        """Shape (n, m): the numbers of each record, of `labels` and `outputs`, object arrays of `Output`."""
        return np.array([self.of_record(*both) for both in zip(labels, outputs, strict=True)], np.float64)

    def compute(self, labels: NDArray[Any], outputs: NDArray[Any]) -> float:
        """The value for all records; `labels` and `outputs` as for `statistics`."""
        return float(self.finish(self.statistics(labels, outputs).sum(0)[None])[0])


def _right_symbols(label: Output, output: Output) -> tuple[float, ...]:
    right = sum(one == other for one, other in zip(label.symbols, output.symbols, strict=False))
    return right, max(len(label.symbols), len(output.symbols))


def _exact(label: Output, output: Output) -> tuple[float, ...]:
    return float(label.symbols == output.symbols), 1.0


def _edit_similarity(label: Output, output: Output) -> tuple[float, ...]:
    return rapidfuzz.Levenshtein.normalized_similarity(label.symbols, output.symbols), 1.0


def _chrf(label: Output, output: Output) -> tuple[float, ...]:
    return sacrebleu.CHRF().sentence_score(output.text, [label.text]).score, 1.0


def _bleu_counts(label: Output, output: Output) -> tuple[float, ...]:
    found = sacrebleu.BLEU(effective_order=True).sentence_score(output.text, [label.text])
    return (*found.counts, *found.totals, found.sys_len, found.ref_len)


def _ratio(sums: Floats) -> Floats:
    return sums[:, 0] / sums[:, 1]


def _bleu(sums: Floats) -> Floats:
    """BLEU of the whole corpus, from the counts of its records, as sacrebleu adds them up."""
    rows = sums.round().astype(int).tolist()
    values = [
        sacrebleu.BLEU.compute_bleu(row[:ORDER], row[ORDER : 2 * ORDER], *row[2 * ORDER :], smooth_method="exp").score
        for row in rows
    ]
    return np.array(values)


OUTPUT_METRICS: dict[str, OutputMetric] = {
    "token_accuracy": OutputMetric(_right_symbols, _ratio),
    "exact_match": OutputMetric(_exact, _ratio),
    "edit_similarity": OutputMetric(_edit_similarity, _ratio, "rapidfuzz"),
    "chrf": OutputMetric(_chrf, _ratio, "sacrebleu"),
    "bleu": OutputMetric(_bleu_counts, _bleu, "sacrebleu"),
}


def check_installed(names: Sequence[str]) -> None:
    """Refuse metrics, among `names`, whose package is not installed.

    Raises
    ------
    MissingError
        The message says how to install it.
    """
    for name in names:
        package = OUTPUT_METRICS[name].package if name in OUTPUT_METRICS else None
        if package and find_spec(package) is None:
            raise MissingError(f"the metric {name} needs the package {package}", fix="pip install 'xdomain[sequence]'")


def as_scores(outputs: Sequence[Sequence[int]], chances: Sequence[float]) -> Floats:
    """Pack written outputs into an array.

    Parameters
    ----------
    outputs
        The symbols of each.
    chances
        The logarithm of the probability of each.

    Returns
    -------
    ndarray
        Shape (n, 1 + t): that logarithm, then the symbols, then `NOTHING`.
    """
    scores = np.full((len(outputs), 1 + max(map(len, outputs), default=0)), NOTHING)
    scores[:, 0] = chances
    for row, symbols in enumerate(outputs):
        scores[row, 1 : 1 + len(symbols)] = symbols
    return scores


def outputs_in(scores: Floats) -> list[Ids]:
    """The symbols of each output in `scores`, which `as_scores` made."""
    return [row[row != NOTHING].astype(np.int64) for row in scores[:, 1:]]


def named(outputs: Outputs, sequences: Sequence[Ids]) -> NDArray[Any]:
    """Shape (n,), objects: the `Output` of each of `sequences`, symbols of the domain of `outputs`."""
    adapter = outputs.adapter
    symbols = adapter.alphabet.symbols
    return object_array([Output(adapter.decode(one), tuple(symbols[i] for i in one)) for one in sequences])


def named_targets(outputs: Outputs, records: NDArray[np.int64]) -> NDArray[Any]:
    """Shape (n,), objects: the `Output` that is to come out of each of `records`, as `outputs` has it."""
    return named(outputs, list(outputs.targets().take(records)))


def output_columns(outputs: Outputs, scores: Floats) -> dict[str, pa.Array]:
    """Columns of what `scores` hold, in the domain of `outputs`: `prediction`, `prediction_symbols`, `score`.

    The score is the probability of the whole output.
    """
    chances = pa.array(np.exp(scores[:, 0]))
    return {**columns_of("prediction", named(outputs, outputs_in(scores))), "score": chances}


def columns_of(name: str, outputs: NDArray[Any]) -> dict[str, pa.Array]:
    """Two columns, `name` and ``{name}_symbols``, of `outputs`, objects of `Output`."""
    return {
        name: pa.array([one.text for one in outputs], pa.string()),
        SYMBOLS.format(name): pa.array([list(one.symbols) for one in outputs], pa.list_(pa.string())),
    }


def stored_outputs(table: pa.Table, name: str) -> NDArray[Any]:
    """What `columns_of` wrote into `table` as `name`."""
    texts, symbols = table.column(name).to_pylist(), table.column(SYMBOLS.format(name)).to_pylist()
    return object_array([Output(text, tuple(own)) for text, own in zip(texts, symbols, strict=True)])


def constant_output(outputs: Outputs, train: NDArray[np.int64]) -> Output:
    """The best that can be written without reading: the most frequent symbol of each position of the training targets.

    It ends where most targets that reach so far have ended; of equals the first in alphabetical order is taken.

    Parameters
    ----------
    outputs
        Of all records.
    train
        Shape (n,): the training records.
    """
    targets = list(outputs.targets().take(train))
    symbols: list[int] = []
    ended = -1
    while True:
        place = len(symbols)
        counts = Counter(int(one[place]) if place < len(one) else ended for one in targets)
        best = min(counts, key=lambda symbol: (-counts[symbol], symbol))
        if best == ended:
            return named(outputs, [np.array(symbols, np.int64)])[0]
        symbols.append(best)
