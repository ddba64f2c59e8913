"""The commands ``xdomain study`` and ``xdomain report``, which compare many runs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from xdomain.cli import complete
from xdomain.cli.options import Json
from xdomain.core.errors import RecipeError

STORE = Path("studies")
Workers = Annotated[int, typer.Option(min=1, help="Processes of the local engine; each gets its share of cores.")]
Address = Annotated[str | None, typer.Option(help="Address of the Ray cluster; default: the one this machine is in.")]
Store = Annotated[Path, typer.Option(help="The store: finished cells are shared by all studies in it.")]
Retry = Annotated[bool, typer.Option("--retry-failed", help="Run failed cells again.")]
Plan = Annotated[
    bool,
    typer.Option("--plan", "--dry-run", help="Print the cells, how long they take, and what they can show; run none."),
]
Effect = Annotated[
    float | None,
    typer.Option("--difference", help="With --plan: how many seeds would show a difference of so much, as .02?"),
]


def study_command(
    file: Annotated[Path, typer.Argument(help="A study in YAML: tasks, arms, seeds, learning rates.")],
    *,
    engine: Annotated[Literal["local", "ray"], typer.Option(help="This machine, or a Ray cluster.")] = "local",
    workers: Workers = 1,
    address: Address = None,
    out: Store = STORE,
    retry_failed: Retry = False,
    plan: Plan = False,
    difference: Effect = None,
    as_json: Json = False,
) -> None:
    """Run many cells of tasks, arms, seeds and learning rates, and report which differences are real.

    Repeat the command to continue after an interruption. Exit code 1: some cells are missing.
    """
    from xdomain.study.plan import plan_study

    if difference is not None and not plan:
        raise RecipeError(f"--difference {difference:g} without --plan", expected="both", fix="add --plan")
    study = plan_study(file, out)
    from xdomain.cli.console import LiveTable, print_findings, print_forecast, print_json, print_power
    from xdomain.study.api import run_study
    from xdomain.study.engines.progress import forecast, measured_seconds
    from xdomain.study.power import power_of
    from xdomain.study.results import as_dict

    if plan:
        rows, power = forecast(study, measured_seconds(workers=workers)), power_of(study, difference)
        if as_json:
            print_json({"cells": rows, "differences": [asdict(one) for one in power]})
            return
        print_forecast(rows, workers)
        print_power(power, difference)
        return
    with LiveTable() as show:
        findings = run_study(
            study, engine=engine, workers=workers, address=address, retry_failed=retry_failed, show=show
        )
    print_json(as_dict(findings)) if as_json else print_findings(findings, study.folder)
    if findings.missing:
        raise typer.Exit(1)


def report_command(
    folder: Annotated[
        Path,
        typer.Argument(help="The folder of a study, or a store with several.", autocompletion=complete.studies),
    ],
    *,
    as_json: Json = False,
) -> None:
    """Write the report of a study again, from its finished cells only: Markdown, HTML and plots."""
    from xdomain.study.plan import studies_in

    places = studies_in(folder)
    from xdomain.cli.console import print_findings, print_json
    from xdomain.study.api import report
    from xdomain.study.results import as_dict

    reports = {place: report(place) for place in places}
    if as_json:
        print_json([as_dict(one) for one in reports.values()])
        return
    for place, one in reports.items():
        print_findings(one, place)
