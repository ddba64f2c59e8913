"""Units by a small VQ-VAE: frames are mapped to a space of their own, where the nearest of k codes is the unit.

After van den Oord et al. 2017 (arXiv 1711.00937): each code is a moving average of the frames that are nearest to it,
the gradient passes straight through it, and encodings are drawn to their codes. Unused codes are replaced by encodings.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .features import Frames
from .optional_deps import library

HIDDEN, WIDTH = 256, 16
"""Units of the hidden layer of encoder and decoder, and dimensions of the codes."""
STEPS, BATCH, RATE = 3000, 1024, 1e-3
DECAY = 0.99
"""Of the moving averages, for a step."""
MIN_CODE_USES = 1.0
"""A code with a moving average of fewer frames in a batch is drawn anew."""


@dataclass(frozen=True, eq=False)
class FrameEncoder:
    """Two layers that map frames of features to the space of the codes: float32 throughout.

    Parameters
    ----------
    mean, std
        Shape (width,): what frames are standardised by; `std` is the same for all numbers.
    first, first_bias, second, second_bias
        Weights of the layers, shapes (hidden, width), (hidden,), (code width, hidden), (code width,).
    """

    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    first: NDArray[np.float32]
    first_bias: NDArray[np.float32]
    second: NDArray[np.float32]
    second_bias: NDArray[np.float32]

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """All arrays by their names, for a file."""
        return {part.name: getattr(self, part.name) for part in fields(self)}

    def check(self, width: int, code_width: int) -> None:
        """Check that frames of `width` numbers become `code_width` numbers.

        Raises
        ------
        ValueError
            The shapes do not fit, or a number is not finite.
        """
        hidden = len(self.first_bias)
        wanted = [(width,), (width,), (hidden, width), (hidden,), (code_width, hidden), (code_width,)]
        found = list(self.tensors().values())
        if [one.shape for one in found] != wanted or any(one.dtype != np.float32 for one in found):
            raise ValueError(f"an encoder of the shapes {[one.shape for one in found]} for frames of {width} numbers")
        if not all(np.isfinite(one).all() for one in found):
            raise ValueError("an encoder with weights that are no numbers")

    def __call__(self, frames: Frames) -> Frames:
        """Frames, shape (n, width), to shape (n, code width).

        In 64 bits, so that rounding does not depend on how many frames come at once.
        """
        scaled = (frames.astype(np.float64) - self.mean) / self.std
        hidden = np.maximum(scaled @ self.first.T.astype(np.float64) + self.first_bias, 0)
        return (hidden @ self.second.T.astype(np.float64) + self.second_bias).astype(np.float32)


def fit_vqvae(sample: Frames, size: int, *, seed: int = 0) -> tuple[FrameEncoder, Frames, float]:
    """Train encoder, codes and decoder on frames.

    The same sample and seed give the same on the same machine.

    Parameters
    ----------
    sample
        Frames, shape (n, width), in any order.
    size
        Number of codes.
    seed
        Seed of the weights, the batches and the codes, 0 or more.

    Returns
    -------
    tuple
        The encoder; the codes, shape (size, `WIDTH`); and the mean squared error of a number of the frames, which are
        standardised, as the decoder gives them back.
    """
    torch, vq = library("torch"), library("vector_quantize_pytorch")
    mean = sample.mean(0)
    std = np.full_like(mean, max(float((sample - mean).std()), 1e-6))  # as in k-means, what varies more counts for more
    frames = torch.from_numpy((sample - mean) / std)
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder, decoder = _layers(torch, sample.shape[1], WIDTH), _layers(torch, WIDTH, sample.shape[1])
        codes = vq.VectorQuantize(WIDTH, size, decay=DECAY, kmeans_init=True, threshold_ema_dead_code=MIN_CODE_USES)
        optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], RATE)
        for _ in range(STEPS):
            batch = frames[rng.integers(0, len(frames), max(BATCH, size))]
            code, _, commitment = codes(encoder(batch)[None])
            loss = (decoder(code[0]) - batch).square().mean() + commitment.sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        codes.eval()
        with torch.inference_mode():
            error = float((decoder(codes(encoder(frames)[None])[0][0]) - frames).square().mean())
    one, _, two = encoder
    learned = [part.detach().numpy() for layer in (one, two) for part in layer.parameters()]
    *arrays, table = (
        np.ascontiguousarray(a, np.float32) for a in (mean, std, *learned, codes.codebook.detach().numpy())
    )
    return FrameEncoder(*arrays), table, error


def _layers(torch: Any, width: int, out: int) -> Any:
    return torch.nn.Sequential(torch.nn.Linear(width, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, out))
