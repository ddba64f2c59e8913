"""A study of two toy tasks, small enough for tests, and an engine without processes of its own."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from xdomain.study.engines.progress import Progress
from xdomain.study.engines.worker import work
from xdomain.study.plan import StudyPlan, open_study

SMALL = {"train.max_steps": 3, "train.precision": "fp32", "split.limit": {"train": 32, "valid": 16, "test": 24}}


def study(backbone: Path, **given: Any) -> dict[str, Any]:
    return {
        "name": "small",
        "tasks": ["toy/dna-classification", "toy/dna-regression"],
        "arms": ["pretrained", "scratch", "kmer"],
        "seeds": 2,
        "learning_rates": [1e-4, 1e-3],
        "backbone": str(backbone),
        "set": SMALL,
        **given,
    }


def finished(store: Path) -> list[str]:
    """The keys of the finished cells."""
    return sorted(path.name for path in (store / "cells").iterdir() if (path / "result.json").exists())


def render_no_figures(patch: pytest.MonkeyPatch) -> None:
    """The figures of reports are drawn, and not rendered, which takes most of the time of a report."""
    patch.setattr("xdomain.study.report.figures._saved", lambda *_, **__: b"<svg></svg>")


@contextmanager
def cells_run_here() -> Generator[list[int]]:
    """Studies run their cells in this process, as a worker would, which takes seconds to load torch.

    The figures of their reports are not rendered. Yields a list that gets the number of workers of each study.
    """
    asked: list[int] = []

    def run_here(plan: StudyPlan, progress: Progress, *, workers: int) -> None:
        asked.append(workers)
        work(open_study(plan.folder), progress.tell)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xdomain.study.api.run_local", run_here)
        render_no_figures(patch)
        yield asked
