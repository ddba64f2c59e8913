"""The plot of a metric against size, a point for each step in which a model was made smaller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from xdomain.metrics.metrics import metric_label
from xdomain.training.figure_style import BLUE, GREY, ORANGE, STYLE, new_figure, save_figure

MEGABYTE = 1e6


def plot_sizes(points: Sequence[Mapping[str, Any]], *, metric: str, path: Path, title: str) -> None:
    """Plot a test metric with its interval against the bytes of the weights.

    Parameters
    ----------
    points
        {label, bytes, value, low, high}, from the run that was trained to the smallest model.
    metric
        What the values are of.
    path
        The image file to write.
    title
        Stands above.
    """
    with mpl.rc_context(STYLE):
        figure = new_figure(6.4, 4.0)
        axes = figure.subplots()
        sizes = [point["bytes"] / MEGABYTE for point in points]
        axes.plot(sizes, [point["value"] for point in points], color=GREY, linewidth=1, linestyle=":")
        for place, (size, point) in enumerate(zip(sizes, points, strict=True)):
            colour = BLUE if place == 0 else ORANGE
            axes.plot([size, size], [point["low"], point["high"]], color=colour, linewidth=2)
            axes.plot(size, point["value"], "o", color=colour, markersize=7)
            axes.annotate(point["label"], (size, point["value"]), textcoords="offset points", xytext=(7, 5),
                          fontsize=9, parse_math=False)  # fmt: skip
        axes.set_xlim(0, 1.25 * max(sizes))
        axes.margins(y=0.2)
        axes.set_xlabel("weights on disk (MB)")
        axes.set_ylabel(f"test {metric_label(metric)}, with 95 % interval")
        axes.set_title(title, fontsize=11, parse_math=False)
        axes.grid(color="#dddddd", linewidth=0.8)
        axes.set_axisbelow(True)
        save_figure(figure, path)
