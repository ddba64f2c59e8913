"""A trained model on new records."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from xdomain.data.examples import check_symbols, encode_examples
from xdomain.data.loading import load_unlabelled
from xdomain.errors import BackboneError, OutputError
from xdomain.model.backbone import quiet_loading
from xdomain.recipe import Columns
from xdomain.run import load_result
from xdomain.training.device import best_device
from xdomain.training.outcome import per_tag, prediction_columns
from xdomain.training.runfolder import RECIPE, is_done
from xdomain.training.saved import load_saved, saved_adapter


def predict(
    run_dir: str | Path,
    file: str | Path,
    *,
    columns: Columns | None = None,
    say: Callable[[str], None] = print,
) -> pa.Table:
    """The predictions of a run's model for the records of a CSV, TSV or FASTA file.

    Parameters
    ----------
    columns
        Which column holds what; what is left open is called as in the run's own data, or guessed.

    Returns
    -------
    pyarrow.Table
        In file order: id, prediction (the label's name, a value, or a list of tags, one a symbol or of text one a
        word), score (the prediction's probability, or the value), and for classes probabilities.

    Raises
    ------
    UserError
        `run_dir` holds no trained model, or a record of `file` cannot be read.
    """
    folder = Path(run_dir)
    if (folder / RECIPE).is_file() and not is_done(folder):
        raise BackboneError(f"the run in {folder} is not finished", mend="the same `xdomain run …` with --resume")
    with quiet_loading():
        model = load_saved(folder)
    adapter = saved_adapter(folder, model.recipe)
    told = load_result(folder).values
    table = load_unlabelled(Path(file), model.recipe, columns=columns, paired=told["paired"], say=say)
    split = np.full(table.num_rows, "test")
    examples = encode_examples(table, adapter, model.recipe.problem, split, classes=told["classes"])
    check_symbols(examples)
    records = np.arange(len(examples))
    scores, lengths = per_tag(examples, records, model.scores(examples, records, best_device()), np.nan)
    found = prediction_columns(examples.problem, examples.classes, scores, lengths)
    return pa.table({"id": pa.array(examples.ids, pa.string()), **found})


def write_table(table: pa.Table, out: Path | None) -> None:
    """Write predictions as Parquet or CSV by the name's ending, or as CSV to stdout; lists joined by spaces."""
    try:
        if out is not None and out.suffix == ".parquet":
            pq.write_table(table, out)
            return
        flat = pa.table({name: _joined(table.column(name)) for name in table.column_names})
        if out is not None:
            pa_csv.write_csv(flat, out)
            return
    except OSError as error:
        raise OutputError(f"{out} cannot be written ({error.strerror})", mend="another --out") from None
    sink = pa.BufferOutputStream()
    pa_csv.write_csv(flat, sink)
    sys.stdout.write(sink.getvalue().to_pybytes().decode())


def _joined(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    if not (pa.types.is_list(column.type) or pa.types.is_fixed_size_list(column.type)):
        return column
    shown = [[f"{x:.6g}" if isinstance(x, float) else str(x) for x in row] for row in column.to_pylist()]
    return pa.array([" ".join(row) for row in shown])
