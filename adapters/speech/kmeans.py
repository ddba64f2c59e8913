"""How a codebook is fitted: an even sample of all frames, then k-means by mini-batches."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np

from xdomain.core.errors import DataError

from .codebook import Codebook
from .features import Features, Frames
from .optional_deps import library

BATCH = 10_000


def sample_frames(frames: Iterable[Frames], limit: int, *, width: int, seed: int = 0) -> tuple[Frames, int]:
    """At most `limit` frames, drawn evenly from all, in memory that does not grow with them.

    A reservoir (Vitter 1985, algorithm R): every frame of every file is kept with the same probability.

    Returns
    -------
    The sample, shape (min(limit, total), width), and the total.
    """
    generator = np.random.default_rng(seed)
    kept = np.empty((limit, width), np.float32)  # pages that are never written to take no memory
    seen = 0
    for given in frames:
        room = min(len(given), max(0, limit - seen))
        kept[seen : seen + room] = given[:room]
        places = np.arange(seen + room, seen + len(given))
        drawn = generator.integers(0, places + 1)
        hits = drawn < limit
        kept[drawn[hits]] = given[room:][hits]  # of two frames on one place the later stays, as one by one
        seen += len(given)
    return kept[: min(seen, limit)], seen


def fit_codebook(sample: Frames, size: int, *, features: Features, seed: int = 0) -> tuple[Codebook, float]:
    """Fit centroids by mini-batch k-means (scikit-learn), begun by k-means++.

    The same sample and seed give the same codebook on the same machine.

    Parameters
    ----------
    sample
        Shape (n, width), in any order.
    size
        Units, at most as many as there are different frames.
    features
        What the frames are of.

    Returns
    -------
    The codebook, and the mean squared distance of a frame to its centroid.

    Raises
    ------
    DataError
        There are fewer different frames than units.
    """
    _check_enough(sample, size)
    cluster = library("sklearn.cluster")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*MKL on Windows", category=UserWarning)
        model = cluster.MiniBatchKMeans(
            size,
            init="k-means++",
            n_init=3,
            init_size=max(3 * size, BATCH),
            batch_size=BATCH,
            max_iter=100,
            max_no_improvement=50,
            reassignment_ratio=0.0,
            random_state=seed,
        ).fit(sample)
    book = Codebook.of_array(model.cluster_centers_, features=features)
    return book, float(model.inertia_) / len(sample)


def _check_enough(sample: Frames, size: int) -> None:
    different = len(sample)
    if different >= size:  # else there is no need to count
        rows = np.ascontiguousarray(sample).view(f"V{sample.shape[1] * sample.itemsize}")[:, 0]
        different = len(np.unique(rows))
    if different < size:
        raise DataError(
            f"{size:,} units from {len(sample):,} frames, of which {different:,} differ",
            expected="at least one frame a unit, better a hundred",
            mend=f"give more audio, or fewer units: --units {max(1, different // 100)}",
        )
