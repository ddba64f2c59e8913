"""How far test values lie apart, and why: bars of the mapping, the seed and the rest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from xdomain.study.report.conclusions import tasks_of
from xdomain.study.report.plot_style import AMBER, INK, add_legend, canvas, label, name_rows
from xdomain.study.results import Findings, MappingShare
from xdomain.training.plots import BLUE, GREY

SOURCES = (("mapping", BLUE), ("seed", AMBER), ("residual", GREY))
ROW, FRAME, BAR = 0.62, 0.85, 0.25  # inches, inches, of a row
FARTHEST = 2.5  # times the longest bar: intervals of few mappings reach far beyond


def draw_variance(findings: Findings) -> Figure | None:
    """A panel a task, as units may differ; standard deviations, as variances have units that nobody thinks in.

    A task on which nothing lies apart has nothing to draw.
    """
    shares = [s for s in findings.shares if np.isfinite(_values(s)).all()]
    tasks = tasks_of(s for s in shares if any(_values(s)))
    if not tasks:
        return None
    by_task = [[s for s in shares if s.task == task] for task in tasks]
    figure = canvas(sum(ROW * len(rows) + FRAME for rows in by_task) + 0.4)
    ratios = [len(rows) for rows in by_task]
    axes = figure.subplots(len(tasks), 1, squeeze=False, gridspec_kw={"height_ratios": ratios}).flat
    metrics = {group.task: group.metric for group in findings.groups}
    named = len({s.fraction for s in shares}) > 1
    for one, task, rows in zip(axes, tasks, by_task, strict=True):
        _panel(one, rows, named)
        one.set_title(label(task, 60))
        one.set_xlabel(f"standard deviation of test {metrics.get(task, 'values')}")
    handles = [Patch(color=colour, alpha=0.65) for _, colour in SOURCES]
    add_legend(figure, handles, [name for name, _ in SOURCES])
    return figure


def _values(row: MappingShare) -> list[float]:
    return [getattr(row.components, name).value for name, _ in SOURCES]


def _panel(axes: Axes, rows: Sequence[MappingShare], named: bool) -> None:
    longest = 0.0
    for place, row in enumerate(rows):
        for k, (name, colour) in enumerate(SOURCES):
            told = getattr(row.components, name)
            bar = float(np.sqrt(max(told.value, 0)))
            longest = max(longest, bar)
            axes.barh(place + (k - 1) * BAR, bar, height=BAR * 0.9, color=colour, alpha=0.65)
    edge = FARTHEST * longest or 1.0
    reach = longest
    for place, row in enumerate(rows):
        for k, (name, _) in enumerate(SOURCES):
            told, y = getattr(row.components, name), place + (k - 1) * BAR
            if not np.isfinite(told.low) or np.isnan(told.high):
                continue
            low, high = float(np.sqrt(max(told.low, 0))), float(np.sqrt(max(told.high, 0)))
            reach = max(reach, min(high, edge))
            axes.plot([low, min(high, edge)], [y, y], color=INK, linewidth=1.1)
            if high > edge:
                axes.plot(edge, y, marker=">", color=INK, markersize=5)
    axes.set_xlim(0, reach * 1.03 or 1.0)
    name_rows(axes, rows, named)
    axes.set_ylim(len(rows) - 0.45, -0.55)
