"""Merge runs of equal numbers, and write a record of speech units: ``71:3 12 0:14``."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]
UNIT_COLUMNS = ("id", "sequence", "rate", "duration", "file", "codebook")
"""The columns of a table that ``xdomain units encode`` writes; none of them is a label."""


def merged(units: ArrayLike, runs: ArrayLike | None = None) -> tuple[Ints, Ints]:
    """Merge equal neighbours.

    Parameters
    ----------
    units
        Shape (n,).
    runs
        Shape (n,): duration of each unit in frames, at least 1; None: one frame each.

    Returns
    -------
    tuple
        Units of which no two neighbours are equal, and the duration of each in frames.
    """
    given = np.asarray(units, np.int64)
    frames = np.ones(len(given), np.int64) if runs is None else np.asarray(runs, np.int64)
    if not len(given):
        return given, frames
    starts = np.flatnonzero(np.diff(given, prepend=given[0] - 1))
    return given[starts], np.add.reduceat(frames, starts)


def written_units(units: NDArray[np.integer], runs: NDArray[np.integer]) -> str:
    """`units` as text, separated by blanks, each followed by its run length in `runs` unless that is 1."""
    return " ".join(f"{u}:{r}" if r != 1 else f"{u}" for u, r in zip(units.tolist(), runs.tolist(), strict=True))


def written_out(units: str) -> str:
    """The `units` of one record, such as ``71:2 12``, without run lengths: ``71 71 12``."""
    parts = (unit.partition(":") for unit in units.split())
    return " ".join(" ".join([unit] * int(run or 1)) for unit, _, run in parts)


def units_as_text(units: ArrayLike, runs: ArrayLike | None = None) -> str:
    """Write units as text, with equal neighbours merged: `written_units` of `merged`.

    Parameters
    ----------
    units
        Shape (n,).
    runs
        Shape (n,): the frames of each, at least 1; None: one each. A length of 1 is not written.
    """
    return written_units(*merged(units, runs))
