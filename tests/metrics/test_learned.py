"""What a constant answer gets, and when a model is said not to have learned."""

import math

import numpy as np
import pytest

from xdomain.data.known_labels import IGNORED
from xdomain.metrics.learned import (
    loss_stayed,
    majority_baseline,
    not_above,
    not_above_rule,
    not_learned,
    one_answer,
    what_to_try,
)

FLAT = [0.70, 0.69, 0.69, 0.70, 0.69, 0.70, 0.69, 0.69, 0.70, 0.69]
FALLING = [0.69, 0.68, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01]


def logits(taken, k=2):
    return np.eye(k)[taken] * 3.0


def test_the_most_frequent_class_of_training_answers():
    train, test = np.array([1, 1, 1, 0]), np.array([0, 0, 0, 1, 1])  # 1 is the most frequent, of train alone
    names = ["accuracy", "balanced_accuracy", "f1", "precision", "recall", "matthews_correlation", "f1_binary"]
    found = majority_baseline(train, test, [*names, "roc_auc", "average_precision"], "classification")
    # all answered with 1: of class 0 nothing is right; of class 1 precision 2/5, recall 1
    f1 = 2 * (2 / 5) / (2 / 5 + 1)
    expected = [2 / 5, 1 / 2, f1 / 2, 1 / 5, 1 / 2, 0.0, f1, 1 / 2, 2 / 5]
    assert list(found.values()) == pytest.approx(expected)


def test_a_class_that_only_the_model_knows_counts():
    found = majority_baseline(np.array([0, 0, 1]), np.array([0, 1]), ["roc_auc"], "classification", n_classes=3)
    assert math.isnan(found["roc_auc"])  # class 2 does not occur in test


def test_the_mean_of_training_answers_for_values():
    found = majority_baseline(
        np.array([1, 3], np.float32), np.array([0, 2, 5], np.float32),
        ["mse", "rmse", "mae", "r2", "spearmanr", "pearsonr"], "regression",
    )  # fmt: skip
    mse = (4 + 0 + 9) / 3
    assert found["mse"] == pytest.approx(mse)
    assert found["rmse"] == pytest.approx(math.sqrt(mse))
    assert found["mae"] == pytest.approx(5 / 3)
    assert found["r2"] == pytest.approx(1 - 13 / ((7 / 3) ** 2 + (1 / 3) ** 2 + (8 / 3) ** 2))
    assert math.isnan(found["spearmanr"])
    assert math.isnan(found["pearsonr"])


def test_tags_that_are_not_scored_are_left_out():
    train = np.array([IGNORED] * 9 + [1, 1, 0])
    test = np.array([IGNORED, 0, 1, 1, IGNORED])
    assert majority_baseline(train, test, ["accuracy"], "tagging") == {"accuracy": pytest.approx(2 / 3)}


def test_spans_have_no_constant_answer_and_nothing_has_no_value():
    assert majority_baseline(np.zeros((2, 2), int), np.zeros((2, 1, 2)), ["AOS"], "span") == {}
    nothing = np.array([], np.int64)
    assert math.isnan(majority_baseline(np.array([0, 1]), nothing, ["accuracy"], "classification")["accuracy"])
    assert math.isnan(majority_baseline(nothing, np.array([0, 1]), ["accuracy"], "classification")["accuracy"])


def test_one_class_for_all_is_named():
    told = not_learned(
        np.array([0, 1, 0, 1]), logits([1, 1, 1, 1]), "classification", "accuracy", constant=0.5, losses=FLAT,
        classes=["no", "yes"],
    )  # fmt: skip
    assert (
        told
        == "answers all 4 test records with 'yes'; its training loss stayed where it began (0.695, at the end 0.695)"
    )
    told = not_learned(np.array([0, 1]), logits([1, 1]), "tagging", "accuracy")
    assert told == "answers all 2 test tags with one and the same class"
    told = not_learned(np.array([0.0, 1, 2]), np.full(3, 0.7), "regression", "spearmanr")
    assert told == "answers all 3 test records with one and the same value"


def test_values_that_differ_are_not_one_answer():
    assert not one_answer(np.array([0.0, 1.0]), np.array([0.5, 0.500002]), "regression")
    assert one_answer(np.array([0.0, 1.0]), np.array([0.5, 0.50000001]), "regression")
    assert not one_answer(np.array([0]), logits([0]), "classification")  # one record has no other answer


def test_not_above_the_most_frequent_class():
    labels = np.array([0, 0, 0, 1])
    told = not_learned(labels, logits([0, 0, 1, 0]), "classification", "accuracy", constant=0.75, losses=FALLING)
    assert told == (
        "has a test accuracy of 0.5000, not above the 0.7500 of the most frequent class, "
        "though its training loss fell from 0.685 to 0.015"
    )
    assert not_learned(labels, logits([0, 0, 0, 1]), "classification", "accuracy", constant=0.75) is None


def test_above_by_less_than_its_error_is_not_to_be_told_from():
    told = not_above("accuracy", 0.52, problem="tagging", constant=0.5, low=0.49)
    assert told == "has a test accuracy of 0.5200, not distinguishable from the 0.5000 of the most frequent tag"
    assert not_above("accuracy", 0.52, problem="tagging", constant=0.5, low=0.51, losses=FLAT) is None


def test_where_lower_is_better_the_sides_turn():
    assert not_above("mse", 1.0, problem="regression", constant=1.2, low=1.1) is None
    told = not_above("mse", 1.3, problem="regression", constant=1.2, low=1.5)
    assert told == "has a test mse of 1.3000, not below the 1.2000 of the training records' mean"
    assert "not distinguishable from" in str(not_above("mse", 1.1, problem="regression", constant=1.2, low=1.3))


@pytest.mark.parametrize("metric", ["spearmanr", "pearsonr"])
def test_a_correlation_is_held_against_zero(metric):
    assert "not above the 0.0000 of answers" in str(not_above(metric, -0.1, problem="regression"))
    assert "not distinguishable from" in str(not_above(metric, 0.1, problem="regression", low=-0.05))
    assert not_above(metric, 0.3, problem="regression", low=0.1) is None


def test_undefined_is_not_learned():
    assert not_above("spearmanr", math.nan, problem="regression").startswith("has no spearmanr on test")


def test_a_loss_that_stayed_counts_where_nothing_else_is_known():
    assert "stayed where it began" in str(not_above("AOS", 0.2, problem="span", losses=FLAT))
    assert not_above("AOS", 0.2, problem="span", losses=FALLING) is None
    assert "spans drawn at random" in str(not_above("AOS", 0.1, problem="span", constant=0.12))
    assert loss_stayed(FLAT)
    assert not loss_stayed(FALLING)
    assert not loss_stayed([0.7, 0.7, 0.7])  # too few to tell


def test_kmers_that_do_as_well_are_told_of():
    assert not_above_rule("accuracy", 0.8, 0.9) == "has a test accuracy of 0.8000, not above the 0.9000 of k-mer counts"
    assert not_above_rule("accuracy", 0.9, 0.8) is None
    told = not_above_rule("mse", 0.9, 0.8)
    assert told == "has a test mse of 0.9000, not below the 0.8000 of k-mer counts"
    assert not_above_rule("mse", 0.8, 0.9) is None
    assert not_above_rule("accuracy", 0.8, math.nan) is None


def test_what_to_try_depends_on_the_loss():
    assert "more steps" in what_to_try(FLAT)
    assert "more steps" in what_to_try()
    assert "more records" in what_to_try(FALLING)
