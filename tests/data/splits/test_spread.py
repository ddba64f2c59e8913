"""Splits of records with several labels: each split gets its share of each label."""

import logging

import numpy as np
import pyarrow as pa
import pytest

from xdomain.core.recipe_sections import Split
from xdomain.data.label_sets import lists_of
from xdomain.data.splits.assign import assign
from xdomain.data.splits.label_sets import spread

RARE = 0.02


@pytest.fixture
def held():
    rng = np.random.default_rng(0)
    return rng.random((1000, 8)) < np.array([0.5, 0.3, 0.2, 0.1, 0.05, RARE, RARE, 0.01])


def table_of(held):
    names = [f"l{i}" for i in range(held.shape[1])]
    return pa.table({"id": [str(i) for i in range(len(held))], "label": lists_of(held, names)})


def test_every_label_gets_its_share(held):
    part = spread(held, [0.8, 0.1, 0.1], np.random.default_rng(1))
    counts = np.stack([held[part == i].sum(0) for i in range(3)])
    np.testing.assert_allclose(counts, held.sum(0) * np.array([[0.8], [0.1], [0.1]]), atol=2)
    np.testing.assert_allclose(np.bincount(part), [800, 100, 100], atol=6)


def test_it_is_nearer_than_chance(held):
    wanted = held.sum(0) * 0.1
    drawn = spread(held, [0.9, 0.1], np.random.default_rng(2)) == 1
    chance = np.random.default_rng(2).random(1000) < 0.1
    assert np.abs(held[drawn].sum(0) - wanted).sum() < np.abs(held[chance].sum(0) - wanted).sum() / 3


def test_equal_records_are_spread_exactly():
    held = np.repeat(np.eye(2, dtype=bool), 50, axis=0)
    part = spread(held, [0.8, 0.1, 0.1], np.random.default_rng(0))
    assert [held[part == i].sum(0).tolist() for i in range(3)] == [[40, 40], [5, 5], [5, 5]]


def test_records_without_labels_are_spread_too():
    part = spread(np.zeros((10, 3), bool), [0.5, 0.5], np.random.default_rng(0))
    assert np.bincount(part).tolist() == [5, 5]


@pytest.mark.parametrize("rule", ["random", "fold"])
def test_splits_by_rule(held, rule):
    split = Split(rule=rule, folds=5 if rule == "fold" else None)
    names = assign(table_of(held), split, "multilabel")
    share = 0.2 if rule == "fold" else 0.1
    np.testing.assert_allclose(held[names == "test"].sum(0), held.sum(0) * share, atol=3)
    assert (names == assign(table_of(held), split, "multilabel")).all()  # one seed, one split
    assert (names != assign(table_of(held), split.model_copy(update={"seed": 1}), "multilabel")).any()


def test_a_limit_keeps_the_shares(held):
    names = assign(table_of(held), Split(limit={"train": 200}), "multilabel")
    assert (names == "train").sum() in range(190, 201)
    np.testing.assert_allclose(held[names == "train"].sum(0), held.sum(0) * 0.2, atol=5)


def test_labels_that_train_lacks_are_told(caplog):
    held = np.array([[1, 0], [0, 0], [1, 0], [0, 0], [1, 1], [0, 1]], bool)
    given = table_of(held).append_column("split", pa.array(["train"] * 4 + ["valid", "test"]))
    with caplog.at_level(logging.WARNING, "xdomain"):
        assign(given, Split(rule="given"), "multilabel")
    assert "1 of 2 labels are in no training record, and cannot be learned: 'l1'" in caplog.text
