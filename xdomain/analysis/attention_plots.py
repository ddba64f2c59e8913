"""Heat maps of heads, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from xdomain.analysis.result import STYLE, empty_figure

WRITTEN = 12  # layers or heads: the numbers of more could not be read
LEAST_REACH = 3  # of the colours: an eighth; what lies further below is drawn as if there, with its number


def draw_heads(panels: Sequence[tuple[str, NDArray[np.float64]]], title: str) -> Figure:
    """Two panels a run, before and after, with the same colours.

    Parameters
    ----------
    panels
        Name and log2 lift, shape (layers, heads), of each, those of one run side by side.
    """
    layers = max(len(log2) for _, log2 in panels)
    low = min(float(log2.min()) for _, log2 in panels)
    high = max(float(log2.max()) for _, log2 in panels)
    most = max(high, min(-low, LEAST_REACH)) or 1
    with mpl.rc_context(STYLE):
        figure = empty_figure(0.8 + len(panels) // 2 * (0.8 + 0.34 * min(layers, WRITTEN)))
        grid: Any = figure.subplots(len(panels) // 2, 2, squeeze=False)
        image: Any = None
        for axes, (name, log2) in zip(grid.flat, panels, strict=True):
            image = axes.imshow(log2, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto", interpolation="nearest")
            axes.set_title(name)
            axes.set_ylabel("layer")
            _count(axes, log2.shape)
            if max(log2.shape) <= WRITTEN:
                _write(axes, log2, most)
        for axes in grid[-1]:
            axes.set_xlabel("head")
        figure.colorbar(image, ax=grid, label="log2 of attention over even attention", pad=0.01,
                        extend="min" if -low > most else "neither")  # fmt: skip
        figure.suptitle(title, x=0.01, ha="left", fontsize=10.5)
    return figure


def _count(axes: Axes, shape: tuple[int, ...]) -> None:
    """Layers and heads are counted from 1."""
    layers, heads = (range(0, size, -(-size // WRITTEN)) for size in shape)
    axes.set_yticks(layers, [str(i + 1) for i in layers])
    axes.set_xticks(heads, [str(i + 1) for i in heads])


def _write(axes: Axes, log2: NDArray[np.float64], most: float) -> None:
    for layer, head in np.ndindex(log2.shape):
        value = float(log2[layer, head])
        told = f"{round(value, 1) + 0:+.1f}"  # 0 is added so that there is no -0.0
        axes.text(head, layer, told, ha="center", va="center", fontsize=9 if log2.shape[1] < 9 else 7,
                  color="white" if abs(value) > 0.6 * most else "black")  # fmt: skip
