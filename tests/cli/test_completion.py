"""The tab key, as shells ask: bash runs its own script, and all get the commands, options and values that fit."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from xdomain.cli import complete
from xdomain.cli.analyze import ANALYSES
from xdomain.cli.compress import WAYS

XDOMAIN = Path(sys.executable).parent / "xdomain"
DONE = ("runs/dna/my/pretrained-m0-s0", "runs/dna/my/scratch-m0-s0", "elsewhere")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with finished runs, one within another, a run that is not finished, a study, and a table."""
    for run in (*DONE, "elsewhere/fold-0", "runs/.hidden", "with a blank"):
        (tmp_path / run).mkdir(parents=True)
        (tmp_path / run / "result.json").touch()
    (tmp_path / "runs" / "open").mkdir()
    (tmp_path / "runs" / "open" / "recipe.yaml").touch()
    (tmp_path / "studies" / "mine").mkdir(parents=True)
    (tmp_path / "studies" / "mine" / "plan.json").touch()
    (tmp_path / "mytable.csv").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def offered(*typed, shell="bash", **more):
    """What a shell is offered for the last word of a command line."""
    line = {"COMP_WORDS": "\n".join(typed), "COMP_CWORD": str(len(typed) - 1), "_TYPER_COMPLETE_ARGS": " ".join(typed)}
    env = {**os.environ, **line, "_XDOMAIN_COMPLETE": f"complete_{shell}", **more}
    done = subprocess.run([XDOMAIN], env=env, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("xdomain pred", {"predict"}),
        ("xdomain pretrain s", {"sequences", "synthetic"}),
        ("xdomain units e", {"encode"}),  # a command that a domain brings along
        ("xdomain run toy/dna-c", {"toy/dna-classification"}),
        ("xdomain run my", set()),  # then the shell offers files
        ("xdomain run --mapping-s", {"--mapping-seed"}),
        ("xdomain run --transfer words,at", {"words,attention"}),
        ("xdomain predict runs/", {*DONE[:2]}),
    ],
)
def test_what_fits_is_offered(folder, typed, wanted):
    assert set(offered(*typed.split())) == wanted


def test_bash_takes_its_own_script(folder):
    if shutil.which("bash") is None:
        pytest.skip("no bash")
    command = ["bash", "-c", f"{XDOMAIN} --show-completion; true"]  # the shell that calls it is found by itself
    script = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    ask = 'COMP_WORDS=(xdomain run --domain p); COMP_CWORD=3; _xdomain_completion xdomain; echo "${COMPREPLY[@]}"'
    env = {**os.environ, "PATH": f"{XDOMAIN.parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script + ask], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "protein\n"


def test_bash_is_told_where_to_find_it(folder):
    if shutil.which("bash") is None:
        pytest.skip("no bash")
    env = {**os.environ, "HOME": str(folder / "home"), "PATH": f"{XDOMAIN.parent}{os.pathsep}{os.environ['PATH']}"}
    (folder / "home").mkdir()
    command = ["bash", "-c", "xdomain --install-completion; true"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert "bash completion installed in" in done.stdout, done.stderr
    assert "xdomain.sh" in (folder / "home" / ".bashrc").read_text()


def test_zsh_and_fish_are_answered_in_their_own_ways(folder):
    typed = ("xdomain", "run", "toy/dna-p")
    assert offered(*typed, shell="zsh") == ["_arguments '*: :((\"toy/dna-pair\"))'"]
    assert offered(*typed, shell="fish", _TYPER_COMPLETE_FISH_ACTION="get-args") == ["toy/dna-pair"]


def test_finished_runs_and_studies_are_found_below_what_is_typed(folder, monkeypatch):
    assert complete.runs("") == [DONE[2], *DONE[:2]]  # neither a fold, a hidden run nor one whose name must be quoted
    assert complete.runs("runs/dna/my/s") == [DONE[1]]
    assert complete.runs("./el") == ["./elsewhere"]
    assert complete.runs(f"{folder}/el") == [f"{folder}/elsewhere"]
    assert complete.runs("nowhere/") == []
    assert complete.studies("stu") == ["studies/mine"]
    monkeypatch.setenv("HOME", str(folder))
    assert complete.runs("~/runs/dna/my/p") == [f"~/{DONE[0]}"]


def test_names_that_are_typed_with_commas_come_once():
    assert complete.several("a", "ab", "c")("a,") == ["a,ab", "a,c"]


def test_the_words_offered_are_those_that_are_taken():
    from xdomain.analysis.analyze import NAMES
    from xdomain.compression.api import OPTIONS

    assert ANALYSES == NAMES
    assert set(WAYS) == set(OPTIONS)
    assert complete.mappings("se") == ["search"]
    assert complete.backbones("eng") == ["english-4x256"]


def test_the_answer_waits_neither_for_arrays_nor_for_recipes(folder):
    """The script has the name of the command, which decides the variable that is read."""
    script = folder / "xdomain"
    ends = "atexit.register(lambda: print(*sys.modules))"
    script.write_text(f"import sys, atexit\nfrom xdomain.cli.main import main\n{ends}\nmain()\n")
    for typed in ("xdomain run toy/", "xdomain predict runs/", "xdomain run --domain d"):
        line = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1), "_XDOMAIN_COMPLETE": "complete_bash"}
        done = subprocess.run(
            [sys.executable, script], env=os.environ | line, capture_output=True, text=True, check=True
        )
        *values, modules = done.stdout.splitlines()
        assert values
        assert "xdomain.cli.complete" in modules.split()
        assert not {"torch", "numpy", "pyarrow", "xdomain.core.recipe"} & set(modules.split()), typed
