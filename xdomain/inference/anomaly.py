"""How unlikely a pre-trained masked language model finds each record: the command anomaly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xdomain.core.errors import DataError, RecipeError, unknown
from xdomain.core.progress import log
from xdomain.core.recipe_sections import Columns
from xdomain.core.sequences import Adapter, Ids, Ragged
from xdomain.data.loading import load_file
from xdomain.data.pieces import Piece, load_pieces, with_progress
from xdomain.metrics.bootstrap import Interval
from xdomain.metrics.heldout import HeldOutPredictions, resampled_metric

if TYPE_CHECKING:
    from xdomain.inference.embedding.masked_lm import MaskedLM

PASSES = 8
"""With every eighth symbol masked in each pass: 12.5 %, near the 15 % that BERT was pre-trained with."""
METRICS = ("roc_auc", "average_precision")


@dataclass(frozen=True)
class Anomalies:
    """The scores of the records of a file.

    Parameters
    ----------
    table
        A row for each record, in file order: ``id``; ``label`` where there are labels; ``symbols``, how many it has;
        and ``score``, its mean negative log-likelihood per symbol in nats, higher for the less likely.
    anomalous
        The label of the anomalous records; None: there are no labels.
    metrics
        With labels: how well the score detects the anomalous records, `METRICS` with 95 % intervals over the records.
    """

    table: pa.Table
    anomalous: str | None
    metrics: Mapping[str, Interval]


def anomaly_scores(
    backbone: str | Path,
    file: str | Path,
    *,
    passes: int | None = PASSES,
    columns: Columns | None = None,
    anomalous: str | None = None,
    **options: Any,
) -> Anomalies:
    """Score records by the pseudo-log-likelihood of a masked language model that was pre-trained on such sequences.

    Parameters
    ----------
    backbone
        The folder or hub id of a masked language model, such as `xdomain pretrain sequences` writes.
    file
        The records: a table or sequences.
    passes
        Forward passes over each record; in the i-th every `passes`-th symbol from the i-th on is masked. None: one per
        symbol, which is exact and slow.
    columns
        Which column holds what; with a label, the scores are evaluated by it.
    anomalous
        The label of the anomalous records; None: the rarer of two.
    options
        As for `xdomain.open_encoder`: ``domain``, ``mapping``, ….

    Raises
    ------
    UserError
        `backbone` is no masked language model, `file` cannot be read, or its labels are not two.
    """
    judged = columns is not None and columns.label is not None
    if anomalous is not None and not judged:
        raise RecipeError(f"the anomalous class {anomalous} without labels", expected="the column of labels",
                          fix="--column label=NAME")  # fmt: skip
    from xdomain.inference.embedding.masked_lm import load_masked_lm  # which loads torch
    from xdomain.inference.embedding.open_encoder import read_backbone

    read = read_backbone(backbone, options.pop("domain", None), **options)
    model = load_masked_lm(read)

    def scored(pieces: Iterable[Piece]) -> pa.Table:
        told = with_progress(pieces, "scoring")
        return pa.concat_tables([_scored(piece.table, read.adapter, model, passes) for piece in told])

    if not judged:
        return Anomalies(scored(load_pieces(Path(file), read.recipe, read.adapter, columns=columns)), None, {})
    records = load_file(Path(file), read.recipe, read.adapter, columns=columns, labelled=True)
    labels: list[str] = records["label"].to_pylist()
    rare = _anomalous(labels, anomalous)
    table = scored([Piece(records, 1.0)])
    metrics = judge(np.array([label == rare for label in labels]), table["score"].to_numpy())
    told = ", ".join(f"{name} {one}" for name, one in metrics.items())
    log.info(f"{rare} ({labels.count(rare):,} of {len(labels):,} records) against {_other(labels, rare)}: {told}")
    return Anomalies(table.add_column(1, "label", records["label"]), rare, metrics)


def judge(anomalous: NDArray[np.bool_], scores: NDArray[np.float64]) -> dict[str, Interval]:
    """How well scores detect anomalous records: `METRICS` by name, with 95 % intervals over the records.

    Parameters
    ----------
    anomalous
        Shape (n,): which records are.
    scores
        Shape (n,): higher for records that are more likely anomalous.
    """
    two = np.column_stack([-scores, scores]) / 2
    judged = HeldOutPredictions("classification", anomalous.astype(np.int64), two, np.arange(len(scores) + 1))
    return {name: resampled_metric(name, judged).interval() for name in METRICS}


def _anomalous(labels: Sequence[str], asked: str | None) -> str:
    counts = Counter(labels)
    if len(counts) != 2:
        raise DataError(f"{len(counts)} labels: {', '.join(map(str, list(counts)[:5]))}",
                        expected="two: of usual records and of anomalous ones")  # fmt: skip
    if asked is not None and asked not in counts:
        raise unknown("anomalous class", asked, counts)
    if asked is None and len(set(counts.values())) == 1:
        raise DataError(f"as many records of {' as of '.join(counts)}", expected="which are anomalous",
                        fix=f"--anomalous {next(iter(counts))}")  # fmt: skip
    return asked or min(counts, key=lambda label: counts[label])


def _other(labels: Sequence[str], rare: str) -> str:
    return next(label for label in labels if label != rare)


def _scored(table: pa.Table, adapter: Adapter, model: MaskedLM, passes: int | None) -> pa.Table:
    symbols: Ragged = adapter.encode(table["sequence"].combine_chunks())  # pyright: ignore[reportUnknownMemberType]
    scores = [-_log_likelihood(one, model, passes) / max(1, len(one)) for one in symbols]
    return pa.table({"id": table["id"], "symbols": pa.array(symbols.lengths), "score": pa.array(scores, pa.float64())})


def _log_likelihood(symbols: Ids, model: MaskedLM, passes: int | None) -> float:
    """In nats; a sequence that is longer than the model reads at once is cut into parts."""
    parts = [symbols[first : first + model.room] for first in range(0, len(symbols), model.room)]
    return sum(model.pseudo_log_likelihood(part, passes) for part in parts)
