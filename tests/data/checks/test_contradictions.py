"""The same content with another target: told with its records, and with what is reachable at most."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdomain.core.sequences import Ragged
from xdomain.data.checks.contradictions import contradictions
from xdomain.data.dataset import Examples
from xdomain.data.known_labels import IGNORED


def examples(problem, sequences, labels, seconds=None, splits=None):
    dtype = np.float32 if problem == "regression" else np.int64
    return Examples(
        problem,
        tuple(f"r{i}" for i in range(1, len(sequences) + 1)),
        Ragged.from_lists([["ACGT".index(c) for c in one] for one in sequences]),
        Ragged.from_lists([["ACGT".index(c) for c in one] for one in seconds]) if seconds else None,
        np.array(labels, dtype),
        () if problem in ("regression", "span") else ("a", "b", "c"),
        np.array(splits or ["train"] * len(sequences)),
    )


def test_labels_by_hand():
    data = examples(
        "classification",
        ["A", "A", "A", "CC", "CC", "G", "T", "T"],
        [0, 1, 0, 2, 2, 0, 0, 1],
        splits=["train", "train", "test", "train", "valid", "train", "test", "test"],
    )
    found = contradictions(data)
    assert found.as_dict() == {
        "sequences": 2,
        "records": 5,
        "across_splits": 1,
        "reachable": {"accuracy": 6 / 8},
        "examples": [["r1", "r2"], ["r7", "r8"]],
    }
    assert found.duplicates_as_dict() == {"sequences": 1, "records": 2}
    assert found.lines() == [
        "2 sequences have more than one label (5 records; first: r1 ≠ r2, r7 ≠ r8): no function of the sequence is "
        "right on more than 6 of 8 records (accuracy 0.7500)"
    ]
    assert found.duplicate_lines() == ["1 sequence occurs several times with the same label (2 records)"]


def test_distinct_records_say_nothing():
    found = contradictions(examples("classification", ["A", "AA", "C"], [0, 1, 0]))
    assert found.lines() == found.duplicate_lines() == []
    assert found.reachable == {"accuracy": 1.0}


def test_of_pairs_the_order_counts_and_where_one_ends():
    data = examples("pair", ["AC", "G", "AC", "A"], [0, 1, 1, 1], seconds=["G", "AC", "G", "CG"])
    found = contradictions(data)
    assert (found.sequences, found.examples) == (1, (("r1", "r3"),))
    assert found.lines()[0].startswith("1 pair has more than one label")


def test_tags_are_compared_where_both_are_scored():
    tags = [[0, 1, 2], [0, 2, 2], [0, 1, IGNORED], [1, IGNORED, 1]]
    found = contradictions(examples("tagging", ["ACG", "ACG", "ACG", "TTT"], np.concatenate(tags)))
    assert (found.sequences, found.records, found.examples) == (1, 3, (("r1", "r2"),))
    assert (found.right, found.of) == (9, 10)  # one of three tags at the second symbol is lost
    assert "9 of 10 tags" in found.lines()[0]
    hidden = contradictions(examples("tagging", ["AC", "AC", "AC"], [0, IGNORED, IGNORED, 1, 0, 1]))
    assert (hidden.sequences, hidden.agreeing) == (0, 1)
    later = contradictions(examples("tagging", ["AC", "AC", "AC"], [IGNORED, 1, 0, 1, 2, 1]))
    assert later.examples == (("r2", "r3"),)


def test_values_differ_beyond_rounding():
    found = contradictions(examples("regression", ["A", "A", "C", "C", "G"], [1, 3, 5, 5.00001, 0]))
    assert (found.sequences, found.records, found.agreeing) == (1, 2, 1)
    assert found.reachable["mse"] == pytest.approx(2 / 5, rel=1e-6)
    fitted, values = np.array([2, 2, 5, 5, 0]), np.array([1, 3, 5, 5, 0])
    assert found.reachable["pearsonr"] == pytest.approx(np.corrcoef(fitted, values)[0, 1], rel=1e-5)
    assert "an MSE below 0.4000" in found.lines()[0]
    tiny = contradictions(examples("regression", ["A", "A"], [1e-9, 2e-9]))
    assert tiny.sequences == 1  # a small unit is no rounding


def test_a_question_with_two_answers():
    data = examples("span", ["A", "A", "A"], [[0, 1], [0, 2], [0, 1]], seconds=["CC", "CC", "CG"])
    found = contradictions(data)
    assert (found.right, found.of) == (2, 3)
    assert found.lines()[0].startswith("1 question has more than one answer (2 records; first: r1 ≠ r2)")


records = st.lists(st.tuples(st.text("AC", min_size=1, max_size=2), st.integers(0, 2)), min_size=1)


@given(records)
def test_as_a_slow_obvious_twin_has_it(rows):
    found = contradictions(examples("classification", [a for a, _ in rows], [label for _, label in rows]))
    labels = defaultdict(list)
    for sequence, label in rows:
        labels[sequence].append(label)
    mixed = [one for one in labels.values() if len(set(one)) > 1]
    alike = [one for one in labels.values() if len(set(one)) == 1 < len(one)]
    assert (found.sequences, found.records) == (len(mixed), sum(map(len, mixed)))
    assert (found.agreeing, found.agreeing_records) == (len(alike), sum(map(len, alike)))
    assert found.right == sum(max(Counter(one).values()) for one in labels.values())
    for first, second in found.examples:
        (a, b), (c, d) = rows[int(first[1:]) - 1], rows[int(second[1:]) - 1]
        assert a == c
        assert b != d
