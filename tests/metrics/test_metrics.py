"""Every metric worked by hand, and what is said where there is nothing to say."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdomain.core.choices import Problem
from xdomain.core.errors import RecipeError
from xdomain.metrics.bootstrap import Rows, resample
from xdomain.metrics.metrics import METRICS, check_metrics, compute_metrics, confusion, per_class
from xdomain.metrics.outputs import OUTPUT_METRICS

# True 0 0 1 1 2 2, taken for 0 1 1 1 2 0: of each class 1, 2 and 1 are right, and 2, 3 and 1 were named.
TRUTH, TAKEN = [0, 0, 1, 1, 2, 2], [0, 1, 1, 1, 2, 0]
BY_CLASS = {
    "accuracy": 4 / 6,
    "balanced_accuracy": (1 / 2 + 2 / 2 + 1 / 2) / 3,
    "recall": (1 / 2 + 2 / 2 + 1 / 2) / 3,
    "precision": (1 / 2 + 2 / 3 + 1 / 1) / 3,
    "f1": (2 / 4 + 4 / 5 + 2 / 3) / 3,
    # Gorodkin 2004: (c s - sum p t) / sqrt((s^2 - sum p^2) (s^2 - sum t^2)), c right of s, p named, t true
    "matthews_correlation": (4 * 6 - (2 * 2 + 3 * 2 + 1 * 2)) / math.sqrt((36 - 14) * (36 - 12)),
}
# Of the positives .8 and .4 and the negatives .6 and .2, three pairs of four stand right. Going down the ranking
# the first positive comes with precision 1, the second with 2/3.
BY_RANK = {"roc_auc": 3 / 4, "average_precision": (1 + 2 / 3) / 2}
# True 0 1 1 1 0, taken for 1 1 0 1 0: of the three positives two are named, and of the three named two are positive.
BY_SECOND = {"f1_binary": 2 * 2 / (3 + 3)}
# Of 1 2 3 4 guessed as 1 3 2 6 the errors are 0 1 -1 2, the ranks guessed 1 3 2 4.
BY_VALUE = {
    "spearmanr": 1 - 6 * (0 + 1 + 1 + 0) / (4 * 15),
    "pearsonr": (1.5 * 2 + 0 - 0.5 * 1 + 1.5 * 3) / math.sqrt(5 * 14),
    "mse": 6 / 4,
    "rmse": math.sqrt(6 / 4),
    "mae": 4 / 4,
    "r2": 1 - 6 / 5,
}


def value(name, labels, scores, problem: Problem = "classification"):
    return compute_metrics([name], np.array(labels), np.array(scores, float), problem)[name]["value"]


def logits(taken, k):
    return np.eye(k)[taken] * 3 - 1


@pytest.mark.parametrize("name", BY_CLASS)
def test_classes_by_hand(name):
    for problem in ("classification", "pair", "tagging"):
        assert value(name, TRUTH, logits(TAKEN, 3), problem) == pytest.approx(BY_CLASS[name], abs=1e-12)
    assert value(name, TRUTH, logits(TRUTH, 3)) == pytest.approx(1)


@pytest.mark.parametrize("name", BY_RANK)
def test_rankings_by_hand(name):
    chance = np.array([0.6, 0.8, 0.2, 0.4])
    labels = [0, 1, 0, 1]
    assert value(name, labels, np.stack([1 - chance, chance], 1)) == pytest.approx(BY_RANK[name])
    # logits of the same order, one pair of them far from the other pairs
    assert value(name, labels, [[-3, -2.5], [0, 2], [9, 7], [0, -1]]) == pytest.approx(BY_RANK[name])


@pytest.mark.parametrize("name", BY_SECOND)
def test_of_two_classes_the_second_is_positive(name):
    for problem in ("classification", "pair"):
        assert value(name, [0, 1, 1, 1, 0], logits([1, 1, 0, 1, 0], 2), problem) == pytest.approx(BY_SECOND[name])
    assert value(name, [0, 0, 1], logits([0, 0, 0], 2)) == 0
    assert value(name, [0, 0, 0], logits([0, 0, 1], 2)) == 0  # records in which the positive class does not occur
    assert math.isnan(value(name, [0, 0], logits([0, 0], 2)))  # neither occurs nor is predicted


def test_rankings_of_three_classes_by_hand():
    labels = [0, 1, 2, 2]
    chances = [[0.6, 0.3, 0.1], [0.5, 0.2, 0.3], [0.2, 0.1, 0.7], [0.55, 0.15, 0.3]]
    # each class against the others: 3 of 3 pairs right, 2 of 3, and 3 of 4 with one tie that counts half
    assert value("roc_auc", labels, chances) == pytest.approx((1 + 2 / 3 + 3.5 / 4) / 3)
    # class 2: half the recall at precision 1, the rest, tied with a negative, at 2/3
    assert value("average_precision", labels, chances) == pytest.approx((1 + 1 / 2 + (1 + 2 / 3) / 2) / 3)


@pytest.mark.parametrize("name", BY_VALUE)
def test_values_by_hand(name):
    assert value(name, [1, 2, 3, 4], [1, 3, 2, 6], "regression") == pytest.approx(BY_VALUE[name], abs=1e-12)


def test_every_metric_was_worked_by_hand():
    spans = {"FF1", "AOS", "exact_match"}  # in tests/metrics/test_spans.py
    labels = {"f1_micro", "hamming_loss"}  # in tests/metrics/test_label_metrics.py
    outputs = set(OUTPUT_METRICS)  # in tests/metrics/test_outputs.py
    assert {*BY_CLASS, *BY_RANK, *BY_SECOND, *BY_VALUE, *spans, *labels, *outputs} == set(METRICS)


def test_only_errors_are_better_when_lower():
    assert {name for name, metric in METRICS.items() if not metric.higher_is_better} == {
        "mse", "rmse", "mae", "hamming_loss",
    }  # fmt: skip
    found = compute_metrics(["mae", "r2"], np.array([1.0, 2.0]), np.array([1.0, 2.0]), "regression")
    assert found == {"mae": {"value": 0, "higher_is_better": False}, "r2": {"value": 1, "higher_is_better": True}}


def test_the_order_asked_for_is_kept():
    names = ["recall", "accuracy", "f1"]
    assert list(compute_metrics(names, np.array(TRUTH), logits(TAKEN, 3), "classification")) == names


def test_a_class_that_is_never_predicted_scores_zero():
    # class 0: precision 2/3, recall 1, f1 4/5; class 1: nothing
    assert value("precision", [0, 0, 1], logits([0, 0, 0], 2)) == pytest.approx((2 / 3) / 2)
    assert value("f1", [0, 0, 1], logits([0, 0, 0], 2)) == pytest.approx((4 / 5) / 2)


@given(rows=st.lists(st.tuples(st.integers(0, 1), st.integers(-6, 6), st.integers(-6, 6)), min_size=2, max_size=30))
def test_the_area_is_the_share_of_pairs_that_stand_right(rows):
    positive = [b - a for label, a, b in rows if label]
    negative = [b - a for label, a, b in rows if not label]
    found = value("roc_auc", [label for label, *_ in rows], [scores for _, *scores in rows])
    if not positive or not negative:
        assert math.isnan(found)
        return
    right = sum((p > n) + (p == n) / 2 for p in positive for n in negative)
    assert found == pytest.approx(right / (len(positive) * len(negative)))


def test_rankings_do_not_drown_in_large_logits():
    for name in BY_RANK:
        assert value(name, [0, 1, 1, 0], [[0, 60], [0, 80], [0, 70], [0, 50]]) == 1


# undefined


@pytest.mark.parametrize("name", METRICS)
def test_of_no_records_nothing_is_known(name):
    if name in OUTPUT_METRICS and (package := OUTPUT_METRICS[name].package):
        pytest.importorskip(package)
    problem = METRICS[name].problems[0]
    assert math.isnan(value(name, [], np.empty(0 if problem == "regression" else (0, 2)), problem))


@pytest.mark.parametrize("name", BY_RANK)
def test_a_ranking_without_one_of_the_classes_is_undefined(name):
    assert math.isnan(value(name, [1, 1], [[0, 1], [1, 0]]))
    assert math.isnan(value(name, [0, 1, 1], np.eye(3)))


@pytest.mark.parametrize("name", ["spearmanr", "pearsonr"])
def test_a_correlation_with_a_constant_is_undefined(name):
    assert math.isnan(value(name, [1, 2, 3], [5, 5, 5], "regression"))
    assert math.isnan(value(name, [5, 5, 5], [1, 2, 3], "regression"))


def test_what_a_constant_explains_is_undefined():
    assert math.isnan(value("r2", [5, 5, 5], [1, 2, 3], "regression"))


@pytest.mark.parametrize("name", ["spearmanr", "pearsonr", "r2"])
def test_of_one_record_no_course_is_known(name):
    assert math.isnan(value(name, [1], [2], "regression"))


# refusals


def refusal(names, problem):
    with pytest.raises(RecipeError) as told:
        check_metrics(names, problem)
    return told.value.block()


def test_an_unknown_metric():
    text = refusal(["accuracy", "acuracy"], "classification")
    assert "unknown metric 'acuracy'" in text
    assert "did you mean: accuracy" in text
    assert "spearmanr" not in text
    text = refusal(["spearman"], "regression")
    assert "did you mean: spearmanr" in text
    assert "expected: one of mae, mse, pearsonr, r2, rmse, spearmanr" in text


def test_a_metric_that_does_not_fit():
    text = refusal(["mse"], "tagging")
    assert "mse does not judge tagging" in text
    assert "matthews_correlation" in text
    assert "accuracy does not judge regression" in refusal(["accuracy"], "regression")
    with pytest.raises(RecipeError, match="f1 does not judge regression"):
        value("f1", [1, 2], [1, 2], "regression")


@pytest.mark.parametrize("classes", [("a", "b", "c"), ("a",)])
def test_a_positive_class_is_one_of_two(classes):
    check_metrics(["f1_binary"], "pair", ("0", "1"))
    check_metrics(["f1_binary"], "pair")  # before the data is read
    check_metrics(["f1"], "pair", classes)
    with pytest.raises(RecipeError) as told:
        check_metrics(["accuracy", "f1_binary"], "pair", classes)
    assert f"f1_binary is about the positive one of two classes, but there are {len(classes)}" in str(told.value)
    assert "did you mean: f1\n" in str(told.value)
    assert "f1_binary does not judge tagging" in refusal(["f1_binary"], "tagging")


def test_every_problem_has_metrics_that_fit():
    check_metrics([*BY_VALUE], "regression")
    for problem in ("classification", "pair"):
        check_metrics([*BY_SECOND], problem)
    for problem in ("classification", "pair", "tagging"):
        check_metrics([*BY_CLASS, *BY_RANK], problem)


# tables


def test_confusion_by_hand():
    found = confusion(np.array(TRUTH), np.array(TAKEN), ("a", "b", "c", "never"))
    assert found == [[1, 1, 0, 0], [0, 2, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]


def test_a_row_for_each_class():
    assert per_class(np.array(TRUTH), np.array(TAKEN), ("a", "b", "c", "never")) == [
        {"class": "a", "precision": 1 / 2, "recall": 1 / 2, "f1": 1 / 2, "support": 2},
        {"class": "b", "precision": 2 / 3, "recall": 1, "f1": pytest.approx(4 / 5), "support": 2},
        {"class": "c", "precision": 1, "recall": 1 / 2, "f1": pytest.approx(2 / 3), "support": 2},
        {"class": "never", "precision": 0, "recall": 0, "f1": 0, "support": 0},
    ]


@pytest.mark.parametrize("metric", ["mse", "rmse", "mae", "r2", "spearmanr", "pearsonr"])
def test_a_target_that_is_never_known_does_not_count(metric):
    labels = np.array([[1.0, np.nan], [2.0, np.nan], [4.0, np.nan]])
    scores = np.array([[1.5, 0.0], [2.0, 1.0], [3.0, 2.0]])
    both = compute_metrics([metric], labels, scores, "multioutput")[metric]["value"]
    assert both == compute_metrics([metric], labels[:, 0], scores[:, 0], "regression")[metric]["value"]
    unknown = compute_metrics([metric], np.full_like(labels, np.nan), scores, "multioutput")[metric]["value"]
    assert np.isnan(unknown)
    rows = Rows("multioutput", labels, scores, np.arange(3), 3)
    assert resample(metric, rows, draws=50).interval().value == pytest.approx(both)
