"""MFCC with their first and second differences: features that need no weights."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np

from .audio import Samples
from .features import Frames
from .libraries import library

SETTINGS = {
    "function": "kaldi mfcc",
    "sample_frequency": 16000,
    "frame_length_ms": 25,
    "frame_shift_ms": 10,
    "num_mel_bins": 23,
    "num_ceps": 13,
    "low_freq": 20,
    "window": "povey",
    "preemphasis": 0.97,
    "lifter": 22,
    "use_energy": False,
    "snip_edges": True,
    "dither": 0,
    "differences": 2,
    "difference_window": 5,
}


@dataclass(frozen=True)
class Mfcc:
    """13 MFCC, their Δ and ΔΔ: 39 numbers, 100 times a second, at 16 kHz.

    The features of HuBERT's first iteration (Hsu et al. 2021, arXiv 2106.07447), by the same calls:
    ``torchaudio.compliance.kaldi.mfcc``, which gives what Kaldi's ``compute-mfcc-feats --use-energy=false --dither=0``
    gives for samples of full scale ±1 (librosa's differ in window, mel scale, DCT and liftering), and
    ``torchaudio.functional.compute_deltas`` with a window of 5.

    Frame i is made of the samples [160 i, 160 i + 400); a Δ looks 2 frames to each side, a ΔΔ 4.
    """

    name: str = "mfcc"
    sample_rate: int = 16000
    width: int = 39
    window: int = 400
    hop: int = 160
    context: int = 4
    chunk: int = 6000

    @property
    def digest(self) -> str:
        """The sha256 of the settings."""
        return hashlib.sha256(json.dumps(SETTINGS, sort_keys=True).encode()).hexdigest()

    def __call__(self, samples: Samples) -> Frames:
        """Samples at 16 kHz, shape (n,), to frames, shape (1 + (n - 400) // 160, 39), or (0, 39)."""
        torch, kaldi, functional = (
            library("torch"),
            library("torchaudio.compliance.kaldi"),
            library("torchaudio.functional"),
        )
        if len(samples) < self.window:
            return np.empty((0, self.width), np.float32)
        wave = torch.from_numpy(np.ascontiguousarray(samples, np.float32))[None]
        cepstra = kaldi.mfcc(wave, sample_frequency=self.sample_rate, use_energy=False).T
        first = functional.compute_deltas(cepstra)
        return torch.cat((cepstra, first, functional.compute_deltas(first))).T.contiguous().numpy()
