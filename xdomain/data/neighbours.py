"""The embeddings of some training records: how far is a new record from the nearest of them?

After Sun et al. 2022 (arXiv 2204.06507): embeddings of length 1, and the distance to the k-th nearest, where k is a
hundredth of those that are kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from xdomain.core.restore import reading
from xdomain.data.dataset import Examples

KEPT = 1000
"""Training records whose embeddings are kept; of validation as many are looked at."""
SHARE = 0.01
"""Of the kept ones: so many may be nearer than the one to which the distance is measured."""
USUAL = 0.995
"""Quantile of the distances of validation records up to which a record is usual."""
AT_ONCE = 4096

Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Embeddings of training records.

    Parameters
    ----------
    vectors
        Shape (m, d), float16, each of length 1.
    nearest
        The distance of a record is that to its so many nearest of them, 1 for the nearest.
    farthest
        The distance that 99.5 % of the validation records do not exceed.
    """

    vectors: NDArray[np.float16]
    nearest: int
    farthest: float

    @classmethod
    def of(cls, examples: Examples, embed: Callable[[NDArray[np.int64]], Vectors]) -> Neighbours:
        """Keep embeddings of the training records of `examples`.

        Parameters
        ----------
        examples
            The records of a run.
        embed
            Gives the embeddings, shape (n, d), of the records at n places in `examples`.
        """
        train, valid = (_some(examples.indices(split)) for split in ("train", "valid"))
        vectors = _of_length_one(embed(train)).astype(np.float16)
        found = cls(vectors, max(1, round(SHARE * len(vectors))), 0.0)
        return cls(vectors, found.nearest, float(np.quantile(found.distances(embed(valid)), USUAL)))

    def distances(self, vectors: Vectors) -> NDArray[np.float64]:
        """How far n records are from the training records.

        Parameters
        ----------
        vectors
            Shape (n, d): their embeddings.

        Returns
        -------
        numpy.ndarray
            Shape (n,), between 0 and 2, of which √2 stands for a right angle.
        """
        kept, own = self.vectors.astype(np.float32), _of_length_one(vectors)
        nearest = [
            np.partition(own[first : first + AT_ONCE] @ kept.T, -self.nearest, axis=1)[:, -self.nearest]
            for first in range(0, len(own), AT_ONCE)
        ]
        cosines = np.concatenate([np.empty(0, np.float32), *nearest]).astype(np.float64)
        return np.sqrt(np.maximum(0, 2 - 2 * cosines))

    def save(self, path: Path) -> None:
        """Write to the safetensors file `path`."""
        facts = {"nearest": self.nearest, "farthest": self.farthest}
        save_file({"vectors": self.vectors}, path, {"facts": json.dumps(facts)})

    @classmethod
    def load(cls, path: Path) -> Neighbours | None:
        """Read what `save` wrote; None if there is no file `path`, as in runs of a baseline or of an earlier version.

        Raises
        ------
        DamagedError
            It is damaged.
        """
        if not path.is_file():
            return None
        with reading(path):
            with safe_open(path, "np") as file:
                facts = json.loads(file.metadata()["facts"])
                vectors: NDArray[np.float16] = file.get_tensor("vectors")
            nearest, farthest = int(facts["nearest"]), float(facts["farthest"])
            if vectors.ndim != 2 or not 0 < nearest <= len(vectors) or not np.isfinite(vectors).all():
                raise ValueError(f"{vectors.shape} embeddings and the {nearest} nearest of them")
            return cls(vectors, nearest, farthest)


def _some(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """`KEPT` of the `places` at equal steps, or all."""
    return places[np.linspace(0, len(places) - 1, min(KEPT, len(places))).round().astype(np.int64)]


def _of_length_one(vectors: Vectors) -> Vectors:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
