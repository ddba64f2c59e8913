"""``--backbone some/name``: a hub that gives it, and hubs that fail in every way that is known of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from download_hub import model_hub

READS = """
import json, sys
from xdomain.core.errors import UserError
from xdomain.model.backbone import load_backbone
for name in sys.argv[1:]:
    try:
        load_backbone(name)
        print(json.dumps([name, ""]))
    except UserError as error:
        print(json.dumps([name, str(error)]))
"""


def answered(arguments, folder, home):
    """What a command prints whose hub is the stand-in, and its exit code."""
    with model_hub(folder) as address:
        limits = {"HF_HUB_DOWNLOAD_TIMEOUT": "1", "HF_HUB_ETAG_TIMEOUT": "1"}
        online = {"HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0", "HF_HOME": str(home), **limits}
        return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True,
                              env={**os.environ, **online}, timeout=300)  # fmt: skip


def refusals(names, folder, home):
    done = answered(["-c", READS, *names], folder, home)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(line) for line in done.stdout.splitlines())


@pytest.mark.slow
def test_what_the_hub_refuses_is_told_and_how_to_get_it(tiny_bert, tmp_path):
    told = refusals(["some/name", "e401/name", "e403/name", "e404/name"], tiny_bert, tmp_path)
    assert told["some/name"] == ""
    for name, code in (("e401/name", 401), ("e403/name", 403)):
        assert f"{name} is no folder here, and the hub does not give it to you (error {code})" in told[name]
        assert "hf auth login" in told[name]
    assert "e404/name is no folder here, and the hub has no such model" in told["e404/name"]


@pytest.mark.slow
def test_a_hub_that_fails_stalls_or_breaks_off_does_not_hang_a_command(tiny_bert, tmp_path):
    told = refusals(["e500/name", "half/name", "stall/name"], tiny_bert, tmp_path)
    assert "the hub failed to give e500/name (error 500)" in told["e500/name"]
    assert "the download of half/name broke off" in told["half/name"]
    assert "stall/name" in told["stall/name"]


@pytest.mark.slow
def test_a_run_from_a_model_of_the_hub(tiny_bert, tmp_path):
    changes = ["train.max_steps=2", "train.precision=fp32", "split.limit={train: 16, valid: 8, test: 8}"]
    command = ["-m", "xdomain.cli", "run", "toy/dna-classification", "--backbone", "some/name", "--out",
               tmp_path / "run", *(word for change in changes for word in ("--set", change))]  # fmt: skip
    done = answered(command, tiny_bert, tmp_path / "home")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["backbone"]["name"] == "some/name"
