"""Units by a VQ-VAE: they find groups of frames, are the codes that the network uses, and come back from disk."""

import numpy as np
import pytest

pytest.importorskip("soundfile")
pytest.importorskip("vector_quantize_pytorch", reason="pip install vector-quantize-pytorch")

from xdomain.adapters.speech import vqvae
from xdomain.adapters.speech.codebook import Codebook, fit_codebook
from xdomain.adapters.speech.mfcc import Mfcc
from xdomain.core.errors import DataError

MFCC = Mfcc()


@pytest.fixture(scope="module")
def fitted():
    """Frames of 4 kinds, and the codebook of 8 codes that was fitted to them."""
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 4, 3000)
    centres = rng.normal(size=(4, 39)) * 3
    frames = (centres[kinds] + rng.normal(size=(3000, 39))).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vqvae, "STEPS", 150)
        return frames, kinds, fit_codebook(frames, 8, features=MFCC, method="vqvae")


def test_frames_of_one_kind_share_units(fitted):
    frames, kinds, (book, error) = fitted
    units = book.assign(frames)
    assert book.size == 8
    assert len(np.unique(units)) >= 4
    table = np.zeros((8, 4))
    np.add.at(table, (units, kinds), 1)
    assert table.max(1).sum() > 0.99 * len(frames)
    assert 0 < error < 0.7  # of what the frames differ by


def test_one_frame_has_the_unit_that_it_has_among_others(fitted):
    frames, _, (book, _) = fitted
    together = book.assign(frames[:200])
    assert [int(book.assign(frame[None])[0]) for frame in frames[:200]] == together.tolist()


def test_the_encoder_is_the_two_layers_by_hand(fitted):
    frames, _, (book, _) = fitted
    encoder = book.encoder
    scaled = (frames[0] - encoder.mean) / encoder.std
    hidden = np.maximum(encoder.first @ scaled + encoder.first_bias, 0)
    np.testing.assert_allclose(encoder(frames[:1])[0], encoder.second @ hidden + encoder.second_bias, atol=1e-4)


def test_the_same_seed_gives_the_same_codebook(fitted, monkeypatch):
    frames, _, (book, _) = fitted
    monkeypatch.setattr(vqvae, "STEPS", 150)
    again, _ = fit_codebook(frames, 8, features=MFCC, method="vqvae")
    other, _ = fit_codebook(frames, 8, features=MFCC, method="vqvae", seed=1)
    assert again.sha256 == book.sha256 != other.sha256


def test_saved_and_read_again_or_refused(fitted, tmp_path):
    frames, _, (book, _) = fitted
    book.save(tmp_path / "book")
    again = Codebook.load(tmp_path / "book")
    assert again.sha256 == book.sha256
    assert again.assign(frames).tolist() == book.assign(frames).tolist()
    again.check(MFCC)
    Codebook(book.centroids[:, :5], "mfcc", MFCC.digest, 16000, 100.0, book.encoder).save(tmp_path / "wrong")
    with pytest.raises(DataError, match="is damaged"):
        Codebook.load(tmp_path / "wrong")
