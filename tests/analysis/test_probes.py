"""Probes: what they reach on features that tell all or nothing, their intervals, the baseline."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from xdomain.analysis.layers import held, symbol_vectors
from xdomain.analysis.loaded_run import open_runs
from xdomain.analysis.probes import ANALYSIS, interval, probe
from xdomain.analysis.result import Options, write_finding

RNG = np.random.default_rng(0)
FEW = Options(records=24)


def test_a_probe_reads_what_is_there():
    labels = RNG.integers(3, size=300)
    features = RNG.standard_normal((300, 8))
    features[np.arange(300), labels] += 6
    scores = probe(features[:200], labels[:200], features[200:], 3)
    assert scores.shape == (100, 3)
    np.testing.assert_allclose(scores.sum(1), 1)
    assert (scores.argmax(1) == labels[200:]).mean() > 0.97


def test_a_probe_does_not_see_scale():
    labels = RNG.integers(2, size=60)
    features = RNG.standard_normal((60, 5)) + labels[:, None]
    scaled = features * [1e-3, 1, 10, 1e3, 5] + 7
    np.testing.assert_allclose(probe(features, labels, features, 2), probe(scaled, labels, scaled, 2), atol=1e-3)


def test_a_probe_of_values_is_ridge_by_hand():
    x = np.array([[-1.0], [1.0]])  # standardised already: slope = sum(xy) / (sum(xx) + alpha) = 8 / 102
    np.testing.assert_allclose(probe(x, np.array([1.0, 9.0]), x, 0), [5 - 8 / 102, 5 + 8 / 102])


def test_classes_that_train_records_lack():
    x = RNG.standard_normal((6, 2))
    assert probe(x, np.full(6, 1), x, 3).tolist() == [[0, 1, 0]] * 6
    assert (probe(x, np.array([0, 2] * 3), x, 3)[:, 1] == 0).all()


def test_wilson_by_hand():
    labels, z = np.zeros(10, np.int64), 1.959964
    scores = np.array([[1.0, 0.0]] * 8 + [[0.0, 1.0]] * 2)
    middle, half = (0.8 + z**2 / 20) / (1 + z**2 / 10), z / (1 + z**2 / 10) * np.sqrt(0.016 + z**2 / 400)
    assert interval(labels, scores, np.arange(10), seed=0) == pytest.approx((middle - half, middle + half), abs=1e-6)


def test_records_are_drawn_whole():
    labels = np.zeros(400, np.int64)
    right = np.repeat(RNG.random(20) < 0.5, 20)  # each record all right or all wrong: 20 draws, not 400
    scores = np.column_stack([right, ~right]).astype(float)
    low, high = interval(labels, scores, np.repeat(np.arange(20), 20), seed=0)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(right.mean() * (1 - right.mean()) / 20), rel=0.25)


def test_the_bootstrap_of_a_correlation_is_its_slow_twin():
    labels = RNG.standard_normal(40)
    scores = labels + RNG.standard_normal(40)
    rng = np.random.Generator(np.random.PCG64(3))
    drawn = [stats.spearmanr(labels[rows], scores[rows])[0] for rows in rng.integers(40, size=(1000, 40))]
    expected = np.quantile(drawn, (0.025, 0.975))
    assert interval(labels, scores, np.arange(40), seed=3) == pytest.approx(tuple(expected))
    assert np.isnan(interval(labels, np.zeros(40), np.arange(40), seed=3)).all()


@pytest.fixture(scope="module")
def runs(looked_at):
    return open_runs(looked_at)


@pytest.mark.usefixtures("drawn")
def test_two_runs(runs, tmp_path):
    (finding,) = ANALYSIS.find(runs, FEW)
    rows = finding.table.to_pylist()
    assert [(r["run"], r["state"], r["layer"]) for r in rows] == [
        (run.label, state, layer) for run in runs for state in ("start", "tuned") for layer in range(3)
    ]
    assert all(0 <= r["low"] <= r["value"] <= r["high"] <= 1 for r in rows)
    run = runs[0]
    train, valid = (run.some(split, 24) for split in ("train", "valid"))
    common = np.bincount(run.examples.labels[train]).argmax()
    assert rows[0]["baseline"] == pytest.approx((run.examples.labels[valid] == common).mean())
    means = [
        np.stack([v[1].mean(0) for v in symbol_vectors(run, run.model, some, held(run, some))])
        for some in (train, valid)
    ]
    scores = probe(means[0], run.examples.labels[train], means[1], 3)
    assert rows[4]["value"] == pytest.approx((scores.argmax(1) == run.examples.labels[valid]).mean())
    assert f"last layer {rows[2]['value']:.3f} at the start, {rows[5]['value']:.3f} tuned" in finding.caption
    assert "fitted on 24 train records, scored on 24 valid records" in finding.caption
    write_finding(finding, tmp_path)
    assert (tmp_path / "probes.png").stat().st_size > 10_000
    assert (tmp_path / "probes.csv").read_text().startswith('"run","state","layer","value","low","high","metric"')


@pytest.mark.parametrize(
    ("task", "metric", "what"),
    [("toy/dna-tagging", "accuracy", "1,440 train symbols"), ("toy/dna-regression", "spearmanr", "24 train records"),
     ("toy/dna-pair", "accuracy", "24 train records")],
)  # fmt: skip
def test_other_problems(task, metric, what, tiny_run):
    (finding,) = ANALYSIS.find(open_runs([tiny_run(task)]), FEW)
    rows = finding.table.to_pylist()
    assert len(rows) == 6
    assert {r["metric"] for r in rows} == {metric}
    assert all(r["low"] <= r["value"] <= r["high"] for r in rows)
    assert what in finding.caption


def test_a_span_is_refused(runs):
    asked = runs[0].recipe.model_copy(update={"problem": "span"})
    assert "an answer's place" in str(ANALYSIS.refuses([replace(runs[0], recipe=asked)], Options()))
    assert ANALYSIS.refuses(runs, Options()) is None
