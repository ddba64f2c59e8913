"""Several models as one: by hand."""

import numpy as np
import pytest

from xdomain.metrics.ensemble import mean_scores, spread_columns
from xdomain.metrics.metrics import probabilities

CHANCES = np.array([[[0.9, 0.1], [0.4, 0.6]], [[0.7, 0.3], [0.8, 0.2]], [[0.8, 0.2], [0.45, 0.55]]])
LOGITS = list(np.log(CHANCES) + 3)


def test_probabilities_are_averaged():
    assert probabilities(mean_scores(LOGITS, "pair")) == pytest.approx(np.array([[0.8, 0.2], [0.55, 0.45]]))
    assert probabilities(mean_scores([np.array([[0.0, -1e4]])] * 2, "pair")).tolist() == [[1, 0]]  # a chance of 0


def test_models_that_disagree_are_told():
    columns = spread_columns(LOGITS, "classification", np.array([1, 1]))
    # p(first): .9 .7 .8 and .4 .8 .45, of which two are below the half
    assert columns["std"].to_pylist() == pytest.approx([0.1, np.std([0.4, 0.8, 0.45], ddof=1)])
    assert columns["agreement"].to_pylist() == pytest.approx([1, 1 / 3])


def test_tags_without_scores_are_null_and_lists_are_those_of_records():
    scores = [one.copy() for one in LOGITS]
    for one in scores:
        one[1] = np.nan
    columns = spread_columns(scores, "tagging", np.array([0, 2]))
    assert columns["agreement"].to_pylist() == [[], [1, None]]


def test_values_are_averaged():
    values = [np.array([1.0, 2.0]), np.array([3.0, 2.0])]
    assert mean_scores(values, "regression").tolist() == [2, 2]
    columns = spread_columns(values, "regression", np.array([1, 1]))
    assert {name: column.to_pylist() for name, column in columns.items()} == {"std": [pytest.approx(2**0.5), 0]}
