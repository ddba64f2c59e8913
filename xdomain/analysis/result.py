"""What an analysis returns: a picture, the numbers behind it, and a caption that states them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from matplotlib.figure import Figure

from xdomain.analysis.loaded_run import OpenedRun
from xdomain.core.errors import RecipeError
from xdomain.data.formats.write import write_table
from xdomain.training.figure_style import STYLE as PLOT_STYLE
from xdomain.training.figure_style import new_figure, save_figure

STYLE: dict[Any, Any] = {**PLOT_STYLE, "font.size": 10, "axes.titlesize": 10.5, "text.parse_math": False}
WIDTH = 8.8  # inches


@dataclass(frozen=True)
class Options:
    """What a person may choose. For None the analysis chooses by itself, and its caption says what.

    Parameters
    ----------
    records
        The largest number of records to read, ≥ 2.
    symbol, at
        The symbol whose contexts are compared, and its position in the sequence, from 0.
    motif
        The motif whose attention is measured: symbols in a row; ambiguity codes are allowed if the domain has them.
    record
        The id of the record that mutagenesis or saliency analyses.
    grid
        Points along the line of the loss landscape, ≥ 3; half as many along each axis of its surface.
    seed
        The seed of all random choices.
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
    """One picture with its table and caption.

    Parameters
    ----------
    name
        The stem of its files, ``NAME.png`` and ``NAME.csv``.
    title
        The question that the picture answers.
    reading
        How to read the picture, for somebody who has not seen one of its kind, in two or three sentences.
    caption
        What is drawn, of how many records, and what it shows, in numbers of these runs.
    table
        The numbers that are drawn, one row per point.
    figure
        The picture.
    """

    name: str
    title: str
    reading: str
    caption: str
    table: pa.Table
    figure: Figure


@dataclass(frozen=True)
class Analysis:
    """One analysis.

    Parameters
    ----------
    name
        As typed after ``--only``.
    about
        The question, in a line.
    uses
        The fields of `Options` that have an effect on it.
    refuses
        Says why it does not suit some runs; returns None if it does.
    find
        Analyses the runs, and returns its pictures.
    """

    name: str
    about: str
    uses: tuple[str, ...]
    refuses: Callable[[Sequence[OpenedRun], Options], str | None]
    find: Callable[[Sequence[OpenedRun], Options], list[Finding]]


def empty_figure(height: float, *, width: float = WIDTH) -> Figure:
    """Make an empty figure of this `height` and `width`, in inches; draw it within ``matplotlib.rc_context(STYLE)``."""
    return new_figure(width, height)


def one_task(runs: Sequence[OpenedRun]) -> str | None:
    """Say why `runs` cannot be compared record by record: their tasks, records or splits differ; None if they can."""
    tasks = sorted({run.recipe.name for run in runs})
    if len(tasks) > 1:
        return f"the runs are of different tasks: {', '.join(tasks)}"
    first = runs[0].examples
    if any(run.examples.ids != first.ids or (run.examples.split != first.split).any() for run in runs):
        return "the runs have different records or splits"
    return None


def record_named(run: OpenedRun, name: str) -> int:
    """The number of the record of `run` whose id is `name`.

    Raises
    ------
    RecipeError
        There is no such record.
    """
    if name not in run.examples.ids:
        raise RecipeError(f"{run.recipe.name} has no record {name!r}",
                          expected=f"an id such as {run.examples.ids[0]!r}")  # fmt: skip
    return run.examples.ids.index(name)


def write_finding(finding: Finding, folder: Path) -> None:
    """Write ``NAME.png``, ``NAME.svg`` and ``NAME.csv`` of a `finding` into `folder`, which must exist."""
    save_figure(finding.figure, folder / f"{finding.name}.png")
    write_table(finding.table, folder / f"{finding.name}.csv")
