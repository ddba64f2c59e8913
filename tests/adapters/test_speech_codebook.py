"""Codebooks: saved whole, refused where damaged or of other features, assigned as a slow twin assigns."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

pytest.importorskip("soundfile")

from xdomain.adapters.speech.codebook import Codebook, fit_codebook, sample_frames
from xdomain.adapters.speech.mfcc import Mfcc
from xdomain.core.errors import DataError, OutputError, RecipeError

MFCC = Mfcc()
SMALL = st.integers(-8, 8).map(np.float32)


def book(size=3, width=39, seed=0):
    centroids = np.random.default_rng(seed).normal(size=(size, width)).astype(np.float32)
    return Codebook(centroids, MFCC.name, MFCC.digest, 16000, 100.0)


def test_saved_and_read_again(tmp_path):
    first = book()
    first.save(tmp_path / "deep" / "book")
    again = Codebook.load(tmp_path / "deep" / "book")
    assert np.array_equal(again.centroids, first.centroids)
    assert (again.features, again.digest, again.sample_rate, again.rate) == ("mfcc", MFCC.digest, 16000, 100.0)
    assert (again.sha256, again.size, len(again)) == (first.sha256, 3, 3)
    assert sorted(p.name for p in (tmp_path / "deep").rglob("*")) == ["book", "centroids.safetensors", "codebook.json"]


def test_the_sum_tells_what_changes_units():
    first = book()
    assert book().sha256 == first.sha256
    assert book(seed=1).sha256 != first.sha256
    assert dataclasses.replace(first, digest="other").sha256 != first.sha256
    assert dataclasses.replace(first, features="the same by another name").sha256 == first.sha256


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: (folder / "codebook.json").write_text("{"),
        lambda folder: (folder / "codebook.json").write_text('{"features": "mfcc"}'),
        lambda folder: (folder / "centroids.safetensors").unlink(),
        lambda folder: (folder / "centroids.safetensors").write_bytes(b"x" * 9),
        lambda folder: (folder / "centroids.safetensors").write_bytes(
            (folder / "centroids.safetensors").read_bytes()[:-1] + b"\0"
        ),
    ],
)
def test_a_damaged_codebook_is_refused(tmp_path, harm):
    book().save(tmp_path / "book")
    harm(tmp_path / "book")
    with pytest.raises(DataError, match="is damaged") as caught:
        Codebook.load(tmp_path / "book")
    assert caught.value.what.startswith(str(tmp_path / "book"))


def test_what_is_no_codebook(tmp_path):
    book().save(tmp_path / "book")
    with pytest.raises(DataError, match="does not exist") as caught:
        Codebook.load(tmp_path / "bok")
    assert caught.value.nearest == "book"
    with pytest.raises(DataError, match="is no codebook"):
        Codebook.load(tmp_path)


def test_nothing_is_overwritten_unasked(tmp_path):
    book().save(tmp_path / "book")
    with pytest.raises(OutputError, match="holds a codebook"):
        book(seed=1).save(tmp_path / "book")
    book(seed=1).save(tmp_path / "book", overwrite=True)
    assert Codebook.load(tmp_path / "book").sha256 == book(seed=1).sha256
    (tmp_path / "book" / "thesis.tex").touch()
    with pytest.raises(OutputError, match=r"holds thesis\.tex"):
        book().save(tmp_path / "book", overwrite=True)
    with pytest.raises(OutputError, match="is a file"):
        book().save(tmp_path / "book" / "thesis.tex", overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["book"]


def slow(centroids, frames):
    return [
        min(range(len(centroids)), key=lambda i: float(np.square(frame.astype(float) - centroids[i]).sum()))
        for frame in frames
    ]


@given(arrays(np.float32, (5, 3), elements=SMALL), arrays(np.float32, (7, 3), elements=SMALL))
def test_the_nearest_and_the_lower_of_equals(centroids, frames):
    made = Codebook(centroids, "made", "", 16000, 100.0)
    assert made.assign(frames, device="cpu").tolist() == slow(centroids, frames)


def test_units_fit_their_type_and_batches_do_not_matter(monkeypatch):
    from xdomain.adapters.speech import codebook

    centroids = np.arange(70_000, dtype=np.float32)[:, None]
    frames = np.array([[3], [69_999], [0]], np.float32)
    found = Codebook(centroids, "made", "", 16000, 100.0).assign(frames)
    assert (found.tolist(), found.dtype) == ([3, 69_999, 0], np.uint32)
    first = book(width=4).assign(np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32))
    assert first.dtype == np.uint16
    monkeypatch.setattr(codebook, "BATCH", 10)
    second = book(width=4).assign(np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32))
    assert np.array_equal(first, second)
    assert book(width=4).assign(np.empty((0, 4), np.float32)).tolist() == []


def test_other_features_are_refused_with_both_sums():
    made = dataclasses.replace(book(), digest="a" * 64, features="hub/model:6")
    with pytest.raises(RecipeError) as caught:
        made.check(MFCC)
    for told in ("hub/model:6", "a" * 64, "mfcc", MFCC.digest):
        assert told in caught.value.what
    assert "--features mfcc" in str(caught.value.fix)
    book().check(MFCC)
    dataclasses.replace(book(), features="moved/elsewhere").check(MFCC)


def test_centroids_from_elsewhere(tmp_path):
    centroids = np.random.default_rng(0).normal(size=(4, 39))
    np.save(tmp_path / "km.npy", centroids)
    made = Codebook.of_array(tmp_path / "km.npy", features=MFCC)
    assert made.centroids.dtype == np.float32
    assert np.array_equal(made.centroids, centroids.astype(np.float32))
    assert made.sha256 == Codebook.of_array(centroids, features=MFCC).sha256
    assert (made.features, made.rate) == ("mfcc", 100.0)


@pytest.mark.parametrize(
    ("array", "what", "expected"),
    [
        (np.ones((4, 5)), "centroids of 5 numbers", "39, as frames of mfcc have"),
        (np.ones(39), "shape (39,)", "(k, width)"),
        (np.ones((4, 39), int), "type int64", "(k, width) floats"),
        (np.full((4, 39), np.nan), "centroid 0 is not finite", ""),
        (np.array([{"a": 1}]), "is no .npy file of numbers", "(k, width)"),
    ],
)
def test_what_are_no_centroids(tmp_path, array, what, expected):
    np.save(tmp_path / "km.npy", array, allow_pickle=True)
    with pytest.raises(DataError) as caught:
        Codebook.of_array(tmp_path / "km.npy", features=MFCC)
    assert str(tmp_path / "km.npy") in caught.value.what
    assert what in caught.value.what
    assert expected in (caught.value.expected or "")


def test_a_missing_or_other_file_of_centroids(tmp_path):
    (tmp_path / "km.bin").write_bytes(b"\x80\x04")
    with pytest.raises(DataError, match="joblib") as caught:
        Codebook.of_array(tmp_path / "km.bin", features=MFCC)
    assert "is no .npy file" in caught.value.what
    with pytest.raises(DataError, match="does not exist"):
        Codebook.of_array(tmp_path / "km.npy", features=MFCC)


def test_a_small_sample_is_all_there_is():
    frames = [np.full((n, 2), n, np.float32) for n in (3, 0, 2)]
    kept, total = sample_frames(frames, 10, width=2)
    assert (kept[:, 0].tolist(), total) == ([3, 3, 3, 2, 2], 5)


def test_a_sample_is_even_and_bounded():
    frames = np.arange(100_000, dtype=np.float32).reshape(100, 1000, 1)
    kept, total = sample_frames(frames, 2000, width=1, seed=3)
    assert (kept.shape, total, len(np.unique(kept))) == ((2000, 1), 100_000, 2000)
    tenths = np.histogram(kept, 10, (0, 100_000))[0]
    assert abs(tenths - 200).max() < 5 * 14  # 5 standard deviations
    assert np.array_equal(kept, sample_frames(frames, 2000, width=1, seed=3)[0])
    assert not np.array_equal(kept, sample_frames(frames, 2000, width=1, seed=4)[0])


def test_fitting_finds_what_is_there_and_the_same_again():
    middles = np.zeros((4, 39), np.float32)
    middles[:, 0] = [0, 10, 20, 30]
    which = np.random.default_rng(0).integers(4, size=800)
    frames = middles[which] + np.random.default_rng(1).normal(0, 0.1, (800, 39)).astype(np.float32)
    made, distance = fit_codebook(frames, 4, features=MFCC, seed=5)
    assert np.allclose(sorted(made.centroids[:, 0]), middles[:, 0], atol=0.1)
    assert distance == pytest.approx(39 * 0.01, rel=0.1)
    assert len(set(zip(which, made.assign(frames), strict=True))) == 4
    assert fit_codebook(frames, 4, features=MFCC, seed=5)[0].sha256 == made.sha256


@pytest.mark.parametrize(
    ("frames", "told"),
    [
        (np.ones((5, 39), np.float32), "10 units from 5 frames, of which 5 differ"),
        (np.ones((50, 39), np.float32), "10 units from 50 frames, of which 1 differ"),
    ],
)
def test_too_few_frames(frames, told):
    with pytest.raises(DataError) as caught:
        fit_codebook(frames, 10, features=MFCC)
    assert caught.value.what == told
