"""Classes that a part of the record gives away are told, where that is striking."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from xdomain.core.sequences import Ragged
from xdomain.data.checks.shortcuts import Shortcut, shortcuts, vote_right
from xdomain.data.dataset import Examples


def examples(problem, sequences, labels, seconds=None, splits=None):
    return Examples(
        problem, tuple(map(str, range(len(sequences)))), Ragged.from_lists(sequences),
        Ragged.from_lists(seconds) if seconds else None, np.array(labels), ("a", "b"),
        np.array(splits or ["train"] * len(sequences)),
    )  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=30))
def test_the_vote_as_a_slow_obvious_twin_has_it(rows):
    sizes = Counter(label for _, label in rows)
    usual = sorted(range(4), key=lambda label: (-sizes[label], label))
    right = 0
    for i, (value, label) in enumerate(rows):
        others = Counter(other for j, (same, other) in enumerate(rows) if same == value and j != i)
        right += label == max(usual, key=lambda one: others[one])  # the first of equals
    values, classes = (np.array(column) for column in zip(*rows, strict=True))
    assert vote_right(values, classes) == right


def test_a_partner_that_tells_the_class():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    firsts = [rng.integers(0, 4, 12) for _ in labels]
    partners = [[label, 3, int(rng.integers(0, 4))] for label in labels]  # four partners of each class
    found = {one.by: one for one in shortcuts(examples("pair", firsts, labels, partners))}
    assert list(found) == ["sequence", "sequence_b", "length of sequence", "length of sequence_b"]
    assert [name for name, one in found.items() if one.striking] == ["sequence_b"]
    assert found["sequence_b"].line("pair") == (
        "a majority vote by sequence_b alone is right on 100 % of the training pairs (the most frequent class: 50 %): "
        "a model may ignore all else"
    )


def test_a_length_that_tells_the_class_and_one_that_does_not():
    rng = np.random.default_rng(1)
    labels = np.arange(200) % 2
    apart = [[0] * int(rng.integers(100, 200) + 150 * label) for label in labels]
    (found,) = shortcuts(examples("classification", apart, labels))
    assert found.striking
    assert found.right >= 190
    alike = [[0] * int(rng.integers(100, 200)) for _ in labels]
    (found,) = shortcuts(examples("classification", alike, labels))
    assert not found.striking
    (found,) = shortcuts(examples("classification", [[0] * 7] * 200, labels))
    assert found.right == found.constant == 100


def test_train_alone_votes_and_a_few_records_are_not_striking():
    sequences, labels = [[0] * (5 + 5 * (i % 2)) for i in range(40)], np.arange(40) % 2
    splits = ["train"] * 16 + ["test"] * 24
    (found,) = shortcuts(examples("classification", sequences, labels, splits=splits))
    assert (found.records, found.right, found.constant, found.striking) == (16, 16, 8, False)


def test_the_threshold():
    assert Shortcut("sequence", right=75, constant=50, records=100).striking
    assert not Shortcut("sequence", right=74, constant=50, records=100).striking
    assert not Shortcut("sequence", right=99, constant=90, records=100).striking
    assert Shortcut("sequence", right=100, constant=90, records=100).striking


def test_other_problems_have_none():
    assert shortcuts(examples("regression", [[0], [1]], [0.0, 1.0])) == ()
    assert shortcuts(examples("tagging", [[0], [1]], [0, 1])) == ()
