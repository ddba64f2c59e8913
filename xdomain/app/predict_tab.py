"""The third part of the form: predict pasted or uploaded sequences with a trained model."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import gradio as gr
import pyarrow as pa
import pyarrow.csv as pa_csv

from xdomain.app import show
from xdomain.app.job import Job
from xdomain.app.messages import FURTHER
from xdomain.app.request import to_predict, typed_changes
from xdomain.app.workplace import PREDICTIONS, RUNS, Workplace, new_path
from xdomain.core.disk import writing
from xdomain.core.recipe import load_recipe
from xdomain.core.run_dir import RECIPE
from xdomain.data.formats.write import write_table

STOPPED = show.panel("plain", "<p>Stopped.</p>")
READING = ("adapter.options.", "reader_options.")
"""Options that say how a file is read."""
LARGEST = 10_000_000
"""Bytes of CSV that an Excel workbook is made of, too."""
SHOWN = 100
"""Rows of a table of predictions on the page; the file has all."""


def predict_tab(place: Workplace) -> gr.Dropdown:
    """Lay out this part of the form, for the models in `place`; returns the field of the model."""
    model = gr.Dropdown(model_choices(place), value=place.default_model(), label="Model", elem_id="model",
                        info="Finished runs in the folder runs, the newest first.")  # fmt: skip
    text = gr.Textbox(label="Sequences", lines=5, max_lines=12, elem_id="sequences",
                      info="One a line, or FASTA. For two sequences a record, a tab between them.")  # fmt: skip
    upload = gr.File(label="Or a file", elem_id="to-predict", height=150)
    further = gr.Textbox(label=FURTHER, lines=1, placeholder="adapter.options.unknown=count", elem_id="reading",
                         info="How the sequences are read, key.sub=value, one a line: docs/recipe.md.")  # fmt: skip
    unlike = gr.Checkbox(label="Flag sequences that differ from the training data")
    with gr.Row():
        start = gr.Button("Predict", variant="primary", elem_id="predict")
        stop = gr.Button("Stop", variant="stop", visible=False, elem_id="stop-predicting")
    found = gr.HTML(elem_id="predictions")
    file = gr.File(label="Download", visible=False, interactive=False, file_count="multiple",
                   elem_id="predictions-file")  # fmt: skip

    running: dict[str | None, Job] = {}

    def predict(
        chosen: str | None, typed: str, given: str | None, flag: bool, changes: str, visitor: gr.Request
    ) -> Iterator[list[Any]]:
        hidden, idle = gr.File(value=None, visible=False), gr.Button(visible=False)
        job: Job | None = None
        try:
            job, out, by = _started(place, chosen, typed or "", given, flag, changes or "")
            running[visitor.session_hash] = job
            while job.state == "running":
                yield [show.progress(job), hidden, gr.Button(visible=True)]
                job.wait(0.5)
            if job.state == "done":
                yield [_table(out, job, by), gr.File(value=_files(out), visible=True), idle]
            else:
                ended = STOPPED if job.state == "stopped" else show.fault(job.error())
                yield [ended, hidden, idle]
        except Exception as error:
            yield [show.fault(error), hidden, idle]
        finally:
            if job:
                job.stop()  # where the page was closed

    def end(visitor: gr.Request) -> None:
        if job := running.pop(visitor.session_hash, None):
            job.stop()

    start.click(
        predict, [model, text, upload, unlike, further], [found, file, stop], api_name="predict", show_progress="hidden"
    )
    stop.click(end, None, None, queue=False, api_visibility="private")
    return model


def model_choices(place: Workplace) -> list[tuple[str, str]]:
    """The models in `place`, by what is shown of them."""
    return [(name.removeprefix(f"{RUNS}/"), name) for name in place.models()]


def _started(
    place: Workplace, model: str | None, typed: str, given: str | None, unlike: bool, further: str
) -> tuple[Job, Path, str]:
    """The process that predicts, the file that it writes, and the name of the model."""
    run = place.one_of(model or place.default_model(), place.models(), "model")
    changes = typed_changes(further, load_recipe(run / RECIPE).adapter.name, READING)
    records = to_predict(place, run, typed, given)
    folder = place.folder / PREDICTIONS
    with writing(folder):
        folder.mkdir(exist_ok=True)
    out = new_path(folder / f"{records.name.split('.')[0]}.csv")
    flags = [*(["--unlike"] if unlike else []), *(f"--set={change}" for change in changes)]
    names = (place.shown(run), place.shown(records))
    return Job(["predict", *flags, f"--out={place.shown(out)}", "--", *names], place.folder), out, names[0]


def _files(out: Path) -> list[str]:
    """The predictions in `out`, a CSV file, and the same as an Excel workbook where one can be written."""
    if find_spec("openpyxl") is None or out.stat().st_size > LARGEST:
        return [str(out)]
    book = out.with_suffix(".xlsx")
    text = pa_csv.ConvertOptions(column_types={"id": pa.string(), "answer": pa.string()})  # 007 is no number
    write_table(pa_csv.read_csv(out, convert_options=text), book)
    return [str(out), str(book)]


def _table(file: Path, job: Job, model: str) -> str:
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(islice(csv.DictReader(stream), SHOWN + 1))
    more = [f"The first {SHOWN} rows; the file has all."] if len(rows) > SHOWN else []
    told = [line for line in job.lines if line.startswith("warning: ")]
    warned = show.panel("warning", show.paragraphs(line.removeprefix("warning: ") for line in told)) if told else ""
    short = [{name: _short(cell) for name, cell in row.items()} for row in rows[:SHOWN]]
    return warned + show.table(short, cards=True) + show.paragraphs([*more, f"Model: {model}"], "faint")


def _short(cell: str) -> str:
    """The `cell` of a table, a number of many digits with four of them behind the point."""
    whole, point, rest = cell.partition(".")
    return f"{float(cell):.4f}" if point and len(rest) > 4 and f"{whole.removeprefix('-')}{rest}".isdigit() else cell
