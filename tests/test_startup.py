"""What a command does not need is not loaded: a listing, a check or a misspelt name does not wait for torch."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import xdomain

TRAINING = {"torch", "transformers", "accelerate", "peft", "matplotlib", "sklearn", "scipy.stats"}
WRONG = (
    "check nine.csv --domain dna",
    "run dna/splise",
    "run toy/dna-classification --set train.epohcs=3",
    "run toy/dna-classification --backbone ./nowhere",
    "predict nowhere mine.csv",
    "study nowhere.yaml",
)
GROWING = ("--help", "ls", "check mine.csv --domain dna", *WRONG, "evaluate run mine.csv")
"""Each may load more than those before, so what one has not loaded, none before it has."""
SCRIPT = """
import contextlib, io, json, sys
from xdomain.cli.main import main
for command in sys.argv[1:]:
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        try:
            main(command.split())
            code = 0
        except SystemExit as end:
            code = end.code or 0
    print(json.dumps([code, told.getvalue(), sorted(sys.modules)]))
"""


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("startup")
    rng = np.random.default_rng(0)
    rows = [f"s{i},{''.join(rng.choice(list('ACGT'), 12))},{'ab'[i % 2]}" for i in range(60)]
    (folder / "mine.csv").write_text("\n".join(["id,sequence,label", *rows]))
    return folder


@pytest.fixture(scope="module")
def loaded(mine):
    """Of each command: exit code, what it printed, and the modules that are loaded after it in a fresh process."""
    xdomain.run(data=mine / "mine.csv", domain="dna", baseline="kmer", out=mine / "run")
    done = subprocess.run([sys.executable, "-c", SCRIPT, *GROWING], capture_output=True, text=True, cwd=mine,
                          timeout=100, check=True)  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {command: (code, told, set(modules)) for command, (code, told, modules) in zip(GROWING, rows, strict=True)}


def test_the_help_loads_no_arrays_and_no_recipes(loaded):
    code, told, modules = loaded["--help"]
    assert code == 0
    assert "Turn speech into discrete units" in told  # of a command that a domain brings along
    assert not modules & {"numpy", "pyarrow", "pydantic", "xdomain.core.recipe", *TRAINING}


def test_the_list_of_tasks_loads_no_readers(loaded):
    code, told, modules = loaded["ls"]
    assert code == 0
    assert "dna/splice" in told
    assert not modules & {"xdomain.tasks.dna.readers", *TRAINING}


def test_a_check_loads_nothing_of_training(loaded):
    code, told, modules = loaded["check mine.csv --domain dna"]
    assert code == 0
    assert "train: 48" in told
    assert not modules & {"Bio", "pooch", "requests", *TRAINING}


@pytest.mark.parametrize("command", WRONG)
def test_a_wrong_name_is_reported_before_torch_is_loaded(loaded, command):
    code, told, modules = loaded[command]
    assert code == 2
    assert "error: " in told
    assert not modules & TRAINING


def test_a_baseline_is_evaluated_without_models_or_trainer(loaded):
    code, told, modules = loaded["evaluate run mine.csv"]
    assert code == 0, told
    assert "60 records" in told
    assert not modules & {"torch", "transformers", "accelerate", "peft", "matplotlib", "sklearn.linear_model"}


def test_a_run_reaches_its_first_step_without_plots_and_probes(mine, tiny_bert):
    look = """
import logging, os, sys
from xdomain.cli.main import main
class Look(logging.Handler):
    def emit(self, record):
        if " steps of " in record.getMessage():  # the last line before training
            os.write(1, " ".join(["loaded", *sys.modules]).encode())
            os._exit(0)
logging.getLogger("xdomain").addHandler(Look())
main(sys.argv[1:])
"""
    words = ["run", "--data", "mine.csv", "--domain", "dna", "--out", "first-step", "--backbone"]
    command = [sys.executable, "-c", look, *words, str(tiny_bert)]
    told = subprocess.run(command, capture_output=True, text=True, cwd=mine, timeout=100, check=True).stdout
    modules = set(told[told.index("loaded ") :].split())
    assert {"torch", "xdomain.training.trainer"} <= modules
    assert not modules & {"sklearn.linear_model", "matplotlib", "torchaudio", "scipy.stats", "onnx"}


@pytest.mark.parametrize(
    ("load", "given", "kept"),
    [
        (2.5, {}, "1000"),
        (0.2, {}, ""),
        (2.5, {"GOMP_SPINCOUNT": "7"}, "7"),
        (2.5, {"OMP_WAIT_POLICY": "active"}, ""),
    ],
)
def test_threads_wait_without_spinning_beside_other_work(load, given, kept):
    unset = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    script = f"import os\nos.getloadavg = lambda: ({load}, 0, 0)\nimport xdomain\n"
    script += "print(os.environ.get('GOMP_SPINCOUNT', ''))"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment | given, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == kept
