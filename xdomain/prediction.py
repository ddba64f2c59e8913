"""Predict new records with a finished run."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from xdomain.core.adapter_protocols import CutsFiles
from xdomain.core.errors import BackboneError, OutputError, RecipeError
from xdomain.core.memory import Need, enough_memory
from xdomain.core.recipe import Columns, Recipe, Train
from xdomain.core.run_dir import RECIPE, finite, is_done, read_result, whole_or_nothing
from xdomain.core.sequences import Adapter
from xdomain.data.dataset import Examples, check_symbols, encode_examples, warn_of_other_domain
from xdomain.data.in_memory import table_of_sequences
from xdomain.data.loading import load_file
from xdomain.data.media_files import endings, is_media, table_of_files, transcribed
from xdomain.metrics.scoring import predicted
from xdomain.saved_model import Saved, load_saved, saved_adapter

TABLE_FILES = (".csv", ".tsv", ".parquet", ".jsonl")
"""The endings of files that predictions can be written to."""
DELIMITERS = {".csv": ",", ".tsv": "\t"}


def predict(
    run_dir: str | Path,
    *files: str | Path,
    columns: Columns | None = None,
    clip: str | Path | None = None,
) -> pa.Table:
    """Predict with a run's model: the records of a file, or sound or music files.

    Parameters
    ----------
    run_dir
        A finished run's folder.
    files
        One CSV, TSV or FASTA file; or, if the domain has them, sound or music files: one per record, or for a model
        that reads two sequences the question and the passage.
    columns
        The columns by what they hold. Those left as None are named as in the run's own data, or guessed.
    clip
        File to write the answer to, cut out of the passage. Only for a question and a passage that are sound files.

    Returns
    -------
    pyarrow.Table
        In file order: id, prediction (the name of a class, a value, or a list of tags: one per symbol, for text one
        per word), score (the probability of the prediction, or the value), and for classes probabilities. For span:
        id, start and end (in the passage's own coordinate: seconds, characters, nt), answer and score.

    Raises
    ------
    UserError
        `run_dir` holds no trained model, or a record of `files` cannot be read.
    """
    model, adapter, values = finished_run(Path(run_dir))
    paths = [Path(file) for file in files]
    as_files = bool(paths) and all(is_media(path, adapter) for path in paths)
    if clip and not (as_files and model.recipe.problem == "span" and isinstance(adapter, CutsFiles)):
        raise RecipeError(f"{clip}: no answer can be cut out", expected="a question and a passage that are sound files")
    table = records_of(paths, model.recipe, adapter, columns=columns, paired=values["paired"])
    examples, answers = answered(model, adapter, table, values["classes"])
    if clip and isinstance(adapter, CutsFiles):
        adapter.clip(paths[1], answers["start"][0].as_py(), answers["end"][0].as_py(), Path(clip))
    return pa.table({"id": pa.array(examples.ids, pa.string()), **answers})


def records_of(
    paths: Sequence[Path], recipe: Recipe, adapter: Adapter, *, columns: Columns | None = None, paired: bool = False
) -> pa.Table:
    """Read the raw table of one file of records, or of sound or music files that are a record each.

    Parameters
    ----------
    paths
        The file, or the sound or music files that `adapter` reads.
    recipe, adapter, columns, paired
        As for `xdomain.data.loading.load_file`.

    Raises
    ------
    RecipeError
        There are several files of records, or none.
    """
    if paths and all(is_media(path, adapter) for path in paths):
        return transcribed(table_of_files(paths, paired=paired), adapter, Path())
    if len(paths) == 1:
        return load_file(paths[0], recipe, adapter, columns=columns, paired=paired)
    single = f", or files that end in {', '.join(endings(adapter))}" if endings(adapter) else ""
    raise RecipeError(f"{len(paths)} files of records", expected=f"one CSV, TSV or FASTA file{single}")


def records_in_memory(sequences: Sequence[Any], adapter: Adapter, *, paired: bool) -> pa.Table:
    """The raw table of `sequences`, which may be names of sound or music files that `adapter` reads; `paired`: pairs.

    Raises
    ------
    DataError
        There are none, one is not of the kind that the model reads, or a file cannot be read.
    """
    return transcribed(table_of_sequences(sequences, paired=paired), adapter, Path(), every=True)


def finished_run(folder: Path) -> tuple[Saved, Adapter, dict[str, Any]]:
    """Read the model of a finished run in `folder`, its adapter, and the contents of its ``result.json``.

    Raises
    ------
    BackboneError
        It holds no finished run.
    """
    if (folder / RECIPE).is_file() and not is_done(folder):
        raise BackboneError(f"the run in {folder} is not finished", fix="the same `xdomain run …` with --resume")
    model = load_saved(folder)
    return model, saved_adapter(folder, model.recipe), read_result(folder).values


def answered(
    model: Saved, adapter: Adapter, table: pa.Table, classes: Sequence[str]
) -> tuple[Examples, dict[str, pa.Array]]:
    """Encode the records of a raw table and predict them.

    Parameters
    ----------
    model, adapter
        Those of one run.
    table
        The records, validated, as `xdomain.data.loading.load_file` returns them.
    classes
        Names of the model's classes, in their order.

    Returns
    -------
    tuple
        The encoded records, and the columns of `predict` except id.

    Raises
    ------
    OutOfMemoryError
        The model and the records that it reads at once need more memory than the device has.
    """
    examples = encoded(model, adapter, table, classes)
    records = np.arange(len(examples))
    with enough_memory(lambda: scoring_need(model.recipe.train)):
        scores = model.scores(examples, records)
    return examples, predicted(examples, adapter, records, scores)


def encoded(model: Saved, adapter: Adapter, table: pa.Table, classes: Sequence[str]) -> Examples:
    """Encode the records of a raw table, with all of them in the split ``test``.

    Parameters
    ----------
    model, adapter, table, classes
        As for `answered`.

    Raises
    ------
    DataError
        A record cannot be encoded, has no symbols, or has a label that is none of `classes`.
    """
    split = np.full(table.num_rows, "test")
    examples = encode_examples(table, adapter, model.recipe.problem, split, classes=classes)
    check_symbols(examples)
    warn_of_other_domain(examples, adapter)
    return examples


def scoring_need(train: Train) -> Need:
    """What scoring with the options `train` needs memory for, and how to need less."""
    from xdomain.training.arguments import scored_at_once  # which loads torch

    parts = train.gradient_accumulation_steps
    return Need(
        f"scores of {scored_at_once(train)} windows at once (train.batch_size={train.batch_size}, "
        f"train.gradient_accumulation_steps={parts}, train.max_length={train.max_length or 'the positions there are'})",
        f"a larger gradient_accumulation_steps in the run's {RECIPE}, such as {4 * parts}; where a GPU is too small, "
        "CUDA_VISIBLE_DEVICES= in front of the command scores on the CPU",
    )


def check_table_file(out: Path | None) -> None:
    """Refuse a file `out` that `write_table` could not write; call this before the predictions are made.

    Raises
    ------
    OutputError
        Its name has none of the endings `TABLE_FILES`, or its folder does not exist.
    """
    if out is None:
        return
    if out.suffix.lower() not in TABLE_FILES:
        raise OutputError(
            f"{out} ends in {out.suffix}" if out.suffix else f"{out} has no ending",
            expected=f"a file that ends in {', '.join(TABLE_FILES[:-1])} or {TABLE_FILES[-1]}",
            fix=f"--out {out.with_suffix('.csv')}",
        )
    if not out.parent.is_dir():
        raise OutputError(f"{out} cannot be written (there is no folder {out.parent})", fix="another --out")


def write_table(table: pa.Table, out: Path | None) -> None:
    """Write predictions as CSV, TSV, Parquet or JSON lines, whole or not at all.

    Parameters
    ----------
    table
        The predictions.
    out
        A file, whose ending says how it is written: see `TABLE_FILES`. None: CSV to stdout. In CSV and TSV the values
        of a list are joined by spaces.

    Raises
    ------
    OutputError
        The file cannot be written, or has another ending.
    """
    if out is None:
        sink = pa.BufferOutputStream()
        pa_csv.write_csv(_flat(table), sink)
        sys.stdout.write(sink.getvalue().to_pybytes().decode())
        return
    check_table_file(out)
    try:
        with whole_or_nothing(out) as part:
            match out.suffix.lower():
                case ".parquet":
                    pq.write_table(table, part)
                case ".jsonl":
                    rows = (json.dumps(finite(row), ensure_ascii=False) for row in table.to_pylist())
                    part.write_text("".join(f"{row}\n" for row in rows), "utf-8")
                case ending:
                    pa_csv.write_csv(_flat(table), part, pa_csv.WriteOptions(delimiter=DELIMITERS[ending]))
    except OSError as error:
        raise OutputError(f"{out} cannot be written ({error.strerror})", fix="another --out") from None


def _flat(table: pa.Table) -> pa.Table:
    return pa.table({name: _joined(table.column(name)) for name in table.column_names})


def _joined(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    if not (pa.types.is_list(column.type) or pa.types.is_fixed_size_list(column.type)):
        return column
    shown = [[f"{x:.6g}" if isinstance(x, float) else str(x) for x in row] for row in column.to_pylist()]
    return pa.array([" ".join(row) for row in shown])
