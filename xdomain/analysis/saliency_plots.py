"""Pictures of what positions add to an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from xdomain.analysis.mutagenesis_plots import LETTERED, letters_along
from xdomain.analysis.result import STYLE, empty_figure
from xdomain.core.recipe import Landmark
from xdomain.training.plots import BLUE, COLOURS, GREY, ORANGE

CLASSES = (BLUE, ORANGE, GREY, *COLOURS[2:])

Heights = Mapping[str, NDArray[np.float64]]


def draw_means(
    heights: Mapping[str, Heights], bits: Heights, marks: Sequence[Landmark], output: str, title: str
) -> tuple[Figure, list[str]]:
    """A panel a run with a line a class, the landmarks' letters, and the information content; the classes drawn.

    Parameters
    ----------
    heights
        Run to class to mean absolute attribution, shape (length,).
    bits
        Class to information content, shape (length,).
    """
    first = [mark.label for mark in marks if mark.label]
    drawn = list(dict.fromkeys([*first, *bits]))[: len(CLASSES)]
    colours = {name: CLASSES[sorted(drawn).index(name)] for name in drawn}
    strip = [0.12 + 0.22 * len(marks)] if marks else []
    with mpl.rc_context(STYLE):
        figure = empty_figure(1.25 + 1.75 * len(heights) + sum(strip) + 1.5)
        ratios = [1.75] * len(heights) + strip + [1.5]
        panels = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
        for axes, (label, curves) in zip(panels, heights.items(), strict=False):
            axes.set_title(label)
            axes.set_ylabel(f"mean |attribution|\n({output})", fontsize=9)
            _lines(axes, curves, colours, marks)
            axes.set_ylim(bottom=0)
        if len(drawn) > 1:
            panels[0].legend(frameon=False, fontsize=9, ncols=len(drawn), loc="upper right", title=None)
        if marks:
            _strip(panels[len(heights)], marks, colours)
        panels[-1].set_ylabel("information\ncontent (bits)", fontsize=9)
        _lines(panels[-1], bits, colours, marks)
        panels[-1].set_ylim(bottom=0)
        panels[-1].set_xlabel("position, from 0")
        panels[-1].set_xlim(-0.5, len(next(iter(bits.values()))) - 0.5)
        figure.suptitle(title, x=0.01, ha="left", fontsize=10.5)
    return figure, [name for name in bits if name in drawn]


def draw_record(values: Heights, symbols: Sequence[str], marks: Sequence[Landmark], output: str, title: str) -> Figure:
    """A panel a run with a bar a position.

    Parameters
    ----------
    values
        Run to attribution, shape (length,).
    """
    with mpl.rc_context(STYLE):
        strip = [0.12 + 0.22 * len(marks)] if marks else []
        figure = empty_figure(1.15 + 1.9 * len(values) + sum(strip))
        ratios = [*strip, *[1.9] * len(values)]
        panels = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
        if marks:
            _strip(panels[0], marks, {})
        for axes, (label, heights) in zip(panels[len(strip) :], values.items(), strict=True):
            colours = [BLUE if height >= 0 else ORANGE for height in heights]
            axes.bar(range(len(heights)), heights, color=colours, width=0.85)
            axes.axhline(0, color=GREY, linewidth=0.8)
            axes.set_title(label)
            axes.set_ylabel(f"adds to\n{output}", fontsize=9)
            _shade(axes, marks, {})
        for axes in panels[len(strip) :]:
            if len(symbols) <= LETTERED and max(map(len, symbols)) == 1:
                letters_along(axes, symbols, range(len(symbols)))
        panels[-1].set_xlabel("sequence, and position from 0")
        panels[-1].set_xlim(-0.5, len(symbols) - 0.5)
        figure.suptitle(title, x=0.01, ha="left", fontsize=10.5)
    return figure


def _lines(axes: Axes, curves: Heights, colours: Mapping[str, str], marks: Sequence[Landmark]) -> None:
    _shade(axes, marks, colours)
    for name, colour in colours.items():
        axes.plot(curves[name], color=colour, linewidth=1.4, marker="o", markersize=2.5, label=name)


def _shade(axes: Axes, marks: Sequence[Landmark], colours: Mapping[str, str]) -> None:
    for mark in marks:
        axes.axvspan(mark.at - 0.5, mark.at + len(mark.symbols) - 0.5, color=colours.get(mark.label or "", GREY),
                     alpha=0.12, linewidth=0)  # fmt: skip


def _strip(axes: Axes, marks: Sequence[Landmark], colours: Mapping[str, str]) -> None:
    """The letters of each landmark at their positions, a line a landmark."""
    axes.set_ylim(len(marks) - 0.5, -0.5)
    axes.axis("off")
    for line, mark in enumerate(marks):
        colour = colours.get(mark.label or "", "black")
        for place, letter in enumerate(mark.symbols):
            axes.text(mark.at + place, line, letter, color=colour, ha="center", va="center", fontsize=9)
        named = f"{mark.name} ({mark.label})" if mark.label else mark.name
        axes.text(mark.at - 1, line, named, color=colour, ha="right", va="center", fontsize=9)
