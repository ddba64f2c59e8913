"""BERT's masking: which positions are predicted, and what stands there instead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MASKED, REPLACED = 0.8, 0.1


@dataclass(frozen=True)
class Masking:
    """Devlin et al. 2019, §3.1: of the chosen positions 80 % become [MASK], 10 % another token, 10 % stay.

    Parameters
    ----------
    rate
        Share of the positions that are chosen, in (0, 1).
    mask
        The row of [MASK].
    ordinary
        Rows that another token is drawn from: no special token, no ``[unused…]``.
    """

    rate: float
    mask: int
    ordinary: NDArray[np.int64]

    def apply(
        self, ids: NDArray[np.int64], free: NDArray[np.bool_], rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Mask `ids`, shape (b, s), in place, where `free` says that a position may be chosen.

        At least one position is chosen: a batch without any has no loss.

        Returns
        -------
        tuple
            The chosen places in ``ids.ravel()``, ascending, and what stood there: both int64 of shape (m,).
        """
        draw = rng.random(ids.shape, np.float32)
        draw[~free] = 2
        flat = ids.reshape(-1)
        places = np.flatnonzero(draw.reshape(-1) < self.rate)
        if not len(places):
            places = np.array([draw.argmin()])
        wanted = flat[places]
        fate = rng.random(len(places))
        flat[places[fate < MASKED]] = self.mask
        swapped = places[fate >= 1 - REPLACED]
        flat[swapped] = self.ordinary[rng.integers(len(self.ordinary), size=len(swapped))]
        return places, wanted
