"""What an analysis hands over: a picture, the numbers behind it, and a sentence that is true of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from matplotlib.figure import Figure

from xdomain.analysis.loaded_run import OpenedRun
from xdomain.core.errors import RecipeError
from xdomain.training.plots import STYLE as PLOT_STYLE
from xdomain.training.plots import new_figure

STYLE: dict[Any, Any] = {**PLOT_STYLE, "font.size": 10, "axes.titlesize": 10.5, "text.parse_math": False}
WIDTH = 8.8  # inches


@dataclass(frozen=True)
class Options:
    """What a person may choose; None is chosen by the analysis itself, which then says so.

    Parameters
    ----------
    records
        The most records that are read, ≥ 2.
    symbol, at
        One symbol of the alphabet, and its place in the sequence, from 0: whose contexts are compared.
    motif
        Some symbols in a row, ambiguity codes allowed where the domain has them: what attention is asked about.
    record
        The id of the record that mutagenesis or saliency looks at closely.
    grid
        Points along the line of the loss landscape, ≥ 3; half as many along each axis of its surface.
    seed
        Of all that is drawn.
    """

    records: int = 200
    symbol: str | None = None
    at: int | None = None
    motif: str | None = None
    record: str | None = None
    grid: int = 21
    seed: int = 0


@dataclass(frozen=True)
class Finding:
    """One picture.

    Parameters
    ----------
    name
        A file's stem: ``NAME.png`` and ``NAME.csv`` are written.
    title
        The question that the picture answers.
    caption
        What is drawn, of how many records, and what it shows in numbers of this very run.
    table
        The numbers that are drawn, a row a point.
    """

    name: str
    title: str
    caption: str
    table: pa.Table
    figure: Figure


@dataclass(frozen=True)
class Analysis:
    """One kind of looking inside.

    Parameters
    ----------
    name
        As typed after ``--only``.
    about
        The question, in a line.
    uses
        The fields of `Options` that change its outcome.
    refuses
        Why these runs cannot be looked at in this way; None where they can.
    """

    name: str
    about: str
    uses: tuple[str, ...]
    refuses: Callable[[Sequence[OpenedRun], Options], str | None]
    find: Callable[[Sequence[OpenedRun], Options], list[Finding]]


def empty_figure(height: float, *, width: float = WIDTH) -> Figure:
    """A figure to draw into, as wide as all others; draw it within ``matplotlib.rc_context(STYLE)``."""
    return new_figure(width, height)


def one_task(runs: Sequence[OpenedRun]) -> str | None:
    """Why runs cannot be compared record by record: they are of several tasks, or of differing data."""
    tasks = sorted({run.recipe.name for run in runs})
    if len(tasks) > 1:
        return f"the runs are of different tasks: {', '.join(tasks)}"
    first = runs[0].examples
    if any(run.examples.ids != first.ids or (run.examples.split != first.split).any() for run in runs):
        return "the runs have different records or splits"
    return None


def record_named(run: OpenedRun, name: str) -> int:
    """The number of the record of that id.

    Raises
    ------
    RecipeError
        There is none.
    """
    if name not in run.examples.ids:
        raise RecipeError(f"{run.recipe.name} has no record {name!r}",
                          expected=f"an id such as {run.examples.ids[0]!r}")  # fmt: skip
    return run.examples.ids.index(name)


def write_finding(finding: Finding, folder: Path) -> None:
    """Write ``NAME.png`` and ``NAME.csv``."""
    import pyarrow.csv as pa_csv

    finding.figure.savefig(folder / f"{finding.name}.png")
    pa_csv.write_csv(finding.table, folder / f"{finding.name}.csv")
