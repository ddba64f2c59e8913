"""MFCC here beside those of torchaudio: how far the numbers differ, and the time of each.

XDOMAIN_DATA=… python benchmarks/mfcc.py

Reads the recordings of speech/fsdd, or noise where they are not there. Needs the extra ``torchaudio``. Both run on one
thread. Differences are absolute, over all 39 numbers of all frames; torchaudio is run in 32 bits, as it is used, and in
64, which shows how much of the difference is its rounding.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xdomain.adapters.speech.audio import Samples, read_audio
from xdomain.adapters.speech.mfcc import Mfcc
from xdomain.adapters.speech.optional_deps import library
from xdomain.data.sources import data_home


def torchaudio_mfcc(samples: Samples, bits: int = 32) -> NDArray[Any]:
    """The same 39 numbers by torchaudio, shape (frames, 39)."""
    torch = library("torch")
    compute_deltas = library("torchaudio.functional").compute_deltas
    wave = torch.from_numpy(samples)[None].to(torch.float32 if bits == 32 else torch.float64)
    cepstra = library("torchaudio.compliance.kaldi").mfcc(wave, sample_frequency=16000, use_energy=False).T
    first = compute_deltas(cepstra)
    return torch.cat((cepstra, first, compute_deltas(first))).T.contiguous().numpy()


def recordings() -> list[Samples]:
    """Sounds at 16 kHz."""
    paths = sorted((data_home() / "speech" / "fsdd" / "recordings").glob("*.wav"))
    if paths:
        return [read_audio(path, rate=16000) for path in paths]
    generator = np.random.default_rng(0)
    return [generator.normal(0, 0.1, 7000).astype(np.float32) for _ in range(3000)]


def seconds(function: Callable[[Samples], object], sounds: list[Samples], rounds: int = 3) -> float:
    """Processor time for all sounds, the best of some rounds."""
    taken: list[float] = []
    for _ in range(rounds):
        begun = time.process_time()
        for sound in sounds:
            function(sound)
        taken.append(time.process_time() - begun)
    return min(taken)


def main() -> None:
    """Print both tables."""
    library("torch").set_num_threads(1)
    mfcc, sounds = Mfcc(), recordings()
    own, single, double = (
        np.concatenate([function(sound) for sound in sounds])
        for function in (mfcc, torchaudio_mfcc, lambda sound: torchaudio_mfcc(sound, 64))
    )
    print(f"{len(sounds):,} sounds, {len(own):,} frames, standard deviation of all numbers {own.std():.3g}")
    for what, first, second in (
        ("here and torchaudio in 32 bits", own, single),
        ("here and torchaudio in 64 bits", own, double),
        ("torchaudio in 32 bits and in 64", single, double),
    ):
        apart = np.abs(first - second)
        print(f"{what}: mean {apart.mean():.1e}, 99.9 % below {np.quantile(apart, 0.999):.1e}, most {apart.max():.1e}")
    long = [np.concatenate(sounds)[: 16000 * 60]]
    for what, given in (("these sounds", sounds), ("one sound of a minute", long)):
        here, there = seconds(mfcc, given), seconds(torchaudio_mfcc, given)
        print(f"{what}: here {here:.3f} s, torchaudio {there:.3f} s, ratio {here / there:.2f}")


if __name__ == "__main__":
    main()
