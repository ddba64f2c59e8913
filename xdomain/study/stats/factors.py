"""The factors of an experiment: which of mapping, seed and split vary between cells, and which vary together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.float64]
"""Values by mapping seed, seed and split seed, an axis each; NaN where there is no value."""
NAMES = ("mapping", "seed", "split")
"""What the axes of `Cells` are."""
SPLIT = NAMES.index("split")


@dataclass(frozen=True)
class Layout:
    """Values by the factors that vary.

    Parameters
    ----------
    values
        One axis for each factor, with 2 levels or more; NaN where there is no value.
    factors
        For each axis of `values`, the axes of the given cells that it stands for: several that vary together, such as
        mapping seed i with seed i alone, are one factor.
    """

    values: Cells
    factors: tuple[tuple[int, ...], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each factor, such as ``seed`` or ``seed and split``."""
        return tuple(" and ".join(NAMES[axis] for axis in factor) for factor in self.factors)

    @property
    def complete(self) -> bool:
        """Whether every combination of levels has a value."""
        return bool(np.isfinite(self.values).all())


def layout(values: Cells) -> Layout:
    """Arrange cells by the factors that vary between them.

    Parameters
    ----------
    values
        Any number of axes; levels without a finite value are left out, infinities count as missing.
    """
    known = np.isfinite(values)
    factors: list[list[int]] = []
    levels: list[NDArray[np.intp]] = []
    for axis, places in enumerate(np.nonzero(known)):
        level = np.unique(places, return_inverse=True)[1]
        if not level.any():
            continue
        together = next((i for i, other in enumerate(levels) if _match(level, other)), None)
        if together is None:
            factors.append([axis])
            levels.append(level)
        else:
            factors[together].append(axis)
    arranged = np.full([int(level.max()) + 1 for level in levels], np.nan)
    if known.any():
        arranged[tuple(levels)] = values[known] if levels else values[known][0]
    return Layout(arranged, tuple(tuple(factor) for factor in factors))


def _match(one: NDArray[np.intp], other: NDArray[np.intp]) -> bool:
    """Whether each level of `one` comes with a single level of `other`, and the other way round."""
    pairs = len(set(zip(one.tolist(), other.tolist(), strict=True)))
    return pairs == int(one.max()) + 1 == int(other.max()) + 1
