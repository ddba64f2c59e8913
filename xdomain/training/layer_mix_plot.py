"""A picture of a learned mix of layers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

from xdomain.training.plots import BLUE, GREY, STYLE, new_figure

LAYER_PLOT = "layer-mix.png"


def plot_mix(mix: Mapping[str, Any], *, path: Path, title: str) -> None:
    """A bar a layer: its weight in the mix, beside the weight that all had at the start."""
    layers = [row["layer"] for row in mix["layers"]]
    weights = [row["weight"] for row in mix["layers"]]
    with mpl.rc_context(STYLE):
        figure = new_figure(max(4.8, 1.6 + 0.5 * len(layers)), 3.4)
        axes = figure.subplots()
        axes.bar(layers, weights, color=BLUE, width=0.7)
        axes.axhline(1 / len(layers), color=GREY, linewidth=1, linestyle=":", label="at the start: all alike")
        for layer, weight in zip(layers, weights, strict=True):
            axes.annotate(f"{weight:.2f}", (layer, weight), textcoords="offset points", xytext=(0, 3), ha="center",
                          fontsize=9)  # fmt: skip
        names = ["embed-\ndings", *map(str, layers[1:])]
        axes.set_xticks(layers, names)
        axes.set_xlabel("layer")
        axes.set_ylabel("weight in the mix")
        axes.set_ylim(0, max(weights) * 1.3)
        axes.legend(frameon=False, fontsize=9, loc="upper right")
        axes.set_title(f"Which layer is used?\n{title}, gamma {mix['gamma']:.2f}", fontsize=11, parse_math=False)
        figure.savefig(path)
