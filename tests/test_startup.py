"""What a command does not need is not loaded: a listing, a check or a misspelt name does not wait for torch."""

import json
import subprocess
import sys

import numpy as np
import pytest

import xdomain

TRAINING = {"torch", "transformers", "accelerate", "peft", "matplotlib", "sklearn", "scipy.stats"}
SCRIPT = """
import json, sys
from xdomain.cli.main import main
try:
    main(sys.argv[1:])
    code = 0
except SystemExit as end:
    code = end.code or 0
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


def loaded(folder, *arguments):
    """Exit code, what was printed, and the modules that a command loaded."""
    command = [sys.executable, "-c", SCRIPT, *map(str, arguments)]
    told = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=100, check=True)
    *said, last = told.stderr.splitlines()
    code, modules = json.loads(last)
    return code, told.stdout + "\n".join(said), set(modules)


@pytest.fixture
def mine(tmp_path):
    rng = np.random.default_rng(0)
    rows = [f"s{i},{''.join(rng.choice(list('ACGT'), 12))},{'ab'[i % 2]}" for i in range(60)]
    (tmp_path / "mine.csv").write_text("\n".join(["id,sequence,label", *rows]))
    return tmp_path


def test_the_help_loads_no_arrays_and_no_recipes(tmp_path):
    code, told, modules = loaded(tmp_path, "--help")
    assert code == 0
    assert "Turn speech into discrete units" in told  # of a command that a domain brings along
    assert not modules & {"numpy", "pyarrow", "pydantic", "xdomain.core.recipe", *TRAINING}


def test_the_list_of_tasks_loads_no_readers(tmp_path):
    code, told, modules = loaded(tmp_path, "ls")
    assert code == 0
    assert "dna/splice" in told
    assert not modules & {"xdomain.tasks.dna.files", *TRAINING}


def test_a_check_loads_nothing_of_training(mine):
    code, told, modules = loaded(mine, "check", "mine.csv", "--domain", "dna")
    assert code == 0
    assert "train: 48" in told
    assert not modules & {"Bio", "pooch", "requests", *TRAINING}


def test_a_baseline_is_evaluated_without_models_or_trainer(mine):
    xdomain.run(data=mine / "mine.csv", domain="dna", baseline="kmer", out=mine / "run")
    code, told, modules = loaded(mine, "evaluate", "run", "mine.csv")
    assert code == 0, told
    assert "60 records" in told
    assert not modules & {"torch", "transformers", "accelerate", "peft", "matplotlib", "sklearn.linear_model"}


@pytest.mark.parametrize(
    "command",
    [
        "check nine.csv --domain dna",
        "run dna/splise",
        "run toy/dna-classification --set train.epohcs=3",
        "run toy/dna-classification --backbone ./nowhere",
        "predict nowhere mine.csv",
        "study nowhere.yaml",
    ],
)
def test_a_wrong_name_is_reported_before_torch_is_loaded(mine, command):
    code, told, modules = loaded(mine, *command.split())
    assert code == 2
    assert "error: " in told
    assert not modules & TRAINING


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
    command = [
        sys.executable,
        "-c",
        look,
        *f"run --data mine.csv --domain dna --out run --backbone {tiny_bert}".split(),
    ]
    told = subprocess.run(command, capture_output=True, text=True, cwd=mine, timeout=100, check=True).stdout
    modules = set(told[told.index("loaded ") :].split())
    assert {"torch", "xdomain.training.trainer"} <= modules
    assert not modules & {"sklearn.linear_model", "matplotlib", "torchaudio", "scipy.stats", "onnx"}
