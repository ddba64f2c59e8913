"""The log-odds of one class against all others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def log_odds(scores: NDArray[Any], kind: int) -> NDArray[np.float64]:
    """Shape (n,): log p / (1 - p) of the class of index `kind`, from logits `scores` of shape (n, k).

    It is computed from logits to stay exact where 1 - p would round to 0.
    """
    logits = scores.astype(np.float64)
    return logits[:, kind] - np.logaddexp.reduce(np.delete(logits, kind, axis=1), axis=1)
