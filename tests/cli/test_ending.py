"""How a command ends that is told to: by Ctrl-C, and by SIGTERM as job schedulers do."""

import signal
import subprocess
import sys
import time

import forked
import pytest
import yaml

SLOW = ("train.max_steps=100000", "train.evaluations=4000", "train.precision=fp32")


def wait_until(folder, pattern, process):
    """Wait until the `process` of a command has written what matches a pattern."""
    deadline = time.monotonic() + 120
    while not list(folder.glob(pattern)):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("by", "code", "word"), [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")]
)
def test_a_run_that_is_told_to_end_says_how_to_go_on(by, code, word, tiny_bert, tmp_path):
    out = tmp_path / "run"
    changes = [word for change in SLOW for word in ("--set", change)]
    command = ["run", "toy/dna-classification", "--backbone", tiny_bert, "--out", out, *changes]
    process = forked.Forked(forked.XDOMAIN, *command)
    wait_until(out, "checkpoints/checkpoint-*/trainer_state.json", process)
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
    command = [sys.executable, "-m", "xdomain.cli", "study", tmp_path / "long.yaml", "--out", store]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(store, "cells/*.run/recipe.yaml", process)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 143, told
    assert told.splitlines()[-1] == "terminated; the same command again goes on, and loses no finished cell"
    assert not list(store.glob("cells/*.failed.json"))
