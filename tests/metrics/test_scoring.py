"""What a person reads of a model's scores: names, chances, metrics."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xdomain.core.sequences import Ragged
from xdomain.data.dataset import Examples
from xdomain.data.known_labels import IGNORED
from xdomain.metrics.scoring import (
    by_class,
    chances_of,
    compute_split_metrics,
    drop_unscored,
    label_column,
    per_tag,
    prediction_columns,
)

NAN = float("nan")
ABC = ("a", "b", "c")


def examples(problem, sequences, labels, split, classes=("no", "yes")):
    ids = tuple(f"r{i}" for i in range(len(sequences)))
    return Examples(problem, ids, Ragged.from_lists(sequences), None, np.array(labels), classes, np.array(split))


def logits(*chances):
    return np.log(np.array(chances)) + 5


def test_only_what_has_a_label_and_a_score_is_judged():
    labels, scores = drop_unscored(np.array([0, IGNORED, 1, 1]), np.array([[1, 0], [1, 0], [0, NAN], [0, 1.0]]))
    assert labels.tolist() == [0, 1]
    assert scores.tolist() == [[1, 0], [0, 1]]
    values, scores = drop_unscored(np.array([1.5, -100.0, 2.5]), np.array([NAN, 3.0, 4.0]))
    assert values.tolist() == [-100.0, 2.5]
    assert scores.tolist() == [3.0, 4.0]


def test_a_split_is_judged_by_its_own_labels():
    data = examples("classification", [[0]] * 5, [1, 0, 1, 1, 0], ["test", "train", "test", "valid", "test"])
    found = compute_split_metrics(data, "test", logits((0.1, 0.9), (0.6, 0.4), (0.7, 0.3)), ["accuracy", "recall"])
    assert found["metrics"]["accuracy"] == {"value": pytest.approx(2 / 3), "higher_is_better": True}
    assert found["metrics"]["recall"]["value"] == pytest.approx((1 + 1 / 2) / 2)
    assert found["confusion"] == [[1, 0], [1, 1]]
    assert [(row["class"], row["recall"], row["support"]) for row in found["per_class"]] == [
        ("no", 1, 1),
        ("yes", 0.5, 2),
    ]


def test_values_have_no_confusion():
    data = examples("regression", [[0]] * 3, np.array([1, 2, 4], np.float32), ["valid", "train", "valid"], ())
    assert compute_split_metrics(data, "valid", np.array([2.0, 6.0]), ["mse"]) == {
        "metrics": {"mse": {"value": pytest.approx((1 + 4) / 2), "higher_is_better": False}}
    }


def test_tags_are_judged_where_they_are_told_and_read():
    data = examples("tagging", [[0, 1], [2], [0, 1, 2]], [0, 1, 1, 1, IGNORED, 0], ["test", "train", "test"])
    # the last symbol of the last record was cut off, the one before has no tag
    scores = np.concatenate([logits((0.9, 0.1), (0.8, 0.2), (0.2, 0.8), (0.9, 0.1)), [[NAN, NAN]]])
    found = compute_split_metrics(data, "test", scores, ["accuracy"])
    assert found["metrics"]["accuracy"]["value"] == pytest.approx(2 / 3)
    assert found["confusion"] == [[1, 0], [1, 1]]


def test_classes_are_told_by_name_and_chance():
    scores = logits((0.2, 0.7, 0.1), (0.5, 0.1, 0.4))
    columns = prediction_columns("classification", ABC, scores, np.array([3, 1]))
    assert columns["prediction"].to_pylist() == ["b", "a"]
    assert columns["score"].to_pylist() == pytest.approx([0.7, 0.5])
    assert list(columns) == ["prediction", "score", "p(a)", "p(b)", "p(c)"]
    chances = np.array([[0.2, 0.7, 0.1], [0.5, 0.1, 0.4]])
    assert chances_of(pa.table(columns), ABC) == pytest.approx(chances)
    lists = pa.table({"id": ["x", "y"], "probabilities": pa.array(chances.tolist(), pa.list_(pa.float64(), 3))})
    assert by_class(lists, ABC).column_names == ["id", "p(a)", "p(b)", "p(c)"]  # as runs wrote them before
    assert chances_of(lists, ABC).tolist() == chances_of(by_class(lists, ABC), ABC).tolist() == chances.tolist()


def test_a_record_without_scores_has_no_prediction():
    scores = np.array([[NAN, NAN], [0.0, 2.0]], np.float32)
    columns = prediction_columns("pair", ("no", "yes"), scores, np.array([1, 1]))
    assert columns["prediction"].to_pylist() == [None, "yes"]
    assert columns["score"].to_pylist() == [None, pytest.approx(1 / (1 + np.exp(-2)))]


def test_values_are_told_as_they_are():
    columns = prediction_columns("regression", (), np.array([1.5, -2.0], np.float32), np.array([4, 4]))
    assert {name: column.to_pylist() for name, column in columns.items()} == {
        "prediction": [1.5, -2.0],
        "score": [1.5, -2.0],
    }


def test_a_tagged_record_has_as_many_tags_as_symbols():
    scores = np.concatenate([logits((0.6, 0.3, 0.1), (0.1, 0.1, 0.8), (0.2, 0.7, 0.1)), np.full((1, 3), NAN)])
    columns = prediction_columns("tagging", ABC, scores, np.array([1, 3]))
    assert columns["prediction"].to_pylist() == [["a"], ["c", "b", None]]
    assert columns["score"].to_pylist() == [[pytest.approx(0.6)], [pytest.approx(0.8), pytest.approx(0.7), None]]


def test_true_labels_are_told_as_the_file_named_them():
    order = np.array([2, 0])
    data = examples("classification", [[0]] * 3, [1, 0, IGNORED], ["test"] * 3)
    assert label_column(data, order).to_pylist() == [None, "yes"]
    values = examples("regression", [[0]] * 3, np.array([0.5, 1, 2], np.float32), ["test"] * 3, ())
    assert label_column(values, order).to_pylist() == [2, 0.5]
    tags = examples("tagging", [[0, 1], [2], [0, 1, 2]], [0, 1, 1, 1, IGNORED, 0], ["test"] * 3)
    assert label_column(tags, order).to_pylist() == [["yes", None, "no"], ["no", "yes"]]


def words():
    """Three records of 4, 1 and 2 symbols: three words (the second of two symbols), two (one without any), none."""
    data = examples("tagging", [[0, 1, 2, 3], [4], [5, 6]], [1, 0, IGNORED, IGNORED, 0, IGNORED, IGNORED], ["test"] * 3)
    return replace(data, heads=Ragged.from_lists([[0, 1, 3], [1, 0], []]))


def test_of_words_the_first_symbol_counts():
    data, scores = words(), np.arange(14, dtype=np.float32).reshape(7, 2)
    rows, lengths = per_tag(data, np.arange(3), scores, NAN)
    assert lengths.tolist() == [3, 2, 0]
    assert rows[[0, 1, 2, 4]].tolist() == [[0, 1], [2, 3], [6, 7], [8, 9]]
    assert np.isnan(rows[3]).all()
    assert rows.dtype == np.float32
    # some records, in another order, with the scores of those alone
    rows, lengths = per_tag(data, np.array([1, 0]), scores[[4, 0, 1, 2, 3]], NAN)
    assert lengths.tolist() == [2, 3]
    assert rows[1:].tolist() == [[8, 9], [0, 1], [2, 3], [6, 7]]


def test_without_words_each_symbol_counts():
    data = examples("tagging", [[0, 1], [2]], [0, 1, 1], ["test"] * 2)
    scores = np.arange(4.0).reshape(2, 2)
    rows, lengths = per_tag(data, np.array([0]), scores, NAN)
    assert rows is scores
    assert lengths.tolist() == [2]


def test_tags_of_words_are_told_and_judged_a_word():
    data = words()
    assert label_column(data, np.arange(3)).to_pylist() == [["yes", "no", None], [None, "no"], []]
    scores = logits((0.2, 0.8), (0.3, 0.7), (0.9, 0.1), (0.6, 0.4), (0.9, 0.1), (0.5, 0.5), (0.5, 0.5))
    columns = prediction_columns("tagging", data.classes, *per_tag(data, np.arange(3), scores, NAN))
    assert columns["prediction"].to_pylist() == [["yes", "yes", "no"], [None, "no"], []]
    assert columns["score"].to_pylist()[1] == [None, pytest.approx(0.9)]
    found = compute_split_metrics(data, "test", scores, ["accuracy"])  # of yes, no and no two
    assert found["metrics"]["accuracy"]["value"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("problem", ["classification", "regression", "tagging"])
def test_the_columns_lie_side_by_side_in_a_parquet_file(problem, tmp_path):
    sequences = [[0, 1], [2], [0, 1, 2]]
    n = 6 if problem == "tagging" else 3
    labels = np.arange(n, dtype=np.float32) if problem == "regression" else np.arange(n) % 3
    data = examples(problem, sequences, labels, ["test"] * 3, () if problem == "regression" else ABC)
    rng = np.random.default_rng(0)
    scores = rng.normal(size=n) if problem == "regression" else rng.normal(size=(n, 3)).astype(np.float32)
    columns = prediction_columns(problem, data.classes, scores, data.symbols.lengths)
    table = pa.table({"label": label_column(data, np.arange(3)), **columns})
    pq.write_table(table, tmp_path / "predictions.parquet")
    again = pq.read_table(tmp_path / "predictions.parquet")
    assert again.num_rows == 3
    assert again.to_pylist() == table.to_pylist()
    assert again.schema.field("label").type == again.schema.field("prediction").type


def test_a_label_has_the_digits_of_its_file():
    data = examples("regression", [[0], [1], [2]], np.array([-0.14, 1e-9, 12345.678], np.float32), ["test"] * 3, ())
    assert label_column(data, np.arange(3)).to_pylist() == [-0.14, 1e-9, 12345.678]
