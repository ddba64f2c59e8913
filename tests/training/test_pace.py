"""A run that has to end plan_for_minutes some minutes."""

import json
from importlib import import_module

import pytest
import yaml

import xdomain
from xdomain.core.errors import RecipeError
from xdomain.core.train_options import Train
from xdomain.training import pace as pacing
from xdomain.training.pace import Pace, check_minutes, plan_for_minutes

SIZES = {"train": 1600, "valid": 100, "test": 200}
SMALL = ("split.limit.train=40", "split.limit.valid=16", "split.limit.test=16", "train.precision=fp32")


@pytest.mark.parametrize(
    ("minutes", "given", "steps", "evaluations"),
    [
        (10, {}, 238, 6),  # .85 × 600 - 21 spent - 3 judging - 5 = 482 s, less 6 evaluations of 1 s, 2 s a step
        (10, {"evaluations": 1}, 240, 1),
        (10, {"max_steps": 30}, 30, 1),
        (1, {}, 9, 4),  # 23 s left, a fifth of them for evaluations
        (0.75, {"max_steps": 3}, 3, 1),
        (600, {}, 600, 6),  # as many as without a limit: 6 epochs
    ],
)
def test_steps_are_what_fits_and_never_more_than_without_a_limit(minutes, given, steps, evaluations):
    chosen, limit = plan_for_minutes(minutes, Pace(2.0, 0.01), Train(**given), sizes=SIZES, spent=20, width=256)
    assert limit == {}
    assert (chosen.max_steps, chosen.evaluations, chosen.learning_rate) == (steps, evaluations, 5e-4)


def test_too_little_time_for_a_step_says_how_much_is_needed():
    with pytest.raises(RecipeError, match=r"0\.5 minutes are too few") as told:
        plan_for_minutes(0.5, Pace(2.0, 0.01), Train(), sizes=SIZES, spent=40, width=256)
    needed = float(str(told.value).split("expected: ")[1].split(" minutes")[0])
    chosen, _ = plan_for_minutes(needed, Pace(2.0, 0.01), Train(), sizes=SIZES, spent=40, width=256)
    assert 5 <= chosen.max_steps <= 8


def test_what_takes_too_long_to_judge_is_judged_by_fewer_records():
    sizes = {"train": 9000, "valid": 2000, "test": 4000}
    chosen, limit = plan_for_minutes(2, Pace(0.5, 0.1), Train(), sizes=sizes, spent=7, width=256)
    left = 0.85 * 120 - 7 - 5  # a tenth of all that can be judged in .4 of 90 s, which take 800 s
    assert limit == {"valid": 90, "test": 180}
    lasts = 7 + 5 + 0.1 * (90 * (chosen.evaluations + 1) + 180) + 0.5 * chosen.max_steps
    assert 0.8 * left < lasts <= 0.85 * 120
    few = {**sizes, "valid": 10, "test": 50}
    _, limit = plan_for_minutes(1.2, Pace(0.5, 1.0), Train(), sizes=few, spent=1, width=256)
    assert limit == {"test": 30}  # never fewer, and those that are few anyway stay


def test_a_run_reads_fewer_records_and_writes_down_how_many(tiny_bert, tmp_path, monkeypatch, said):
    monkeypatch.setattr(import_module("xdomain.runs.pipeline"), "measure_pace", lambda *given: Pace(1.0, 10.0))
    limits = ("split.limit.train=40", "split.limit.valid=60", "split.limit.test=90")
    result = xdomain.run(
        "toy/dna-regression", overrides=(*limits, "train.max_steps=9"), backbone=str(tiny_bert), minutes=40,
        out=tmp_path / "run",
    )  # fmt: skip
    n = result.values["n"]
    assert n["train"] == 40
    assert 30 <= n["valid"] < 60
    assert n["valid"] < n["test"] < 90
    written = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())["split"]["limit"]
    assert written == n
    assert any(f"{n['valid']} valid, {n['test']} test" in line for line in said)


def test_a_comparison_takes_as_many_seeds_as_there_is_time_for(tiny_bert, tmp_path, monkeypatch, said):
    monkeypatch.setattr(import_module("xdomain.runs.pipeline"), "measure_pace", lambda *given: Pace(50.0, 0.01))
    found = xdomain.compare(
        "toy/dna-regression", ["pretrained", "scratch"], overrides=SMALL, backbone=str(tiny_bert), out=tmp_path,
        minutes=24,
    )  # fmt: skip
    assert found.seeds == 2  # 5 steps of 50 s, 4 runs: 20 min of the .85 × 24
    assert "24 min: 2 seeds of each arm, 5 steps a run" in said


def test_a_comparison_names_the_minutes_that_were_asked_for_and_those_needed(tiny_bert, tmp_path, monkeypatch):
    monkeypatch.setattr(import_module("xdomain.runs.pipeline"), "measure_pace", lambda *given: Pace(60.0, 0.01))
    with pytest.raises(RecipeError, match="2 minutes are too few") as told:
        xdomain.compare(
            "toy/dna-regression", ["pretrained", "scratch"], seeds=2, overrides=SMALL, backbone=str(tiny_bert),
            out=tmp_path, minutes=2,
        )  # fmt: skip
    needed = float(str(told.value).split("expected: ")[1].split(" minutes")[0])
    assert 4 * 5 * 60 / 0.85 / 60 < needed < 30


def test_an_interrupted_comparison_that_chose_its_steps_goes_on(tiny_bert, tmp_path, monkeypatch):
    monkeypatch.setattr(import_module("xdomain.runs.pipeline"), "measure_pace", lambda *given: Pace(500.0, 0.01))
    options = {
        "seeds": 2, "overrides": SMALL, "backbone": str(tiny_bert), "out": tmp_path, "minutes": 200,
    }  # fmt: skip
    arms = ["pretrained", "scratch"]
    whole = xdomain.compare("toy/dna-regression", arms, **options)
    for name in ("pretrained-m0-s0", "scratch-m1-s1"):
        (tmp_path / name / "result.json").unlink()
    again = xdomain.compare("toy/dna-regression", arms, **options, resume=True)
    assert [row.value for row in again.rows] == [row.value for row in whole.rows]
    assert {yaml.safe_load(path.read_text())["train"]["max_steps"] for path in tmp_path.glob("*/recipe.yaml")} == {
        again_steps(tmp_path)
    }


def again_steps(folder):
    return json.loads((folder / "scratch-m0-s0" / "result.json").read_text())["steps"]


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf")])
def test_a_limit_is_a_number_above_0(minutes):
    with pytest.raises(RecipeError, match="minutes"):
        check_minutes(minutes)


def test_several_processes_would_not_agree(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RecipeError, match="one process"):
        check_minutes(1)


def test_a_run_chooses_its_steps_says_so_and_is_resumed_with_the_same(tiny_bert, tmp_path, monkeypatch, said):
    measured, real = [], pacing.measure_pace

    def slow(*given):
        measured.append(real(*given))
        return Pace(500.0, 0.01)  # so slow that it matters little how long reading took

    monkeypatch.setattr(import_module("xdomain.runs.pipeline"), "measure_pace", slow)
    changes = (*SMALL, "train.max_steps=100000")
    options = {"overrides": changes, "backbone": str(tiny_bert), "out": tmp_path / "run"}
    result = xdomain.run("toy/dna-regression", **options, minutes=100)
    assert measured[0].step > 0
    assert measured[0].record > 0
    steps = result.values["steps"]
    assert 1 <= steps <= 0.85 * 6000 / 500
    assert any(line.startswith(f"{steps} steps of 16 records") for line in said)
    written = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())["train"]
    assert written["max_steps"] == steps

    (tmp_path / "run" / "result.json").unlink()
    again = xdomain.run("toy/dna-regression", **options, minutes=100, resume=True)
    assert len(measured) == 1
    assert again.values["steps"] == steps
    assert again.values["metrics"] == result.values["metrics"]
