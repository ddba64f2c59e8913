"""The bootstrap, all draws at once, against the slow one that draws rows and asks scikit-learn."""

import math
import time
import tracemalloc

import numpy as np
import pytest

from xdomain.metrics import bootstrap
from xdomain.metrics.bootstrap import OF_LABELS, STATISTICS, Interval, Resampled, Rows, resample
from xdomain.metrics.metrics import METRICS, compute_metrics
from xdomain.metrics.outputs import OUTPUT_METRICS

CLASSES = [name for name, metric in METRICS.items() if "classification" in metric.problems]
VALUES = [name for name, metric in METRICS.items() if "regression" in metric.problems]
SPANS = [name for name, metric in METRICS.items() if "span" in metric.problems]


def slow(metric, rows, *, draws, seed=0):
    """The same units, their rows copied as often as they were drawn."""
    rng = np.random.Generator(np.random.PCG64(seed))
    members = [np.flatnonzero(rows.unit == unit) for unit in range(rows.units)]
    found = []
    for _ in range(draws):
        chosen = np.concatenate([members[unit] for unit in rng.integers(rows.units, size=rows.units)])
        found.append(compute_metrics([metric], rows.labels[chosen], rows.scores[chosen], rows.problem)[metric]["value"])
    return np.array(found)


def units(kind, n, rng):
    """Each row its own, three rows a unit as tags of a record have, or unequal groups in any order."""
    if kind == "rows":
        return np.arange(n), n
    if kind == "tags":
        return np.arange(n) // 3, -(-n // 3) + 1  # the last one has no rows
    return rng.integers(7, size=n), 7


@pytest.mark.parametrize("kind", ["rows", "tags", "groups"])
@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("metric", CLASSES)
def test_classes(metric, k, kind):
    if METRICS[metric].two_classes and k > 2:
        return
    rng = np.random.default_rng(k)
    labels = rng.choice(k, 30, p=[0.85, 0.15] if k == 2 else [0.55, 0.15, 0.15, 0.15])
    scores = np.round(rng.normal(size=(30, k)), 1) + np.eye(k)[labels]  # ties among them
    scores[:, 0] += 0.8
    rows = Rows("classification", labels, scores, *units(kind, 30, rng))
    np.testing.assert_allclose(resample(metric, rows, draws=40).draws, slow(metric, rows, draws=40), atol=1e-9)


@pytest.mark.parametrize("kind", ["rows", "groups"])
@pytest.mark.parametrize("metric", VALUES)
def test_values(metric, kind):
    rng = np.random.default_rng(3)
    labels = np.round(rng.normal(50, 2, 25), 0).astype(np.float32)
    scores = labels + rng.normal(0, 1, 25).round(1).astype(np.float32)
    rows = Rows("regression", labels, scores, *units(kind, 25, rng))
    np.testing.assert_allclose(resample(metric, rows, draws=40).draws, slow(metric, rows, draws=40), atol=1e-4)


@pytest.mark.parametrize("metric", VALUES)
def test_what_is_undefined_on_some_draws_is_so_in_both(metric):
    rows = Rows("regression", np.array([0.1, 0.1, 0.3]), np.array([0.7, 0.2, 0.2]), np.arange(3), 3)
    np.testing.assert_allclose(resample(metric, rows, draws=60).draws, slow(metric, rows, draws=60), atol=1e-9)


@pytest.mark.parametrize("metric", SPANS)
def test_spans(metric):
    rng = np.random.default_rng(4)
    start = rng.integers(0, 20, (12, 2)).astype(float)
    references = np.stack([start, start + rng.integers(1, 9, (12, 2))], axis=-1)
    references[3, 1] = np.nan
    spans = references[:, 0] + rng.integers(0, 2, (12, 2)) * np.array([0, 1])
    rows = Rows("span", references, spans, *units("groups", 12, rng))
    np.testing.assert_allclose(resample(metric, rows, draws=40).draws, slow(metric, rows, draws=40), atol=1e-9)


def test_every_metric_has_its_way():
    for metric in METRICS.values():
        for problem in metric.problems:
            others = {"multilabel": OF_LABELS, "sequence": OUTPUT_METRICS}
            assert metric.name in others.get(problem, STATISTICS)


def test_large_logits_rank_as_they_are():
    labels = np.array([0, 1, 0, 1])
    scores = np.array([[0, 50.0], [0, 60], [0, 40], [0, 55]])  # whose probabilities all round to 1
    rows = Rows("classification", labels, scores, np.arange(4), 4)
    assert resample("roc_auc", rows).value == 1
    np.testing.assert_allclose(resample("roc_auc", rows, draws=99).draws, slow("roc_auc", rows, draws=99))


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc", "spearmanr", "mse"])
def test_the_size_of_a_block_changes_nothing(metric, monkeypatch):
    rng = np.random.default_rng(5)
    if metric in CLASSES:
        rows = Rows("classification", rng.integers(2, size=40), rng.normal(size=(40, 2)), np.arange(40), 40)
    else:
        rows = Rows("regression", rng.normal(size=40), rng.normal(size=40), np.arange(40), 40)
    whole = resample(metric, rows, draws=70).draws
    monkeypatch.setattr(bootstrap, "BLOCK", 3 * 40)
    np.testing.assert_allclose(resample(metric, rows, draws=70).draws, whole, atol=1e-12)


def test_a_group_is_drawn_as_a_whole():
    labels = np.array([0] * 10 + [1] * 10)
    scores = np.eye(2)[[0] * 20]  # one group all right, the other all wrong
    rows = Rows("classification", labels, scores, labels, 2)
    assert set(resample("accuracy", rows, draws=200).draws) == {0.0, 0.5, 1.0}


def test_an_interval_by_groups_is_as_wide_as_that_of_their_means():
    rng = np.random.default_rng(6)
    difficulty = rng.normal(size=60)
    unit = np.repeat(np.arange(60), 8)
    right = rng.random(480) < 1 / (1 + np.exp(-2 * difficulty[unit]))
    scores = np.eye(2)[right.astype(int)]
    labels = np.ones(480, int)
    alone = resample("accuracy", Rows("classification", labels, scores, np.arange(480), 480)).draws.std()
    grouped = resample("accuracy", Rows("classification", labels, scores, unit, 60)).draws.std()
    means = right.reshape(60, 8).mean(1)
    assert grouped == pytest.approx(means.std() / math.sqrt(60), rel=0.1)
    assert grouped > 1.5 * alone


def of_mean(values):
    """Records whose mean absolute error is the mean of `values`, above 0."""
    return Rows("regression", values, np.zeros(len(values)), np.arange(len(values)), len(values))


def test_the_interval_of_a_mean_is_the_textbooks():
    values = np.random.Generator(np.random.PCG64(0)).normal(13, 2, 400)
    found = resample("mae", of_mean(values), draws=4000).interval()
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.03)
    assert found.high == pytest.approx(values.mean() + half, abs=0.03)


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.Generator(np.random.PCG64(1))
    covered = 0
    for _ in range(200):
        found = resample("mae", of_mean((rng.random(100) < 0.7).astype(float)), draws=200).interval()
        covered += found.low <= 0.7 <= found.high
    assert 178 <= covered <= 200  # 95 % of 200, give or take four standard errors


def test_it_repeats_by_seed():
    rows = of_mean(np.arange(1, 6.0))
    assert resample("mae", rows, draws=50).interval() == resample("mae", rows, draws=50).interval()
    assert resample("mae", rows, draws=50, seed=1).interval() != resample("mae", rows, draws=50).interval()


def test_draws_without_a_value_are_left_out():
    assert Resampled(1.0, np.array([1.0, np.nan, 1.0])).interval() == Interval(1, 1, 1)
    assert np.isnan(Resampled(1.0, np.full(5, np.nan)).interval().low)


@pytest.mark.parametrize(("n", "low"), [(1, 0.025), (2, 0.1581), (10, 0.6915), (100, 0.9638)])
def test_right_answers_alone_leave_room_for_wrong_ones(n, low):
    """Clopper & Pearson's lower end for n of n."""
    labels = np.arange(n) % 2
    rows = Rows("classification", labels, np.eye(2)[labels], np.arange(n), n)
    found = resample("accuracy", rows, draws=20).interval()
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(low, abs=5e-5)


def test_a_single_group_says_nothing_of_others():
    labels = np.arange(40) % 2
    rows = Rows("classification", labels, np.eye(2)[labels], np.zeros(40, int), 1)
    assert resample("accuracy", rows, draws=20).interval().low == pytest.approx(0.025)
    values = Rows("regression", np.arange(40.0), np.zeros(40), np.zeros(40, int), 1)
    assert math.isnan(resample("mae", values, draws=20).interval().high)


def test_no_rows_have_no_value():
    rows = Rows("classification", np.array([], int), np.zeros((0, 2)), np.array([], int), 3)
    found = resample("accuracy", rows, draws=5)
    assert math.isnan(found.value)
    assert math.isnan(found.interval().low)


def test_a_thousand_resamples_of_every_metric_take_a_moment():
    rng = np.random.default_rng(8)
    labels = rng.integers(3, size=200)
    rows = Rows("classification", labels, rng.normal(size=(200, 3)), np.arange(200), 200)
    started = time.process_time()
    for metric in set(CLASSES) - {"f1_binary"}:
        resample(metric, rows)
    values = Rows("regression", rng.normal(size=200), rng.normal(size=200), np.arange(200), 200)
    for metric in VALUES:
        resample(metric, values)
    assert time.process_time() - started < 2  # one at a time it is 15 s and more


def test_memory_is_bounded():
    n = 100_000
    rng = np.random.default_rng(9)
    rows = Rows("classification", rng.integers(2, size=n), rng.normal(size=(n, 2)), np.arange(n), n)
    tracemalloc.start()
    resample("accuracy", rows, draws=60)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6  # the table of all draws would be 400 MB for the 400 of a study
