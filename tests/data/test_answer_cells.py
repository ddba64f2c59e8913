"""Answers as people write them: one, several, none; each form gives the same places."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdomain.core.errors import DataError
from xdomain.data.answer_cells import answers_by_text, located_answers, numbers_in_cell
from xdomain.data.in_memory import data_file
from xdomain.data.loading import load_table
from xdomain.data.own_data import own_recipe
from xdomain.data.validate import validated

PASSAGE = "the fox, red, and the dog"
FOX, RED, BOTH = (4.0, 7.0), (9.0, 12.0), [(4.0, 7.0), (9.0, 12.0)]


def places(answers):
    return [[(one["start"], one["end"]) for one in record] for record in answers.to_pylist()]


@pytest.mark.parametrize("cell", ["[10 16]", "[10, 16]", "(10, 16)", "10;16", "10 | 16", "[10.0,16.0]", "[ 10\n  16]",
                                  "array([10, 16], dtype=int32)", "10, 16"])  # fmt: skip
def test_several_numbers_in_a_cell(cell):
    assert numbers_in_cell(cell) == [10.0, 16.0]


@pytest.mark.parametrize("cell", ["", " ", "nan", None, float("nan"), "None", "null", "[]", "array([], dtype=int64)"])
def test_no_number_in_a_cell(cell):
    assert numbers_in_cell(cell) == []


@pytest.mark.parametrize("cell", ["x", "10,16", "1 000", "[10, x]", "10;", "?", "1_0"])
def test_what_is_no_number_is_none_of_these(cell):
    assert numbers_in_cell(cell) is None or numbers_in_cell(cell) == [10.0]  # a mark too many parts nothing


@given(st.lists(st.integers(0, 10**6), max_size=6))
def test_what_python_json_and_numpy_write_is_read(numbers):
    for written in (str(numbers), json.dumps(numbers), str(np.array(numbers)), ";".join(map(str, numbers))):
        assert numbers_in_cell(written) == numbers


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("4", "7", [FOX]),
        ("[4 9]", "[7 12]", BOTH),
        ("4;9", "7;12", BOTH),
        ("", "", []),
        ("-1", "-1", []),
        ("[-1, 9]", "[-1, 12]", [RED]),
        ("nan", "nan", []),
    ],
)
def test_by_start_and_end(start, end, expected):
    table = pa.table({"sequence": ["q"], "sequence_b": [PASSAGE], "start": [start], "end": [end]})
    assert places(validated(table, "span", where="f.csv").column("answers")) == [expected]


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        ("4", "", "row 2: 1 start and no ends of answers"),
        ("[4 9]", "[7]", "row 2: 2 starts and 1 end of answers"),
        ("x", "7", "row 2: the start of the answer is 'x'"),
        ("inf", "7", "row 2: the start of the answer is 'inf'"),
    ],
)
def test_half_an_answer_is_refused_with_its_row(start, end, told):
    table = pa.table({"sequence": ["q"] * 2, "sequence_b": [PASSAGE] * 2, "start": ["4", start], "end": ["7", end]})
    with pytest.raises(DataError, match=told):
        validated(table, "span", where="f.csv")


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [
        ("fox", "4", [FOX]),
        ("['fox', 'red']", "[4, 9]", BOTH),
        ('["fox", "red"]', "[4, 9]", BOTH),
        ("['fox' 'red']", "[4 9]", BOTH),  # numpy
        ("array(['fox', 'red'], dtype=object)", "array([4, 9], dtype=int32)", BOTH),
        ("[fox, red]", "[4, 9]", BOTH),  # a list of Parquet or JSON lines
        ("[fox, red, dog]", "[4, 22]", [(4.0, 12.0), (22.0, 25.0)]),  # the first holds a comma
        ("fox;red", "4;9", BOTH),
        ("['fox']", "[4]", [FOX]),
        ("", "", []),
        ("", "-1", []),
        ("", "0", []),
        ("[]", "[]", []),
        ("['']", "[-1]", []),
    ],
)
def test_by_text_and_start(text, start, expected):
    assert places(answers_by_text([text], [start], [PASSAGE], "f.csv")) == [expected]


TWO = {"text": ["fox", "red"], "answer_start": [4, 9]}


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (json.dumps(TWO), BOTH),
        (str(TWO), BOTH),
        ("{'text': array(['fox', 'red'], dtype=object), 'answer_start': array([4, 9], dtype=int32)}", BOTH),
        ('[{"text": "fox", "answer_start": 4}, {"text": "red", "answer_start": 9}]', BOTH),
        ('{"start": [4, 9], "end": [7, 12]}', BOTH),
        ('{"text": "fox", "answer_start": 4}', [FOX]),
        ('{"text": [], "answer_start": []}', []),
        ('{"text": [""], "answer_start": [-1]}', []),
        ("", []),
    ],
)
def test_as_objects(cell, expected):
    assert places(answers_by_text([cell], None, [PASSAGE], "f.csv")) == [expected]


@pytest.mark.parametrize(
    ("texts", "starts", "told"),
    [
        ("fox", "5", "row 1: the passage holds 'ox,' at 5, not the answer 'fox'"),
        ("fox", "", "row 1: the answer 'fox' begins at ''"),
        ("fox", "4.5", "row 1: the answer 'fox' begins at '4.5'"),
        ("['fox', 'red']", "[4]", "row 1: 2 texts and 1 start of answers"),
        ("[fox, dog]", "[4, 9]", "row 1: 1 text and 2 starts of answers"),
        ("", "7", "row 1: the answer '' begins at '7'"),
        ('{"text": ["fox"], "answer_start": [4, 9]}', None, "row 1: the answers are"),
        ('{"text": ["fox"]}', None, "row 1: the answers are"),
        ("fox at 4", None, "row 1: the answers are"),
    ],
)
def test_answers_that_do_not_stand_there_are_refused(texts, starts, told):
    with pytest.raises(DataError, match=told):
        answers_by_text([texts], None if starts is None else [starts], [PASSAGE], "f.csv")


RECORDS = [
    {"question": f"what {i}", "context": PASSAGE, "answers": TWO if i % 2 else {"text": [], "answer_start": []}}
    for i in range(8)
]


def test_the_answers_of_hugging_face_are_read_from_every_kind_of_file(tmp_path):
    lines = "\n".join(map(json.dumps, RECORDS))
    (tmp_path / "a.jsonl").write_text(lines)
    pq.write_table(pa.Table.from_pylist(RECORDS), tmp_path / "b.parquet")
    of_memory = data_file(pa.Table.from_pylist(RECORDS))
    for path in (tmp_path / "a.jsonl", tmp_path / "b.parquet", of_memory):
        recipe = own_recipe(path, "text")
        assert (recipe.problem, recipe.columns.answer, recipe.columns.start) == ("span", "answers", None)
        assert places(load_table(recipe).column("answers")) == [[], BOTH] * 4


def test_is_impossible_overrules_an_answer_that_is_merely_plausible(tmp_path):
    rows = [f'what {i},"{PASSAGE}",4,7,{i % 2 == 0}' for i in range(6)]
    (tmp_path / "q.csv").write_text("question,context,answer_start,answer_end,is_impossible\n" + "\n".join(rows))
    assert places(load_table(own_recipe(tmp_path / "q.csv", "text")).column("answers")) == [[], [FOX]] * 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Oslo", [(14, 18)]), ("Oslo; in Oslo", [(14, 18), (11, 18)]), ('["Dora", "Oslo"]', [(0, 4), (14, 18)]),
     ("", []), (None, [])],
)  # fmt: skip
def test_answers_without_a_start_are_located(text, expected):
    assert places(located_answers([text], ["Dora lives in Oslo"], "f.csv")) == [expected]


@pytest.mark.parametrize(("text", "told"), [("aa", "occurs 3 times"), ("oslo", "does not occur")])
def test_answers_that_have_no_one_place_are_refused_by_row(text, told):
    with pytest.raises(DataError, match=f"f.csv: row 2: the answer '{text}' {told} in the passage"):
        located_answers(["b", text], ["b", "aaaa Oslo"], "f.csv")
