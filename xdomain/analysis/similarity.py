"""How alike are the representations of two models, layer by layer? Linear CKA and PWCCA."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import matplotlib as mpl
import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from xdomain.analysis.layers import drawn_symbols, held_by_all, same_symbols, symbol_vectors
from xdomain.analysis.loaded_run import OpenedRun
from xdomain.analysis.result import STYLE, Analysis, Finding, Options, empty_figure
from xdomain.core.errors import RecipeError
from xdomain.core.run_dir import finite
from xdomain.training.figure_style import BLUE, GREY, ORANGE

Matrix = NDArray[np.float64]
VARIANCE = 0.99  # the share of variance in the directions that PWCCA compares, as in SVCCA
POSITIONS_PER_DIRECTION = 10  # with fewer, canonical correlations are high by chance alone
MAX_POSITIONS = 8000
LEAST_POSITIONS = 4  # needed by the unbiased estimate
MAX_NUMBERED = 9  # layers: with more, their values would be unreadable
READING = (
    "Two layers are alike (1) if they tell the same symbols apart in the same way, even if by other numbers, and "
    "unrelated near 0. Of a run's start against its end, a low value says that fine-tuning changed much of that layer; "
    "of two runs, a high one that they arrived at much the same."
)
MEASURES = {"cka": "linear CKA", "pwcca": "PWCCA"}


@dataclass(frozen=True)
class Layer:
    """One representation of n positions, centred, with what both measures need of it.

    Parameters
    ----------
    x
        Shape (n, d).
    norms
        Shape (n,): the squared lengths of the rows of `x`.
    basis
        Shape (n, directions), with orthonormal columns: the main directions, which hold `VARIANCE` of the variance.
    weights
        Shape (directions, d): the products of these directions with the columns (neurons) of `x`.
    """

    x: Matrix
    norms: Matrix
    basis: Matrix
    weights: Matrix

    @cached_property
    def own(self) -> float:
        """The `hsic` of the representation with itself."""
        return hsic(self, self)


def layer_of(vectors: NDArray[Any], *, variance: float = VARIANCE) -> Layer:
    """Centre a representation `vectors`, shape (n, d), and find the main directions that hold the share `variance`."""
    x = vectors.astype(np.float64)
    x -= x.mean(0)
    values, directions = np.linalg.eigh(x.T @ x)
    values, directions = values[::-1].clip(min=0), directions[:, ::-1]
    whole = values.sum()
    real = int((values > whole * 1e-9).sum())
    enough = int(np.searchsorted(np.cumsum(values), variance * whole * (1 - 1e-12))) + 1
    kept = min(real, enough)
    scale = np.sqrt(values[:kept])
    basis = x @ (directions[:, :kept] / scale)
    return Layer(x, np.einsum("ij,ij->i", x, x), basis, scale[:, None] * directions[:, :kept].T)


def linear_cka(a: Layer, b: Layer) -> float:
    """Linear CKA (Kornblith et al. 2019, arXiv 1905.00414) of `a` and `b`, with the unbiased estimator of HSIC.

    The estimator is that of Song et al. 2012 (JMLR 13, 1393). Even on few positions it is on average near 0 for
    unrelated representations, where the plain estimator is larger; so it can be slightly below 0. It is invariant to
    rotations, shifts and a common scale of either representation. NaN if one of them does not vary.
    """
    return hsic(a, b) / math.sqrt(a.own * b.own) if min(a.own, b.own) > 0 else math.nan


def hsic(a: Layer, b: Layer) -> float:
    """Unbiased HSIC of `a` and `b` with linear kernels, for n ≥ 4 positions.

    It is computed from features, at a cost of n × d² instead of n² × d.
    """
    n = len(a.norms)
    shared = float(np.square(a.x.T @ b.x).sum())
    both, sums = float(a.norms @ b.norms), float(a.norms.sum() * b.norms.sum())
    return (shared - both + sums / ((n - 1) * (n - 2)) - 2 * both / (n - 2)) / (n * (n - 3))


def pwcca(a: Layer, b: Layer) -> float:
    """Projection-weighted CCA (Morcos et al. 2018, arXiv 1806.05759) of the main directions of `a` and `b`.

    It is the mean of the canonical correlations, each weighted by how much of `a` its canonical variable accounts for:
    the sum of the variable's absolute products with the neurons of `a`. It is invariant to the scale of either, and
    to invertible linear maps of `b` if all directions are kept; a rotation of `a` changes the weights. NaN if one of
    them does not vary, or if there are fewer than 10 positions per direction.
    """
    widest = max(a.basis.shape[1], b.basis.shape[1])
    if min(a.basis.shape[1], b.basis.shape[1]) == 0 or len(a.x) < POSITIONS_PER_DIRECTION * widest:
        return math.nan
    turn, correlations, _ = np.linalg.svd(a.basis.T @ b.basis, full_matrices=False)
    weights = np.abs(turn.T @ a.weights).sum(1)
    return float(weights @ correlations.clip(max=1) / weights.sum())


@dataclass(frozen=True)
class Grid:
    """The similarity of all layers of one state of a run (rows) to all layers of another (columns).

    Parameters
    ----------
    a, b
        The label of the run and the state, start or tuned, of rows and of columns.
    cka, pwcca
        Shape (layers of a, layers of b); NaN if undefined, for PWCCA also if there were too few positions.
    """

    a: tuple[str, str]
    b: tuple[str, str]
    cka: Matrix
    pwcca: Matrix


def find(runs: Sequence[OpenedRun], options: Options) -> list[Finding]:
    """Compare the layers of `runs`: each run's start with its end, and each further run with the first.

    `options` say how many records to read, and the seed.

    Raises
    ------
    RecipeError
        There are too few symbols in the records.
    """
    records = runs[0].some("valid", options.records, seed=options.seed)
    reach = held_by_all(runs, records)
    slots = drawn_symbols([np.ones(count, bool) for count in reach.sum(1)], MAX_POSITIONS, options.seed)
    positions = sum(map(len, slots))
    if positions < LEAST_POSITIONS:
        raise RecipeError(f"{positions} symbols in the records that are read", expected=f"{LEAST_POSITIONS} or more",
                          fix="more --records")  # fmt: skip

    def states(run: OpenedRun) -> dict[str, list[Layer]]:
        models = {"start": run.start, "tuned": run.model}
        return {state: _layers(run, model, records, reach, slots) for state, model in models.items()}

    grids: list[Grid] = []
    first = states(runs[0])
    grids.append(_grid(runs[0], "start", first["start"], runs[0], "tuned", first["tuned"]))
    chance = _chance(first["tuned"][-1], options.seed)
    for run in runs[1:]:
        own = states(run)
        grids.append(_grid(run, "start", own["start"], run, "tuned", own["tuned"]))
        grids += [_grid(runs[0], state, first[state], run, state, own[state]) for state in ("tuned", "start")]
    table = _table(grids, positions)
    read = f"{positions:,} symbols of {len(records):,} valid records"
    return [
        Finding(
            f"similarity-{measure}",
            f"How alike are the layers? ({MEASURES[measure]})",
            READING,
            _caption(measure, grids, read, positions, chance),
            table,
            _draw(measure, grids),
        )
        for measure in MEASURES
        if any(np.isfinite(getattr(grid, measure)).any() for grid in grids)
    ]


def _layers(
    run: OpenedRun, model: Any, records: NDArray[np.int64], reach: NDArray[np.int64], slots: list[NDArray[np.int64]]
) -> list[Layer]:
    read = [v[:, chosen] for v, chosen in zip(symbol_vectors(run, model, records, reach), slots, strict=True)]
    return [layer_of(vectors) for vectors in np.concatenate(read, axis=1)]


def _grid(run_a: OpenedRun, state_a: str, a: list[Layer], run_b: OpenedRun, state_b: str, b: list[Layer]) -> Grid:
    values = (np.array([[measure(x, y) for y in b] for x in a]) for measure in (linear_cka, pwcca))
    return Grid((run_a.label, state_a), (run_b.label, state_b), *values)


def _chance(layer: Layer, seed: int) -> float:
    """PWCCA of a representation with itself after shuffling its positions: the value that chance alone gives."""
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(layer.x))
    return pwcca(layer, Layer(layer.x[order], layer.norms[order], layer.basis[order], layer.weights))


def _table(grids: Sequence[Grid], positions: int) -> pa.Table:
    rows = [
        {
            "run_a": grid.a[0], "state_a": grid.a[1], "layer_a": i, "run_b": grid.b[0], "state_b": grid.b[1],
            "layer_b": j, "cka": grid.cka[i, j], "pwcca": grid.pwcca[i, j], "positions": positions,
        }
        for grid in grids
        for i, j in np.ndindex(grid.cka.shape)
    ]  # fmt: skip
    return pa.Table.from_pylist(finite(rows))


def _caption(measure: str, grids: Sequence[Grid], read: str, positions: int, chance: float) -> str:
    name = MEASURES[measure]
    parts = [f"{name[0].upper()}{name[1:]} of the hidden states of the same {read}; 1 is alike"]
    if measure == "cka":
        parts[0] += " up to a rotation and a scale, 0 unrelated (unbiased estimator)"
    else:
        parts[0] += (
            f" up to a linear map, of the directions that hold {VARIANCE:.0%} of the variance, weighted by the first"
            f" named (shuffled positions: {_two(chance)})"
        )
    for grid in grids:
        values = np.diag(getattr(grid, measure))
        if grid.a[0] == grid.b[0]:
            parts.append(f"{grid.a[0]}, start against tuned: embeddings {_two(values[0])}, last layer "
                         f"{_two(values[-1])}")  # fmt: skip
    for tuned, start in zip(grids[2::3], grids[3::3], strict=True):
        pair = f"{tuned.a[0]} against {tuned.b[0]}"
        before, after = (np.diag(getattr(grid, measure))[-1] for grid in (start, tuned))
        parts.append(f"{pair}, last layer: {_two(before)} at the start, {_two(after)} tuned")
    if left := sum(int(np.isnan(grid.pwcca).sum()) for grid in grids):
        parts.append(
            f"PWCCA is left out for {left} of {sum(grid.pwcca.size for grid in grids)} pairs of layers: {positions:,} "
            f"positions are fewer than {POSITIONS_PER_DIRECTION} for each direction (more --records)"
        )
    if len(grids) > 1:
        parts.append("The runs read the same symbols at the same places, which by itself makes for some likeness: "
                     "compare with the start")  # fmt: skip
    return ". ".join(parts) + "."


def _two(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "not known"


def _draw(measure: str, grids: Sequence[Grid]) -> Figure:
    with mpl.rc_context(STYLE):
        if len(grids) == 1:
            figure = empty_figure(5.4, width=6.6)
            axes = figure.subplots()
            image = _heat(axes, grids[0], measure)
            axes.set_title(f"How alike are the layers before and after?\n{grids[0].a[0]}")
            figure.colorbar(image, ax=axes, label=MEASURES[measure])
            return figure
        others = len(grids) // 3
        figure = empty_figure(0.5 + 3.3 * others, width=11)
        rows = figure.subplots(others, 3, squeeze=False, width_ratios=(1, 1, 0.95))
        for row in range(others):
            own, tuned, start = grids[1 + 3 * row : 4 + 3 * row]
            for axes, grid, name in zip(rows[row, :2], (start, tuned), ("at the start", "fine-tuned"), strict=True):
                image = _heat(axes, grid, measure)
                axes.set_title(f"both {name}")
            figure.colorbar(image, ax=rows[row, :2].tolist(), label=MEASURES[measure], shrink=0.8)  # pyright: ignore
            _lines(rows[row, 2], (grids[0], own), measure)
        figure.suptitle(f"How alike are the layers of the runs? ({MEASURES[measure]})", x=0.01, ha="left",
                        fontsize=11.5)  # fmt: skip
        return figure


def _heat(axes: Axes, grid: Grid, measure: str) -> Any:
    values: Matrix = getattr(grid, measure)
    image = axes.imshow(values, cmap="viridis", vmin=0, vmax=1, origin="lower")
    for side, ticks in (("x", values.shape[1]), ("y", values.shape[0])):
        step = 1 if ticks <= 13 else 4
        getattr(axes, f"set_{side}ticks")(range(0, ticks, step))
    same = grid.a[0] == grid.b[0]
    axes.set_ylabel(f"layer {'at the start' if same else f'of {grid.a[0]}'}")
    axes.set_xlabel(f"layer {'fine-tuned' if same else f'of {grid.b[0]}'}")
    if max(values.shape) <= MAX_NUMBERED:
        for i, j in np.ndindex(values.shape):
            if np.isfinite(values[i, j]):
                colour = "black" if values[i, j] > 0.55 else "white"
                axes.text(j, i, f"{values[i, j]:.2f}", ha="center", va="center", fontsize=9, color=colour)
    return image


def _lines(axes: Axes, grids: Sequence[Grid], measure: str) -> None:
    for grid, colour, marker in zip(grids, (BLUE, ORANGE), "os", strict=True):
        values = np.diag(getattr(grid, measure))
        axes.plot(values, color=colour, marker=marker, markersize=5, label=grid.a[0])
    axes.set_title("start against fine-tuned")
    axes.set_xlabel("layer (0: embeddings)")
    axes.set_ylabel(MEASURES[measure])
    axes.set_ylim(0, 1.05)
    axes.set_xticks(range(0, len(np.diag(grids[0].cka)), 1 if len(grids[0].cka) <= 9 else 3))
    axes.grid(axis="y", color=GREY, alpha=0.2)
    axes.legend(frameon=False, fontsize=9, loc="lower left")


ANALYSIS = Analysis(
    "similarity", "How alike are the representations of the runs, layer by layer?", ("records", "seed"),
    lambda runs, _: same_symbols(runs), find,
)  # fmt: skip
