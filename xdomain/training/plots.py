"""Plots of one run, and of a few runs side by side; each is written as PNG and as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from xdomain.metrics.metrics import METRICS, metric_label
from xdomain.training.figure_style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    STYLE,
    arm_looks,
    draw_curve,
    new_figure,
    save_figure,
)

MAX_NUMBERED, MAX_NAMED = 30, 40  # with more classes their counts, or names, would be too small to read
MAX_LABELS = 60
TOP_PAIRS = 20
MAX_NAME_LENGTH = 24  # characters; with more, only the start and the end are shown
LAYER_PLOT = "layer-mix.png"


def plot_history(history: Sequence[Mapping[str, Any]], *, metric: str, path: Path, title: str) -> None:
    """Write the plot of `draw_history`, with its `history`, `metric` and `title`, to the image file `path`."""
    save_figure(draw_history(history, metric=metric, title=title), path)


def draw_history(history: Sequence[Mapping[str, Any]], *, metric: str, title: str) -> Figure:
    """Draw training loss above, the validation metric below, against the step; the chosen step is marked.

    Parameters
    ----------
    history
        The rows of ``history.jsonl``: {step, loss} and {step, valid: {metric: value}}.
    metric
        The one that the step was chosen by.
    title
        Stands above; not read as TeX.
    """
    losses = [(row["step"], row["loss"]) for row in history if row.get("loss") is not None]
    scored = [(row["step"], (row.get("valid") or {}).get(metric)) for row in history]
    valid = [(step, value) for step, value in scored if value is not None and np.isfinite(value)]
    with mpl.rc_context(STYLE):
        figure = new_figure(6.4, 4.8)
        above, below = figure.subplots(2, 1, sharex=True)
        above.set_title(title, parse_math=False)
        if losses:
            draw_curve(above, losses, color=BLUE, marker="o" if len(losses) == 1 else None)
        above.set_ylabel("training loss")
        if valid:
            steps, values = zip(*valid, strict=True)
            below.plot(steps, values, color=ORANGE, marker="o", markersize=4)
            best = int(np.argmax(values) if METRICS[metric].higher_is_better else np.argmin(values))
            below.axvline(steps[best], color=GREY, linewidth=1, linestyle=":")
            early = best < len(steps) / 2
            beyond = 8 if METRICS[metric].higher_is_better else -14  # points, on the side that has no curve
            below.annotate(
                f"best {values[best]:.3f}", (steps[best], values[best]), textcoords="offset points",
                xytext=(6 if early else -6, beyond), ha="left" if early else "right", color=GREY, fontsize=10,
            )  # fmt: skip
        below.set_ylabel(f"validation\n{metric_label(metric)}")
        below.set_xlabel("training step")
        below.margins(y=0.25)
    return figure


def plot_pretraining(history: Sequence[Mapping[str, Any]], *, path: Path, title: str) -> None:
    """Plot training loss and validation loss against the tokens seen, with a dotted line where sequences grow.

    Parameters
    ----------
    history
        The rows of a pre-training run: {tokens, length, loss} and {tokens, valid: {loss}}.
    path
        The image file to write.
    title
        Stands above.
    """
    losses = [(row["tokens"], row["loss"], row["length"]) for row in history if "loss" in row]
    valid = [(row["tokens"], row["valid"]["loss"]) for row in history if "valid" in row]
    with mpl.rc_context(STYLE):
        figure = new_figure(6.4, 3.6)
        axes = figure.subplots()
        axes.set_title(title, fontsize=11, parse_math=False)
        tokens, lengths = [row[0] for row in losses], [row[2] for row in losses]
        if losses:
            curve = [row[:2] for row in losses]
            draw_curve(axes, curve, color=BLUE, marker="o" if len(losses) == 1 else None, label="training")
        if valid:
            axes.plot(*zip(*valid, strict=True), "o", color=ORANGE, markersize=4, label="validation, 15 % masked")
        for place in range(len(losses)):
            begins = place == 0 or lengths[place] != lengths[place - 1]
            if begins and place:
                axes.axvline(tokens[place - 1], color=GREY, linewidth=1, linestyle=":")
            if begins:
                here = (tokens[place - 1] if place else 0, 1)
                axes.annotate(str(lengths[place]), here, xycoords=("data", "axes fraction"), xytext=(3, -9),
                              textcoords="offset points", color=GREY, fontsize=9)  # fmt: skip
        axes.set_xlim(left=0)
        axes.set_xlabel("tokens seen (grey: positions)")
        axes.set_ylabel("masked-LM loss")
        if losses or valid:
            axes.legend(frameon=False, fontsize=9)
        save_figure(figure, path)


def plot_confusion(matrix: Sequence[Sequence[int]], classes: Sequence[str], *, path: Path, title: str) -> None:
    """Plot a confusion matrix, each cell shaded by its share of the row.

    Up to 30 classes have their counts in the cells, up to 40 their names along the axes. Beside the matrix of more than
    30 classes is a list of the pairs that are most often confused.

    Parameters
    ----------
    matrix
        Shape (k, k): how many records of each true class (row) were predicted as each class (column).
    classes
        The names of the k classes.
    path
        The image file to write.
    title
        Stands above.
    """
    counts = np.asarray(matrix)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    named, numbered = len(classes) <= MAX_NAMED, len(classes) <= MAX_NUMBERED
    size = min(12.0, 2.6 + 0.62 * len(classes)) if numbered else 9.5 if named else 6.5
    with mpl.rc_context({**STYLE, "font.size": 10}):
        figure = new_figure(size + (0.8 if numbered else 7.2), size)
        ratios = [1] if numbered else [size, 6.4]
        axes, *beside = figure.subplots(1, len(ratios), squeeze=False, width_ratios=ratios)[0]
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
        axes.set_xlabel("predicted" if named else f"predicted ({len(classes)} classes, in one order)")
        axes.set_ylabel("true (colour: share of the row)")
        axes.set_title(title, fontsize=10, parse_math=False)
        if named:
            names = [_shortened(name) for name in classes]
            letters = 10 if numbered else 320 / len(classes)
            slanted = (45 if numbered else 90) if max(map(len, names)) > 3 or not numbered else 0
            placed = {
                "ha": "right" if slanted == 45 else "center",
                "rotation_mode": "anchor" if slanted == 45 else "default",
            }
            axes.set_xticks(range(len(names)), names, rotation=slanted, fontsize=letters, parse_math=False, **placed)
            axes.set_yticks(range(len(names)), names, fontsize=letters, parse_math=False)
        else:
            axes.set_xticks([])
            axes.set_yticks([])
        if beside:
            _draw_pairs(beside[0], counts, classes)
        for i, j in np.ndindex(counts.shape) if numbered else ():
            axes.text(j, i, f"{counts[i, j]:,}", ha="center", va="center", fontsize=9,
                      color="white" if share[i, j] > 0.55 else "black")  # fmt: skip
        save_figure(figure, path)


def _draw_pairs(axes: Any, counts: NDArray[Any], classes: Sequence[str]) -> None:
    """A bar for each of the pairs that are most often confused, with its share of the true class."""
    wrong = counts * (1 - np.eye(len(counts), dtype=counts.dtype))
    order = np.argsort(-wrong, axis=None, kind="stable")[:TOP_PAIRS]
    pairs = [(int(i), int(j)) for i, j in zip(*np.unravel_index(order, wrong.shape), strict=True) if wrong[i, j]]
    values = [int(wrong[pair]) for pair in pairs]
    axes.barh(range(len(pairs)), values, color=ORANGE, height=0.7)
    for place, (i, _) in enumerate(pairs):
        axes.annotate(f"{values[place]:,} of {counts[i].sum():,}", (values[place], place), textcoords="offset points",
                      xytext=(3, 0), va="center", fontsize=8)  # fmt: skip
    names = [f"{_shortened(classes[i])} → {_shortened(classes[j])}" for i, j in pairs]
    axes.set_yticks(range(len(pairs)), names, fontsize=8, parse_math=False)
    axes.set_ylim(max(len(pairs), 1) - 0.5, -0.5)
    axes.set_xlim(0, 1.3 * max([1, *values]))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("records")
    axes.set_title("most often confused: true → predicted" if pairs else "no class is taken for another", fontsize=10)


def _shortened(name: str) -> str:
    half = MAX_NAME_LENGTH // 2
    return name if len(name) <= MAX_NAME_LENGTH else f"{name[: half - 1]}…{name[-half:]}"


def plot_labels(rows: Sequence[Mapping[str, Any]], *, path: Path, title: str) -> None:
    """Plot precision, recall and F1 of each label, the most frequent at the top.

    Parameters
    ----------
    rows
        For each label {class, precision, recall, f1, support}. Of more than 60 the most frequent are shown.
    path
        The image file to write.
    title
        Stands above.
    """
    shown = sorted(rows, key=lambda row: -row["support"])[:MAX_LABELS]
    places = np.arange(len(shown))
    with mpl.rc_context(STYLE):
        figure = new_figure(6.4, 1.6 + 0.26 * len(shown))
        axes = figure.subplots()
        low, high = ([pick(row["precision"], row["recall"]) for row in shown] for pick in (min, max))
        axes.hlines(places, low, high, color=GREY, linewidth=1)
        for name, marker, colour in (("precision", "|", BLUE), ("recall", "x", GREEN), ("f1", "o", ORANGE)):
            axes.plot([row[name] for row in shown], places, marker, color=colour, markersize=6, label=name)
        names = [f"{_shortened(row['class'])} ({row['support']:,})" for row in shown]
        axes.set_yticks(places, names, fontsize=8, parse_math=False)
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.set_xlim(-0.03, 1.03)
        axes.set_xlabel("of the label, by itself")
        left_out = len(rows) - len(shown)
        axes.set_ylabel("label (records)" + (f"; {left_out:,} rarer ones are not shown" if left_out else ""))
        figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
        axes.set_title(title, parse_math=False)
        save_figure(figure, path)


def plot_reliability(calibration: Mapping[str, Any], *, path: Path, title: str) -> None:
    """Plot how often predictions are right against their probability, and how many there are of each.

    Parameters
    ----------
    calibration
        As `xdomain.metrics.calibration.calibrations` returns it.
    path
        The image file to write.
    title
        Stands above.
    """
    with mpl.rc_context(STYLE):
        figure = new_figure(4.6, 5.2)
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":")
        for (name, found), colour in zip(calibration.items(), (ORANGE, BLUE), strict=False):
            rows = found["bins"]
            places = [row["probability"] for row in rows]
            axes.plot(places, [row["accuracy"] for row in rows], "o-", color=colour, markersize=5,
                      label=f"{name}: error {found['error']:.3f}" if len(calibration) > 1 else
                      f"error {found['error']:.3f}")  # fmt: skip
            middles = [(row["low"] + row["high"]) / 2 for row in rows]
            width = rows[0]["high"] - rows[0]["low"] if rows else 0
            below.bar(middles, [row["n"] for row in rows], width=0.9 * width, color=colour, alpha=0.6)
        axes.set_ylabel("share that is right")
        axes.set_ylim(-0.02, 1.02)
        axes.legend(frameon=False, fontsize=9, loc="upper left")
        axes.set_title(title, fontsize=10, parse_math=False)
        below.set_xlim(0, 1.02)
        below.set_xlabel("probability of the prediction")
        below.set_ylabel("records")
        save_figure(figure, path)


def plot_comparison(
    rows: Sequence[Mapping[str, Any]], *, metric: str, path: Path, title: str, over: str = "test records"
) -> None:
    """Plot a dot for each arm, with its 95 % interval.

    Parameters
    ----------
    rows
        One for each arm, from the top: {label, value, low, high}.
    metric
        What the values are of, on test.
    path
        The image file to write; beside it the same as SVG and PDF.
    title
        Stands above.
    over
        What the intervals are over, for the label of the axis.
    """
    with mpl.rc_context(STYLE):
        figure = new_figure(6.8, 1.5 + 0.42 * len(rows))
        axes, looks = figure.subplots(), arm_looks([row["label"] for row in rows])
        for place, row in enumerate(rows):
            look = looks[row["label"]]
            axes.plot([row["low"], row["high"]], [place, place], color=look["color"], linewidth=2)
            axes.plot(row["value"], place, markersize=7, color=look["color"], marker=look["marker"])
            axes.annotate(f"{row['value']:.3f}", (row["value"], place), textcoords="offset points", xytext=(0, 8),
                          ha="center", fontsize=10)  # fmt: skip
        axes.set_yticks(range(len(rows)), [row["label"] for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.7)
        axes.set_xlabel(f"test {metric_label(metric)}, with 95 % interval over {over}")
        axes.set_title(title, fontsize=11, parse_math=False)
        axes.grid(axis="x", color="#dddddd", linewidth=0.8)
        axes.set_axisbelow(True)
        save_figure(figure, path)
        figure.savefig(path.with_suffix(".pdf"))


def plot_mix(mix: Mapping[str, Any], *, path: Path, title: str) -> None:
    """Plot the weight of each layer in a mix as a bar, beside the weight that all had at the start.

    Parameters
    ----------
    mix
        As `xdomain.model.layer_mix.remove_mix` returns it: {layers: [{layer, weight}, …], gamma}.
    path
        The image file to write.
    title
        Stands above, in the second line.
    """
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
        save_figure(figure, path)
