"""Heat maps of all substitutions of a sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from xdomain.analysis.result import STYLE, empty_figure
from xdomain.core.recipe import Landmark

LETTERED = 100  # positions: letters of more could not be read
FEW = 10  # letters of an alphabet that leave room for a usual font


def draw_substitutions(
    panels: Mapping[str, tuple[str, NDArray[np.float64]]],
    text: Sequence[str],
    letters: Sequence[str],
    marks: Sequence[Landmark],
    shown: range,
    *,
    what: str,
    title: str,
) -> Figure:
    """A panel a run, a row a letter, a column a position; the same colours in all.

    Parameters
    ----------
    panels
        Run to what it answers and to the change, shape (length, letters), NaN where the letter stands there already.
    shown
        The positions to draw.
    what
        What the change is of, with its unit.
    """
    many = len(letters)
    tall = 0.85 + (0.26 if many <= FEW else 0.15) * many
    part = slice(shown.start, shown.stop)
    most = max(float(np.nanmax(np.abs(change[part]))) for _, change in panels.values()) or 1
    edges = (shown.start - 0.5, shown.stop - 0.5, many - 0.5, -0.5)
    there = [(i, letters.index(text[i])) for i in shown if text[i] in letters]
    with mpl.rc_context(STYLE):
        figure = empty_figure(0.95 + tall * len(panels))
        rows = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
        image: Any = None
        for axes, (label, (answer, change)) in zip(rows, panels.items(), strict=True):
            image = axes.imshow(change[part].T, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto", extent=edges,
                                interpolation="nearest")  # fmt: skip
            if there:
                axes.plot(*zip(*there, strict=True), ".", color="black", markersize=3)
            axes.set_title(f"{label}: {answer}", pad=19 if marks else 6)
            axes.set_yticks(range(many), letters, fontsize=9 if many <= FEW else 6.5)
            axes.set_ylabel("put in its place")
            letters_along(axes, text, shown)
            for mark in marks:
                _bracket(axes, mark, shown)
        rows[-1].set_xlabel("sequence, and position from 0")
        figure.colorbar(image, ax=list(rows), label=what, shrink=0.9 if len(panels) == 1 else 0.6, pad=0.01)
        figure.suptitle(title, x=0.01, ha="left", fontsize=10.5)
    return figure


def letters_along(axes: Axes, text: Sequence[str], shown: range) -> None:
    """The sequence right below the columns, every tenth position below that."""
    tens = [i for i in shown if i % 10 == 0]
    axes.set_xticks(tens, [str(i) for i in tens], fontsize=9)
    axes.tick_params(axis="x", length=0, pad=13)
    for i in shown:
        axes.annotate(text[i], (i, 0), xycoords=axes.get_xaxis_transform(), xytext=(0, -11), ha="center",
                      textcoords="offset points", va="baseline", fontsize=8 if len(shown) <= 75 else 6,
                      annotation_clip=False)  # fmt: skip


def _bracket(axes: Axes, mark: Landmark, shown: range) -> None:
    """A line above the columns of a landmark, with its name and consensus."""
    first, last = max(mark.at, shown.start) - 0.45, min(mark.at + len(mark.symbols), shown.stop) - 0.55
    if last < first:
        return
    across = axes.get_xaxis_transform()
    axes.plot([first, last], [1.03, 1.03], color="black", linewidth=2, transform=across, clip_on=False)
    axes.annotate(f"{mark.name} {mark.symbols}", ((first + last) / 2, 1.03), xycoords=across, xytext=(0, 3),
                  textcoords="offset points", ha="center", va="bottom", fontsize=9, annotation_clip=False)  # fmt: skip
