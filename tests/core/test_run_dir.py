"""What a run folder keeps when a run is stopped, repeated, or sent to a place that is taken."""

import json
import math
import os
import shlex
import signal
from typing import Any

import forked
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdomain.core.errors import OutputError
from xdomain.core.recipe import load_recipe, recipe_from
from xdomain.core.run_dir import (
    check_folder,
    finite,
    is_done,
    only_writer,
    opened_folder,
    write_history,
    write_json,
    write_predictions,
    write_text,
)

RECIPE = recipe_from(
    {
        "name": "my/own", "title": "Ma tâche", "source": {"licence": "CC0", "citation": "nobody"},
        "adapter": {"name": "dna"}, "problem": "classification", "metrics": ["accuracy"],
    },
    where="here",
)  # fmt: skip
OTHER = RECIPE.model_copy(update={"run": RECIPE.run.model_copy(update={"seed": 1})})


def opened(folder, recipe=RECIPE, *, overwrite=False, resume=False):
    check_folder(folder, recipe, overwrite=overwrite, resume=resume)
    with opened_folder(folder, recipe, asked=recipe, overwrite=overwrite, resume=resume):
        return folder


def refusal(folder, recipe=RECIPE, **asked):
    before = contents(folder)
    with pytest.raises(OutputError) as told:
        opened(folder, recipe, **asked)
    assert contents(folder) == before
    return told.value.block()


def contents(folder):
    if folder.is_file():
        return folder.read_bytes()
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


@pytest.fixture
def interrupted(tmp_path):
    """A run that was stopped: a checkpoint, and no result."""
    folder = opened(tmp_path / "run")
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "state.bin").write_bytes(b"half way")
    (folder / "history.jsonl").write_text("{}\n")
    return folder


@pytest.fixture
def finished(interrupted):
    """The same run, brought to its end."""
    write_json(interrupted / "result.json", {"schema": 1})
    return interrupted


# opening


def test_a_new_folder_holds_the_recipe_that_repeats_the_run(tmp_path):
    folder = opened(tmp_path / "runs" / "a" / "b")
    assert list(contents(folder)) == ["recipe.yaml"]
    assert load_recipe(folder / "recipe.yaml") == RECIPE
    assert not is_done(folder)


def test_an_empty_folder_is_as_good_as_a_new_one(tmp_path):
    assert load_recipe(opened(tmp_path) / "recipe.yaml") == RECIPE


def test_resume_and_overwrite_are_no_trouble_where_nothing_is(tmp_path):
    for overwrite, resume in ((False, True), (True, False), (True, True)):
        folder = tmp_path / f"{overwrite}-{resume}"
        assert list(contents(opened(folder, overwrite=overwrite, resume=resume))) == ["recipe.yaml"]


def test_a_finished_run_is_kept(finished):
    told = refusal(finished)
    assert is_done(finished)
    assert f"{finished} holds a finished run" in told
    assert "to fix it: --overwrite, or another --out" in told


def test_an_interrupted_run_is_kept_and_can_be_finished(interrupted):
    told = refusal(interrupted)
    assert f"{interrupted} holds an interrupted run" in told
    assert "to fix it: --resume to finish it, or --overwrite" in told
    before = contents(interrupted)
    assert contents(opened(interrupted, resume=True)) == before


@pytest.mark.parametrize("asked", [{}, {"overwrite": True}, {"resume": True}])
def test_a_run_that_was_killed_as_it_wrote_its_recipe_is_none(tmp_path, asked):
    (tmp_path / "recipe.yaml.part").write_text("name: half a rec")
    opened(tmp_path, **asked)
    assert list(contents(tmp_path)) == ["recipe.yaml"]


def test_a_run_is_not_resumed_with_other_options(interrupted):
    told = refusal(interrupted, OTHER, resume=True)
    assert f"the run in {interrupted} was started with other options than these" in told
    place = shlex.quote(str(interrupted))
    assert f"xdomain run {shlex.quote(f'{interrupted}/recipe.yaml')} --resume --out {place}" in told


@pytest.mark.parametrize("state", ["interrupted", "finished"])
def test_overwrite_leaves_nothing_of_the_old_run(state, request):
    folder = request.getfixturevalue(state)
    (folder / "analysis").mkdir()
    (folder / "analysis" / "README.md").write_text("# Looking inside")
    opened(folder, OTHER, overwrite=True)
    assert list(contents(folder)) == ["recipe.yaml"]
    assert load_recipe(folder / "recipe.yaml") == OTHER
    assert not is_done(folder)


@pytest.mark.parametrize("asked", [{}, {"overwrite": True}, {"resume": True}])
def test_what_is_no_run_is_never_touched(tmp_path, asked):
    for name in ("thesis.tex", "data.csv", "notes.md", "zoo.png"):
        (tmp_path / name).write_text("months of work")
    told = refusal(tmp_path, **asked)
    assert f"{tmp_path} holds data.csv, notes.md, thesis.tex …, which no run wrote" in told
    assert "expected: an empty or new folder; what is no run is never overwritten" in told
    assert "to fix it: another --out" in told


@pytest.mark.parametrize("asked", [{"overwrite": True}, {"resume": True}])
def test_a_file_of_ones_own_beside_a_run_is_not_touched(tmp_path, asked):
    (tmp_path / "recipe.yaml").write_text("mine")
    (tmp_path / "data.csv").write_text("months of work")
    assert f"{tmp_path} holds data.csv, which no run wrote" in refusal(tmp_path, **asked)
    assert (tmp_path / "data.csv").read_text() == "months of work"


def test_a_result_alone_is_no_run(tmp_path):
    (tmp_path / "result.json").write_text("{}")
    assert "holds result.json, which no run wrote" in refusal(tmp_path, overwrite=True)


@pytest.mark.parametrize("asked", [{}, {"overwrite": True}])
def test_a_file_is_no_folder(tmp_path, asked):
    (tmp_path / "out").write_text("mine")
    told = refusal(tmp_path / "out", **asked)
    assert f"{tmp_path / 'out'} is a file" in told
    assert "expected: a folder to write a run into" in told


def test_a_place_where_nobody_can_write(tmp_path):
    (tmp_path / "file").write_text("mine")
    told = refusal(tmp_path / "file" / "run")
    assert f"{tmp_path / 'file' / 'run'} cannot be written ({tmp_path / 'file'} is a file)" in told
    assert "expected: a folder you may write to" in told
    assert "to fix it: another --out" in told


def test_a_link_to_nowhere_cannot_be_written(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    assert "cannot be written" in refusal(tmp_path / "link")


# writing


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "erste Fassung: ü\n")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "x" * 100_000 + "\ud800")
    assert path.read_text("utf-8") == "erste Fassung: ü\n"
    write_text(path, "second\n")
    assert contents(tmp_path) == {"a.txt": b"second\n"}


def test_json_that_cannot_be_written_leaves_the_old(tmp_path):
    path = tmp_path / "result.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert contents(tmp_path) == {"result.json": b'{\n  "a": 1\n}\n'}


def test_a_table_that_cannot_be_written_leaves_the_old(tmp_path):
    path = tmp_path / "predictions.parquet"
    write_predictions(path, {"id": ["a", "b"], "score": np.array([0.5, np.nan])})
    with pytest.raises(pa.ArrowInvalid):
        write_predictions(path, {"id": ["a", "b"], "score": [1.0]})
    table = pq.read_table(path)
    assert table.column_names == ["id", "score"]
    assert table.column("id").to_pylist() == ["a", "b"]
    assert table.column("score").to_pylist()[0] == 0.5


def test_what_is_left_of_a_killed_write_does_not_disturb(tmp_path):
    (tmp_path / "result.json.part").write_text('{"met')
    assert not is_done(tmp_path)
    write_json(tmp_path / "result.json", {"done": True})
    assert is_done(tmp_path)
    assert list(contents(tmp_path)) == ["result.json"]


def test_what_is_no_number_becomes_null(tmp_path):
    path = tmp_path / "result.json"
    value = {
        "nan": math.nan, "inf": [math.inf, -math.inf, 1.5], "numpy": (np.float32("nan"), np.int64(7), np.bool_(True)),
        3: {"deep": [{"x": np.float64("inf")}]}, "text": "naïve NaN", "none": None,
    }  # fmt: skip
    write_json(path, value)
    assert json.loads(path.read_text("utf-8")) == {
        "nan": None, "inf": [None, None, 1.5], "numpy": [None, 7, True],
        "3": {"deep": [{"x": None}]}, "text": "naïve NaN", "none": None,
    }  # fmt: skip
    assert "naïve" in path.read_text("utf-8")


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(trees)
def test_anything_becomes_strict_json_and_all_that_is_finite_stays(tree):
    def twin(value):
        if isinstance(value, dict):
            return {key: twin(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [twin(inner) for inner in value]
        return None if isinstance(value, float) and (value != value or abs(value) == math.inf) else value

    assert json.loads(json.dumps(finite(tree), allow_nan=False)) == twin(tree)


def test_history_is_one_object_a_line(tmp_path):
    rows = [{"step": 1, "loss": np.float32(0.5)}, {"step": 2, "loss": math.nan, "note": "two\nlines"}]
    write_history(tmp_path, rows)
    lines = (tmp_path / "history.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"step": 1, "loss": 0.5},
        {"step": 2, "loss": None, "note": "two\nlines"},
    ]


# one writer


HOLDS = """
import sys, time
from pathlib import Path
from xdomain.core.run_dir import only_writer
with only_writer(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(300)
"""


def test_two_processes_never_write_to_one_folder(interrupted):
    read, write = os.pipe()
    with os.fdopen(write) as stdout:
        other = forked.Forked(HOLDS, interrupted, stdout=stdout)
    with os.fdopen(read) as told_by_it:
        assert told_by_it.readline() == "locked\n"
        cases: list[dict[str, Any]] = [{}, {"resume": True}, {"overwrite": True}]
        for asked in cases:
            told = refusal(interrupted, **asked)
            assert f"another process writes to {interrupted}" in told
            assert "to fix it: wait for it, or another --out" in told
        other.send_signal(signal.SIGKILL)
        assert other.wait().returncode == -signal.SIGKILL
    assert list(contents(opened(interrupted, OTHER, overwrite=True))) == ["recipe.yaml"]


def test_a_folder_that_was_taken_since_it_was_looked_at_is_left_alone(tmp_path):
    check_folder(tmp_path, OTHER, overwrite=False, resume=True)
    opened(tmp_path)  # another process was quicker
    before = contents(tmp_path)
    for resume in (False, True):
        with (
            pytest.raises(OutputError, match="an interrupted run" if not resume else "with other options than these"),
            opened_folder(tmp_path, OTHER, asked=OTHER, overwrite=False, resume=resume),
        ):
            pytest.fail("opened")
    assert contents(tmp_path) == before


def test_a_lock_is_released_at_the_end_and_after_an_error(tmp_path):
    with pytest.raises(ValueError, match="inside"), only_writer(tmp_path):
        raise ValueError("inside")
    with only_writer(tmp_path):
        pass
