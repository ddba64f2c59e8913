from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdomain.core.errors import DataError
from xdomain.data.windows import plan_windows


def plan(lengths, room=10, overlap=0, max_windows=32, too_long: Literal["error", "truncate"] = "error"):
    lengths = np.array(lengths)
    ids = [f"r{i}" for i in range(len(lengths))]
    return plan_windows(lengths, room=room, overlap=overlap, max_windows=max_windows, too_long=too_long, ids=ids)


def test_a_sequence_that_fits_is_one_window():
    windows = plan([1, 10])
    assert windows.start.tolist() == [0, 0]
    assert windows.stop.tolist() == [1, 10]
    assert windows.counts == {"windows": 2, "sequences_in_several_windows": 0, "truncated": 0}


def test_windows_by_hand():
    windows = plan([25], room=10, overlap=4)
    assert windows.start.tolist() == [0, 6, 12, 18]
    assert windows.stop.tolist() == [10, 16, 22, 25]
    assert windows.own_start.tolist() == [0, 8, 14, 20]
    assert windows.own_stop.tolist() == [8, 14, 20, 25]


@given(st.lists(st.integers(1, 200), min_size=1, max_size=5), st.integers(2, 30), st.data())
def test_every_symbol_is_covered_and_owned_exactly_once(lengths, room, data):
    overlap = data.draw(st.integers(0, room - 1))
    windows = plan(lengths, room=room, overlap=overlap, max_windows=1000)
    for i, length in enumerate(lengths):
        mine = range(windows.offsets[i], windows.offsets[i + 1])
        owned = [p for w in mine for p in range(windows.own_start[w], windows.own_stop[w])]
        assert owned == list(range(length))
        for w in mine:
            assert windows.start[w] <= windows.own_start[w] < windows.own_stop[w] <= windows.stop[w]
            assert windows.stop[w] - windows.start[w] <= room


def test_too_long_names_the_record_and_the_mend():
    with pytest.raises(DataError) as caught:
        plan([5, 41], room=10, max_windows=3)
    message = caught.value.block()
    assert "'r1' has 41 symbols and needs 5 windows of 10" in message
    assert "--set train.max_windows=5" in message


def test_truncation_is_counted():
    windows = plan([5, 41], room=10, max_windows=3, too_long="truncate")
    assert windows.truncated == 1
    assert windows.stop.max() == 30


def test_an_overlap_as_wide_as_the_window_is_refused():
    with pytest.raises(DataError, match="cannot overlap"):
        plan([5], room=10, overlap=10)
