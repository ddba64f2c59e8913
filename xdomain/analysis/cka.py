"""Measures of how alike two representations of the same positions are: linear CKA and PWCCA."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
VARIANCE = 0.99  # of a representation, held by the directions that PWCCA compares; as SVCCA keeps them
POSITIONS_PER_DIRECTION = 10  # with fewer, canonical correlations are high by chance alone


@dataclass(frozen=True)
class Layer:
    """One representation of n positions, centred, and what both measures need of it.

    Parameters
    ----------
    x
        Shape (n, d).
    norms
        Shape (n,): squared lengths of the rows of `x`.
    basis
        Shape (n, k), orthonormal columns: the k directions that hold `VARIANCE` of it.
    weights
        Shape (k, d): those directions' products with the columns (neurons) of `x`.
    """

    x: Matrix
    norms: Matrix
    basis: Matrix
    weights: Matrix

    @cached_property
    def own(self) -> float:
        """`hsic` with itself."""
        return hsic(self, self)


def layer_of(vectors: NDArray[Any], *, variance: float = VARIANCE) -> Layer:
    """Centre a representation, shape (n, d), and find its main directions."""
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
    """Linear CKA of Kornblith et al. 2019 (arXiv 1905.00414) with the unbiased estimator of HSIC.

    The estimator is that of Song et al. 2012 (JMLR 13, 1393): on few positions too, unrelated representations come
    out near 0, on average, where the plain one is above; so it can lie a little below 0. It does not change with
    rotations, shifts and a common scale of either representation. NaN where one of them does not vary.
    """
    return hsic(a, b) / math.sqrt(a.own * b.own) if min(a.own, b.own) > 0 else math.nan


def hsic(a: Layer, b: Layer) -> float:
    """Unbiased HSIC with linear kernels, worked out on features: n × d² in place of n² × d. Needs n ≥ 4."""
    n = len(a.norms)
    shared = float(np.square(a.x.T @ b.x).sum())
    both, sums = float(a.norms @ b.norms), float(a.norms.sum() * b.norms.sum())
    return (shared - both + sums / ((n - 1) * (n - 2)) - 2 * both / (n - 2)) / (n * (n - 3))


def pwcca(a: Layer, b: Layer) -> float:
    """Projection-weighted CCA of Morcos et al. 2018 (arXiv 1806.05759), of the directions that were kept.

    The canonical correlations, each weighted by how much of `a` its canonical variable of `a` accounts for: the sum
    of its absolute products with the neurons of `a`. It does not change with invertible linear maps of `b` as long
    as all directions are kept, nor with the scale of either; a rotation of `a` changes the weights.
    NaN where one of them does not vary, or where the positions are fewer than 10 for each direction.
    """
    widest = max(a.basis.shape[1], b.basis.shape[1])
    if min(a.basis.shape[1], b.basis.shape[1]) == 0 or len(a.x) < POSITIONS_PER_DIRECTION * widest:
        return math.nan
    turn, correlations, _ = np.linalg.svd(a.basis.T @ b.basis, full_matrices=False)
    weights = np.abs(turn.T @ a.weights).sum(1)
    return float(weights @ correlations.clip(max=1) / weights.sum())
