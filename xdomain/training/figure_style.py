"""The common style of all figures: colours, lines, looks of arms, and how a figure is written."""

from __future__ import annotations

import io
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#666666"
GREEN, PURPLE, AMBER, SKY = "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
INK, BROWN = "#1B1F24", "#8C564B"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY)
"""Okabe and Ito's palette, which colour-blind people can tell apart too; without the yellow, which is too pale."""
STYLE: dict[Any, Any] = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "xdomain",  # the same figure gives the same file
    "pdf.fonttype": 42,  # TrueType, which journals ask for and programs can edit
}
ARMS: dict[str, tuple[str, str]] = {
    "pretrained": (BLUE, "o"),
    "scratch": (ORANGE, "s"),
    "reembed": (GREEN, "^"),
    "shuffled": (PURPLE, "D"),
    "rescaled": (SKY, "v"),
    "aligned": (BROWN, "p"),
    "cnn": (AMBER, "P"),
    "kmer": (INK, "*"),
}
"""Colour and marker of each init and baseline, in every figure; the markers tell them apart in grey."""
DASHES = ("-", "--", ":", "-.")
MIN_SMOOTHED = 40
"""With so many points or more, a curve is drawn smoothed, too."""
FACTS = ("Date", "Creator", "Format", "Type")
"""Metadata that an SVG is written without, so that the same figure gives the same file."""


def save_figure(figure: Figure, path: Path) -> None:
    """Write `figure` to the image file `path`, and beside it as SVG."""
    with mpl.rc_context(STYLE):
        figure.savefig(path)
        figure.set_layout_engine("none")  # keep the layout: to compute it takes most of the time
        figure.savefig(path.with_suffix(".svg"), metadata=dict.fromkeys(FACTS))


def arm_looks(arms: Sequence[str]) -> dict[str, dict[str, str]]:
    """Colour, marker and dashes for `Axes.plot` of each of `arms`, by its label.

    The first arm of an init or baseline, which is the first word of its label, always has the same look. All others
    take looks that are free; with more arms than colours, dashes and markers tell those of one colour apart.
    """
    of_kind: dict[str, str] = {}
    for arm in arms:
        if (kind := re.split(r"\W", arm)[0]) in ARMS:
            of_kind.setdefault(kind, arm)
    kinds = {arm: kind for kind, arm in of_kind.items()}
    free = (kind for kind in ARMS if kind not in of_kind)
    others = [arm for arm in arms if arm not in kinds]
    kinds |= zip(others, itertools.chain(free, itertools.cycle(ARMS)), strict=False)
    markers = [marker for _, marker in ARMS.values()]
    looks: dict[str, dict[str, str]] = {}
    seen: Counter[str] = Counter()
    for arm in sorted(arms, key=lambda arm: arm not in of_kind.values()):
        (colour, marker), place = ARMS[kinds[arm]], seen[kinds[arm]]
        looks[arm] = {
            "color": colour,
            "marker": markers[(markers.index(marker) + place) % len(markers)],
            "linestyle": DASHES[place % len(DASHES)],
        }
        seen[kinds[arm]] += 1
    return {arm: looks[arm] for arm in arms}


def smoothed(values: Sequence[float]) -> NDArray[np.float64]:
    """The exponentially weighted mean of a curve up to each of its n points, over about n / 20 of them.

    Parameters
    ----------
    values
        Shape (n,), all finite.

    Returns
    -------
    NDArray
        Shape (n,); weights are normalised, so that the first value is not favoured (as Adam corrects its bias).
    """
    keep = 1 - 2 / (max(1, len(values) // 20) + 1)
    means = np.zeros(len(values))
    total = weight = 0.0
    for place, value in enumerate(values):
        total, weight = keep * total + value, keep * weight + 1
        means[place] = total / weight
    return means


def draw_curve(axes: Axes, points: Sequence[tuple[float, float]], **look: Any) -> Line2D:
    """Draw a curve; with `MIN_SMOOTHED` points or more smoothed, with the points themselves pale behind it.

    Parameters
    ----------
    axes
        Drawn into.
    points
        x and y, by ascending x; at least one.
    look
        Options of `Axes.plot`.

    Returns
    -------
    Line2D
        The line that a legend names.
    """
    x, y = zip(*points, strict=True)
    if len(points) < MIN_SMOOTHED:
        (line,) = axes.plot(x, y, **look)
        return line
    axes.plot(x, y, color=look.get("color"), linewidth=0.8, alpha=0.3)
    (line,) = axes.plot(x, smoothed(y), **look)
    return line


def new_figure(width: float, height: float) -> Figure:
    """A figure of `width` by `height` inches; call this and draw within ``matplotlib.rc_context(STYLE)``."""
    figure = _Plot(figsize=(width, height), dpi=140, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


class _Plot(Figure):
    """A figure that notebooks show."""

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        with mpl.rc_context(STYLE):
            self.savefig(content, format="png")
        return content.getvalue()
