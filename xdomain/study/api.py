"""A study, start to finish: lay out, run what is not finished yet, tell what was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from xdomain.core.progress import Say
from xdomain.study.config import Grid
from xdomain.study.engines.local import run_local
from xdomain.study.engines.progress import Progress, Table
from xdomain.study.report.write import write_report
from xdomain.study.results import Findings
from xdomain.study.study import Study, open_study, plan_study
from xdomain.study.summarize import collect


def run_study(
    study: str | Path | Mapping[str, Any] | Grid | Study,
    *,
    out: str | Path = "studies",
    engine: Literal["local", "ray"] = "local",
    workers: int = 1,
    address: str | None = None,
    retry_failed: bool = False,
    say: Say = print,
    show: Callable[[Table], None] | None = None,
) -> Findings:
    """Run the cells of a study that are not finished yet, and write its report.

    Parameters
    ----------
    study
        A file, what such a file would hold, or a study that `plan_study` made.
    out
        The store: cells are shared by all studies in it, and each has a folder for its report.
    engine, workers, address
        local: so many processes here. ray: on the cluster at `address`, as many cells at a time as it has room for.
    retry_failed
        Run failed cells again.

    Raises
    ------
    UserError
        The study is impossible, or its store cannot be written. Cells that fail do not raise: the findings tell.
    """
    laid = study if isinstance(study, Study) else plan_study(study, out)
    laid.save()
    if retry_failed:
        for cell in laid.known():
            if laid.store.state(cell.key) == "failed":
                laid.store.forget_failure(cell.key)
    progress = Progress(laid, workers=workers, say=say, show=show)
    settled, total = laid.count()
    if settled == total:
        say(f"all {total} cells are finished already")
        return report(laid.folder)
    progress.start()
    if engine == "ray":
        from xdomain.study.engines.ray_engine import run_on_ray

        run_on_ray(laid, progress, address=address)
    else:
        run_local(laid, progress, workers=workers)
    return report(laid.folder)


def report(folder: str | Path) -> Findings:
    """Write the report of a study into its folder, from its plan and the store alone."""
    study = open_study(folder)
    findings = collect(study)
    with study.store.alone(study.grid.name):
        write_report(findings, study.folder)
    return findings
