"""The loss between the start and the end of a fine-tuning, along the line and on a plane (Hao et al. 2019).

Source: arXiv 1908.05620; random directions scaled as in Li et al. 2018, arXiv 1712.09913.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xdomain.analysis.landscape_plots import Drawn, Floats, Line, Surface, line_finding, surface_finding
from xdomain.analysis.loaded_run import OpenedRun
from xdomain.analysis.loss_surface import (
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
from xdomain.analysis.result import Analysis, Finding, Options, one_task
from xdomain.core.errors import BackboneError
from xdomain.training.plots import COLOURS

PLANE_SHARE = 4  # a plane has many points: each is read off a quarter of the records


def steps(points: int) -> Floats:
    """So many even steps from about -0.5 to 1.5 (from 0 to 2 where there are 3) that hit 0 and 1 exactly."""
    apart = max(1, (points - 1) // 2)
    return np.arange(-(apart // 2), points - apart // 2) / apart


def around(alphas: Floats) -> Floats:
    """An odd number of steps, moved so that the middle one is exactly 0."""
    return alphas - alphas[len(alphas) // 2]


def _refuses(runs: Sequence[OpenedRun], _: Options) -> str | None:
    if why := one_task(runs):
        return why
    if len(runs) > len(COLOURS):
        return f"{len(runs)} lines in one picture cannot be told apart; {len(COLOURS)} runs at most"
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
        aside, told = _aside(path, options.seed, None if other is None else (runs[other].label, paths[other]))
        losses = LossOf.over(run, few)
        plane = [[losses(path.at(float(a), aside, float(b))) for a in coarse] for b in betas]
        surfaces.append(Surface(np.array(plane), told, other is not None))
    drawn = Drawn(tuple(run.label for run in runs), runs[0].recipe.problem)
    return [
        line_finding(drawn, alphas, lines, (len(train), len(valid))),
        surface_finding(drawn, coarse, betas, surfaces, len(few)),
    ]


def _along(losses: LossOf, path: Path, alphas: Floats) -> Floats:
    return np.array([losses(path.at(float(alpha))) for alpha in alphas])


def _aside(path: Path, seed: int, other: tuple[str, Path] | None) -> tuple[Tensors, str]:
    """The second direction, and what it is."""
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
