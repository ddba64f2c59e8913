"""Commands with names, streams and places that cannot be used: one block, exit code 2, no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import forked
import numpy as np
import pytest
from command_line import told as xdomain
from judging import CHARACTERS

from xdomain.core.errors import RecipeError, UserError, clipped, listed_names, unknown
from xdomain.core.progress import MAX_SHOWN, log

COMMAND = [sys.executable, "-m", "xdomain.cli"]
LONG = ["a" * 300, "a" * 5000, "a/" * 3000 + "a"]


@pytest.mark.parametrize("name", LONG, ids=len)
@pytest.mark.parametrize(
    "command",
    [
        ("show",), ("check",), ("run", "--domain", "dna", "--data"), ("check", "--domain"), ("study",), ("report",),
        ("predict", "runs", "--column", "id=a"), ("units", "encode", "--out", "x.csv", "--codebook"),
        ("pretrain", "text", "--out", "p"), ("run", "toy/dna-pair", "--mapping"), ("run", "toy/dna-pair", "--set"),
        ("run", "toy/dna-pair", "--baseline", "kmer", "--out"), ("run", "toy/dna-pair", "--backbone"),
    ],
)  # fmt: skip
def test_a_name_that_is_too_long(capsys, tmp_path, monkeypatch, command, name):
    monkeypatch.chdir(tmp_path)
    code, _, err = xdomain(capsys, *command, name)
    assert code == 2, err
    assert "Traceback" not in err
    assert len(err) <= CHARACTERS + 200
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_names_files_too_long(tmp_path):
    path = tmp_path / "pieces.csv"
    path.write_text("sequence,label\n" + "".join(f"{'a' * 300}{i}.mid,{i % 2}\n" for i in range(9)))
    from xdomain.data.own_data import own_recipe
    from xdomain.inspection import check

    with pytest.raises(UserError, match="does not exist"):
        check(own_recipe(path, "music"))


@pytest.mark.parametrize("name", ["~nobody-of-that-name/data.csv", "~nobody-of-that-name"])
def test_the_home_of_nobody(capsys, name):
    code, _, err = xdomain(capsys, "check", name, "--domain", "dna")
    assert code == 2
    assert "error: " in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has it")
@pytest.mark.parametrize("command", [("ls",), ("ls", "adapters"), ("show", "dna/splice"), ("ls", "--json")])
def test_a_stdout_that_is_full(command):
    with Path("/dev/full").open("w") as full:
        done = forked.run(forked.XDOMAIN, *command, stdout=full)
        assert_told_as_full(done.returncode, done.stderr)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has it")
def test_a_stdout_that_is_full_as_the_interpreter_ends():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*COMMAND, "ls"], stdout=full, stderr=subprocess.PIPE, timeout=120, text=True)
        assert_told_as_full(done.returncode, done.stderr)


def assert_told_as_full(code, told):
    assert code == 2
    assert told.splitlines()[0] == "error: stdout cannot be written (No space left on device)"
    assert "Traceback" not in told


def test_a_reader_that_has_read_enough():
    with subprocess.Popen([*COMMAND, "ls"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""


def test_a_terminal_that_knows_letters_only():
    command = [*COMMAND, "show", "toy/dna-pair", "--set", "title=\u00fcber \u2013 \N{SNOWMAN}"]
    ascii_alone = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, timeout=120, check=False, env=ascii_alone)
    assert done.returncode == 0, done.stderr
    assert b"title: ?ber ? ?\n" in done.stdout


@pytest.mark.parametrize(("closed", "left"), [("2>&-", b"task: toy/dna-pair\n"), ("1>&-", b"")])
def test_a_stream_that_the_shell_closed(closed, left):
    command = f'"$0" -m xdomain.cli check toy/dna-pair --set split.limit.train=40 {closed}'
    done = subprocess.run(["bash", "-c", command, sys.executable], capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout[: len(left) or None] == left  # and no progress


def test_a_file_in_place_of_a_folder_to_write_to(capsys, tmp_path):
    soundfile = pytest.importorskip("soundfile")
    wav, book = tmp_path / "a.wav", tmp_path / "book"
    soundfile.write(wav, np.random.default_rng(0).normal(0, 0.1, 16000), 16000)
    (tmp_path / "afile").touch()
    assert xdomain(capsys, "units", "fit", wav, "--units", 4, "--out", book)[0] == 0
    code, _, err = xdomain(capsys, "units", "encode", wav, "--codebook", book, "--out", tmp_path / "afile" / "x.csv")
    assert code == 2
    assert "cannot be written" in err


def test_a_folder_of_other_things_for_a_comparison(capsys, tmp_path):
    (tmp_path / "thesis.tex").touch()
    code, _, err = xdomain(capsys, "compare", "toy/dna-pair", "--arms", "kmer", "--out", tmp_path)
    assert code == 2
    assert "holds thesis.tex, which no comparison wrote" in err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


class TestMessages:
    """Names out of files can be of any length; messages fit a screen."""

    def test_of_errors(self):
        error = UserError("a" * 9000, expected="b" * 9000, nearest="c" * 9000, fix="d" * 9000)
        assert len(str(error)) <= CHARACTERS
        assert "(8,200 characters left out)" in error.what
        assert str(UserError("a", expected="b")) == "a\n  expected: b"

    def test_of_lists(self):
        names = [f"name-{i}" for i in range(1000)]
        assert listed_names(names[:3]) == "name-0, name-1, name-2"
        shown = listed_names(names)
        assert len(shown) <= 460
        shown, more = shown.split(" … and ")
        assert int(more.removesuffix(" more")) + shown.count(",") + 1 == 1000
        told = str(unknown("task", "x" * 5000, names))
        assert len(told) <= CHARACTERS

    def test_of_faults_in_a_recipe(self):
        from xdomain.core.recipe import recipe_from

        with pytest.raises(RecipeError) as refused:
            recipe_from({f"key {i} {'x' * 400}": i for i in range(500)}, where="my.yaml")
        assert str(refused.value).startswith("my.yaml: 50")
        assert len(str(refused.value)) <= CHARACTERS

    def test_of_progress(self, said):
        log.info("column %s", "x" * 10_000)
        log.info("column %s", "y")
        assert len(said[0]) <= MAX_SHOWN + 60
        assert said[0].startswith("column xxx")
        assert said[1] == "column y"

    def test_that_are_cut_show_both_ends(self):
        assert clipped("abc", 3) == "abc"
        assert clipped("a" * 50 + "b" * 50, 20) == "a" * 15 + " … (80 characters left out) … " + "b" * 5
