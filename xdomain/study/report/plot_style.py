"""The common style of the figures of a study: colours, lines, labels, the arrangement of panels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xdomain.study.report.formats import clean, share
from xdomain.study.results import Difference, Findings, Variance
from xdomain.training.figure_style import AMBER, BLUE, GREEN, GREY, INK, ORANGE, PURPLE, SKY, arm_looks, new_figure
from xdomain.training.figure_style import STYLE as PLOT_STYLE

GRID, PAPER = "#DDDDDD", "#FFFFFF"
PAGE_COLOURS = {
    INK: "currentColor",
    GRID: "var(--grid)",
    PAPER: "var(--paper)",
    BLUE: "var(--blue)",
    ORANGE: "var(--orange)",
    GREY: "var(--grey)",
    GREEN: "var(--green)",
    PURPLE: "var(--purple)",
    SKY: "var(--sky)",
    AMBER: "var(--amber)",
}
STYLE: dict[Any, Any] = {
    **PLOT_STYLE,
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
    "text.parse_math": False,  # a $ in a name is a dollar sign
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
}
WIDTH = 8.8  # inches


def canvas(height: float) -> Figure:
    """An empty figure of the common width and of this `height` in inches."""
    return new_figure(WIDTH, height)


def label(text: str, width: int) -> str:
    """Break `text` into at most two lines of `width` characters; a longer one loses its middle, as ends differ."""
    text = clean(text)
    if len(text) <= width:
        return text
    if len(text) > 2 * width:
        return f"{text[: width - 1].rstrip()}…\n…{text[1 - width :].lstrip()}"
    ends = [match.end() for match in re.finditer(r"[\s/,_-]+", text[:width])]
    at = max((end for end in ends if len(text) - end <= width), default=width)
    return f"{text[:at].rstrip()}\n{text[at:].lstrip()}"


def name_rows(axes: Axes, rows: Sequence[Difference | Variance], named: bool) -> None:
    """Label horizontal rows with their arms, and draw vertical grid lines.

    Parameters
    ----------
    axes
        Changed in place; row i is at height i.
    rows
        From top to bottom.
    named
        Whether to add the share of the training records to each label.
    """
    names = [clean(row.arm) + (f", {share(row.fraction)}" if named else "") for row in rows]
    axes.set_yticks(range(len(rows)), [label(name, 32) for name in names])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def looks(findings: Findings) -> dict[str, dict[str, str]]:
    """Line styles for `Axes.plot` by arm of `findings`, the same in all figures."""
    return arm_looks(list(dict.fromkeys(group.arm for group in findings.groups)))


def panels(n: int, *, height: float, legend: Sequence[str]) -> tuple[Figure, list[Axes]]:
    """A figure of `n` panels, two per row, each of `height` inches, with room below for a `legend` of these names."""
    columns = 1 if n == 1 else 2
    rows = -(-n // columns)
    lines = -(-len(legend) // legend_columns(legend))
    figure = canvas(rows * height + 0.25 * lines + 0.3)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for empty in axes[n:]:
        empty.remove()
    for one in axes[:n]:
        one.grid(axis="y", color=GRID, linewidth=0.8)
        one.set_axisbelow(True)
    return figure, axes[:n]


def legend_columns(names: Sequence[str]) -> int:
    """The number of columns of a legend in which its `names` fit into the width of the figure."""
    longest = max((max(map(len, name.split("\n"))) for name in names), default=1)
    return max(1, min(len(names), int((WIDTH - 0.4) / (0.085 * longest + 0.65))))


def add_legend(figure: Figure, handles: Sequence[Any], names: Sequence[str]) -> None:
    """Add a legend below all panels to `figure`, with `names` for the lines or patches in `handles`."""
    figure.legend(
        handles, names, loc="outside lower center", ncols=legend_columns(names), frameon=False, fontsize=9.5,
        handlelength=2.6, labelcolor=INK,
    )  # fmt: skip
