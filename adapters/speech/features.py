"""The features from which units are made: frames of numbers, and how long files are processed in chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .audio import Samples

Frames = NDArray[np.float32]


@runtime_checkable
class Features(Protocol):
    """What computes frames of numbers from samples.

    Frame i depends on the samples [i · hop, i · hop + window), and on `context` frames to either side.
    It stands for the seconds [i / rate, (i + 1) / rate), where rate = sample_rate / hop.
    """

    @property
    def name(self) -> str:
        """The name from which `make_features` makes them."""
        ...

    @property
    def digest(self) -> str:
        """A sha256, in hexadecimal, of everything that the numbers depend on: weights, layer, settings."""
        ...

    @property
    def sample_rate(self) -> int:
        """Samples a second of the input."""
        ...

    @property
    def width(self) -> int:
        """Numbers a frame."""
        ...

    @property
    def window(self) -> int:
        """Samples from which a frame is computed."""
        ...

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        ...

    @property
    def context(self) -> int:
        """Frames at each edge of a chunk that are thrown away where the sound continues beyond it."""
        ...

    @property
    def chunk(self) -> int:
        """Frames computed at once; more than twice `context`."""
        ...

    def __call__(self, samples: Samples) -> Frames:
        """Samples, shape (n,), to frames, shape (1 + (n - window) // hop, width), in one pass."""
        ...


def frame_rate(features: Features) -> float:
    """Frames a second of `features`."""
    return features.sample_rate / features.hop


def stream(features: Features, pieces: Iterable[Samples]) -> Iterator[Frames]:
    """Yield the frames of a sound that comes piece by piece, in memory that does not grow with it.

    Up to ``features.chunk`` frames are computed in one pass. More are computed in chunks of that many, which overlap so
    that ``features.context`` frames at each inner edge can be thrown away. The borders depend only on the sound, so the
    pieces may have any length. Where no number depends on more than the context, as with MFCC, the frames are those of
    one pass over the whole, up to rounding; a transformer attends to the whole chunk, so its frames depend on the
    chunk.

    Parameters
    ----------
    features
        What computes frames from samples.
    pieces
        Consecutive samples at ``features.sample_rate``.
    """
    size = features.window + (features.chunk - 1) * features.hop
    step = (features.chunk - 2 * features.context) * features.hop
    held: list[Samples] = []
    length = skipped = 0
    for piece in pieces:
        held.append(piece)
        length += len(piece)
        while length >= size + features.hop:  # a frame more than a chunk, so this chunk is not the last
            buffer = np.concatenate(held)
            yield features(buffer[:size])[skipped : features.chunk - features.context]
            held = [buffer[step:].copy()]
            length -= step
            skipped = features.context
    if length >= features.window:
        yield features(np.concatenate(held))[skipped:]
