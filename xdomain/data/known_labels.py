"""How a label that is not known is written in an array of labels, and which labels are known."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

IGNORED = -100
"""A class, tag or label that is not known or not scored, as in torch's losses. A value that is not known is NaN."""


def is_known(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each of `labels` is known; the shape stays.

    Parameters
    ----------
    labels
        Any shape: integers, `IGNORED` where unknown; or floats, NaN where unknown.
    """
    return np.isfinite(labels) if labels.dtype.kind == "f" else np.asarray(labels != IGNORED)


def unknown_mark(labels: NDArray[Any]) -> float:
    """What stands for an unknown label in an array like `labels`: NaN among floats, `IGNORED` among integers."""
    return np.nan if labels.dtype.kind == "f" else IGNORED
