"""Integrated gradients: what each position adds to the answer, next to its information content in the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec

import matplotlib as mpl
import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from xdomain.analysis.integrated_gradients import BASELINE, MEND, Attributed, attribute
from xdomain.analysis.layers import held, in_several_windows
from xdomain.analysis.loaded_run import OpenedRun
from xdomain.analysis.motifs import (
    class_of,
    information,
    landmarks_in,
    landmarks_of,
    not_comparable,
    of_class,
    ordinary,
    share_of,
)
from xdomain.analysis.mutagenesis import LETTERED, letters_along
from xdomain.analysis.result import STYLE, Analysis, Finding, Options, empty_figure, record_named
from xdomain.core.recipe_sections import Landmark
from xdomain.training.figure_style import BLUE, COLOURS, GREY, ORANGE

READING = (
    "High bars are positions whose symbols move the answer most, according to integrated gradients: the change of "
    "the output from a sequence of average symbols to this one, shared out among its positions."
)
ALL = "all"
CLASSES = (BLUE, ORANGE, GREY, *COLOURS[2:])
Heights = Mapping[str, NDArray[np.float64]]


def _refuses(runs: Sequence[OpenedRun], options: Options) -> str | None:
    first = runs[0]
    if first.recipe.problem not in ("classification", "regression"):
        return f"it needs one sequence and one answer a record, not {first.recipe.problem}"
    if find_spec("captum") is None:
        return f"it needs captum: {MEND}"
    lengths = first.examples.symbols.lengths[first.examples.split != ""]
    if not options.record and len(set(lengths.tolist())) > 1:
        return (f"sequences have {lengths.min():,} to {lengths.max():,} symbols, whose positions have no mean: name "
                "one record with --record")  # fmt: skip
    if why := not_comparable(runs):
        return why
    whole = np.arange(len(first.examples))
    odd = next((run for run in runs if not np.array_equal(held(run, whole), held(first, whole))), None)
    return f"{first.label} and {odd.label} read windows of different lengths (train.max_length)" if odd else None


def _find(runs: Sequence[OpenedRun], options: Options) -> list[Finding]:
    if options.record is not None:
        return [_one_record(runs, record_named(runs[0], options.record))]
    return [_means(runs, runs[0].some("valid", options.records, seed=options.seed))]


def _one_record(runs: Sequence[OpenedRun], record: int) -> Finding:
    attributed = [attribute(run, np.array([record])) for run in runs]
    marks, name, label = landmarks_in(runs[0], record), runs[0].examples.ids[record], class_of(runs[0], record)
    symbols = [runs[0].adapter.alphabet.symbols[i] for i in runs[0].examples.symbols[record]][: _read(attributed)]
    what = f"the logit of {label}" if label else "the value"
    rows = [
        {"run": one.label, "record": name, "position": i, "symbol": symbols[i], "attribution": float(value)}
        for one in attributed
        for i, value in enumerate(one.values[0])
    ]
    title = f"What does each position of {name} add to {what}?"
    figure = draw_record({one.label: one.values[0] for one in attributed}, symbols, marks, what, title)
    shares = [_share_sentence(one, marks) for one in attributed]
    caption = f"Record {name}. What each position adds to {what}. {_method(attributed)}"
    caption += _first_only(runs, np.array([record])) + "".join(shares)
    return Finding("saliency", title, READING, caption, pa.Table.from_pylist(rows), figure)


def _means(runs: Sequence[OpenedRun], records: NDArray[np.int64]) -> Finding:
    first = runs[0]
    attributed = [attribute(run, records) for run in runs]
    length = _read(attributed)
    names = [class_of(first, int(record)) or ALL for record in records]
    groups = {
        name: np.array([n == name for n in names]) for name in (first.examples.classes or (ALL,)) if name in names
    }
    bits = {name: _bits(first, name, length) for name in groups}
    rows = [
        {
            "run": one.label,
            "class": name,
            "position": i,
            "mean_attribution": float(one.values[chosen, i].mean()),
            "mean_absolute_attribution": float(np.abs(one.values[chosen, i]).mean()),
            "bits": float(bits[name][i]),
            "n": int(chosen.sum()),
        }
        for one in attributed
        for name, chosen in groups.items()
        for i in range(length)
    ]
    marks = [mark for mark in landmarks_of(first) if mark.at + len(mark.symbols) <= length]
    marks = [mark for mark in marks if mark.label is None or mark.label in groups]
    heights = {
        one.label: {name: np.abs(one.values[chosen]).mean(0) for name, chosen in groups.items()} for one in attributed
    }
    title = "Which positions does the answer come from, and which are conserved?"
    output = "logit of the true class" if first.examples.classes else "value"
    figure, drawn = draw_means(heights, bits, marks, output, title)
    few = f" Drawn are {', '.join(drawn)} of {len(groups)} classes." if len(drawn) < len(groups) else ""
    what = "the logit of its class" if first.examples.classes else "the value"
    count = ", ".join(f"{int(chosen.sum())} {name}" for name, chosen in groups.items())
    shares = [_shares_sentence(one, groups, marks) for one in attributed]
    caption = (
        f"{len(records)} validation records ({count}). Above: the mean size of what a position adds to {what}. "
        f"{_method(attributed)} Below: information content of all training records of a class, corrected for their "
        f"number.{few}{_first_only(runs, records)}" + "".join(shares)
    )
    return Finding("saliency", title, READING, caption, pa.Table.from_pylist(rows), figure)


def _read(attributed: Sequence[Attributed]) -> int:
    return attributed[0].values.shape[1]


def _bits(run: OpenedRun, name: str, length: int) -> NDArray[np.float64]:
    chosen = of_class(run, "train", name if run.examples.classes else None)
    rows = run.examples.symbols.take(chosen).values
    return information(rows.reshape(len(chosen), -1)[:, :length].astype(np.int64), ordinary(run.adapter))


def _first_only(runs: Sequence[OpenedRun], records: NDArray[np.int64]) -> str:
    return " Of each record only the first window is read." if in_several_windows(runs, records) else ""


def _method(attributed: Sequence[Attributed]) -> str:
    missed = "; ".join(
        f"{one.label} {one.absolute_error:.2g}, {one.relative_error:.1%} of the difference, in {one.steps} steps"
        for one in attributed
    )
    return (
        f"Integrated gradients (Sundararajan et al. 2017, arXiv 1703.01365) from {BASELINE}; the sum over positions "
        f"misses the difference of outputs on average by: {missed}."
    )


def _shares_sentence(one: Attributed, groups: dict[str, NDArray[np.bool_]], marks: Sequence[Landmark]) -> str:
    shares: list[str] = []
    for mark in marks:
        chosen = groups[mark.label] if mark.label else np.ones(len(one.values), bool)
        inside, share = share_of(np.abs(one.values[chosen]).mean(0), mark)
        of = f" of {mark.label}" if mark.label else ""
        shares.append(f"the {mark.name}{of} has {inside:.0%} of the attribution on {share:.0%} of the positions")
    return f" {one.label}: {', '.join(shares)}." if shares else ""


def _share_sentence(one: Attributed, marks: Sequence[Landmark]) -> str:
    return _shares_sentence(one, {mark.label: np.ones(1, bool) for mark in marks if mark.label}, marks)


ANALYSIS = Analysis(
    "saliency",
    "Which positions does the answer come from? (integrated gradients, beside the information content)",
    ("records", "record", "seed"),
    _refuses,
    _find,
)


def draw_means(
    heights: Mapping[str, Heights], bits: Heights, marks: Sequence[Landmark], output: str, title: str
) -> tuple[Figure, list[str]]:
    """Draw the mean absolute attributions, one panel per run and one line per class, above the information content.

    Parameters
    ----------
    heights
        For each run and class, the mean absolute attribution, shape (length,).
    bits
        For each class, the information content in bits, shape (length,).
    marks
        Landmarks, whose letters are written at their positions.
    output
        The output that the attributions add up to, for the axis.
    title
        The title of the picture.

    Returns
    -------
    tuple
        The figure, and the names of the classes drawn. If there are more classes than colours, those with landmarks
        have precedence.
    """
    first = [mark.label for mark in marks if mark.label]
    drawn = list(dict.fromkeys([*first, *bits]))[: len(CLASSES)]
    colours = {name: CLASSES[sorted(drawn).index(name)] for name in drawn}
    strip = [0.12 + 0.22 * len(marks)] if marks else []
    with mpl.rc_context(STYLE):
        figure = empty_figure(1.25 + 1.75 * len(heights) + sum(strip) + 1.5)
        ratios = [1.75] * len(heights) + strip + [1.5]
        panels = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
        for axes, (label, curves) in zip(panels, heights.items(), strict=False):
            axes.set_title(label)
            axes.set_ylabel(f"mean |attribution|\n({output})", fontsize=9)
            _lines(axes, curves, colours, marks)
            axes.set_ylim(bottom=0)
        if len(drawn) > 1:
            panels[0].legend(frameon=False, fontsize=9, ncols=len(drawn), loc="upper right")
        if marks:
            _strip(panels[len(heights)], marks, colours)
        panels[-1].set_ylabel("information\ncontent (bits)", fontsize=9)
        _lines(panels[-1], bits, colours, marks)
        panels[-1].set_ylim(bottom=0)
        panels[-1].set_xlabel("position, from 0")
        panels[-1].set_xlim(-0.5, len(next(iter(bits.values()))) - 0.5)
        figure.suptitle(title, x=0.01, ha="left", fontsize=10.5)
    return figure, [name for name in bits if name in drawn]


def draw_record(values: Heights, symbols: Sequence[str], marks: Sequence[Landmark], output: str, title: str) -> Figure:
    """Draw the attributions of one record, one panel per run and one bar per position.

    Parameters
    ----------
    values
        For each run, the attributions, shape (length,).
    symbols
        The symbols of the record, one per position.
    marks
        Landmarks, whose letters are written at their positions.
    output
        The output that the attributions add up to, for the axis.
    title
        The title of the picture.
    """
    with mpl.rc_context(STYLE):
        strip = [0.12 + 0.22 * len(marks)] if marks else []
        figure = empty_figure(1.15 + 1.9 * len(values) + sum(strip))
        ratios = [*strip, *[1.9] * len(values)]
        panels = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
        if marks:
            _strip(panels[0], marks, {})
        for axes, (label, heights) in zip(panels[len(strip) :], values.items(), strict=True):
            colours = [BLUE if height >= 0 else ORANGE for height in heights]
            axes.bar(range(len(heights)), heights, color=colours, width=0.85)
            axes.axhline(0, color=GREY, linewidth=0.8)
            axes.set_title(label)
            axes.set_ylabel(f"adds to\n{output}", fontsize=9)
            _shade(axes, marks, {})
        for axes in panels[len(strip) :]:
            if len(symbols) <= LETTERED and max(map(len, symbols)) == 1:
                letters_along(axes, symbols, range(len(symbols)))
        panels[-1].set_xlabel("sequence, and position from 0")
        panels[-1].set_xlim(-0.5, len(symbols) - 0.5)
        figure.suptitle(title, x=0.01, ha="left", fontsize=10.5)
    return figure


def _lines(axes: Axes, curves: Heights, colours: Mapping[str, str], marks: Sequence[Landmark]) -> None:
    _shade(axes, marks, colours)
    for name, colour in colours.items():
        axes.plot(curves[name], color=colour, linewidth=1.4, marker="o", markersize=2.5, label=name)


def _shade(axes: Axes, marks: Sequence[Landmark], colours: Mapping[str, str]) -> None:
    for mark in marks:
        axes.axvspan(mark.at - 0.5, mark.at + len(mark.symbols) - 0.5, color=colours.get(mark.label or "", GREY),
                     alpha=0.12, linewidth=0)  # fmt: skip


def _strip(axes: Axes, marks: Sequence[Landmark], colours: Mapping[str, str]) -> None:
    """Write the letters of each landmark at their positions, one line per landmark."""
    axes.set_ylim(len(marks) - 0.5, -0.5)
    axes.axis("off")
    for line, mark in enumerate(marks):
        colour = colours.get(mark.label or "", "black")
        for place, letter in enumerate(mark.symbols):
            axes.text(mark.at + place, line, letter, color=colour, ha="center", va="center", fontsize=9)
        named = f"{mark.name} ({mark.label})" if mark.label else mark.name
        axes.text(mark.at - 1, line, named, color=colour, ha="right", va="center", fontsize=9)
