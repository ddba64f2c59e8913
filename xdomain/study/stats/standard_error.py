"""How far the mean over mapping seeds and training seeds is from its truth: its standard error and freedom."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDING = 1e-12  # spread below this share of the largest value is the rounding of equal values

Cells = NDArray[np.float64]


@dataclass(frozen=True)
class MeanSquares:
    """Mean squares of M x S cells, one observation each: between rows, between columns, the rest.

    Parameters
    ----------
    mapping, seed, residual
        Their expectations are S·σ_m² + σ_r², M·σ_s² + σ_r² and σ_r²; degrees of freedom M - 1, S - 1 and their
        product.
    """

    mapping: float
    seed: float
    residual: float


@dataclass(frozen=True)
class StandardError:
    """The standard error of a mean over cells, as other seeds and mappings would move it.

    Parameters
    ----------
    standard_error
        In units of the values, 0 or more.
    df
        Degrees of freedom of Student's t, 1 or more; infinity where there is nothing to estimate a spread from.
    """

    standard_error: float
    df: float


def present(values: Cells) -> Cells:
    """The cells, shape (M, S), less the rows and columns in which none is finite; what is not finite is NaN."""
    known = np.isfinite(values)
    return np.where(known, values, np.nan)[known.any(axis=1)][:, known.any(axis=0)]


def is_paired(values: Cells) -> bool:
    """Whether no two finite cells share a row or a column: one training seed a mapping seed, or a single cell."""
    known = np.isfinite(values)
    return bool((known.sum(axis=0) <= 1).all() and (known.sum(axis=1) <= 1).all())


def mean_squares(values: Cells) -> MeanSquares:
    """Mean squares of complete cells, shape (M, S), M and S at least 2 (Searle, Casella & McCulloch 1992, ch. 4)."""
    mappings, seeds = values.shape
    rows, columns = values.mean(axis=1), values.mean(axis=0)
    residuals = values - rows[:, None] - columns + values.mean()
    found = (
        seeds * rows.var(ddof=1),
        mappings * columns.var(ddof=1),
        np.square(residuals).sum() / ((mappings - 1) * (seeds - 1)),
    )
    least = (ROUNDING * np.abs(values).max()) ** 2
    return MeanSquares(*(float(square) if square > least else 0.0 for square in found))


def standard_error(values: Cells) -> StandardError:
    """The standard error of the mean over the finite cells of `values`, shape (M, S), and its degrees of freedom.

    By the design of the cells, rows and columns without any being left out:

    - one cell: 0, with infinite freedom, as one cell says nothing of others;
    - one row, one column, or no two cells in the same row or column: independent cells, s / √n with n - 1;
    - complete: two-way random effects. V = max(MS_m + MS_s - MS_r, MS_m, MS_s, MS_r) / MS is the usual estimate of
      σ_m²/M + σ_s²/S + σ_r²/(MS) with the negative components cut off; its freedom is Satterthwaite's (1946), rounded
      down and at least min(M, S) - 1. By ``benchmarks/coverage.py`` 95 % of the intervals cover whichever of mapping
      and seed dominates, 98 to 99 % where the residual does, and the least that was seen is 93.6 %, at 3 x 10 with
      mapping and seed alike;
    - crossed with holes: variances clustered by rows and by columns, added (Cameron, Gelbach & Miller 2011, §2.2,
      without the term that is subtracted, hence too wide rather than too narrow), with min(M, S) - 1.
    """
    cells = present(values)
    known = np.isfinite(cells)
    n, (mappings, seeds) = int(known.sum()), cells.shape
    if n <= 1:
        return StandardError(0.0, math.inf)
    if min(mappings, seeds) == 1 or is_paired(cells):
        flat = cells[known]
        deviation = float(flat.std(ddof=1))
        rounding = deviation <= ROUNDING * np.abs(flat).max()
        return StandardError(0.0 if rounding else deviation / math.sqrt(n), n - 1)
    if n == cells.size:
        return _crossed(mean_squares(cells), mappings, seeds)
    residuals = np.where(known, cells - cells[known].mean(), 0.0)
    by_row, by_column = (np.square(residuals.sum(axis=axis)) for axis in (1, 0))
    sums = by_row.sum() * mappings / (mappings - 1) + by_column.sum() * seeds / (seeds - 1)
    if np.abs(residuals).max() <= ROUNDING * np.abs(cells[known]).max():
        sums = 0.0
    return StandardError(math.sqrt(sums) / n, min(mappings, seeds) - 1)


def _crossed(squares: MeanSquares, mappings: int, seeds: int) -> StandardError:
    m, s, r = squares.mapping, squares.seed, squares.residual
    total, least = max(m + s - r, m, s, r), min(mappings, seeds) - 1
    if total == 0:
        return StandardError(0.0, least)
    m, s, r = m / total, s / total, r / total
    df = 1 / (m**2 / (mappings - 1) + s**2 / (seeds - 1) + r**2 / ((mappings - 1) * (seeds - 1)))
    return StandardError(math.sqrt(total / (mappings * seeds)), max(math.floor(df * (1 + 1e-9)), least))
