"""Curves with a line an arm and a panel a task: the training loss, and the use made of more training records."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xdomain.study.report.conclusions import several_shares, tasks_of
from xdomain.study.report.formats import share
from xdomain.study.report.plot_style import add_legend, label, looks, panels
from xdomain.study.results import Findings, Group

PANEL, TITLE, NAME = 2.7, 35, 34  # inches, characters, characters
MOST_MARKED = 12  # points: a marker on each of more hides the line


def draw_losses(findings: Findings) -> Figure | None:
    """Mean training loss against the step, on the largest share of the training records."""
    groups = [group for group in findings.groups if _curve(group)]
    if not groups:
        return None
    whole = {task: max(g.fraction for g in groups if g.task == task) for task in tasks_of(groups)}
    groups = [group for group in groups if group.fraction == whole[group.task]]
    return _draw(findings, groups, _draw_loss, ("training step", "training loss"))


def draw_efficiency(findings: Findings) -> Figure | None:
    """The test metric against the share of the training records, where there are several."""
    groups = [g for g in findings.groups if g.test is not None and math.isfinite(g.test.interval.value)]
    if not several_shares(findings) or not groups:
        return None
    figure = _draw(findings, groups, _draw_shares, ("share of the training records", ""))
    for axes, task in zip(figure.axes, tasks_of(groups), strict=True):
        _scale_of_shares(axes, [group for group in groups if group.task == task])
    return figure


def _draw(findings: Findings, groups: list[Group], line: Any, axis_labels: tuple[str, str]) -> Figure:
    tasks = tasks_of(groups)
    arms = [arm for arm in looks(findings) if any(group.arm == arm for group in groups)]
    names = [label(arm, NAME) for arm in arms]
    figure, axes = panels(len(tasks), height=PANEL, legend=names)
    handles: dict[str, Any] = {}
    for one, task in zip(axes, tasks, strict=True):
        here = [group for group in groups if group.task == task]
        for place, arm in enumerate(arms):
            mine = [group for group in here if group.arm == arm]
            if mine:
                dodge = place - (len(arms) - 1) / 2
                handles.setdefault(arm, line(one, mine, looks(findings)[arm], dodge))
        one.set_title(label(task, TITLE))
        one.set_xlabel(axis_labels[0])
        direction = "" if here[0].higher_is_better else "\n(lower is better)"
        one.set_ylabel(axis_labels[1] or f"test {here[0].metric}{direction}")
    add_legend(figure, [handles[arm] for arm in arms], names)
    return figure


def _curve(group: Group) -> list[tuple[int, float]]:
    return [(step, loss) for step, loss in group.losses if math.isfinite(loss)]


def _draw_loss(axes: Axes, groups: list[Group], look: dict[str, Any], _dodge: float) -> Any:
    points = _curve(groups[0])
    every = max(1, len(points) // MOST_MARKED)
    (line,) = axes.plot(*zip(*points, strict=True), markersize=4, markevery=every, linewidth=1.6, **look)
    return line


def _draw_shares(axes: Axes, groups: list[Group], look: dict[str, Any], dodge: float) -> Any:
    """Intervals stand a little beside one another, so that none hides another."""
    groups = sorted(groups, key=lambda group: group.fraction)
    told = [group.test.interval for group in groups if group.test]
    places = np.array([group.fraction for group in groups]) * 2 ** (0.035 * dodge)
    axes.vlines(places, [i.low for i in told], [i.high for i in told], color=look["color"], linewidth=1, alpha=0.7)
    (line,) = axes.plot(places, [i.value for i in told], markersize=5, linewidth=1.4, **look)
    return line


def _scale_of_shares(axes: Axes, groups: list[Group]) -> None:
    marks = sorted({group.fraction for group in groups})
    axes.set_xscale("log", base=2)
    axes.set_xticks(marks, [share(mark) for mark in marks])
    axes.minorticks_off()
