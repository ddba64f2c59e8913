"""The local engine: what becomes of a study when its processes die, are killed, or run beside others."""

import os
import random
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest
import yaml
from small_study import finished, render_no_figures, study

from xdomain.core.errors import OutputError
from xdomain.study.api import run_study

pytestmark = pytest.mark.usefixtures("unrendered")
ONE = {"tasks": ["toy/dna-classification"], "arms": ["pretrained"], "learning_rates": [1e-3]}


@pytest.fixture
def unrendered(monkeypatch):
    render_no_figures(monkeypatch)


def test_a_worker_finds_what_is_found_here(done, tiny_bert, tmp_path, monkeypatch):
    """Also below a folder that is named like the package, as when the working directory is a clone of it."""
    (tmp_path / "xdomain").mkdir()
    (tmp_path / "xdomain" / "__init__.py").write_text("raise ImportError")
    monkeypatch.chdir(tmp_path)
    assert run_study(study(tiny_bert, **ONE, seeds=1), out=tmp_path / "store").cells == (1, 0, 0)
    (cell,) = finished(tmp_path / "store")
    one, two = (
        pq.read_table(store / "cells" / cell / "predictions.parquet") for store in (done[0], tmp_path / "store")
    )
    assert one.equals(two)


INSTEAD = """\
import errno, os, shutil, signal, sys, types
def run(recipe, *, out, **options):
    if (recipe.run.init, recipe.run.seed) == {where}:
        {ends}
    shutil.copytree({cell!r}, out)
sys.modules["xdomain.runs.pipeline"] = types.SimpleNamespace(run=run)
"""


@pytest.fixture
def runs_end(done, tmp_path, monkeypatch):
    """In workers a run copies a finished cell, without torch; that of a given init and seed ends otherwise."""

    def instead(ends, *where):
        cell = str(done[0] / "cells" / finished(done[0])[0])
        (tmp_path / "sitecustomize.py").write_text(INSTEAD.format(where=where, ends=ends, cell=cell))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path) + os.pathsep + os.environ.get("PYTHONPATH", ""))

    return instead


def test_a_worker_that_dies_loses_its_cell_alone(runs_end, tiny_bert, tmp_path):
    # as when the machine has no memory left: the process is gone without a word
    runs_end("os.kill(os.getpid(), signal.SIGKILL)", "scratch", 1)
    wanted = study(tiny_bert, **{**ONE, "arms": ["pretrained", "scratch"]})
    found = run_study(wanted, out=tmp_path / "store", workers=2)
    assert [(group.arm, group.done) for group in found.groups] == [("pretrained", 2), ("scratch", 1)]
    (lost,) = found.missing
    assert lost.state == "failed"
    assert "SIGKILL: the machine had no memory left" in lost.error


def test_a_full_disk_ends_the_study_and_keeps_what_is_done(runs_end, tiny_bert, tmp_path):
    runs_end('raise OSError(errno.ENOSPC, "No space left on device")', "pretrained", 1)
    with pytest.raises(OutputError, match=r"No space left on device\); finished cells are kept"):
        run_study(study(tiny_bert, **ONE), out=tmp_path / "store")
    assert len(finished(tmp_path / "store")) == 1


def command(folder, store):
    arguments = ["-m", "xdomain.cli", "study", str(folder / "small.yaml"), "--out", str(store)]
    return subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def killed_and_resumed(tiny_bert, folder, store, kills):
    """Kill the command at random moments, the first time right after its first cell; then let it finish."""
    (folder / "small.yaml").write_text(yaml.safe_dump(study(tiny_bert), sort_keys=False))
    rng = random.Random(0)
    for number in range(kills):
        process = command(folder, store)
        if number == 0:
            assert any(line.startswith("[1/14]") for line in process.stdout)
        else:
            time.sleep(rng.uniform(4, 12))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    process = command(folder, store)
    told, _ = process.communicate()
    assert process.returncode == 0, told


@pytest.mark.slow
def test_killed_ten_times_and_resumed_is_as_undisturbed(done, tiny_bert, tmp_path):
    killed_and_resumed(tiny_bert, tmp_path, tmp_path / "store", 10)
    assert finished(tmp_path / "store") == finished(done[0])
    assert (tmp_path / "store/small/report.md").read_bytes() == (done[0] / "small/report.md").read_bytes()


@pytest.mark.slow
def test_two_processes_run_every_cell_once(done, tiny_bert, tmp_path):
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(study(tiny_bert), sort_keys=False))
    processes = [command(tmp_path, tmp_path / "store") for _ in range(2)]
    lines = [process.communicate()[0].splitlines() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    told = [line.partition("] ")[2].partition(": ")[0] for some in lines for line in some if line.startswith("[")]
    assert len(told) == len(set(told)) == 14
    assert (tmp_path / "store/small/report.md").read_bytes() == (done[0] / "small/report.md").read_bytes()
