"""Predictions read back from their table."""

import math

import numpy as np
import pyarrow as pa
import pytest

from xdomain.metrics.heldout import held_out_of, resampled_metric

SPAN = pa.list_(pa.struct([("start", pa.float64()), ("end", pa.float64())]))
COLUMNS = {
    "span": {"label": SPAN, "start": pa.float64(), "end": pa.float64(), "score": pa.float64()},
    "regression": {"label": pa.float64(), "score": pa.float64()},
    "classification": {"label": pa.string(), "score": pa.float64(), "p(no)": pa.float64(), "p(yes)": pa.float64()},
    "pair": {"label": pa.string(), "score": pa.float64(), "probabilities": pa.list_(pa.float64(), 2)},  # before
    "tagging": {
        "label": pa.list_(pa.string()), "prediction": pa.list_(pa.string()), "score": pa.list_(pa.float64()),
    },
}  # fmt: skip
METRIC = {"span": "FF1", "regression": "mse", "classification": "f1", "pair": "f1", "tagging": "f1"}


@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize("problem", COLUMNS)
def test_a_table_without_records_has_no_value(problem, grouped):
    kinds = {"id": pa.string(), **({"group": pa.string()} if grouped else {}), **COLUMNS[problem]}
    predictions = held_out_of(pa.table({n: pa.array([], k) for n, k in kinds.items()}), problem, ["no", "yes"])
    assert len(predictions) == predictions.units == 0
    assert math.isnan(resampled_metric(METRIC[problem], predictions).value)


def test_a_question_may_have_several_references_and_another_none():
    label = pa.array([[{"start": 0.0, "end": 2.0}, {"start": 5.0, "end": 6.0}], []], SPAN)
    table = pa.table({"id": ["a", "b"], "label": label, "start": [5.0, 0.0], "end": [6.0, 1.0], "score": [1.0, 1.0]})
    predictions = held_out_of(table, "span", [])
    np.testing.assert_array_equal(predictions.labels, [[[0, 2], [5, 6]], [[np.nan] * 2] * 2])
    assert resampled_metric("FF1", predictions).value == 0.5
