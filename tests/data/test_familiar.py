"""What is unlike the training data: by hand, and by a slow twin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdomain.core.errors import DataError
from xdomain.core.sequences import Alphabet, Ragged
from xdomain.data import familiar as module
from xdomain.data.dataset import Examples
from xdomain.data.familiar import Familiar, kmer_codes

AB = Alphabet(("a", "b", "?"), "x", "?")


def examples(sequences, split, second=None):
    ids = tuple(map(str, range(len(sequences))))
    other = Ragged.from_lists(second) if second else None
    return Examples("regression", ids, Ragged.from_lists(sequences), other, None, (), np.array(split))


SEQUENCE = st.lists(st.integers(0, 2), max_size=9)


@given(st.lists(SEQUENCE, min_size=1, max_size=5), st.integers(1, 4))
def test_kmers_are_numbered_as_digits_of_a_number(sequences, k):
    record, code = kmer_codes(Ragged.from_lists(sequences), k, 3)
    wanted = [
        (row, int("".join(map(str, one[i : i + k])), 3))
        for row, one in enumerate(sequences)
        for i in range(len(one) - k + 1)
    ]
    assert list(zip(record.tolist(), code.tolist(), strict=True)) == wanted


@pytest.fixture
def known(monkeypatch):
    """Trained on aab, abab and abbabab, with 2-mers aa, ab, ba, bb."""
    monkeypatch.setattr(module, "MAX_CODES", 9)
    train = [[0, 0, 1], [0, 1, 0, 1], [0, 1, 1, 0, 1, 0, 1]]
    return Familiar.of(examples([*train, [0, 1, 0]], ["train"] * 3 + ["valid"]), AB)


def test_a_record_is_compared_with_what_training_had(known):
    assert known.k == 2
    assert (known.shortest, known.longest) == pytest.approx((3.01, 6.97))
    new = examples([[0, 1, 0, 1], [0, 2, 1, 1], [0], [0, 1] * 4], ["test"] * 4)
    columns = {name: column.to_pylist() for name, column in known.columns(new).items()}
    assert columns["length"] == [4, 4, 1, 8]
    assert columns["unknown"] == [0, 0.25, 0, 0]
    assert columns["unseen"] == pytest.approx([0, 2 / 3, 0, 0])  # a? and ?b, not bb
    assert columns["unlike"] == ["", "unknown unseen", "short", "long"]


def test_of_pairs_both_sequences_count(known):
    columns = known.columns(examples([[0, 1]], ["test"], second=[[2, 2]]))
    assert columns["length"].to_pylist() == [4]
    assert columns["unknown"].to_pylist() == [0.5]
    assert columns["unseen"].to_pylist() == [0.5]


def test_it_is_read_back_and_small_and_its_lack_is_told(known, tmp_path, monkeypatch):
    known.save(tmp_path / "x.safetensors")
    again = Familiar.load(tmp_path / "x.safetensors")
    assert again.seen.tolist() == known.seen.tolist()
    assert {**vars(again), "seen": 0} == {**vars(known), "seen": 0}
    with pytest.raises(DataError, match="has no summary of its training data"):
        Familiar.load(tmp_path / "none.safetensors")
    monkeypatch.undo()
    for size in (5, 25, 100, 512, 30_000):
        symbols = tuple(map(str, range(size)))
        found = Familiar.of(examples([[0, 1], [1]], ["train", "valid"]), Alphabet(symbols, "x"))
        found.save(tmp_path / "x.safetensors")
        assert (tmp_path / "x.safetensors").stat().st_size < 2**20


def test_parts_are_the_whole(known, monkeypatch):
    rng = np.random.default_rng(0)
    new = examples([rng.integers(0, 3, n).tolist() for n in rng.integers(0, 9, 50)], ["test"] * 50)
    whole = known.columns(new)
    monkeypatch.setattr(module, "AT_ONCE", 7)
    assert {name: column.to_pylist() for name, column in known.columns(new).items()} == {
        name: column.to_pylist() for name, column in whole.items()
    }
