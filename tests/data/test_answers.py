"""Answers found again in the symbols of their passages, and the windows that they are learned from."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdomain.core.errors import DataError
from xdomain.core.sequences import Ragged
from xdomain.core.train_options import Train
from xdomain.data.answers import place_answers, to_symbols
from xdomain.data.collate import Collator, SpecialTokenLayout, fit_windows
from xdomain.data.dataset import Examples
from xdomain.data.known_labels import IGNORED
from xdomain.data.validate import validated
from xdomain.data.windows import cut_answers, training_windows

EDGES = np.array([[0, 0.06], [0.06, 0.08], [0.08, 0.36], [0.36, 0.4]])
ANSWERS = pa.list_(pa.struct([("start", pa.float64()), ("end", pa.float64())]))
LAYOUT = SpecialTokenLayout(start=(101,), middle=(102,), end=(102,), pad=0, second_type=1)
ROWS = np.arange(10) + 200


def answers(*records):
    return pa.array([[{"start": a, "end": b} for a, b in record] for record in records], ANSWERS)


def questions(lengths, passages, spans):
    """Questions of nines on passages 0 1 2 …, one symbol a unit of the coordinate."""
    symbols = Ragged.from_lists([[9] * n for n in lengths])
    second = Ragged.from_lists([[i % 9 for i in range(n)] for n in passages])
    edges = np.concatenate([np.column_stack([np.arange(n), np.arange(n) + 1.0]) for n in passages])
    ids = tuple(map(str, range(len(lengths))))
    placed = place_answers(answers(*([span] for span in spans)), second, edges, ids)
    split = np.full(len(lengths), "train")
    return Examples("span", ids, symbols, second, placed.learned, (), split, edges=edges, answers=placed)


@pytest.mark.parametrize(
    ("span", "symbols"),
    [((0, 0.06), (0, 1)), ((0.069, 0.36), (1, 3)), ((0.1, 0.35), (2, 3)), ((0.2, 0.3), (2, 3)), ((0.06, 0.41), (1, 4))],
)
def test_by_hand(span, symbols):
    assert to_symbols(np.array(span), EDGES) == symbols


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.data())
def test_no_border_is_nearer_than_those_that_are_chosen(runs, data):
    ends = np.cumsum(runs) / 50
    edges = np.column_stack([ends - np.array(runs) / 50, ends])
    a = data.draw(st.floats(0, ends[-1] * 0.99))
    b = data.draw(st.floats(a + 1e-3, ends[-1] + 0.01))
    first, last = to_symbols(np.array([a, b]), edges)
    assert 0 <= first < last <= len(runs)
    whole = to_symbols(np.array([edges[first, 0], edges[last - 1, 1]]), edges)
    assert whole == (first, last)  # what came out of symbols goes back into the same
    if last - first > 1:
        assert abs(edges[:, 0] - a).min() == abs(edges[first, 0] - a)
        assert abs(edges[:, 1] - b).min() == abs(edges[last - 1, 1] - b)


def test_the_reference_given_most_often_is_learned_and_all_are_kept():
    data = answers([(0, 0.06), (0.08, 0.36), (0.08, 0.36)], [(0.06, 0.08)])
    passages = Ragged.from_lists([[0, 1, 2, 3], [0, 1, 2, 3]])
    found = place_answers(data, passages, np.concatenate([EDGES, EDGES]), ("a", "b"))
    assert found.learned.tolist() == [[2, 3], [1, 2]]
    both = found.references(np.array([1, 0]))
    assert both.shape == (2, 3, 2)
    assert np.isnan(both[0, 1:]).all()
    assert both[1].tolist() == [[0, 0.06], [0.08, 0.36], [0.08, 0.36]]


@pytest.mark.parametrize("span", [(0.4, 0.5), (0.3, 0.9), (-0.1, 0.2)])
def test_an_answer_beyond_its_passage_is_refused(span):
    with pytest.raises(DataError, match=r"'late': the answer reaches from .* its passage ends at 0.4"):
        place_answers(answers([span]), Ragged.from_lists([[0, 1, 2, 3]]), EDGES, ("late",))


@pytest.mark.parametrize(
    ("bounds", "told"),
    [
        ({"start": ["1", "x"], "end": ["2", "3"]}, "row 2: the start of the answer is 'x'"),
        ({"start": ["1", "5"], "end": ["2", "3"]}, "row 2: the answer reaches from 5 to 3"),
        ({"start": ["1", "2"]}, "no column 'end'"),
        ({"answers": answers([(0, 1)], [(3, 2)])}, "row 2: the answer reaches from 3 to 2"),
    ],
)
def test_answers_that_are_none_are_refused(bounds, told):
    table = pa.table({"sequence": ["q", "r"], "sequence_b": ["passage", "other"], **bounds})
    with pytest.raises(DataError, match=told):
        validated(table, "span", where="f.csv")


def test_blanks_before_a_passage_stay_as_places_are_counted_from_there():
    table = pa.table({"sequence": ["q"], "sequence_b": ["  so it is"], "start": ["2"], "end": ["4"]})
    checked = validated(table, "span", where="f.csv")
    assert checked.column("sequence_b").to_pylist() == ["  so it is"]
    assert checked.column("answers").to_pylist() == [[{"start": 2.0, "end": 4.0}]]


def test_every_window_holds_the_question_and_labels_stand_where_the_answer_is():
    data = questions([3, 2], [30, 5], [(12, 15), (0, 5)])
    windows = fit_windows(data, LAYOUT, 16, Train(window_overlap=4))
    assert windows.first.tolist() == [3, 2]
    batch = {k: v.numpy() for k, v in Collator(data, data.labels, ROWS, LAYOUT, windows)([0, 1]).items()}
    assert batch["windows"].tolist() == [len(windows.of(0)), 1]
    assert (batch["input_ids"][:-1, 1:4] == 209).all()
    for row, window in enumerate([*windows.of(0), *windows.of(1)]):
        record = int(window in windows.of(1))
        line, owned = batch["input_ids"][row], batch["owned"][row]
        held = data.symbols_b[record][windows.start[window] : windows.stop[window]]
        assert line[owned].tolist() == ROWS[held].tolist()
        first, last = batch["labels"][row]
        if first > 0:
            answer = data.symbols_b[record][slice(*data.labels[record])]
            assert line[first : last + 1].tolist() == ROWS[answer].tolist()
    # room for 10: symbols 0-10, 6-16, 12-22, 18-28, 24-30; the answer is 12-15
    assert batch["labels"][:5].tolist() == [[0, 0], [11, 13], [5, 7], [0, 0], [0, 0]]


def test_a_window_with_a_part_of_the_answer_is_not_learned_from_and_counted():
    data = questions([3, 3], [30, 30], [(9, 12), (2, 19)])
    windows = fit_windows(data, LAYOUT, 16, Train())
    batch = Collator(data, data.labels, ROWS, LAYOUT, windows)([0, 1])
    assert batch["labels"].tolist() == [[IGNORED] * 2] * 2 + [[0, 0]] + [[IGNORED] * 2] * 2 + [[0, 0]]
    assert data.labels is not None
    assert cut_answers(windows, data.labels) == {"answers_in_no_window": 2, "windows_with_part_of_an_answer": 4}


def test_one_window_with_the_answer_and_one_without_are_drawn():
    data = questions([3], [100], [(40, 43)])
    windows = fit_windows(data, LAYOUT, 16, Train(window_overlap=4))
    drawn = [training_windows(windows, 0, data.labels[0], np.random.default_rng(i)) for i in range(200)]
    assert all(len(pair) == 2 for pair in drawn)
    held = {w for w in windows.of(0) if windows.start[w] <= 40 and windows.stop[w] >= 43}
    assert {pair[0] for pair in drawn} == held
    cut = {w for w in windows.of(0) if w not in held and windows.start[w] < 43 and windows.stop[w] > 40}
    assert {pair[1] for pair in drawn} == set(windows.of(0)) - held - cut


def test_a_question_that_leaves_no_room_is_refused_or_cut():
    data = questions([9], [20], [(0, 2)])
    with pytest.raises(DataError, match="the question of record '0' has 9 symbols"):
        fit_windows(data, LAYOUT, 16, Train())
    assert fit_windows(data, LAYOUT, 16, Train(too_long="truncate")).first.tolist() == [6]


def test_a_question_without_an_answer_is_learned_as_position_0_of_every_window():
    passages = Ragged.from_lists([[i % 9 for i in range(n)] for n in (30, 30)])
    edges = np.concatenate([np.column_stack([np.arange(30.0), np.arange(30.0) + 1])] * 2)
    placed = place_answers(answers([], [(12, 15)]), passages, edges, ("none", "one"))
    assert placed.lacking.tolist() == [True, False]
    assert placed.learned.tolist() == [[-1, -1], [12, 15]]
    assert np.isnan(placed.references(np.array([0]))).all()
    split = np.full(2, "train")
    symbols = Ragged.from_lists([[9] * 3] * 2)
    data = Examples("span", ("none", "one"), symbols, passages, placed.learned, (), split, edges=edges, answers=placed)
    windows = fit_windows(data, LAYOUT, 16, Train(window_overlap=4))
    collate = Collator(data, data.labels, ROWS, LAYOUT, windows)
    several = len(windows.of(0))
    assert several == 5
    assert collate([0])["labels"].tolist() == [[0, 0]] * several
    drawn = [training_windows(windows, 0, data.labels[0], np.random.default_rng(i)) for i in range(100)]
    assert all(len(one) == 1 for one in drawn)
    assert {one[0] for one in drawn} == set(windows.of(0))
    assert cut_answers(windows, placed.learned) == cut_answers(
        fit_windows(data, LAYOUT, 16, Train(window_overlap=4)), np.array([[0, 1], [12, 15]])
    )
    none, one = collate.costs()
    assert one == 2 * none  # an epoch reads one window of it, and two where there is an answer
