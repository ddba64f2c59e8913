"""The figures of a study, each as PNG on white and as SVG in the colours of the page."""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from xdomain.metrics.bootstrap import Interval
from xdomain.metrics.metrics import metric_label
from xdomain.study.report.blocks import Kind, Picture
from xdomain.study.report.conclusions import kind_of, several_shares, tasks_of
from xdomain.study.report.formats import clean, interval, share
from xdomain.study.report.plot_style import (
    AMBER,
    GREEN,
    INK,
    PAGE_COLOURS,
    PAPER,
    STYLE,
    add_legend,
    canvas,
    label,
    looks,
    name_rows,
    panels,
)
from xdomain.study.results import Difference, Findings, Group, Variance
from xdomain.training.figure_style import BLUE, FACTS, GREY, ORANGE, draw_curve

SOURCES = {"mapping": BLUE, "seed": AMBER, "split": GREEN, "residual": GREY}
BAR = 0.2  # inches
SEEDS_REACH = 2.5  # times the longest bar, where the axis ends: intervals of few mappings reach far beyond
ROW, FRAME = 0.36, 0.85  # inches
FARTHEST = 2.5  # times the largest difference or the narrowest interval: one wide interval must not hide the others
MAX_ROWS = 80  # of more, only those on the largest share of the training records are drawn
LOOKS: dict[Kind, dict[str, Any]] = {
    "better": {"color": BLUE, "marker": "o", "markerfacecolor": BLUE},
    "worse": {"color": ORANGE, "marker": "s", "markerfacecolor": ORANGE},
    "unseen": {"color": GREY, "marker": "o", "markerfacecolor": PAPER},
    "unknown": {"color": GREY, "marker": "x", "markerfacecolor": PAPER},
}
PANEL, TITLE, NAME = 2.7, 35, 34  # inches, characters, characters
MAX_MARKED = 12  # points with a marker: more would hide the line
Draw = Callable[[Findings], Figure | None]


def draw_variance(findings: Findings) -> Figure | None:
    """Draw standard deviations by source: a panel for each task of `findings`, as their units may differ.

    Tasks without any spread are left out; None if no task is left.
    """
    known = [one for one in findings.variances if np.isfinite([part.value for part in _parts(one).values()]).all()]
    tasks = tasks_of(one for one in known if any(part.value for part in _parts(one).values()))
    if not tasks:
        return None
    by_task = [[one for one in known if one.task == task] for task in tasks]
    names = list(dict.fromkeys(name for one in known for name in _parts(one)))
    names = [*(name for name in names if name != "residual"), "residual"]
    row = BAR * len(names)
    figure = canvas(sum(row * len(rows) + FRAME for rows in by_task) + 0.4)
    ratios = [len(rows) for rows in by_task]
    axes = figure.subplots(len(tasks), 1, squeeze=False, gridspec_kw={"height_ratios": ratios}).flat
    metrics = {group.task: group.metric for group in findings.groups}
    named = len({one.fraction for one in known}) > 1
    for one, task, rows in zip(axes, tasks, by_task, strict=True):
        _variance_panel(one, rows, names, named)
        one.set_title(label(task, 60))
        one.set_xlabel(f"standard deviation of test {metric_label(metrics[task]) if task in metrics else 'values'}")
    add_legend(figure, [Patch(color=_colour(name), alpha=0.65) for name in names], names)
    return figure


def _parts(row: Variance) -> dict[str, Interval]:
    """The variances by what they are due to."""
    factors = {part.factor: part.variance for part in row.components.factors}
    return {**factors, "residual": row.components.residual}


def _colour(name: str) -> str:
    return SOURCES[name.split(" and ")[-1]]


def _variance_panel(axes: Axes, rows: Sequence[Variance], names: Sequence[str], named: bool) -> None:
    height = 0.75 / len(names)
    places = [(part, names.index(name), i) for i, row in enumerate(rows) for name, part in _parts(row).items()]
    bars = [(part, i + (k - (len(names) - 1) / 2) * height, names[k]) for part, k, i in places]
    longest = max(float(np.sqrt(max(part.value, 0))) for part, _, _ in bars)
    edge, reach = SEEDS_REACH * longest or 1.0, longest
    for part, y, name in bars:
        length = float(np.sqrt(max(part.value, 0)))
        axes.barh(y, length, height=height * 0.9, color=_colour(name), alpha=0.65)
        if not np.isfinite(part.low) or np.isnan(part.high):
            continue
        low, high = float(np.sqrt(max(part.low, 0))), float(np.sqrt(max(part.high, 0)))
        reach = max(reach, min(high, edge))
        axes.plot([low, min(high, edge)], [y, y], color=INK, linewidth=1.1)
        if high > edge:
            axes.plot(edge, y, marker=">", color=INK, markersize=5)
    axes.set_xlim(0, reach * 1.03 or 1.0)
    name_rows(axes, rows, named)
    axes.set_ylim(len(rows) - 0.45, -0.55)


def drawn_rows(findings: Findings) -> list[Difference]:
    """The differences of `findings` that are drawn: all that are defined, or only those on the largest share."""
    rows = [d for d in findings.differences if np.isfinite(d.estimate.interval.value)]
    whole = max((d.fraction for d in rows), default=1.0)
    return rows if len(rows) <= MAX_ROWS else [d for d in rows if d.fraction == whole]


def draw_differences(findings: Findings) -> Figure | None:
    """Draw a forest plot: a panel for each task of `findings`, on a common scale if all have the same metric.

    None where there is nothing to draw.
    """
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
    intervals = [row.estimate.interval for row in rows]
    ends = [max(abs(i.low), abs(i.high)) for i in intervals if np.isfinite((i.low, i.high)).all() and i.low < i.high]
    return FARTHEST * max(*(abs(i.value) for i in intervals), min(ends, default=0.0), 0.0)


def _panel(axes: Axes, rows: Sequence[Difference], named: bool, reach: float) -> None:
    axes.axvline(0, color=INK, linewidth=1.2)
    for place, row in enumerate(rows):
        estimated = row.estimate.interval
        look = LOOKS[kind_of(row)]
        if np.isfinite((estimated.low, estimated.high)).all():
            low, high = max(estimated.low, -reach), min(estimated.high, reach)
            line = ":" if kind_of(row) == "unknown" else "-"
            axes.plot([low, high], [place, place], color=look["color"], linewidth=2, linestyle=line)
            for end, drawn, arrow in ((estimated.low, low, "<"), (estimated.high, high, ">")):
                if end != drawn:
                    axes.plot(drawn, place, marker=arrow, color=look["color"], markersize=6)
        axes.plot(estimated.value, place, markersize=7, markeredgewidth=1.6, linestyle="none", **look)
        axes.text(1.01, place, interval(estimated, signed=True), transform=axes.get_yaxis_transform(), va="center",
                  fontsize=9)  # fmt: skip
    name_rows(axes, rows, named)
    axes.tick_params(axis="x", labelbottom=True)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.margins(x=0.06)
    first = rows[0]
    direction = "" if first.higher_is_better else " (lower is better)"
    axes.set_xlabel(
        f"test {metric_label(first.metric)}, less that of {label(first.reference, 30)}{direction}".replace("\n", " ")
    )


def draw_losses(findings: Findings) -> Figure | None:
    """Draw the mean training loss of `findings` against the step, on the largest share of the training records.

    None where there is nothing to draw.
    """
    groups = [group for group in findings.groups if _curve(group)]
    if not groups:
        return None
    whole = {task: max(g.fraction for g in groups if g.task == task) for task in tasks_of(groups)}
    groups = [group for group in groups if group.fraction == whole[group.task]]
    return _draw(findings, groups, _draw_loss, ("training step", "training loss"))


def draw_efficiency(findings: Findings) -> Figure | None:
    """Draw the test metric of `findings` against the share of the training records; None if there is only one share."""
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
        one.set_ylabel(axis_labels[1] or f"test {metric_label(here[0].metric)}{direction}")
    add_legend(figure, [handles[arm] for arm in arms], names)
    return figure


def _curve(group: Group) -> list[tuple[int, float]]:
    return [(step, loss) for step, loss in group.losses if math.isfinite(loss)]


def _draw_loss(axes: Axes, groups: list[Group], look: dict[str, Any], _dodge: float) -> Any:
    points = _curve(groups[0])
    every = max(1, len(points) // MAX_MARKED)
    return draw_curve(axes, points, markersize=4, markevery=every, linewidth=1.6, **look)


def _draw_shares(axes: Axes, groups: list[Group], look: dict[str, Any], dodge: float) -> Any:
    """The intervals of different arms are shifted a little, so that none hides another."""
    groups = sorted(groups, key=lambda group: group.fraction)
    intervals = [group.test.interval for group in groups if group.test]
    places = np.array([group.fraction for group in groups]) * 2 ** (0.035 * dodge)
    lows, highs = [i.low for i in intervals], [i.high for i in intervals]
    axes.vlines(places, lows, highs, color=look["color"], linewidth=1, alpha=0.7)
    (line,) = axes.plot(places, [i.value for i in intervals], markersize=5, linewidth=1.4, **look)
    return line


def _scale_of_shares(axes: Axes, groups: list[Group]) -> None:
    marks = sorted({group.fraction for group in groups})
    axes.set_xscale("log", base=2)
    axes.set_xticks(marks, [share(mark) for mark in marks])
    axes.minorticks_off()


ENDINGS: tuple[str, ...] = (".png", ".svg", ".pdf")
FIGURES: dict[str, tuple[Draw, str, str]] = {
    "differences": (
        draw_differences,
        "Forest plot: the difference of each arm to {reference}, with its 95 % interval, and a line at 0",
        "Differences to {reference}, 95 % intervals. Blue dots: better; orange squares: worse; hollow: no difference "
        "seen (after correction for all differences of the study); crosses: inconclusive, their intervals dotted. An "
        "arrow where an interval goes on beyond the panel.{left_out}",
    ),
    "variance": (
        draw_variance,
        "Bars: standard deviation of test values by what it is due to, with 95 % intervals",
        "Standard deviation of test values by source, 95 % intervals; an arrow where an interval goes on beyond the "
        "panel. Tasks without any spread are left out.",
    ),
    "efficiency": (
        draw_efficiency,
        "Curves: test metric against the share of the training records, a line an arm",
        "Test metric against the share of the training records, 95 % intervals.",
    ),
    "losses": (
        draw_losses,
        "Curves: mean training loss against the step, a line an arm",
        "Mean training loss of the finished cells at the chosen learning rate{largest}.",
    ),
}


@dataclass(frozen=True)
class Drawn:
    """A figure in all formats.

    Parameters
    ----------
    picture
        Its name, description and caption.
    files
        The contents of its files by their endings, `ENDINGS`.
    svg
        For the page, whose stylesheet sets the colours.
    """

    picture: Picture
    files: dict[str, bytes]
    svg: str


def draw_all(findings: Findings) -> dict[str, Drawn]:
    """Draw all figures for which `findings` have data, by name."""
    left_out = {d.fraction for d in drawn_rows(findings)} < {d.fraction for d in findings.differences}
    words = {
        "reference": clean(findings.reference),
        "largest": ", on the largest share of the training records" * several_shares(findings),
        "left_out": " Only the largest share of the training records is drawn; the table has all." * left_out,
    }
    drawn: dict[str, Drawn] = {}
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the tables show names in other scripts
        for name, (draw, shows, caption) in FIGURES.items():
            figure = draw(findings)
            if figure is not None:
                picture = Picture(name, shows.format(**words), caption.format(**words))
                png = _saved(figure, "png", facecolor="white", metadata={"Software": None})
                figure.set_layout_engine("none")  # keep the layout of the PNG: computing it takes most of the time
                svg = _saved(figure, "svg", transparent=True, metadata=dict.fromkeys(FACTS))
                pdf = _saved(figure, "pdf", metadata={"CreationDate": None})
                files = dict(zip(ENDINGS, (png, svg, pdf), strict=True))
                drawn[name] = Drawn(picture, files, _for_page(svg.decode("utf-8"), figure, name))
    return drawn


def _saved(figure: Figure, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, **options)
    return buffer.getvalue()


def _for_page(text: str, figure: Figure, name: str) -> str:
    """The SVG for embedding in a page: unique ids, no metadata, colours set by the stylesheet of the page."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", text, flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(|href=")#([^")]+)', text))
    text = re.sub(r' id="([^"]*)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", text)
    text = re.sub(r'(url\(|href=")#', rf"\1#{name}-", text)
    for colour, instead in PAGE_COLOURS.items():
        text = text.replace(colour.lower(), instead)
    width, height = figure.get_size_inches() * 100  # pixels on the page
    size = f'width="{width:.0f}" height="{height:.0f}" aria-hidden="true"'
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', rf"\1 {size}", text, count=1)
    return re.sub(r"\n\s*", "\n", text).strip()
