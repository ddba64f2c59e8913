"""MFCC features with deltas, as Kaldi computes them. They need no weights."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from .audio import Samples
from .features import Frames

Array = NDArray[np.float64]

RATE = 16_000  # samples a second
WINDOW, HOP = 400, 160  # samples: 25 ms and 10 ms
FFT = 512  # points
PREEMPHASIS = 0.97
MEL_BINS = 23
LOWEST, HIGHEST = 20.0, 8000.0  # Hz: the outer edges of the first and the last mel bin
FLOOR = float(np.finfo(np.float32).eps)  # of a mel bin's energy, before the logarithm
CEPSTRA = 13  # c0 to c12
LIFTER = 22
DELTA_WINDOW = 5  # frames
BLOCK = 128  # frames computed at a time: few enough for the processor's cache
SETTINGS = {
    "function": "kaldi mfcc",
    "sample_frequency": RATE,
    "frame_length_ms": 25,
    "frame_shift_ms": 10,
    "num_mel_bins": MEL_BINS,
    "num_ceps": CEPSTRA,
    "low_freq": 20,
    "window": "povey",
    "preemphasis": PREEMPHASIS,
    "lifter": LIFTER,
    "use_energy": False,
    "snip_edges": True,
    "dither": 0,
    "differences": 2,
    "difference_window": DELTA_WINDOW,
}
"""The source of the digest. Codebooks hold that digest, so change this only when the numbers change."""


def mfcc(samples: Samples) -> Array:
    """Mel-frequency cepstral coefficients, as ``compute-mfcc-feats --use-energy=false --dither=0`` gives them.

    Per frame: subtract the mean, apply pre-emphasis, the Povey window and a Fourier transform, sum the power in
    triangular mel bins, take the logarithm, a cosine transform and liftering. All steps are done in 64 bits.

    librosa's MFCC are different numbers: window, mel scale, scaling of the bins and liftering differ, and frames are
    neither centred on 0 nor pre-emphasised one by one.

    Parameters
    ----------
    samples
        Shape (n,), at 16 kHz, full scale ±1. Kaldi itself reads integers up to ±32768, which adds a constant to c0.

    Returns
    -------
    numpy.ndarray
        Shape (1 + (n - 400) // 160, 13), or (0, 13) for n < 400: frame i covers samples [160 i, 160 i + 400).
    """
    if len(samples) < WINDOW:
        return np.empty((0, CEPSTRA))
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    return np.concatenate([_cepstra(frames[start : start + BLOCK]) for start in range(0, len(frames), BLOCK)])


def deltas(features: Array) -> Array:
    """Slope of each feature, by least squares over 5 frames; the first and last frames are repeated beyond the ends.

    Parameters
    ----------
    features
        Shape (frames, width), at least one frame.

    Returns
    -------
    numpy.ndarray
        The same shape.
    """
    padded = np.pad(features, ((2, 2), (0, 0)), mode="edge")
    return (padded[3:-1] - padded[1:-3] + 2 * (padded[4:] - padded[:-4])) / 10


def _cepstra(frames: NDArray[np.float32]) -> Array:
    """MFCC of frames of samples, shape (m, 400)."""
    from scipy.fft import rfft

    waves = frames.astype(np.float64)
    waves -= waves.mean(axis=1, keepdims=True)
    waves[:, 1:] -= PREEMPHASIS * waves[:, :-1]
    waves[:, 0] *= 1 - PREEMPHASIS  # as if the sample before the first were equal to it
    spectrum: NDArray[np.complex128] = np.asarray(rfft(waves * _povey_window(), FFT))
    energies = (spectrum.real**2 + spectrum.imag**2) @ _mel_bins()
    return np.log(np.maximum(energies, FLOOR)) @ _liftered_dct()


@cache
def _povey_window() -> Array:
    """Shape (400,): a Hann window, raised to the power 0.85."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / (WINDOW - 1))) ** 0.85


@cache
def _mel_bins() -> Array:
    """Weights, shape (257, 23): triangles of height 1, each from the peak before to the peak after it."""
    # peaks in equal steps on the mel scale
    edges = np.linspace(_mel(LOWEST), _mel(HIGHEST), MEL_BINS + 2)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    places = _mel(np.arange(FFT // 2 + 1) * RATE / FFT)[:, None]
    return np.maximum(0, np.minimum((places - left) / (centre - left), (right - places) / (right - centre)))


def _mel(hertz: Array | float) -> Array:
    """Kaldi's mel scale."""
    return 1127 * np.log1p(np.asarray(hertz) / 700)


@cache
def _liftered_dct() -> Array:
    """Shape (23, 13): an orthonormal DCT-II whose k-th output is scaled by 1 + 11 sin(πk / 22)."""
    from scipy.fft import dct

    basis: Array = np.asarray(dct(np.eye(MEL_BINS), norm="ortho"))
    return basis[:, :CEPSTRA] * (1 + LIFTER / 2 * np.sin(np.pi * np.arange(CEPSTRA) / LIFTER))


@dataclass(frozen=True)
class Mfcc:
    """13 MFCC, their deltas and delta-deltas: 39 numbers, 100 times a second, at 16 kHz.

    The features of HuBERT's first iteration (Hsu et al. 2021, arXiv 2106.07447): Kaldi's MFCC without energy, of
    samples of full scale ±1, and deltas over 5 frames.

    Frame i depends on the samples [160 i, 160 i + 400); a delta looks 2 frames to each side, a delta-delta 4.
    """

    name: str = "mfcc"
    sample_rate: int = RATE
    width: int = 3 * CEPSTRA
    window: int = WINDOW
    hop: int = HOP
    context: int = 4
    chunk: int = 6000

    @property
    def digest(self) -> str:
        """The sha256 of the settings."""
        return hashlib.sha256(json.dumps(SETTINGS, sort_keys=True).encode()).hexdigest()

    def __call__(self, samples: Samples) -> Frames:
        """Samples at 16 kHz, shape (n,), to frames, shape (1 + (n - 400) // 160, 39), or (0, 39)."""
        if len(samples) < self.window:
            return np.empty((0, self.width), np.float32)
        cepstra = mfcc(samples)
        first = deltas(cepstra)
        return np.hstack((cepstra, first, deltas(first))).astype(np.float32)
