"""The forest plot: each difference with its interval, and where zero is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xdomain.study.report.blocks import Kind
from xdomain.study.report.conclusions import kind_of, tasks_of
from xdomain.study.report.formats import interval
from xdomain.study.report.plot_style import INK, PAPER, canvas, label, name_rows
from xdomain.study.results import Difference, Findings
from xdomain.training.plots import BLUE, GREY, ORANGE

ROW, FRAME = 0.36, 0.85  # inches
FARTHEST = 2.5  # times the largest difference, or the narrowest interval: one vast interval would hide the others
MOST_ROWS = 80  # with more, the largest share of the training records alone
LOOKS: dict[Kind, dict[str, Any]] = {
    "better": {"color": BLUE, "marker": "o", "markerfacecolor": BLUE},
    "worse": {"color": ORANGE, "marker": "s", "markerfacecolor": ORANGE},
    "unseen": {"color": GREY, "marker": "o", "markerfacecolor": PAPER},
    "unknown": {"color": GREY, "marker": "x", "markerfacecolor": PAPER},
}


def drawn_rows(findings: Findings) -> list[Difference]:
    """Those that there is room for."""
    rows = [d for d in findings.differences if np.isfinite(d.estimate.interval.value)]
    whole = max((d.fraction for d in rows), default=1.0)
    return rows if len(rows) <= MOST_ROWS else [d for d in rows if d.fraction == whole]


def draw_differences(findings: Findings) -> Figure | None:
    """A panel a task; on one scale where all have one metric."""
    rows = drawn_rows(findings)
    if not rows:
        return None
    tasks = tasks_of(rows)
    by_task = [[d for d in rows if d.task == task] for task in tasks]
    heights = [ROW * len(group) + FRAME for group in by_task]
    one_scale = len({d.metric for d in rows}) == 1
    figure = canvas(sum(heights) + 0.1)
    axes = figure.subplots(
        len(tasks), 1, squeeze=False, sharex=one_scale, gridspec_kw={"height_ratios": [len(g) for g in by_task]}
    ).flat
    named = len({d.fraction for d in rows}) > 1
    for one, task, group in zip(axes, tasks, by_task, strict=True):
        _panel(one, group, named, _reach(rows if one_scale else group))
        one.set_title(label(task, 60))
    return figure


def _reach(rows: Sequence[Difference]) -> float:
    """How far from 0 intervals are drawn."""
    told = [row.estimate.interval for row in rows]
    ends = [max(abs(i.low), abs(i.high)) for i in told if np.isfinite((i.low, i.high)).all() and i.low < i.high]
    return FARTHEST * max(*(abs(i.value) for i in told), min(ends, default=0.0), 0.0)


def _panel(axes: Axes, rows: Sequence[Difference], named: bool, reach: float) -> None:
    axes.axvline(0, color=INK, linewidth=1.2)
    for place, row in enumerate(rows):
        told = row.estimate.interval
        look = LOOKS[kind_of(row)]
        if np.isfinite((told.low, told.high)).all():
            low, high = max(told.low, -reach), min(told.high, reach)
            line = ":" if kind_of(row) == "unknown" else "-"
            axes.plot([low, high], [place, place], color=look["color"], linewidth=2, linestyle=line)
            for end, drawn, arrow in ((told.low, low, "<"), (told.high, high, ">")):
                if end != drawn:
                    axes.plot(drawn, place, marker=arrow, color=look["color"], markersize=6)
        axes.plot(told.value, place, markersize=7, markeredgewidth=1.6, linestyle="none", **look)
        axes.text(1.01, place, interval(told, signed=True), transform=axes.get_yaxis_transform(), va="center",
                  fontsize=9)  # fmt: skip
    name_rows(axes, rows, named)
    axes.tick_params(axis="x", labelbottom=True)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.margins(x=0.06)
    first = rows[0]
    direction = "" if first.higher_is_better else " (lower is better)"
    axes.set_xlabel(f"test {first.metric}, less that of {label(first.reference, 30)}{direction}".replace("\n", " "))
