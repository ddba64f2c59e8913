"""MFCC beside torchaudio's, worked once and live, and beside a slow twin."""

import math

import numpy as np
import pytest

from xdomain.adapters.speech import mfcc
from xdomain.adapters.speech.mfcc import Mfcc

TIMES = np.arange(32000) / 16000
NOISE = np.random.default_rng(0).normal(0, 0.1, 32000)
VOICE = sum(np.sin(2 * np.pi * k * (120 * TIMES + np.sin(3 * TIMES))) / k for k in range(1, 30)) / 10
SOUNDS = {
    "noise": NOISE,
    "soft noise": NOISE / 1e4,
    "voice": VOICE * (1 + np.sin(2 * np.pi * 4 * TIMES)),
    "voice in noise": VOICE + NOISE / 100,
    "16 bits": np.round(VOICE * 10000) / 32768,
    "offset": 0.5 + NOISE / 100,
    "tone": 0.5 * np.sin(2 * np.pi * 440 * TIMES),
    "silence": np.zeros(32000),
}

# frames 0 and 2 of the sound in the test below, by torchaudio 2.11.0: mfcc.mfcc(wave, sample_frequency=16000,
# use_energy=False), compute_deltas of that, and compute_deltas of those
GOLDEN = """
 8.8040 -34.7848 -12.0498 -12.0617 -0.5827 -7.6364 5.2946 4.1448 -2.4850 14.1618 15.2816 -3.3374 -2.3551
 0.0691 0.6656 2.3271 -1.7844 -3.0371 3.5598 -0.4348 -2.4477 0.0608 -3.8415 -8.5232 -1.4775 -1.1421
 -0.0084 -0.0133 -0.0049 0.1254 0.2946 0.3794 0.0313 -0.0014 -0.1168 0.0407 0.1888 -0.2666 0.0898
 9.0050 -32.3274 -3.1368 -17.9603 -9.9980 8.9739 3.8627 -5.2805 -3.1496 -0.3005 -16.0471 -11.0707 -6.0568
 0.0314 0.5631 2.1294 -1.1648 -1.6705 4.7453 -0.2811 -2.2650 -0.3931 -3.3896 -7.1412 -2.3891 -0.7087
 -0.0104 -0.0379 -0.0940 0.1844 0.3887 0.2133 0.0456 0.0928 -0.1101 0.1853 0.5021 -0.1892 0.1269
"""


def test_mfcc_are_those_that_torchaudio_gave():
    numbers = np.arange(720)
    samples = ((numbers**2 * 31 % 1009) / 1009 - 0.5).astype(np.float32) / 2
    found = Mfcc()(samples)
    assert (found.shape, found.dtype) == ((3, 39), np.float32)
    np.testing.assert_allclose(found[[0, 2]], np.array(GOLDEN.split(), float).reshape(2, 39), atol=1.5e-4)


def test_codebooks_made_with_earlier_versions_stay_valid():
    assert Mfcc().digest == "3d71e5b803488b061d466966622a5827f7b2d50f786d4dba3804415db4f7759d"


@pytest.mark.parametrize("sound", SOUNDS)
@pytest.mark.filterwarnings("ignore::UserWarning")  # torchaudio's notes on its own deprecations
def test_mfcc_are_those_of_torchaudio(sound):
    pytest.importorskip("torchaudio", reason="to compare with torchaudio, install the extra xdomain[torchaudio]")
    import torch
    from torchaudio.compliance.kaldi import mfcc
    from torchaudio.functional import compute_deltas

    samples = SOUNDS[sound].astype(np.float32)

    def theirs(dtype):
        cepstra = mfcc(torch.from_numpy(samples)[None].to(dtype), sample_frequency=16000, use_energy=False).T
        first = compute_deltas(cepstra)
        return torch.cat((cepstra, first, compute_deltas(first))).T.numpy()

    single, double = theirs(torch.float32), theirs(torch.float64)
    # even in 64 bits torchaudio has the mel bins and the DCT in 32; in 32 bits its rounding is added to that
    own = 6e-4
    found = Mfcc()(samples)
    np.testing.assert_allclose(found, double, rtol=0, atol=own)
    np.testing.assert_allclose(found, single, rtol=0, atol=own + np.abs(single - double).max())
    assert np.abs(found - single).mean() < 2e-4


def by_hand(frame):
    """13 MFCC of 400 samples, from Kaldi's documentation of its defaults."""
    frame = frame.astype(np.float64) - frame.astype(np.float64).mean()
    frame -= 0.97 * np.concatenate((frame[:1], frame[:-1]))
    frame *= (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399)) ** 0.85
    power = np.abs(np.fft.rfft(frame, 512)[:256]) ** 2
    mel = lambda hertz: 1127 * np.log(1 + hertz / 700)  # noqa: E731
    edges = np.linspace(mel(20), mel(8000), 25)
    places = mel(np.arange(256) * 16000 / 512)
    triangles = [np.interp(places, edges[i : i + 3], [0, 1, 0]) for i in range(23)]
    logs = np.log(np.maximum(np.array(triangles) @ power, np.finfo(np.float32).eps))
    found = []
    for i in range(13):
        scale = math.sqrt((1 if i == 0 else 2) / 23)
        lifter = 1 + 11 * math.sin(math.pi * i / 22)
        found.append(lifter * scale * sum(x * math.cos(math.pi * i * (j + 0.5) / 23) for j, x in enumerate(logs)))
    return np.array(found)


def differences(frames):
    """Slopes over 5 frames, the outermost repeated beyond the ends."""
    at = lambda i: frames[min(max(i, 0), len(frames) - 1)]  # noqa: E731
    return np.array([(at(i + 1) - at(i - 1) + 2 * (at(i + 2) - at(i - 2))) / 10 for i in range(len(frames))])


def test_mfcc_are_those_of_a_slow_twin():
    samples = NOISE[:1600].astype(np.float32)
    found = Mfcc()(samples)
    cepstra = np.array([by_hand(samples[i : i + 400]) for i in range(0, len(samples) - 399, 160)])
    first = differences(cepstra)
    assert found.shape == (8, 39)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.hstack((cepstra, first, differences(first))), atol=1e-4)


def test_mfcc_of_silence_are_finite():
    assert np.isfinite(Mfcc()(np.zeros(4000, np.float32))).all()


@pytest.mark.parametrize(("length", "frames"), [(399, 0), (400, 1), (559, 1), (560, 2), (400 + 160 * 129, 130)])
def test_only_whole_frames_are_made(length, frames):
    assert mfcc.mfcc(NOISE[:length].astype(np.float32)).shape == (frames, 13)
    assert Mfcc()(NOISE[:length].astype(np.float32)).shape == (frames, 39)


def test_deltas_by_hand():
    line = np.arange(7.0)[:, None] * [1, -2]
    assert mfcc.deltas(line)[2:-2].tolist() == [[1, -2]] * 3
    assert mfcc.deltas(np.array([[1.0], [4.0]])).tolist() == [[0.9], [0.9]]  # (4 - 1 + 2 (4 - 1)) / 10, both
