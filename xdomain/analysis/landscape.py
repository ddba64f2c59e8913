"""The loss between the start and the end of fine-tuning, along the line and on a plane (Hao et al. 2019).

Source: arXiv 1908.05620; random directions scaled as in Li et al. 2018, arXiv 1712.09913.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from xdomain.analysis.loaded_run import OpenedRun
from xdomain.analysis.moved_weights import (
    LossOf,
    Path,
    Tensors,
    cosine,
    norm_of,
    path_of,
    random_like,
    second_run,
    unlike,
)
from xdomain.analysis.result import STYLE, Analysis, Finding, Options, empty_figure, one_task
from xdomain.core.choices import OF_VALUES
from xdomain.core.errors import BackboneError
from xdomain.training.figure_style import ARMS, GREY, arm_looks

PLANE_SHARE = 4  # a plane has many points, so each is computed on a quarter of the records
Floats = NDArray[np.float64]
READING_LINE = (
    "The loss says how wrong the answers are: 0 is sure and right, and guessing between two equally frequent classes "
    "costs 0.69 nats. The further the curve stays low around the fine-tuned weights (α = 1), the less a small change "
    "of the weights harms. Where the dashed curve lies far above the solid one, the model does worse on records that "
    "it has not seen."
)
READING_SURFACE = (
    "Like a map: each point is a set of weights, and the colour its loss. A wide area in the colour of the fine-tuned "
    "point means that many weights near it do as well; a ridge between two points means that the way from one to the "
    "other is not downhill throughout."
)
MARGIN = 0.1  # nats, or squared standard deviations: a loss that is higher by at most this is in the same valley
COLUMNS = 3
LEVELS = 15


def steps(points: int) -> Floats:
    """Return `points` evenly spaced values from about -0.5 to 1.5 (0 to 2 if 3 points), 0 and 1 exactly among them."""
    apart = max(1, (points - 1) // 2)
    return np.arange(-(apart // 2), points - apart // 2) / apart


def around(alphas: Floats) -> Floats:
    """Shift an odd number of `alphas` so that the middle one is exactly 0."""
    return alphas - alphas[len(alphas) // 2]


def _refuses(runs: Sequence[OpenedRun], _: Options) -> str | None:
    if why := one_task(runs):
        return why
    if len(runs) > len(ARMS):
        return f"{len(runs)} lines in one picture cannot be told apart; {len(ARMS)} runs at most"
    for run in runs:
        if run.recipe.run.tune == "mix":
            return f"{run.label} was trained through a mix of layers, whose start is no point among the saved weights"
        try:
            other = unlike(path_of(run))
        except BackboneError as error:
            return error.what
        if other:
            tune = f", as tune {run.recipe.run.tune} makes it," if run.recipe.run.tune != "full" else ""
            return f"{run.label}: the saved model{tune} differs from its start in the shape of {other}: no line between"
    return None


def _find(runs: Sequence[OpenedRun], options: Options) -> list[Finding]:
    paths = [path_of(run) for run in runs]
    train = runs[0].some("train", options.records, seed=options.seed)
    valid = runs[0].some("valid", options.records, seed=options.seed)
    alphas, coarse = steps(options.grid), steps(max(3, options.grid // 2 | 1))
    few = runs[0].some("train", max(2, options.records // PLANE_SHARE), seed=options.seed)
    seconds = [second_run(runs, paths, which) for which in range(len(runs))]
    betas = coarse if any(other is not None for other in seconds) else around(coarse)
    lines: list[Line] = []
    surfaces: list[Surface] = []
    for run, path, other in zip(runs, paths, seconds, strict=True):
        losses, valid_losses = LossOf.over(run, train), LossOf.over(run, valid)
        lines.append(Line(_along(losses, path, alphas), _along(valid_losses, path, alphas), norm_of(path.step)))
        aside, description = _aside(path, options.seed, None if other is None else (runs[other].label, paths[other]))
        losses = LossOf.over(run, few)
        plane = [[losses(path.at(float(a), aside, float(b))) for a in coarse] for b in betas]
        surfaces.append(Surface(np.array(plane), description, other is not None))
    drawn = Drawn(tuple(run.label for run in runs), runs[0].recipe.problem)
    return [
        line_finding(drawn, alphas, lines, (len(train), len(valid))),
        surface_finding(drawn, coarse, betas, surfaces, len(few)),
    ]


def _along(losses: LossOf, path: Path, alphas: Floats) -> Floats:
    return np.array([losses(path.at(float(alpha))) for alpha in alphas])


def _aside(path: Path, seed: int, other: tuple[str, Path] | None) -> tuple[Tensors, str]:
    """Return the second direction of the plane, and describe it in words."""
    if other is None:
        return random_like(path.step, seed), f"a random direction of the same length row by row, drawn by seed {seed}"
    label, there = other
    step = there.step
    return step, f"the path of {label} from the same start (cosine of the two paths {cosine(path.step, step):.2f})"


ANALYSIS = Analysis(
    name="landscape",
    about="how the loss changes between the start and the fine-tuned weights, and beside that path",
    uses=("records", "grid", "seed"),
    refuses=_refuses,
    find=_find,
)


@dataclass(frozen=True)
class Drawn:
    """What both pictures share: the labels of the runs, and the problem, which decides kind and unit of the loss."""

    labels: tuple[str, ...]
    problem: str

    @property
    def kind(self) -> str:
        """The name of the loss."""
        return "mean squared error" if self.problem in OF_VALUES else "mean cross-entropy"

    @property
    def unit(self) -> str:
        """The unit of the loss."""
        return "of standardised values" if self.problem in OF_VALUES else "nats"

    @property
    def short(self) -> str:
        """The suffix of a number: a blank and the unit, empty for regression."""
        return "" if self.problem in OF_VALUES else " nats"


@dataclass(frozen=True)
class Line:
    """Losses on train and valid records along a run's path, shape (points,) each, and the `length` of the path."""

    train: Floats
    valid: Floats
    length: float


@dataclass(frozen=True)
class Surface:
    """The losses on a plane.

    Parameters
    ----------
    losses
        Shape (betas, alphas).
    aside
        The direction of beta, in words.
    second
        Whether that direction is the path of a second run, which ends at beta = 1.
    """

    losses: Floats
    aside: str
    second: bool


def basin(alphas: Floats, losses: Floats, *, margin: float = MARGIN) -> tuple[float, float]:
    """Find the stretch around alpha = 1 where the loss is at most `margin` above the loss at 1.

    Parameters
    ----------
    alphas, losses
        Shape (points,), alphas ascending; 1 is among them.
    margin
        How much higher the loss may be, in its own unit.

    Returns
    -------
    tuple
        The two ends, linearly interpolated between points; the end of the axis if the stretch goes on.
    """
    here = int(np.flatnonzero(alphas == 1)[0])
    ends = [_end(alphas[here::way], losses[here::way], losses[here] + margin) for way in (-1, 1)]
    return ends[0], ends[1]


def _end(alphas: Floats, losses: Floats, most: float) -> float:
    losses = np.where(np.isnan(losses), np.inf, losses)
    above = np.flatnonzero(losses > most)
    if not len(above):
        return float(alphas[-1])
    last = int(above[0])
    share = (most - losses[last - 1]) / (losses[last] - losses[last - 1])
    return float(alphas[last - 1] + share * (alphas[last] - alphas[last - 1]))


def line_finding(drawn: Drawn, alphas: Floats, lines: Sequence[Line], counts: tuple[int, int]) -> Finding:
    """Draw the losses along the paths, one line per run on the same axes.

    Parameters
    ----------
    drawn
        Labels of the runs and the kind of loss.
    alphas
        Shape (points,): positions on the path, ascending, 0 and 1 among them.
    lines
        The losses of each run.
    counts
        The numbers of training and of validation records.
    """
    title = "How wide is the valley that fine-tuning ended in?"
    kind, unit, short = drawn.kind, drawn.unit, drawn.short
    with mpl.rc_context(STYLE):
        figure = empty_figure(4.2)
        axes = figure.subplots()
        looks = arm_looks(drawn.labels)
        for label, line in zip(drawn.labels, lines, strict=True):
            colour = looks[label]["color"]
            axes.plot(alphas, line.train, color=colour, marker="o", markersize=3, label=label)
            axes.plot(alphas, line.valid, color=colour, linestyle="--", linewidth=1.2)
        for place, name in ((0, " start"), (1, " fine-tuned")):
            axes.axvline(place, color=GREY, linewidth=1, linestyle=":", zorder=0)
            axes.annotate(name, (place, 1), xycoords=("data", "axes fraction"), va="top", color=GREY, fontsize=9)
        axes.plot([], [], color=GREY, label=f"{counts[0]:,} training records")
        axes.plot([], [], color=GREY, linestyle="--", linewidth=1.2, label=f"{counts[1]:,} validation records")
        axes.set_ylim(0, _top(lines, alphas))
        axes.set_xlabel("α: weights = start + α (fine-tuned − start)")
        axes.set_ylabel(f"{kind} ({unit})")
        axes.set_title(title)
        axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    parts = [_basin_sentence(label, alphas, line, short) for label, line in zip(drawn.labels, lines, strict=True)]
    caption = (
        f"{kind[0].upper()}{kind[1:]} ({unit}), dropout off, of {counts[0]:,} training records (solid) and "
        f"{counts[1]:,} validation records (dashed) on the straight line from the start (α = 0) through the fine-tuned "
        "weights (α = 1); word rows, layer norms, biases and head move along. "
        f"Around α = 1 the training loss stays within {MARGIN}{short} of what it is there: {'; '.join(parts)}."
    )
    table = pa.table(
        {
            "run": [label for label in drawn.labels for _ in alphas],
            "alpha": np.tile(alphas, len(drawn.labels)),
            "train_loss": np.concatenate([line.train for line in lines]),
            "valid_loss": np.concatenate([line.valid for line in lines]),
            "path_length": np.repeat([line.length for line in lines], len(alphas)),
        }
    )
    return Finding("landscape-line", title, READING_LINE, caption, table, figure)


def _top(lines: Sequence[Line], alphas: Floats) -> float:
    """The upper limit of the axis: all losses between start and end are visible, much higher ones beyond are cut."""
    inside = (alphas >= 0) & (alphas <= 1)
    seen = np.concatenate([losses for line in lines for losses in (line.train, line.valid)])
    path = np.concatenate([losses[inside] for line in lines for losses in (line.train, line.valid)])
    return 1.08 * float(min(np.nanmax(seen), 2 * np.nanmax(path))) or 1.0


def _basin_sentence(label: str, alphas: Floats, line: Line, short: str) -> str:
    low, high = basin(alphas, line.train)
    open_ended = "at least " if low == alphas[0] or high == alphas[-1] else ""
    least = int(np.nanargmin(line.train))
    here = float(line.train[alphas == 1][0])
    lower = f", lowest {line.train[least]:.3f} at α = {alphas[least]:.2g}" if line.train[least] < here - 0.001 else ""
    width = high - low
    return (
        f"{label} from α = {low:.2f} to {high:.2f}, {open_ended}{width:.2f} of a path of length {line.length:.1f}, "
        f"that is {open_ended}{width * line.length:.1f} (loss {here:.3f}{short} at α = 1{lower})"
    )


def surface_finding(drawn: Drawn, alphas: Floats, betas: Floats, surfaces: Sequence[Surface], records: int) -> Finding:
    """Draw the loss on a plane, one panel per run with the same axes and colours.

    Parameters
    ----------
    drawn
        Labels of the runs and the kind of loss.
    alphas
        Shape (points,): positions along the run's path, ascending, 0 and 1 among them.
    betas
        Positions along the second direction, ascending, 0 among them.
    surfaces
        The losses of each run.
    records
        The number of records that the losses were computed on.
    """
    title = "What does the loss look like beside the path?"
    kind, unit, short = drawn.kind, drawn.unit, drawn.short
    levels = _levels(surfaces, alphas, betas)
    columns = min(COLUMNS, len(drawn.labels))
    rows = -(-len(drawn.labels) // columns)
    with mpl.rc_context(STYLE):
        figure = empty_figure(1.2 + (3.3 if columns < COLUMNS else 2.4) * rows)
        figure.set_layout_engine("compressed")  # panels are square: no room is left beside them
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        scale = ScalarMappable(BoundaryNorm(levels, 256, extend="max"), "viridis_r")
        for label, surface, axes in zip(drawn.labels, surfaces, grid.flat, strict=False):
            shown = np.nan_to_num(surface.losses, nan=np.inf, posinf=1e9).clip(max=1e9)
            axes.contourf(alphas, betas, shown, levels=levels, cmap=scale.cmap, norm=scale.norm, extend="max")
            axes.contour(alphas, betas, shown, levels=levels, colors="white", linewidths=0.4, alpha=0.6)
            _mark(axes, surface)
            axes.set_title(label)
            axes.set_aspect("equal")
        for axes in list(grid.flat)[len(drawn.labels) :]:
            axes.set_visible(False)
        for axes in grid[:, 0]:
            axes.set_ylabel("β: aside")
        for axes in grid[-1]:
            axes.set_xlabel("α: along the run's path")
        figure.colorbar(scale, ax=grid, label=f"{kind}\n({unit})", shrink=0.8)
        figure.suptitle(title, x=0.01, ha="left", fontsize=10.5)
    parts = [
        _surface_sentence(label, alphas, betas, surface) for label, surface in zip(drawn.labels, surfaces, strict=True)
    ]
    caption = (
        f"Training loss ({kind}, {unit}, dropout off, {records:,} records) on a plane: α goes along the run's own path "
        f"(0 start ○, 1 fine-tuned ●), β along a second direction. {' '.join(parts)} "
        f"Same axes and colours in all panels; within {MARGIN}{short} of the fine-tuned weights counts as the valley."
    )
    table = pa.table(
        {
            "run": [label for label in drawn.labels for _ in range(len(alphas) * len(betas))],
            "alpha": np.tile(alphas, len(betas) * len(drawn.labels)),
            "beta": np.tile(np.repeat(betas, len(alphas)), len(drawn.labels)),
            "train_loss": np.concatenate([surface.losses.ravel() for surface in surfaces]),
        }
    )
    return Finding("landscape-surface", title, READING_SURFACE, caption, table, figure)


def _levels(surfaces: Sequence[Surface], alphas: Floats, betas: Floats) -> Floats:
    """Contour levels for all panels: from the lowest loss to 1.5 times the highest on the paths themselves."""
    inside = (alphas >= 0) & (alphas <= 1)
    path = max(float(np.nanmax(surface.losses[betas == 0][:, inside])) for surface in surfaces)
    least = min(float(np.nanmin(surface.losses)) for surface in surfaces)
    most = min(1.5 * path, max(float(np.nanmax(surface.losses)) for surface in surfaces))
    return np.asarray(MaxNLocator(LEVELS).tick_values(least, max(most, least + 1e-6)))


def _mark(axes: Axes, surface: Surface) -> None:
    axes.plot([0, 1], [0, 0], color="black", linewidth=0.8, linestyle=":")
    axes.plot(0, 0, "o", markerfacecolor="white", markeredgecolor="black", markersize=7, clip_on=False)
    axes.plot(1, 0, "o", color="black", markersize=7, clip_on=False)
    if surface.second:
        axes.plot(0, 1, "s", color="black", markersize=6, clip_on=False)


def _surface_sentence(label: str, alphas: Floats, betas: Floats, surface: Surface) -> str:
    """A sentence on a panel: its second direction, the losses at start and end, how many points are in the valley."""
    (row,), (zero,), (one,) = (np.flatnonzero(hits) for hits in (betas == 0, alphas == 0, alphas == 1))
    start, end = surface.losses[row, zero], surface.losses[row, one]
    valley = int((surface.losses <= end + MARGIN).sum())
    there = " (its end ■)" if surface.second else ""
    return (
        f"{label}: β is {surface.aside}{there}; {start:.3f} at the start, {end:.3f} fine-tuned, "
        f"{valley} of {surface.losses.size} points in the valley."
    )
