"""Metrics of several labels a record, against scikit-learn; thresholds, by hand and against trying all."""

import numpy as np
import pytest
from sklearn import metrics as sk

from xdomain.data.known_labels import IGNORED
from xdomain.metrics.bootstrap import OF_LABELS, Rows, resample
from xdomain.metrics.metrics import compute_metrics
from xdomain.metrics.multilabel import chances_of_labels, choose_thresholds, decided, per_label

TWINS = {
    "accuracy": sk.accuracy_score,
    "f1": lambda y, p: sk.f1_score(y, p, average="macro"),
    "f1_micro": lambda y, p: sk.f1_score(y, p, average="micro"),
    "precision": lambda y, p: sk.precision_score(y, p, average="macro"),
    "recall": lambda y, p: sk.recall_score(y, p, average="macro"),
    "hamming_loss": sk.hamming_loss,
    "matthews_correlation": lambda y, p: np.mean([sk.matthews_corrcoef(a, b) for a, b in zip(y.T, p.T, strict=True)]),
}
RANKINGS = {
    "roc_auc": lambda y, z: sk.roc_auc_score(y, z, average="macro"),
    "average_precision": lambda y, z: sk.average_precision_score(y, z, average="macro"),
}


@pytest.fixture
def drawn():
    rng = np.random.default_rng(4)
    labels = (rng.random((60, 5)) < [0.5, 0.4, 0.3, 0.2, 0.2]).astype(np.int64)
    return labels, np.round(rng.normal(size=(60, 5)) + 1.5 * labels - 1, 1)  # ties among them


def values(labels, scores, names=None):
    names = list(names or OF_LABELS)
    return {name: row["value"] for name, row in compute_metrics(names, labels, scores, "multilabel").items()}


def test_as_scikit_learn_has_them(drawn):
    labels, logits = drawn
    thresholds = np.array([0.3, 0.4, 0.5, 0.6, 0.2])
    found = values(labels, decided(logits, thresholds))
    given = (1 / (1 + np.exp(-logits)) >= thresholds).astype(int)
    assert set(found) == {*TWINS, *RANKINGS}
    for name, twin in TWINS.items():
        assert found[name] == pytest.approx(twin(labels, given)), name
    for name, twin in RANKINGS.items():
        assert found[name] == pytest.approx(twin(labels, logits)), name
    rows = per_label(labels, decided(logits, thresholds), tuple("abcde"))
    twin = np.stack([np.asarray(part) for part in sk.precision_recall_fscore_support(labels, given)])
    for name, row, expected in zip("abcde", rows, twin.T, strict=True):
        assert row["class"] == name
        np.testing.assert_allclose([row[one] for one in ("precision", "recall", "f1", "support")], expected)


def test_unknown_labels_count_nowhere(drawn):
    labels, logits = drawn
    masked = labels.copy()
    masked[::3, 1] = IGNORED
    known = masked[:, 1] != IGNORED
    found = values(masked, decided(logits, np.full(5, 0.5)))
    given = (logits >= 0).astype(int)
    own = [sk.f1_score(masked[masked[:, i] >= 0, i], given[masked[:, i] >= 0, i]) for i in range(5)]
    assert found["f1"] == pytest.approx(np.mean(own))
    areas = [sk.roc_auc_score(labels[known if i == 1 else slice(None), i], logits[known if i == 1 else slice(None), i])
             for i in range(5)]  # fmt: skip
    assert found["roc_auc"] == pytest.approx(np.mean(areas))
    right = (given == masked) | (masked == IGNORED)
    assert found["accuracy"] == pytest.approx(right.all(1).mean())
    assert found["hamming_loss"] == pytest.approx(1 - right[masked != IGNORED].mean())


def test_a_label_that_occurs_nowhere_is_left_out():
    labels = np.array([[1, 0], [0, 0], [1, 0]])
    scores = decided(np.array([[3.0, -3], [-3, -3], [3, -3]]), np.full(2, 0.5))
    assert values(labels, scores, ["f1", "recall", "roc_auc"]) == {"f1": 1, "recall": 1, "roc_auc": 1}


@pytest.mark.parametrize("kind", ["rows", "groups"])
@pytest.mark.parametrize("metric", OF_LABELS)
def test_the_bootstrap_is_the_metric_of_each_resample(drawn, metric, kind):
    labels, logits = drawn
    labels = labels.copy()
    labels[::7, 2] = IGNORED
    scores = decided(logits, np.full(5, 0.45))
    unit = np.arange(60) if kind == "rows" else np.random.default_rng(0).integers(7, size=60)
    rows = Rows("multilabel", labels, scores, unit, 60 if kind == "rows" else 7)
    rng = np.random.Generator(np.random.PCG64(0))
    expected = []
    for _ in range(30):
        chosen = np.concatenate([np.flatnonzero(unit == one) for one in rng.integers(rows.units, size=rows.units)])
        expected.append(values(labels[chosen], scores[chosen], [metric])[metric])
    np.testing.assert_allclose(resample(metric, rows, draws=30).draws, expected, atol=1e-9)


def test_thresholds_have_the_best_f1_there_is(drawn):
    labels, logits = drawn
    chances = chances_of_labels(logits)
    thresholds = choose_thresholds(labels, logits)
    for label in range(5):
        reached = sk.f1_score(labels[:, label], chances[:, label] >= thresholds[label])
        tried = [sk.f1_score(labels[:, label], chances[:, label] >= cut) for cut in np.unique(chances[:, label])]
        assert reached == pytest.approx(max(tried))


def test_thresholds_by_hand():
    chances = np.array([[0.2, 0.1], [0.4, 0.2], [0.8, 0.3]])
    logits = np.log(chances / (1 - chances))
    labels = np.array([[0, 0], [1, 0], [1, 0]])
    np.testing.assert_allclose(choose_thresholds(labels, logits), [0.3, 0.5])  # half-way; no record has the second
    np.testing.assert_allclose(choose_thresholds(labels, logits, "half"), [0.5, 0.5])
    everything = np.array([[1], [1], [1]])
    assert choose_thresholds(everything, logits[:, :1]) <= 0.2
