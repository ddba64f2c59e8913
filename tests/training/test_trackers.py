"""Trackers: they get what a run reports, and one that cannot be used is refused before anything is written."""

from typing import Any

import pytest
from transformers import TrainerCallback
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

import xdomain
from xdomain.core.errors import RecipeError

FEW = ["split.limit.train=32", "split.limit.valid=16", "split.limit.test=16", "train.max_steps=4"]


@pytest.fixture
def run(tiny_bert, tmp_path):
    def run(*overrides):
        return xdomain.run(
            "toy/dna-classification", overrides=[*FEW, *overrides], backbone=str(tiny_bert), out=tmp_path / "r",
        )  # fmt: skip

    return run


def test_tensorboard_gets_the_losses_and_the_metrics(run):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = run("train.report_to=tensorboard")
    events = EventAccumulator(str(result.folder / "tensorboard"))
    events.Reload()
    scalars: Any = events.Tags()["scalars"]
    assert {"train/loss", "eval/accuracy"} <= set(scalars)
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2, 3, 4]
    assert events.Scalars("eval/accuracy")[-1].value == pytest.approx(result.metric("accuracy", "valid"))
    assert run_again_is_allowed(result.folder)


def run_again_is_allowed(folder):
    """What a tracker wrote is part of the run: it does not make the folder a stranger's."""
    from xdomain.core.run_dir import check_folder

    check_folder(folder, xdomain.load_recipe(folder / "recipe.yaml"), overwrite=True, resume=False)
    return True


def test_any_tracker_that_the_trainer_knows_is_told(run, monkeypatch):
    told = []

    class Fake(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **_):
            told.append((args.run_name, state.global_step, dict(logs or {})))

    monkeypatch.setitem(INTEGRATION_TO_CALLBACK, "wandb", Fake)
    run("train.report_to=[wandb]")
    assert {name for name, _, _ in told} == {"toy/dna-classification r"}
    assert [step for _, step, logs in told if "loss" in logs] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("tracker", "expected"),
    [("wandbb", "did you mean: wandb"), ("wandb", "pip install wandb, or leave it out of train.report_to")],
)
def test_a_tracker_that_cannot_be_used_is_refused_before_anything_is_written(
    run, monkeypatch, tmp_path, tracker, expected
):
    def missing():
        raise RuntimeError("WandbCallback requires wandb to be installed. Run `pip install wandb`.")

    monkeypatch.setitem(INTEGRATION_TO_CALLBACK, "wandb", missing)
    with pytest.raises(RecipeError) as told:
        run(f"train.report_to={tracker}")
    assert expected in str(told.value)
    assert not list(tmp_path.iterdir())
