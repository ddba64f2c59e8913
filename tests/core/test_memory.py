"""Memory that runs out: one message with the sizes in use and what makes them smaller, and no traceback."""

import json
import weakref

import pytest
import torch

import xdomain
from xdomain.cli.main import main
from xdomain.core.errors import OutOfMemoryError
from xdomain.core.memory import ANYTHING, enough_memory, is_out_of_memory
from xdomain.pretraining.api import Pretraining, pretrain_synthetic
from xdomain.study.plan import plan_study

TASK = "toy/dna-classification"
SMALL = ("train.max_steps=2", "train.precision=fp32", "split.limit={train: 32, valid: 8, test: 8}")
CUDA = (
    "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 139.72 GiB of which 1 GiB is free."
    " Process 7 has 138.47 GiB memory in use."
)


def too_much_for_a_gpu(*_, **__):
    raise torch.OutOfMemoryError(CUDA)


def too_much_for_a_cpu(*_, **__):
    return torch.empty(2**52)


def typed(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return end.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("step", "asked"), [(too_much_for_a_gpu, "2.50 GiB more"), (too_much_for_a_cpu, "16,777,216.00 GiB more")]
)
@pytest.mark.parametrize("command", ["run", "compare"])
def test_a_training_that_needs_too_much_says_what_makes_it_less(
    command, step, asked, tiny_bert, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("xdomain.training.trainer.forward", step)
    changes = [word for change in (*SMALL, "train.gradient_accumulation_steps=2") for word in ("--set", change)]
    code, told = typed(capsys, command, TASK, "--backbone", tiny_bert, "--out", tmp_path / "r", *changes)
    assert code == 2
    message = told[told.index("error: ") :]
    assert "Traceback" not in told
    for part in (asked, "batches of 16 records", "8 of them at once", "train.gradient_accumulation_steps=2",
                 "windows of up to 64 positions", "--set train.gradient_accumulation_steps=4",
                 "--set train.max_length=32", "--set train.batch_size=8"):  # fmt: skip
        assert part in message


@pytest.fixture(scope="module")
def finished(tiny_bert, tmp_path_factory):
    out = tmp_path_factory.mktemp("memory") / "run"
    return xdomain.run(TASK, overrides=SMALL, backbone=str(tiny_bert), out=out)


def test_scoring_that_needs_too_much_says_so(finished, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("xdomain.training.predict.forward", too_much_for_a_gpu)
    (tmp_path / "new.csv").write_text("sequence\nACGT\n")
    for words in (("predict", finished.folder, tmp_path / "new.csv"), ("evaluate", finished.folder)):
        code, told = typed(capsys, *words)
        assert code == 2
        assert "64 windows at once (train.batch_size=16" in told
        assert "a larger gradient_accumulation_steps in the run's recipe.yaml" in told


def test_parts_of_a_batch_make_scoring_smaller_too(tiny_bert, tmp_path, monkeypatch):
    from xdomain.training import predict, saved_encoder

    seen = []
    real = predict.predict_scores

    def watched(*args, batch_size, **options):
        seen.append(batch_size)
        return real(*args, batch_size=batch_size, **options)

    monkeypatch.setattr("xdomain.training.trainer.predict_scores", watched)
    monkeypatch.setattr(saved_encoder, "predict_scores", watched)
    changes = [*SMALL, "train.gradient_accumulation_steps=4"]
    xdomain.run(TASK, overrides=changes, backbone=str(tiny_bert), out=tmp_path / "run")
    assert set(seen) == {16}


def test_pretraining_that_needs_too_much_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("xdomain.pretraining.engine.outcome", too_much_for_a_cpu)
    plan = Pretraining(layers=1, width=32, heads=2, lengths=(16, 32), shares=(1, 1), tokens=8192)
    with pytest.raises(OutOfMemoryError) as caught:
        pretrain_synthetic("shuffle:4", tmp_path / "bert", options=plan, symbols=90)
    assert "steps of 2048 tokens (--batch-tokens), sequences of up to 32 positions" in caught.value.block()
    assert "--batch-tokens 1024, or shorter --lengths" in caught.value.block()
    assert not (tmp_path / "bert").exists()


def test_a_study_keeps_it_as_a_failure_of_its_cell(tiny_bert, tmp_path, monkeypatch):
    monkeypatch.setattr("xdomain.training.trainer.forward", too_much_for_a_gpu)
    options = {"train.max_steps": 2, "train.precision": "fp32", "split.limit": {"train": 32, "valid": 8, "test": 8}}
    laid = plan_study({"name": "small", "tasks": [TASK], "arms": ["pretrained"], "seeds": 1, "learning_rates": [1e-3],
                    "backbone": str(tiny_bert), "set": options}, tmp_path)  # fmt: skip
    laid.store.open()
    (cell,) = laid.planned_cells()
    assert laid.store.attempt(cell) == "failed"
    (kept,) = (tmp_path / "cells").glob("*.failed.json")
    told = json.loads(kept.read_text())
    assert told["error"].startswith("memory ran out, where 2.50 GiB more were asked for, for batches of 16 records")
    assert told["details"] == ""  # as of any error of a user: no traceback


def test_memory_is_free_again_for_whoever_goes_on():
    class Held:
        pass

    seen = []

    def work():
        tensor = Held()
        seen.append(weakref.ref(tensor))
        too_much_for_a_gpu(tensor)

    with pytest.raises(OutOfMemoryError) as caught, enough_memory(lambda: ANYTHING):
        work()
    assert caught.value.__cause__ is not None
    assert seen[0]() is None


def test_any_other_command_says_it_without_a_traceback(capsys, monkeypatch):
    monkeypatch.setattr("xdomain.cli.doctor.doctor", too_much_for_a_gpu)
    assert typed(capsys, "doctor")[0] == 2
    with pytest.raises(torch.OutOfMemoryError):
        main(["doctor", "--debug"])


def test_other_errors_are_not_taken_for_it():
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"))
    assert not is_out_of_memory(ValueError(CUDA))
    with pytest.raises(RuntimeError, match="shapes"), enough_memory(lambda: ANYTHING):
        torch.matmul(torch.ones(2, 3), torch.ones(4, 5))
