"""How units are used, and how well they agree with labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xdomain.core.sequences import Ids


@dataclass(frozen=True, eq=False)
class Usage:
    """How often the units of a codebook occur; of two parts, their sum is that of the whole.

    Parameters
    ----------
    counts
        Shape (k,), int64: frames of each unit.
    merged
        Units left when neighbours that are alike become one.
    seconds
        Of audio.
    files
        How many.
    """

    counts: NDArray[np.int64]
    merged: int
    seconds: float
    files: int = 1

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.counts + other.counts,
            self.merged + other.merged,
            self.seconds + other.seconds,
            self.files + other.files,
        )

    @property
    def frames(self) -> int:
        """Frames in all."""
        return int(self.counts.sum())

    @property
    def units_a_second(self) -> float:
        """Merged units a second of audio."""
        return self.merged / self.seconds if self.seconds else float("nan")

    @property
    def frames_a_unit(self) -> float:
        """Mean length of a run."""
        return self.frames / self.merged if self.merged else float("nan")

    @property
    def perplexity(self) -> float:
        """How many units, all used alike, would be as hard to guess: exp of the entropy of a frame's unit."""
        shares = self.counts[self.counts > 0] / max(1, self.frames)
        return float(np.exp(-(shares * np.log(shares)).sum()))

    @property
    def used(self) -> float:
        """Share of the codebook that occurs at all, in [0, 1]."""
        return float((self.counts > 0).mean())


def usage(units: Ids, runs: Ids, *, size: int, seconds: float) -> Usage:
    """Of one file: merged units and run lengths, each of shape (m,)."""
    counts = np.bincount(units, weights=runs, minlength=size).astype(np.int64)
    return Usage(counts, len(units), seconds)


@dataclass(frozen=True)
class Agreement:
    """Units against labels, as Hsu et al. 2021 (arXiv 2106.07447, §4.4) measure units against phones.

    Parameters
    ----------
    purity
        Share of the frames whose label is the most frequent one of their unit.
    cluster_purity
        Share of the frames whose unit is the most frequent one of their label: falls as units grow more.
    pnmi
        Mutual information over the entropy of the labels, the PNMI of HuBERT (Hsu et al. 2021): the share of it that
        the units take away, in [0, 1].
    chance
        Share of the most frequent label: the purity of a single unit.
    """

    purity: float
    cluster_purity: float
    pnmi: float
    chance: float


def agreement(units: Ids, labels: NDArray[np.generic], weights: Ids | None = None) -> Agreement:
    """How well units tell labels.

    Parameters
    ----------
    units
        Shape (n,): of frames, or merged.
    labels
        Shape (n,): of any kind that can be compared.
    weights
        Shape (n,): run lengths where the units are merged; None: 1 each.

    Returns
    -------
    All NaN where n is 0.
    """
    if not len(units):
        return Agreement(*[float("nan")] * 4)
    _, rows = np.unique(units, return_inverse=True)
    _, columns = np.unique(labels, return_inverse=True)
    table = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(table, (rows, columns), 1 if weights is None else weights)
    shares = table / table.sum()
    of_units, of_labels = shares.sum(1), shares.sum(0)
    there = shares > 0
    information = float((shares[there] * np.log(shares[there] / np.outer(of_units, of_labels)[there])).sum())
    entropy = float(-(of_labels[of_labels > 0] * np.log(of_labels[of_labels > 0])).sum())
    return Agreement(
        purity=float(shares.max(1).sum()),
        cluster_purity=float(shares.max(0).sum()),
        pnmi=information / entropy if entropy else float("nan"),
        chance=float(of_labels.max()),
    )
