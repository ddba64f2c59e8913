"""The pictures of two languages in one encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pyarrow as pa
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from xdomain.analysis.parallel_text import ALPHAS, Converted
from xdomain.analysis.result import STYLE, Finding, empty_figure
from xdomain.training.plots import BLUE, GREY, ORANGE


@dataclass(frozen=True)
class Facts:
    """What both pictures say beside their numbers.

    Parameters
    ----------
    model, names
        What the checkpoint and the two languages are called.
    fitted, tested
        Pairs of lines that give the means, and that are told of.
    notes
        What was left out, as sentences.
    """

    model: str
    names: tuple[str, str]
    fitted: int
    tested: int
    notes: str


def retrieval_finding(shares: Mapping[tuple[int, bool], NDArray[np.float64]], facts: Facts) -> Finding:
    """How often a line's counterpart is nearest, layer by layer.

    Parameters
    ----------
    shares
        As `xdomain.analysis.alignment.retrieved` gives them.
    """
    title = "Do lines that mean the same lie together?"
    first, second = facts.names
    ways, chance = (f"{first} → {second}", f"{second} → {first}"), 1 / facts.tested
    layers = np.arange(len(shares[0, False]))
    with mpl.rc_context(STYLE):
        figure = empty_figure(3.8)
        axes = figure.subplots()
        for (way, taken_off), values in shares.items():
            axes.plot(layers, values, color=(BLUE, ORANGE)[way], linestyle="-" if taken_off else "--",
                      marker="os"[way], markersize=5, clip_on=False,
                      label=f"{ways[way]}, {'means taken off' if taken_off else 'as they are'}")  # fmt: skip
        axes.axhline(chance, color=GREY, linestyle=":", label=f"chance, {chance:.1%}")
        axes.set_xlabel("layer (0: the embeddings)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylabel("lines whose counterpart is nearest")
        _percent(axes)
        axes.set_title(title)
        axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    told = "; ".join(
        f"{name}: {_best(shares[way, False])} as they are, {_best(shares[way, True])} with the means taken off"
        for way, name in enumerate(ways)
    )
    caption = (
        f"{facts.model}: share of {facts.tested:,} lines whose counterpart is the nearest of as many, by cosine of "
        f"mean hidden states; each language's mean vector is that of {facts.fitted:,} other lines. "
        f"At best {told}; by chance {chance:.1%}. {facts.notes}"
    ).strip()
    rows = [
        (ways[way], taken_off, int(layer), float(values[layer]), chance)
        for (way, taken_off), values in shares.items()
        for layer in layers
    ]
    return Finding(
        "alignment-retrieval",
        title,
        caption,
        _table(rows, "way", "means_taken_off", "layer", "share", "chance"),
        figure,
    )


def conversion_finding(found: Sequence[Converted], facts: Facts) -> Finding:
    """Which language the head answers in where states are moved."""
    first, second = facts.names
    title = f"Is a language one direction: does {first}, moved by the means' difference, come out as {second}?"
    with mpl.rc_context(STYLE):
        figure = empty_figure(3.8)
        panels = figure.subplots(1, 3, sharey=True)
        told = (f"pieces of {first}", f"pieces of {second}", "of these, in the line's counterpart")
        colours = mpl.colormaps["viridis"](np.linspace(0, 0.85, len(found)))
        for layer, colour in zip(found, colours, strict=True):
            for axes, values in zip(panels, (layer.first, layer.second, layer.twin), strict=True):
                axes.plot(ALPHAS, values, color=colour, marker="o", markersize=4, clip_on=False,
                          label=f"layer {layer.layer}")  # fmt: skip
            panels[2].plot(ALPHAS, layer.stranger, color=colour, linestyle=":", linewidth=1.2)
        panels[2].plot([], [], color=GREY, linestyle=":", label="the same, in\nanother line's")
        for axes, name in zip(panels, told, strict=True):
            axes.set_title(name)
            axes.set_xlabel("α (times the difference)")
            _percent(axes)
        panels[0].set_ylabel("share of answers")
        panels[2].legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
        figure.suptitle(title, x=0.01, ha="left", fontsize=10.5)
    whole = [ALPHAS.index(alpha) for alpha in (0, 1, 2, 3)]
    parts = "; ".join(
        f"layer {layer.layer}: {', '.join(f'{layer.second[place]:.1%}' for place in whole)}" for layer in found
    )
    best = max(found, key=lambda layer: float(layer.twin.max()))
    place = int(best.twin.argmax())
    caption = (
        f"{facts.model} reads {first}, nothing masked; behind one layer (0: the embeddings) α times (mean of {second} "
        f"less mean of {first}) is added to every state, and the masked-LM head answers at {best.positions:,} "
        f"positions that hold a piece of {first} alone. "
        f"Answers that are pieces of {second} alone, at α = 0, 1, 2, 3: {parts}. "
        f"Answers that stand in the counterpart of the very line: at most {best.twin[place]:.1%} (layer {best.layer}, "
        f"α = {ALPHAS[place]:g}), against {best.stranger[place]:.1%} in another line's. "
        "A piece is of one language alone if it occurs in that file's lines only; the rest are shared or in neither."
    )
    rows = [
        (layer.layer, alpha, *(float(v[i]) for v in (layer.first, layer.second, layer.twin, layer.stranger)))
        for layer in found
        for i, alpha in enumerate(ALPHAS)
    ]
    table = _table(
        rows, "layer", "alpha", "share_first", "share_second", "share_in_counterpart", "share_in_another_line"
    )
    return Finding("alignment-conversion", title, caption, table, figure)


def _table(rows: Sequence[Sequence[Any]], *names: str) -> pa.Table:
    return pa.table({name: [row[i] for row in rows] for i, name in enumerate(names)})


def _best(shares: NDArray[np.float64]) -> str:
    return f"{shares.max():.1%} (layer {int(shares.argmax())})"


def _percent(axes: Any) -> None:
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
