"""Scores of many records at once are those of a slow loop over one window at a time."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from xdomain.core.sequences import Ragged
from xdomain.core.train_options import Train
from xdomain.data.collate import Collator, fit_windows
from xdomain.data.dataset import Examples
from xdomain.metrics.metrics import probabilities
from xdomain.model.backbone import load_backbone
from xdomain.model.initialise import EncoderArm, build_model
from xdomain.model.tokenizer import layout_of
from xdomain.training.device import Device
from xdomain.training.predict import pool, predict_scores

CPU = Device("cpu", False, "a test")
ROWS = np.array([40, 51, 62, 73])
CLASSES = ("a", "b", "c")
CLS, SEP = 2, 3
POSITIONS = 10
ROOM = POSITIONS - 2
LENGTHS = [3, 8, 9, 1, 25, 16, 17, 8]


@pytest.fixture(scope="module")
def backbone(tiny_bert):
    return load_backbone(str(tiny_bert))


@pytest.fixture(scope="module")
def models(backbone):
    built = {}

    def model(problem):
        if problem not in built:
            classes = () if problem == "regression" else CLASSES
            model = build_model(
                backbone, EncoderArm(), problem=problem, classes=classes, seed=0, hidden_dropout=0.5
            ).eval()
            for parameter in model.parameters():  # as drawn, the model says nearly the same of every record
                parameter.data *= 8 if parameter.ndim > 1 else 1
            built[problem] = model
        return built[problem]

    return model


def records(problem, lengths=LENGTHS, second=None, seed=0):
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(0, 4, n) for n in lengths]
    others = Ragged.from_lists([rng.integers(0, 4, n) for n in second]) if second else None
    ids = tuple(f"r{i}" for i in range(len(lengths)))
    classes = () if problem == "regression" else CLASSES
    return Examples(problem, ids, Ragged.from_lists(drawn), others, None, classes, np.full(len(lengths), "test"))


def predicted(model, backbone, data, *, order=None, batch_size=3, **train):
    layout = layout_of(backbone.tokenizer)
    collate = Collator(data, None, ROWS, layout, fit_windows(data, layout, POSITIONS, Train(**train)))
    order = np.arange(len(data)) if order is None else np.asarray(order)
    return predict_scores(model, collate, order, device=CPU, batch_size=batch_size)


@torch.no_grad()
def alone(model, symbols, second=None):
    """The logits of one window, with nothing beside it."""
    line, types = [CLS, *ROWS[symbols], SEP], [0] * (len(symbols) + 2)
    if second is not None:
        line, types = [*line, *ROWS[second], SEP], [*types, *[1] * (len(second) + 1)]
    logits = model(input_ids=torch.tensor([line]), token_type_ids=torch.tensor([types])).logits
    return logits[0].numpy()


def test_pooling_by_hand():
    logits = torch.tensor([[1.0, 0], [3, 8], [5, 5], [0, 3], [0, 0], [9, 0]])
    assert pool(logits, torch.tensor([2, 1, 3])).tolist() == [[2, 4], [5, 5], [3, 1]]
    assert pool(logits, torch.ones(6, dtype=torch.int64)).tolist() == logits.tolist()


@given(windows=st.lists(st.integers(1, 5), min_size=1, max_size=8), seed=st.integers(0, 9))
def test_pooling_is_the_mean_of_each_records_windows(windows, seed):
    logits = torch.from_numpy(np.random.default_rng(seed).normal(size=(sum(windows), 3)))
    slow, first = [], 0
    for count in windows:
        slow.append(logits[first : first + count].mean(0))
        first += count
    torch.testing.assert_close(pool(logits, torch.tensor(windows)), torch.stack(slow))


def test_each_window_gets_its_share_of_the_gradient():
    logits = torch.zeros(3, 2, requires_grad=True)
    pool(logits, torch.tensor([2, 1])).sum().backward()
    assert logits.grad.tolist() == [[0.5, 0.5], [0.5, 0.5], [1, 1]]


@pytest.mark.parametrize("overlap", [0, 3])
@pytest.mark.parametrize("problem", ["classification", "regression"])
def test_windows_as_a_slow_loop_reads_them(models, backbone, problem, overlap):
    model, data = models(problem), records(problem)
    slow = []
    for symbols in data.symbols:
        starts = [0]
        while starts[-1] + ROOM < len(symbols):
            starts.append(starts[-1] + ROOM - overlap)
        slow.append(np.mean([alone(model, symbols[s : s + ROOM]) for s in starts], axis=0))
    slow = np.array(slow)
    found = predicted(model, backbone, data, window_overlap=overlap)
    assert found.shape == ((8,) if problem == "regression" else (8, 3))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, slow[:, 0] if problem == "regression" else slow, atol=1e-5)
    assert np.ptp(slow, axis=0).min() > 0.1  # the records do differ


@pytest.mark.parametrize("overlap", [0, 2, 5])
def test_tags_as_a_slow_loop_reads_them(models, backbone, overlap):
    model, data = models("tagging"), records("tagging")
    slow, step = [], ROOM - overlap
    for symbols in data.symbols:
        starts = [0]
        while starts[-1] + ROOM < len(symbols):
            starts.append(starts[-1] + step)
        tags = [alone(model, symbols[s : s + ROOM])[1:-1] for s in starts]
        for place in range(len(symbols)):
            # in the later of two windows as soon as half of what they share is before it
            window = max(w for w, s in enumerate(starts) if w == 0 or place >= s + overlap // 2)
            slow.append(tags[window][place - starts[window]])
    found = predicted(model, backbone, data, window_overlap=overlap)
    assert found.shape == (sum(LENGTHS), 3)
    np.testing.assert_allclose(found, np.array(slow), atol=1e-5)


def test_pairs_as_a_slow_loop_reads_them(models, backbone):
    data = records("pair", [3, 1, 4, 2], second=[2, 6, 1, 2])
    model = models("pair")
    assert data.symbols_b is not None
    slow = [alone(model, a, b) for a, b in zip(data.symbols, data.symbols_b, strict=True)]
    np.testing.assert_allclose(predicted(model, backbone, data), np.array(slow), atol=1e-5)


def test_scores_come_in_the_order_asked_for_whatever_the_batch(models, backbone):
    model, data = models("classification"), records("classification")
    whole = predicted(model, backbone, data, batch_size=100)
    order = [6, 0, 4, 3]
    for size in (1, 2, 3, 100):
        np.testing.assert_allclose(
            predicted(model, backbone, data, order=order, batch_size=size), whole[order], atol=1e-5
        )
    tagger, data = models("tagging"), records("tagging")
    each = np.split(predicted(tagger, backbone, data, batch_size=100), np.cumsum(LENGTHS)[:-1])
    for size in (1, 3):
        found = predicted(tagger, backbone, data, order=order, batch_size=size)
        np.testing.assert_allclose(found, np.concatenate([each[i] for i in order]), atol=1e-5)


def test_where_a_tagged_record_was_cut_nothing_is_said(models, backbone):
    data = records("tagging", [20, 4])
    found = predicted(models("tagging"), backbone, data, max_windows=2, too_long="truncate")
    assert found.shape == (24, 3)
    assert np.isnan(found[16:20]).all()
    assert np.isfinite(found[:16]).all()
    assert np.isfinite(found[20:]).all()
    np.testing.assert_allclose(found[20:], alone(models("tagging"), data.symbols[1])[1:-1], atol=1e-5)


def test_nothing_is_dropped_out_and_nothing_learned(models, backbone):
    model, data = models("classification"), records("classification")
    expected = predicted(model, backbone, data)
    model.train()
    assert np.array_equal(predicted(model, backbone, data), expected)
    assert not model.training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_chances_are_a_softmax_that_does_not_overflow():
    scores = np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32) * 10
    np.testing.assert_allclose(probabilities(scores), softmax(scores.astype(np.float64), axis=-1))
    assert probabilities(np.array([[1e9, 0.0], [-1e9, -1e9]])).tolist() == [[1, 0], [0.5, 0.5]]
