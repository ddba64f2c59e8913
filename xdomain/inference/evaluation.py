"""Evaluate a finished run again: on the labelled records of a file, or on its test records read in another way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from xdomain.core.errors import DamagedError, DataError, RecipeError, UserError
from xdomain.core.overrides import Overrides
from xdomain.core.paths import is_file
from xdomain.core.progress import log, muted
from xdomain.core.recipe import Recipe
from xdomain.core.recipe_sections import Columns
from xdomain.core.restore import AS_WRITTEN, REPEAT, read_parquet
from xdomain.core.run_dir import PREDICTIONS
from xdomain.core.sequences import Adapter
from xdomain.core.shared_run import HUB
from xdomain.data.label_sets import with_joint
from xdomain.data.loading import load_file, load_table
from xdomain.data.negatives.make import split_with_negatives
from xdomain.data.sources import file_sha256, paths_of
from xdomain.inference.hub_run import local_run
from xdomain.inference.predictor import load_predictor
from xdomain.metrics.bootstrap import Interval
from xdomain.metrics.calibration import calibration_of
from xdomain.metrics.heldout import held_out_of, resampled_metric
from xdomain.metrics.no_answer import by_answer
from xdomain.metrics.scoring import drop_unscored, label_columns, span_values
from xdomain.metrics.spans import oracle_spans


@dataclass(frozen=True)
class Evaluation:
    """The metrics and predictions of a run's model on some records.

    Parameters
    ----------
    metrics
        Those of the recipe by name, each with its 95 % percentile interval over these records.
    oracle
        Only for span: the metrics of the reference answers, rounded to whole symbols. Otherwise empty.
    predictions
        A row per record: id, group if there are groups, label and the columns of
        `xdomain.inference.prediction_file.predict`.
    calibration_error
        The expected calibration error, see `xdomain.metrics.calibration`; None unless for classification or pair.
    by_answer
        Only where questions have no answer: `has_answer` and `no_answer`, the metrics of both kinds of questions.
    """

    metrics: Mapping[str, Interval]
    oracle: Mapping[str, float]
    predictions: pa.Table
    calibration_error: float | None = None
    by_answer: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])

    def __len__(self) -> int:
        return len(self.predictions)

    def as_dict(self) -> dict[str, Any]:
        """The numbers as a dictionary for JSON, without the predictions."""
        metrics = {name: vars(value) for name, value in self.metrics.items()}
        beside: dict[str, Any] = {"oracle": dict(self.oracle)} if self.oracle else {}
        if self.calibration_error is not None:
            beside["calibration_error"] = self.calibration_error
        beside |= {name: dict(values) for name, values in self.by_answer.items()}
        return {"n": len(self), "metrics": metrics, **beside}


def evaluate(
    run_dir: str | Path,
    file: str | Path | None = None,
    *,
    columns: Columns | None = None,
    overrides: Overrides = (),
) -> Evaluation:
    """Evaluate a run's model on labelled records that it was not trained on.

    Parameters
    ----------
    run_dir
        A run folder; or with `file` ``hub:USER/NAME``, a run that `xdomain.push` uploaded.
    file
        A labelled CSV, TSV or FASTA file, all records of which are used. If it is one of the run's own files, how many
        of its records the run was trained on is logged as a warning. None: the run's own test records.
    columns
        The columns of `file` by what they hold. Those left as None are named as in the run's own data, or guessed.
    overrides
        Changes to how the records are read, such as ``reader_options.noise=0.3`` or ``adapter.options.unknown=count``.
        The run's own test records stay the same: those whose ids were in test.

    Raises
    ------
    UserError
        `run_dir` holds no trained model, a record cannot be read, or a label is none of the model's.
    """
    if file is None and str(run_dir).startswith(HUB):
        raise RecipeError(
            f"{run_dir} without a file", expected="labelled records: a run of the hub has none of its own"
        )
    folder = local_run(run_dir)
    model = load_predictor(folder, overrides=overrides)
    recipe, classes, adapter = model.recipe, model.classes, model.adapter
    if file is None:
        table = _own(folder, recipe, adapter)
    else:
        table = load_file(Path(file), recipe, adapter, columns=columns, paired=model.paired, labelled=True)
        _warn_of_training(Path(file), recipe, adapter, table)
    examples, answers = model.answers(table)
    records = np.arange(len(examples))
    named = {"id": pa.array(examples.ids, pa.string()), **examples.group_column(records)}
    predictions = pa.table({**named, **label_columns(examples, records), **answers})
    if recipe.problem == "multilabel":
        predictions = with_joint(predictions, classes, recipe.reader_options)
    judged = held_out_of(predictions, recipe.problem, classes)
    metrics = {name: resampled_metric(name, judged).interval() for name in recipe.metrics}
    oracle, kinds = dict[str, float](), dict[str, dict[str, float]]()
    if recipe.problem == "span":
        oracle = span_values(recipe.metrics, judged.labels, oracle_spans(examples, records))
        kinds = by_answer(recipe.metrics, judged.labels, judged.scores)
    error = None
    if recipe.problem in ("classification", "pair"):
        error = calibration_of(*drop_unscored(judged.labels, judged.scores))["error"]
    return Evaluation(metrics, oracle, predictions, error, kinds)


def _warn_of_training(file: Path, recipe: Recipe, adapter: Adapter, table: pa.Table) -> None:
    """Count the records of `table`, read from `file`, that the run was trained on, if that is one of its own files.

    The run folder holds no training records: its data is read and split again, as it was for training.
    """
    own = [path for path in paths_of(recipe.source).values() if is_file(path)]
    if not any(_same_file(file, path) for path in own):
        return
    try:
        with muted():
            whole, split = split_with_negatives(load_table(recipe, adapter=adapter), recipe.split, recipe.problem)
    except UserError:
        log.warning(f"{file} is a file of this run's own data: records that it was trained on may be among them")
        return
    trained = set(_contents(whole.filter(pa.array(split == "train"))))
    known = sum(content in trained for content in _contents(table))
    if known:
        log.warning(
            f"{known:,} of {table.num_rows:,} records were in the training data of this run: these metrics are not "
            "those of new records (the run's own test: `xdomain evaluate RUN` without a file)"
        )


def _same_file(one: Path, other: Path) -> bool:
    alike = one.resolve() == other.resolve() or one.stat().st_size == other.stat().st_size
    return alike and file_sha256(one) == file_sha256(other)


def _contents(table: pa.Table) -> list[tuple[str, ...]]:
    """The sequence or the two sequences of each record."""
    columns = [table[name].to_pylist() for name in ("sequence", "sequence_b") if name in table.column_names]
    return list(zip(*columns, strict=True))


def _own(folder: Path, recipe: Recipe, adapter: Adapter) -> pa.Table:
    """The records whose ids were in test, as the recipe reads them now."""
    stored = read_parquet(folder / PREDICTIONS, columns=["id"], filters=[("split", "==", "test")])
    known: list[Any] = stored["id"].to_pylist()
    if not known:
        raise DamagedError(f"{folder / PREDICTIONS} is damaged (no record is of test)", expected=AS_WRITTEN, fix=REPEAT)
    table = load_table(recipe, adapter=adapter)
    wanted = set(known)
    rows = [row for row, name in enumerate(table["id"].to_pylist()) if name in wanted]
    if not rows:
        raise DataError(
            f"none of the run's {len(known):,} test records is there",
            expected=f"records with their ids, such as {known[0]!r}",
            fix="for other data: `xdomain evaluate RUN FILE`",
        )
    if len(rows) < len(known):
        log.info(f"{len(known) - len(rows):,} of {len(known):,} test records are not there")
    return table.take(rows)
