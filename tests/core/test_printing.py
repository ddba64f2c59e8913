"""Tables on a terminal: names and numbers whole, also where it is narrow."""

import io
from itertools import takewhile

import pytest
from rich.console import Console

from xdomain.core.plugins import task_names
from xdomain.core.printing import table_of
from xdomain.inspection import listing

ARMS = [
    {
        "arm": name,
        "test matthews_correlation [95 %]": "0.9120 [0.8801, 0.9400]",
        "difference to pretrained [95 %]": "-0.2000 [-0.2411, -0.1733]",
        "train loss": "0.0123",
        "seconds": "1234",
    }
    for name in ("pretrained[words]+head", "kmer")
]


def printed(rows, width):
    out = io.StringIO()
    Console(file=out, width=width).print(table_of(rows, width))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    return lines


@pytest.mark.parametrize("width", [80, 40])
def test_names_of_tasks_are_whole(width):
    lines = takewhile(lambda line: not line.startswith("Not shown"), printed(listing("tasks"), width))
    first = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert first == ["task", *task_names()]


def test_titles_are_whole_at_80_columns_and_what_is_not_shown_is_named():
    lines = printed(listing("tasks"), 80)
    titles = " ".join(line[lines[0].index("title") :].strip() for line in lines)
    assert "Human transcription-factor binding sites, set 0 (GUE)" in titles
    assert lines[-1].rstrip() == "Not shown, for lack of room: metric"
    assert "…" not in "".join(lines)
    assert "metric" in printed(listing("tasks"), 140)[0]


def test_numbers_are_whole_at_80_columns():
    told = " ".join(printed(ARMS, 80))
    for number in ("0.9120", "[0.8801,", "0.9400]", "-0.2000", "[-0.2411,", "-0.1733]", "0.0123", "1234"):
        assert told.split().count(number) == 2
    assert "pretrained[words]+head" in told


@pytest.mark.parametrize("width", [40, 20, 5])
def test_a_terminal_too_narrow_for_anything_breaks_nothing(width):
    for what in ("tasks", "adapters", "backbones"):
        assert printed(listing(what), width)
    assert printed(ARMS, width)
