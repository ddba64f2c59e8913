"""How long a run trains, and at which rate, where nobody says."""

import json
from typing import Any

import pytest
import yaml

import xdomain
from xdomain.core.errors import OutputError
from xdomain.core.train_options import Train
from xdomain.training import defaults
from xdomain.training.defaults import default_rate, describe_training, settle, steps_of

SMALL = ("split.limit.train=40", "split.limit.valid=16", "split.limit.test=16", "train.precision=fp32")


@pytest.mark.parametrize(
    ("records", "epochs", "steps", "evaluations"),
    [
        (1, 300, 300, 20),
        (80, 60, 300, 20),  # 5 steps an epoch
        (467, 10, 300, 10),  # 30
        (600, 8, 304, 8),  # 38
        (800, 6, 300, 6),  # 50
        (5000, 6, 1878, 6),  # 313
    ],
)
def test_small_tables_get_as_many_whole_epochs_as_make_300_steps(records, epochs, steps, evaluations):
    train = settle(Train(), records=records, width=256)
    assert (train.epochs, steps_of(train, records), train.evaluations) == (epochs, steps, evaluations)


def test_what_is_given_is_kept():
    given: dict[str, Any] = {"epochs": 2, "learning_rate": 3e-5, "evaluations": 7}
    assert settle(Train(**given), records=80, width=768) == Train(**given)


def test_steps_that_are_given_leave_no_epochs_to_choose():
    train = settle(Train(max_steps=40, steps_share=1 / 3), records=80, width=256)
    assert (steps_of(train, 80), train.evaluations) == (14, 3)
    train = settle(Train(epochs=3, steps_share=0.5), records=80, width=256)
    assert (steps_of(train, 80), train.epochs) == (8, 3)
    train = settle(Train(max_steps=40), records=80, width=256)
    assert (train.epochs, train.max_steps, steps_of(train, 80), train.evaluations) == (None, 40, 40, 8)


def test_settling_twice_is_settling_once():
    once = settle(Train(), records=333, width=384)
    assert settle(once, records=50, width=64) == once


@pytest.mark.parametrize(("width", "rate"), [(32, 5e-4), (256, 5e-4), (384, 3.3e-4), (768, 1.7e-4), (1024, 1.3e-4)])
def test_wider_backbones_learn_at_lower_rates(width, rate):
    assert default_rate(width) == rate


def test_one_line_tells_what_was_settled():
    assert describe_training(settle(Train(), records=467, width=256), 467) == (
        "300 steps of 16 records (10 epochs), learning rate 0.0005, 10 evaluations"
    )
    assert describe_training(Train(max_steps=3, learning_rate=1e-5, evaluations=1), 32) == (
        "3 steps of 16 records (1.5 epochs), learning rate 1e-05, 1 evaluation"
    )


def test_steps_cannot_be_told_before_they_are_settled():
    with pytest.raises(ValueError, match="neither"):
        steps_of(Train(), 80)


def test_a_run_says_and_writes_what_it_chose(tiny_bert, tmp_path, monkeypatch, said):
    monkeypatch.setattr(defaults, "LEAST_STEPS", 24)
    changes = (*SMALL, "train.epochs=null", "train.learning_rate=null")
    options: dict[str, Any] = {"overrides": changes, "backbone": str(tiny_bert), "out": tmp_path / "run"}
    result = xdomain.run("toy/dna-classification", **options)
    assert result.values["steps"] == 24  # 3 an epoch: 8 epochs
    assert "24 steps of 16 records (8 epochs), learning rate 0.0005, 8 evaluations" in said
    written = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())["train"]
    assert (written["epochs"], written["learning_rate"], written["evaluations"]) == (8, 5e-4, 8)

    again = xdomain.run("toy/dna-classification", **options, resume=True)
    assert again.values == result.values
    options["overrides"] = (*changes, "train.epochs=7")
    with pytest.raises(OutputError, match="other options"):
        xdomain.run("toy/dna-classification", **options, resume=True)


@pytest.mark.parametrize(("steps", "asked"), [(25, 20), (7, 3), (10, 10), (5, 20)])
def test_as_many_evaluations_are_told_as_are_made(steps, asked, tiny_bert, tmp_path, said):
    options = (f"train.max_steps={steps}", f"train.evaluations={asked}", *SMALL)
    result = xdomain.run("toy/dna-classification", overrides=options, backbone=str(tiny_bert), out=tmp_path / "run")
    made = sum("valid" in row or any(key.startswith("eval") for key in row) for row in history(result.folder))
    told_of = next(line for line in said if line.startswith(f"{steps} steps of"))
    assert told_of.endswith(f"{made} evaluation{'s' * (made != 1)}")


def history(folder):
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
