"""Messages: silent in Python unless asked for, on stderr from the command line, and never twice."""

import logging

import forked
import pytest

import xdomain
from xdomain.cli.main import main
from xdomain.core.progress import log, muted

SMALL = ("split.limit.train=40", "split.limit.valid=20", "split.limit.test=20")
TYPED = [word for change in SMALL for word in ("--set", change)]
SCRIPT = """
import logging, sys, xdomain
def run(out):
    xdomain.run("toy/dna-classification", baseline="kmer", overrides={small}, out=out)
    print("ran", out, file=sys.stderr)
run("one")
logging.basicConfig(level="INFO")
run("two")
"""


def test_python_is_silent_until_somebody_listens(tmp_path):
    done = forked.run(SCRIPT.format(small=SMALL), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    before, after = done.stderr.split("ran one")
    assert "kmer fitted" not in before
    assert after.count("INFO:xdomain:kmer fitted") == 1


def test_the_command_line_shows_each_message_once_and_on_stderr(tmp_path, capsys):
    for name in ("one", "two"):
        with pytest.raises(SystemExit) as ended:
            main(["run", "toy/dna-classification", "--baseline", "kmer", "--out", str(tmp_path / name), *TYPED])
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
    xdomain.run("toy/dna-classification", baseline="kmer", overrides=SMALL, out=tmp_path / "run")
    assert said[-1].startswith("test accuracy")
