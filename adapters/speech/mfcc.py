"""MFCC with their deltas: features that need no weights."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np

from . import kaldi
from .audio import Samples
from .features import Frames

SETTINGS = {
    "function": "kaldi mfcc",
    "sample_frequency": kaldi.RATE,
    "frame_length_ms": 25,
    "frame_shift_ms": 10,
    "num_mel_bins": kaldi.MEL_BINS,
    "num_ceps": kaldi.CEPSTRA,
    "low_freq": 20,
    "window": "povey",
    "preemphasis": kaldi.PREEMPHASIS,
    "lifter": kaldi.LIFTER,
    "use_energy": False,
    "snip_edges": True,
    "dither": 0,
    "differences": 2,
    "difference_window": kaldi.DELTA_WINDOW,
}
"""What the digest is made from. Codebooks hold that digest, so this must not change while the numbers do not."""


@dataclass(frozen=True)
class Mfcc:
    """13 MFCC, their deltas and delta-deltas: 39 numbers, 100 times a second, at 16 kHz.

    The features of HuBERT's first iteration (Hsu et al. 2021, arXiv 2106.07447): Kaldi's MFCC without energy, of
    samples of full scale ±1, and deltas over 5 frames.

    Frame i is made of the samples [160 i, 160 i + 400); a delta looks 2 frames to each side, a delta-delta 4.
    """

    name: str = "mfcc"
    sample_rate: int = kaldi.RATE
    width: int = 3 * kaldi.CEPSTRA
    window: int = kaldi.WINDOW
    hop: int = kaldi.HOP
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
        cepstra = kaldi.mfcc(samples)
        first = kaldi.deltas(cepstra)
        return np.hstack((cepstra, first, kaldi.deltas(first))).astype(np.float32)
