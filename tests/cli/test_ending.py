"""How a command ends that is told to: by Ctrl-C, and by SIGTERM as job schedulers do."""

import signal
import time

import forked
import pytest
import yaml

SLOW = ("train.max_steps=100000", "train.evaluations=4000", "train.precision=fp32")


def started(*words, until):
    """A command in a process of its own, once the file pattern `until` matches something."""
    folder, pattern = until
    process = forked.Forked(forked.XDOMAIN, *words)
    deadline = time.monotonic() + 120
    while not list(folder.glob(pattern)):
        assert process.poll() is None, process.wait().stderr
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


@pytest.mark.parametrize(
    ("by", "code", "word"), [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")]
)
def test_a_run_that_is_told_to_end_says_how_to_go_on(by, code, word, tiny_bert, tmp_path):
    out = tmp_path / "run"
    changes = [word for change in SLOW for word in ("--set", change)]
    command = ["run", "toy/dna-classification", "--backbone", tiny_bert, "--out", out, *changes]
    process = started(*command, until=(out, "checkpoints/checkpoint-*/trainer_state.json"))
    process.send_signal(by)
    ended = process.wait(timeout=60)
    told = ended.stderr
    assert ended.returncode == code, told
    assert told.splitlines()[-1] == f"{word}; the same command with --resume goes on from the last checkpoint"
    assert "Traceback" not in told
    assert not (out / "result.json").exists()


@pytest.mark.slow
def test_a_study_ends_with_its_workers_and_loses_no_cell(tiny_bert, tmp_path):
    changes = {name: yaml.safe_load(value) for name, value in (change.split("=") for change in SLOW)}
    long = {"name": "long", "tasks": ["toy/dna-classification"], "arms": ["pretrained"], "seeds": 2,
            "backbone": str(tiny_bert), "set": changes}  # fmt: skip
    (tmp_path / "long.yaml").write_text(yaml.safe_dump(long))
    store = tmp_path / "store"
    process = started("study", tmp_path / "long.yaml", "--out", store, until=(store, "cells/*.run/recipe.yaml"))
    process.send_signal(signal.SIGTERM)
    ended = process.wait(timeout=60)
    told = ended.stderr
    assert ended.returncode == 143, told
    assert told.splitlines()[-1] == "terminated; the same command again goes on, and loses no finished cell"
    assert not list(store.glob("cells/*.failed.json"))
