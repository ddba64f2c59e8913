"""Messages: silent in Python unless asked for, on stderr from the command line, and never twice."""

import logging
import subprocess
import sys

import pytest

import xdomain
from xdomain.cli.main import main
from xdomain.core.progress import log, muted

QUIET = "import xdomain; xdomain.run('toy/dna-classification', baseline='kmer', out={out!r})"
ASKED = "import logging; logging.basicConfig(level='INFO'); " + QUIET


def told(script, out):
    done = subprocess.run([sys.executable, "-c", script.format(out=str(out))], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_python_is_silent_until_somebody_listens(tmp_path):
    out, messages = told(QUIET, tmp_path / "one")
    assert out == ""
    assert "kmer fitted" not in messages
    out, messages = told(ASKED, tmp_path / "two")
    assert out == ""
    assert "INFO:xdomain:kmer fitted" in messages


def test_the_command_line_shows_each_message_once_and_on_stderr(tmp_path, capsys):
    for name in ("one", "two"):
        with pytest.raises(SystemExit) as ended:
            main(["run", "toy/dna-classification", "--baseline", "kmer", "--out", str(tmp_path / name)])
        assert not ended.value.code
        shown = capsys.readouterr()
        assert shown.err.count("kmer fitted") == 1
        assert "kmer fitted" not in shown.out
    assert log.handlers == []
    assert log.level == logging.NOTSET


def test_a_warning_says_that_it_is_one(capsys, monkeypatch):
    from xdomain.cli.messages import messages_on_stderr

    with messages_on_stderr():
        log.info("how it goes")
        log.warning("what may be wrong")
        with muted():
            log.warning("what nobody has to know")
    assert capsys.readouterr().err == "how it goes\nwarning: what may be wrong\n"


def test_a_notebook_that_listens_hears_a_run(tmp_path, said):
    xdomain.run("toy/dna-classification", baseline="kmer", out=tmp_path / "run")
    assert said[-1].startswith("test accuracy")
