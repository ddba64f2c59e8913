"""The distance to the training records in the space of embeddings."""

from typing import Any

import numpy as np
import pytest

from xdomain.core.errors import DamagedError
from xdomain.data.neighbours import KEPT, Neighbours


class Parts:
    """So many training records, and after them validation records: all that is asked of `Examples`."""

    def __init__(self, train, valid):
        self.train, self.valid = train, valid

    def indices(self, split):
        return np.arange(self.train) if split == "train" else np.arange(self.train, self.train + self.valid)


def records(train, valid) -> Any:
    return Parts(train, valid)


def test_distances_are_those_by_hand():
    vectors = np.array([[1, 0], [0, 2], [-3, 0], [5, 5], [0, -1]], np.float32)
    found = Neighbours.of(records(3, 2), lambda places: vectors[places])
    assert found.nearest == 1
    expected = [np.sqrt(2 - np.sqrt(2)), np.sqrt(2)]  # half a right angle from the nearest, and a whole one
    np.testing.assert_allclose(found.distances(vectors[3:]), expected, atol=1e-3)
    assert found.farthest == pytest.approx(np.quantile(expected, 0.995), abs=1e-3)


def test_the_kth_nearest_as_by_sorting_all():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(1300, 8)).astype(np.float32)
    found = Neighbours.of(records(1000, 300), lambda places: vectors[places])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    plain = np.linalg.norm(unit[1000:, None] - unit[None, :1000], axis=2)
    np.testing.assert_allclose(found.distances(vectors[1000:]), np.sort(plain, axis=1)[:, 9], atol=2e-3)


def test_of_many_records_some_are_kept_in_equal_steps():
    asked = []

    def embed(places):
        asked.append(places)
        return np.ones((len(places), 2), np.float32)

    found = Neighbours.of(records(3 * KEPT, 5), embed)
    assert [len(places) for places in asked] == [KEPT, 5]
    assert (asked[0][0], asked[0][-1], set(np.diff(asked[0]))) == (0, 3 * KEPT - 1, {3, 4})
    assert found.distances(np.array([[2, 2]], np.float32)) == pytest.approx(0, abs=0.03)


def test_a_file_is_read_again_or_refused(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    found = Neighbours.of(records(20, 10), lambda places: vectors[places])
    found.save(tmp_path / "kept")
    again = Neighbours.load(tmp_path / "kept")
    np.testing.assert_array_equal(again.distances(vectors), found.distances(vectors))
    assert again.farthest == found.farthest
    assert Neighbours.load(tmp_path / "none") is None
    Neighbours(found.vectors, 21, 0.1).save(tmp_path / "wrong")
    with pytest.raises(DamagedError):
        Neighbours.load(tmp_path / "wrong")
