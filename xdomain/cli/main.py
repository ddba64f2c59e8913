"""The commands run, compare, check, predict, evaluate, ls, show and doctor."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import version
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Literal

import typer

from xdomain.cli import complete
from xdomain.cli.analyze import analyze_command
from xdomain.cli.anomaly import anomaly_command
from xdomain.cli.app import app_command
from xdomain.cli.compress import compress_command
from xdomain.cli.examples import epilog
from xdomain.cli.export import attention_command, embed_command, export_command
from xdomain.cli.genome_track import write_track
from xdomain.cli.messages import messages_on_stderr
from xdomain.cli.new import new_app
from xdomain.cli.options import (
    ColumnOption,
    Json,
    OverwriteFile,
    OwnData,
    RunFolder,
    Set,
    SetReading,
    Task,
    Training,
    names_in,
    takes,
)
from xdomain.cli.options import columns_by_role as _columns
from xdomain.cli.plugins import WithPlugins
from xdomain.cli.pretrain import pretrain_app
from xdomain.cli.push import push_command
from xdomain.cli.streams import name_failure, usable_streams
from xdomain.cli.study import report_command, study_command
from xdomain.cli.transfer import transfer_command
from xdomain.cli.variants import variants_command
from xdomain.core.choices import ARMS, Baseline, Init, listed
from xdomain.core.errors import RecipeError, UserError

INTERRUPTED, TERMINATED = 130, 128 + signal.SIGTERM
"""Exit codes after Ctrl-C, which is that of typer, and after SIGTERM, by which job schedulers end a command."""
GOES_ON = {
    "run": "; the same command with --resume goes on from the last checkpoint",
    "compare": "; the same command with --resume goes on from the last checkpoint",
    "study": "; the same command again goes on, and loses no finished cell",
    "pretrain": "; the same command again goes on from the last checkpoint",
    "compress": "; the same command with --overwrite starts again",
}
app = typer.Typer(
    cls=WithPlugins,
    help="Fine-tune a text-pretrained BERT on sequences that are not text.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(new_app, name="new")
app.add_typer(pretrain_app, name="pretrain")


def _print_version(asked: bool) -> None:
    if asked:
        print(f"xdomain {version('xdomain')}")
        raise typer.Exit


@app.callback()
def options(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Fine-tune a text-pretrained BERT on sequences that are not text."""


@app.command("run", epilog=epilog("run"))
@takes(own=OwnData, training=Training)
def run_command(
    task: Task = None,
    *,
    own: OwnData,
    training: Training,
    init: Annotated[
        str | None,
        typer.Option(help=f"Where the encoder starts: {listed(Init)}.", autocompletion=complete.choices(Init)),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(help=f"{listed(Baseline)}, instead of the encoder.", autocompletion=complete.choices(Baseline)),
    ] = None,
    as_json: Json = False,
) -> None:
    """Fine-tune one model on one task: a run folder with metrics, predictions and a stock checkpoint."""
    from xdomain.cli.console import print_json, print_result
    from xdomain.cli.progress_bar import progress_bar

    recipe = own.recipe(task, training.backbone)
    with progress_bar():
        from xdomain.runs.pipeline import run  # which loads torch

        result = run(recipe, init=init, baseline=baseline, **training.keywords())
    if not result.values:
        return  # another process of this run prints the result
    if as_json:
        print_json(result.values)
    else:
        print_result(result)


@app.command("compare", epilog=epilog("compare"))
@takes(own=OwnData, training=Training)
def compare_command(
    task: Task = None,
    *,
    arms: Annotated[
        str | None,
        typer.Option(
            help="Inits and baselines, the first the reference, each perhaps with options of its own: "
            "'pretrained backbone=DIR mapping=own,scratch'. Default: pretrained,scratch,kmer.",
            autocompletion=complete.several(*ARMS),
        ),
    ] = None,
    own: OwnData,
    training: Training,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="Runs of each arm; default: 3 if two more take 15 minutes or less, else 1."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the arms of a task over a few seeds and compare them: does text pre-training help here?"""
    from xdomain.cli.console import print_comparison, print_json
    from xdomain.cli.progress_bar import progress_bar

    recipe = own.recipe(task, training.backbone)
    with progress_bar():
        from xdomain.study.compare import compare  # which loads torch

        comparison = compare(recipe, names_in(arms), seeds=seeds, **training.keywords())
    if comparison.rows:  # otherwise another process of these runs prints the result
        print_json(comparison.as_dict()) if as_json else print_comparison(comparison)


app.command("study", epilog=epilog("study"))(study_command)
app.command("report", epilog=epilog("report"))(report_command)
app.command("analyze", epilog=epilog("analyze"))(analyze_command)
app.command("embed", epilog=epilog("embed"))(embed_command)
app.command("attention", epilog=epilog("attention"))(attention_command)
app.command("export", epilog=epilog("export"))(export_command)
app.command("push", epilog=epilog("push"))(push_command)
app.command("variants", epilog=epilog("variants"))(variants_command)
app.command("anomaly", epilog=epilog("anomaly"))(anomaly_command)
app.command("transfer", epilog=epilog("transfer"))(transfer_command)
app.command("compress", epilog=epilog("compress"))(compress_command)
app.command("app", epilog=epilog("app"))(app_command)


@app.command("ls", epilog=epilog("ls"))
def ls_command(
    what: Annotated[
        Literal["tasks", "adapters", "backbones", "studies"], typer.Argument(help="What to list; studies: those here.")
    ] = "tasks",
    as_json: Json = False,
) -> None:
    """List what is installed, or the studies below the folder studies."""
    from xdomain.cli.console import print_json, print_rows
    from xdomain.inspection import listing

    rows = listing(what)
    print_json(rows) if as_json else print_rows(rows)


@app.command("show", epilog=epilog("show"))
def show_command(
    task: Annotated[str, typer.Argument(help="A shipped task or a recipe file.", autocompletion=complete.tasks)],
    changes: Set = None,
    as_json: Json = False,
) -> None:
    """Print a task's recipe, with all its defaults."""
    from xdomain.cli.console import print_json
    from xdomain.core.plugins import find_recipe
    from xdomain.core.recipe import dump_recipe

    recipe = find_recipe(task, changes or ())
    print_json(recipe.model_dump(mode="json")) if as_json else print(dump_recipe(recipe), end="")


@app.command("check", epilog=epilog("check"))
@takes(own=OwnData)
def check_command(
    task: Annotated[
        str | None,
        typer.Argument(help="A data file or folder, a recipe file or a shipped task.", autocompletion=complete.tasks),
    ] = None,
    *,
    own: OwnData,
    as_json: Json = False,
) -> None:
    """Read data as a run would: counts, lengths, classes, leakage between splits, and the first bad record."""
    from xdomain.cli.console import print_json, print_report
    from xdomain.inspection import check

    report = check(own.recipe(task))
    print_json(report) if as_json else print_report(report)


@app.command("predict", epilog=epilog("predict"))
def predict_command(
    run_dir: RunFolder,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="A table or sequences, labels not needed; or sound files. Folders before it: further runs, whose "
            "answers are averaged."
        ),
    ] = None,
    *,
    sequence: Annotated[
        list[str] | None, typer.Option(help="A sequence itself, as it would stand in a file. Repeatable.")
    ] = None,
    column: ColumnOption = None,
    changes: SetReading = None,
    reverse_complement: Annotated[
        bool, typer.Option("--reverse-complement", help="DNA: average the answers for both strands.")
    ] = False,
    unlike: Annotated[bool, typer.Option("--unlike", help="Flag records that differ from the training data.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="A .csv, .tsv, .xlsx, .parquet or .jsonl instead of printing CSV; with --windows a .bedgraph or .bed."
        ),
    ] = None,
    overwrite: OverwriteFile = False,
    windows: Annotated[
        int | None, typer.Option(min=1, help="Predict along contigs, in windows of so many letters.")
    ] = None,
    stride: Annotated[
        int | None, typer.Option(min=1, help="With --windows: letters to the next; default: no overlap.")
    ] = None,
    of: Annotated[
        str | None, typer.Option("--class", help="With --windows: the class of a bedGraph; default: the positive one.")
    ] = None,
    clip: Annotated[Path | None, typer.Option(help="Write the answer, cut out of a sound passage, here.")] = None,
    as_json: Json = False,
) -> None:
    """Predict the records of a file, or files that are records, with a trained model."""
    from xdomain.cli import typed_sequences
    from xdomain.cli.console import print_json
    from xdomain.cli.progress_bar import progress_bar
    from xdomain.data.formats.write import check_table_file, write_tables
    from xdomain.inference.prediction_file import predict_pieces

    files = files or []
    runs = [run_dir, *takewhile(Path.is_dir, files)]
    read = files[len(runs) - 1 :]
    if bool(read) == bool(sequence):
        what = "files and --sequence" if read else "nothing to predict"
        raise RecipeError(what, expected="files, or sequences that you type", fix="new.csv, or --sequence ACGT")
    if len(read) == 1 and not read[0].suffix and not read[0].exists():
        fix = f"if it is a sequence itself: --sequence {shlex.quote(str(read[0]))}"
        raise RecipeError(f"{read[0]} does not exist", expected="a file", fix=fix)
    if windows is not None:
        others = {
            "--sequence": sequence,
            "--column": column,
            "--unlike": unlike or None,
            "--clip": clip,
            "--json": as_json or None,
        }
        write_track(runs, read, out, windows, stride, of, reverse_complement, overwrite=overwrite, others=others,
                    overrides=changes or ())  # fmt: skip
        return
    if given := next((name for name, value in (("--stride", stride), ("--class", of)) if value is not None), None):
        raise RecipeError(f"{given} without --windows", expected="both", fix="--windows 200")
    if out:
        check_table_file(out, overwrite=overwrite)
    with progress_bar(), typed_sequences.written(sequence or ()) as typed:
        tables = predict_pieces(
            runs, *read, *typed, columns=_columns(column), clip=clip, reverse_complement=reverse_complement,
            unlike=unlike, overrides=changes or (),
        )  # fmt: skip
        if not as_json:
            rows = write_tables(tables, out)
            if out:
                print(f"{rows:,} predictions -> {out}", file=sys.stderr)
            return
        tables = list(tables)
    print_json([row for table in tables for row in table.to_pylist()])
    if out:
        write_tables(tables, out)


@app.command("evaluate", epilog=epilog("evaluate"))
def evaluate_command(
    run_dir: RunFolder,
    file: Annotated[Path | None, typer.Argument(help="A labelled table or sequences; default: the run's test.")] = None,
    *,
    column: ColumnOption = None,
    changes: SetReading = None,
    out: Annotated[
        Path | None, typer.Option(help="A .csv, .tsv, .xlsx, .parquet or .jsonl for the predictions.")
    ] = None,
    overwrite: OverwriteFile = False,
    as_json: Json = False,
) -> None:
    """Evaluate a trained model again: on a labelled file, or on its test records with other reading options."""
    from xdomain.cli.console import print_evaluation, print_json
    from xdomain.data.formats.write import check_table_file, write_table
    from xdomain.inference.evaluation import evaluate

    if out:
        check_table_file(out, overwrite=overwrite)
    evaluation = evaluate(run_dir, file, columns=_columns(column), overrides=changes or ())
    if out:
        write_table(evaluation.predictions, out)
    print_json(evaluation.as_dict()) if as_json else print_evaluation(evaluation)


@app.command("doctor", epilog=epilog("doctor"))
def doctor_command(as_json: Json = False) -> None:
    """Print versions, devices, data and what is missing, and how to get it."""
    from xdomain.cli.console import print_json, print_rows
    from xdomain.cli.doctor import doctor

    rows = doctor()
    print_json(rows) if as_json else print_rows(rows)
    if any(row["state"] == "broken" for row in rows):
        raise typer.Exit(1)


@contextmanager
def _sigterm_as_exit() -> Generator[None]:
    """A context in which SIGTERM ends the command as Ctrl-C does: what is open is closed, and workers end too."""

    def end(*_: object) -> None:
        raise SystemExit(TERMINATED)

    if threading.current_thread() is not threading.main_thread():  # which alone receives signals
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line.

    Errors of the user, a lack of memory or of room on a disk, and a third-party package that cannot be imported are
    printed to stderr in one block, without a traceback unless ``--debug`` is given, and end with exit code 2. After
    SIGTERM, as after Ctrl-C, one line says how to go on.

    Parameters
    ----------
    arguments
        The command and its options. None: those of this process.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    if debug:
        given.remove("--debug")
    try:
        with usable_streams(), messages_on_stderr(), _sigterm_as_exit():
            app(given)
    except UserError as error:
        if debug:
            raise
        print(f"error: {error.block()}", file=sys.stderr)
        raise SystemExit(2) from None
    except SystemExit as end:
        if end.code in (INTERRUPTED, TERMINATED):
            how = "interrupted" if end.code == INTERRUPTED else "terminated"
            print(how + GOES_ON.get(next(iter(given), ""), ""), file=sys.stderr)
        raise
    except Exception as error:
        from xdomain.core.disk import disk_failure
        from xdomain.core.import_errors import import_failure
        from xdomain.core.memory import memory_failure

        failure = import_failure(error) or memory_failure(error) or disk_failure(error) or name_failure(error)
        if failure is None or debug:
            raise
        print(f"error: {failure.block()}", file=sys.stderr)
        raise SystemExit(2) from None
