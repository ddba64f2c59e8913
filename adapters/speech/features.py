"""What frames of numbers sound becomes before it becomes units, and how long files go through in chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .audio import Samples

Frames = NDArray[np.float32]


@runtime_checkable
class Features(Protocol):
    """Frames of numbers from samples.

    Frame i is made of the samples [i · hop, i · hop + window), and of what `context` frames on either side add.
    It stands for the seconds [i / rate, (i + 1) / rate), where rate = sample_rate / hop.
    """

    @property
    def name(self) -> str:
        """What `make_features` makes it from."""
        ...

    @property
    def digest(self) -> str:
        """A sha256, in hexadecimal, of all that the numbers depend on: weights, layer, settings."""
        ...

    @property
    def sample_rate(self) -> int:
        """Samples a second that it takes."""
        ...

    @property
    def width(self) -> int:
        """Numbers a frame."""
        ...

    @property
    def window(self) -> int:
        """Samples that a frame is made of."""
        ...

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        ...

    @property
    def context(self) -> int:
        """Frames at the edges of a chunk that are thrown away where the sound goes on."""
        ...

    @property
    def chunk(self) -> int:
        """Frames that go through at once; more than twice the context."""
        ...

    def __call__(self, samples: Samples) -> Frames:
        """Samples, shape (n,), to frames, shape (1 + (n - window) // hop, width), in one pass."""
        ...


def frame_rate(features: Features) -> float:
    """Frames a second."""
    return features.sample_rate / features.hop


def stream(features: Features, pieces: Iterable[Samples]) -> Iterator[Frames]:
    """The frames of a sound that comes piece by piece, in memory that does not grow with it.

    Up to `features.chunk` frames go through in one pass. More go through in chunks of that many, each of which sees
    `features.context` frames of its neighbours, which are thrown away. The borders depend on the sound alone, so the
    pieces may be of any length. Where no number depends on more than the context, as with MFCC, the frames are those of
    one pass over the whole, up to rounding; a transformer attends to all of a chunk, so its frames are those of its
    chunk.

    Parameters
    ----------
    features
        What makes frames of samples.
    pieces
        Samples at `features.sample_rate`, one after another.
    """
    size = features.window + (features.chunk - 1) * features.hop
    step = (features.chunk - 2 * features.context) * features.hop
    held: list[Samples] = []
    length = skipped = 0
    for piece in pieces:
        held.append(piece)
        length += len(piece)
        while length >= size + features.hop:  # one frame more than a chunk: this one is not the last
            buffer = np.concatenate(held)
            yield features(buffer[:size])[skipped : features.chunk - features.context]
            held = [buffer[step:].copy()]
            length -= step
            skipped = features.context
    if length >= features.window:
        yield features(np.concatenate(held))[skipped:]
