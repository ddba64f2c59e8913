"""The commands run, compare, check, predict, evaluate, ls, show and doctor."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from xdomain.cli.analyze import analyze_command
from xdomain.cli.export import attention_command, embed_command, export_command
from xdomain.cli.messages import messages_on_stderr
from xdomain.cli.options import ColumnOption, Set, mapping_arguments
from xdomain.cli.options import columns_by_role as _columns
from xdomain.cli.plugins import WithPlugins
from xdomain.cli.pretrain import pretrain_app
from xdomain.cli.study import Json, report_command, study_command
from xdomain.core import choices
from xdomain.core.choices import listed
from xdomain.core.errors import RecipeError, UserError

if TYPE_CHECKING:
    from xdomain.core.recipe import Recipe

INTERRUPTED = 130  # exit code of typer after Ctrl-C
GOES_ON = {
    "run": "; the same command with --resume goes on from the last checkpoint",
    "compare": "; the same command with --resume goes on from the last checkpoint",
    "study": "; the same command again goes on, and loses no finished cell",
    "pretrain": "; the same command again goes on from the last checkpoint",
}
app = typer.Typer(
    cls=WithPlugins,
    help="Fine-tune a text-pretrained BERT on sequences that are not text.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(pretrain_app, name="pretrain")
Task = Annotated[str | None, typer.Argument(help="A shipped task (see `xdomain ls`) or a recipe file.")]
Out = Annotated[Path | None, typer.Option(help="Folder to write; default runs/TASK/…")]
Backbone = Annotated[str | None, typer.Option(help="A checkpoint folder or hub id; default: the one shipped.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the run in the output folder.")]
Resume = Annotated[bool, typer.Option("--resume", help="Finish the interrupted run in the output folder.")]
Data = Annotated[
    list[str] | None,
    typer.Option(help="Your own table, sequences, folder or hub:NAME instead of a task."),
]
Train = Annotated[Path | None, typer.Option(help="Your own training records, in place of --data.")]
Valid = Annotated[Path | None, typer.Option(help="Records to choose by; default: a tenth of --train.")]
Test = Annotated[Path | None, typer.Option(help="Records to judge by; default: a tenth of --train.")]
Labels = Annotated[Path | None, typer.Option(help="A table of ids and labels, where --data has none.")]
Genome = Annotated[Path | None, typer.Option(help="A genome as FASTA, where --data holds intervals (BED, GTF).")]
Drop = Annotated[bool, typer.Option("--drop-incomplete", help="Leave out rows without a sequence or a label.")]
Domain = Annotated[str | None, typer.Option(help="What --data holds: dna, protein, text, …")]
ProblemOption = Annotated[choices.Problem | None, typer.Option(help="The problem, in place of the guessed one.")]
Arms = Annotated[
    str | None,
    typer.Option(help="Inits and baselines; the first is the reference. Default: pretrained,scratch,kmer."),
]
Transfer = Annotated[str | None, typer.Option(help=f"Parts taken from the checkpoint: {','.join(choices.PARTS)}.")]
Tune = Annotated[str | None, typer.Option(help=f"What is trained: {listed(choices.Tune)}.")]
MappingOption = Annotated[
    str | None,
    typer.Option(
        help="random, frequent, rare, identity, permute, shift, block:N, given:FILE (JSON or YAML), "
        "search:N (the best of N draws), learned or learned:sparse."
    ),
]
MappingSeed = Annotated[int | None, typer.Option(min=0, help="Seed of the mapping's draw.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed of head, batches and dropout.")]
Minutes = Annotated[
    float | None, typer.Option(help="About how long it may take: steps are chosen by the measured pace, and shown.")
]


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


@app.command("run")
def run_command(
    task: Task = None,
    *,
    data: Data = None,
    train: Train = None,
    valid: Valid = None,
    test: Test = None,
    labels: Labels = None,
    genome: Genome = None,
    domain: Domain = None,
    drop_incomplete: Drop = False,
    column: ColumnOption = None,
    problem: ProblemOption = None,
    backbone: Backbone = None,
    init: Annotated[str | None, typer.Option(help=f"Where the encoder starts: {listed(choices.Init)}.")] = None,
    transfer: Transfer = None,
    tune: Tune = None,
    mapping: MappingOption = None,
    mapping_seed: MappingSeed = None,
    seed: Seed = None,
    baseline: Annotated[str | None, typer.Option(help=f"{listed(choices.Baseline)}, instead of the encoder.")] = None,
    minutes: Minutes = None,
    changes: Set = None,
    out: Out = None,
    overwrite: Overwrite = False,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Fine-tune one model on one task: a run folder with metrics, predictions and a stock checkpoint."""
    from xdomain.cli.console import print_json, print_result
    from xdomain.cli.progress_bar import progress_bar

    recipe = _recipe(
        task,
        data,
        {"train": train, "valid": valid, "test": test},
        changes,
        backbone,
        domain=domain,
        columns=_columns(column),
        problem=problem,
        labels=labels,
        genome=genome,
        drop_incomplete=drop_incomplete,
    )
    with progress_bar():
        from xdomain.pipeline import run  # which loads torch

        result = run(
            recipe,
            out=out,
            overwrite=overwrite,
            resume=resume,
            minutes=minutes,
            backbone=backbone,
            init=init,
            transfer=_listed(transfer),
            tune=tune,
            **mapping_arguments(mapping),
            mapping_seed=mapping_seed,
            seed=seed,
            baseline=baseline,
        )
    if not result.values:
        return  # another process of this run prints the result
    if as_json:
        print_json(result.values)
    else:
        print_result(result)


@app.command("compare")
def compare_command(
    task: Task = None,
    *,
    arms: Arms = None,
    data: Data = None,
    train: Train = None,
    valid: Valid = None,
    test: Test = None,
    labels: Labels = None,
    genome: Genome = None,
    domain: Domain = None,
    drop_incomplete: Drop = False,
    column: ColumnOption = None,
    problem: ProblemOption = None,
    backbone: Backbone = None,
    transfer: Transfer = None,
    tune: Tune = None,
    mapping: MappingOption = None,
    mapping_seed: MappingSeed = None,
    seed: Seed = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Runs of each arm; default: 3 where that takes minutes, else 1.")
    ] = None,
    minutes: Minutes = None,
    changes: Set = None,
    out: Out = None,
    overwrite: Overwrite = False,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Run the arms of a task over a few seeds and print them side by side: does text pre-training help here?"""
    from xdomain.cli.console import print_comparison, print_json
    from xdomain.cli.progress_bar import progress_bar

    recipe = _recipe(
        task,
        data,
        {"train": train, "valid": valid, "test": test},
        changes,
        backbone,
        domain=domain,
        columns=_columns(column),
        problem=problem,
        labels=labels,
        genome=genome,
        drop_incomplete=drop_incomplete,
    )
    with progress_bar():
        from xdomain.study.compare import compare  # which loads torch

        comparison = compare(
            recipe,
            _listed(arms),
            out=out,
            overwrite=overwrite,
            resume=resume,
            seeds=seeds,
            minutes=minutes,
            backbone=backbone,
            transfer=_listed(transfer),
            tune=tune,
            **mapping_arguments(mapping),
            mapping_seed=mapping_seed,
            seed=seed,
        )
    if comparison.rows:  # otherwise another process of these runs prints the result
        print_json(comparison.as_dict()) if as_json else print_comparison(comparison)


app.command("study")(study_command)
app.command("report")(report_command)
app.command("analyze")(analyze_command)
app.command("embed")(embed_command)
app.command("attention")(attention_command)
app.command("export")(export_command)


@app.command("ls")
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


@app.command("show")
def show_command(task: Annotated[str, typer.Argument(help="A shipped task or a recipe file.")], changes: Set = None,
                 as_json: Json = False) -> None:  # fmt: skip
    """Print a task's recipe, with all its defaults."""
    from xdomain.cli.console import print_json
    from xdomain.core.plugins import find_recipe
    from xdomain.core.recipe import dump_recipe

    recipe = find_recipe(task, changes or ())
    print_json(recipe.model_dump(mode="json")) if as_json else print(dump_recipe(recipe), end="")


@app.command("check")
def check_command(
    task: Annotated[str | None, typer.Argument(help="A data file or folder, a recipe file or a shipped task.")] = None,
    *,
    data: Data = None,
    train: Train = None,
    valid: Valid = None,
    test: Test = None,
    labels: Labels = None,
    genome: Genome = None,
    domain: Domain = None,
    drop_incomplete: Drop = False,
    column: ColumnOption = None,
    problem: ProblemOption = None,
    changes: Set = None,
    as_json: Json = False,
) -> None:
    """Read data as a run would: counts, lengths, classes, leakage between splits, and the first bad record."""
    from xdomain.cli.console import print_json, print_report
    from xdomain.inspection import check

    recipe = _recipe(
        task,
        data,
        {"train": train, "valid": valid, "test": test},
        changes,
        None,
        domain=domain,
        columns=_columns(column),
        problem=problem,
        labels=labels,
        genome=genome,
        drop_incomplete=drop_incomplete,
    )
    report = check(recipe)
    print_json(report) if as_json else print_report(report)


@app.command("predict")
def predict_command(
    run_dir: Annotated[Path, typer.Argument(help="A finished run.")],
    files: Annotated[
        list[Path],
        typer.Argument(help="A CSV, TSV or FASTA without need of labels; or sound files."),
    ],
    *,
    column: ColumnOption = None,
    out: Annotated[
        Path | None, typer.Option(help="A .csv, .tsv, .parquet or .jsonl to write instead of printing CSV.")
    ] = None,
    clip: Annotated[Path | None, typer.Option(help="Write the answer, cut out of a sound passage, here.")] = None,
    as_json: Json = False,
) -> None:
    """Predict the records of a file, or files that are records, with a trained model."""
    from xdomain.cli.console import print_json
    from xdomain.prediction import check_table_file, predict, write_table

    check_table_file(out)
    table = predict(run_dir, *files, columns=_columns(column), clip=clip)
    if as_json:
        print_json(table.to_pylist())
    if out or not as_json:
        write_table(table, out)


@app.command("evaluate")
def evaluate_command(
    run_dir: Annotated[Path, typer.Argument(help="A finished run.")],
    file: Annotated[Path | None, typer.Argument(help="A labelled CSV, TSV or FASTA; default: the run's test.")] = None,
    *,
    column: ColumnOption = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Read test otherwise, as reader_options.noise=0.3. Repeatable.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A .csv, .tsv, .parquet or .jsonl for the predictions.")] = None,
    as_json: Json = False,
) -> None:
    """Judge a trained model again: on a labelled file, or on its test records read otherwise."""
    from xdomain.cli.console import print_evaluation, print_json
    from xdomain.evaluation import evaluate
    from xdomain.prediction import check_table_file, write_table

    check_table_file(out)
    evaluation = evaluate(run_dir, file, columns=_columns(column), overrides=changes or ())
    if out:
        write_table(evaluation.predictions, out)
    print_json(evaluation.as_dict()) if as_json else print_evaluation(evaluation)


@app.command("doctor")
def doctor_command(as_json: Json = False) -> None:
    """Print versions, devices, data and what is missing, and how to get it."""
    from xdomain.cli.console import print_json, print_rows
    from xdomain.cli.doctor import doctor

    rows = doctor()
    print_json(rows) if as_json else print_rows(rows)
    if any(row["state"] == "broken" for row in rows):
        raise typer.Exit(1)


def _listed(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _recipe(
    task: str | None,
    data: list[str] | None,
    splits: Mapping[str, Path | None],
    changes: list[str] | None,
    backbone: str | None,
    **own: Any,
) -> Recipe:
    """The recipe that was asked for; a wrong name is reported here, before torch is loaded, which takes seconds."""
    from xdomain.core.plugins import find_recipe
    from xdomain.data.own_data import task_of
    from xdomain.model.checkpoints import locate_backbone

    recipe = find_recipe(task_of(task, _data(data, splits), **own), changes or ())
    locate_backbone(backbone or recipe.run.backbone)
    return recipe


def _data(data: list[str] | None, splits: Mapping[str, Path | None]) -> Any:
    """What --data names, or the files of --train, --valid and --test."""
    given = {name: path for name, path in splits.items() if path is not None}
    if given and data:
        raise RecipeError(f"--data and --{next(iter(given))}", expected="--data alone, or --train, --valid and --test")
    if data and len(data) > 1:
        raise RecipeError(
            f"--data {len(data)} times", expected="one file or folder", fix="--train, --valid and --test for several"
        )
    return given or (data[0] if data else None)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line.

    Errors of the user, a lack of memory, and a third-party package that cannot be imported are printed to stderr in
    one block, without a traceback unless ``--debug`` is given, and end with exit code 2.

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
        with messages_on_stderr():
            app(given)
    except UserError as error:
        if debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except SystemExit as end:
        if end.code == INTERRUPTED:
            print("interrupted" + GOES_ON.get(next(iter(given), ""), ""), file=sys.stderr)
        raise
    except Exception as error:
        from xdomain.core.import_errors import import_failure
        from xdomain.core.memory import memory_failure

        failure = import_failure(error) or memory_failure(error)
        if failure is None or debug:
            raise
        print(f"error: {failure}", file=sys.stderr)
        raise SystemExit(2) from None
