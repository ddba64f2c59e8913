"""Weights and draws that make rare classes count as much as frequent ones."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from xdomain.data.class_weights import class_weights, draw_chances
from xdomain.data.collate import LengthGrouped
from xdomain.data.known_labels import IGNORED
from xdomain.training.losses import count_labels, summed_loss

RARE = np.array([0] * 990 + [1] * 10)


def test_one_in_a_hundred_by_hand():
    assert class_weights(RARE, 2).tolist() == pytest.approx([1000 / 1980, 1000 / 20])
    assert class_weights(np.array([0, 0, 2, IGNORED]), 4).tolist() == pytest.approx([0.75, 0, 1.5, 0])


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_weights_are_those_of_scikit_learn(labels):
    there = np.unique(labels)
    expected = compute_class_weight("balanced", classes=there, y=np.array(labels))
    weights = class_weights(np.array(labels), 5)
    np.testing.assert_allclose(weights[there], expected)
    assert weights[np.array(labels)].mean() == pytest.approx(1)


def test_the_loss_is_the_weighted_mean():
    rng = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(40, 2, generator=rng), torch.tensor(RARE[970:])[:30]
    logits = logits[:30]
    weights = torch.tensor(class_weights(RARE, 2), dtype=torch.float32)
    batch = {"labels": labels}
    found = summed_loss("classification", logits, batch, weights) / count_labels(batch)
    each = nn.functional.cross_entropy(logits, labels, reduction="none")
    torch.testing.assert_close(found, (each * weights[labels]).mean())


def test_balanced_batches_hold_both_classes_alike():
    lengths = np.random.default_rng(0).integers(5, 50, len(RARE))
    epoch = iter([0, 0, 1])
    order = LengthGrouped(lengths, 16, 0, lambda: next(epoch), chances=draw_chances(RARE, 2))
    first, again, second = list(order), list(order), list(order)
    assert len(first) == len(order) == 1000
    assert 0.45 < RARE[first].mean() < 0.55
    assert first == again != second
