"""Progress: a bar on a terminal from the first step on, which goes without a trace; in a pipe only what is said."""

import io
import json
import os
import pty
import time

import pytest
from forked import Forked

import xdomain
from xdomain.core.progress import Silent, log, part, reporter, reporting, warned_once

LONG = "a line that is said and is longer than the terminal is wide, " * 3
SCRIPT = f"""
import sys, time
from xdomain.cli.messages import messages_on_stderr
from xdomain.cli.progress_bar import progress_bar
from xdomain.core.progress import log, part, reporter
with messages_on_stderr(), progress_bar():
    reporter().phase("reading")
    time.sleep(0.3)
    for arm in (1, 2):
        with part(f"arm {{arm}} of 2"):
            reporter().started("training", 1200)
            for step in range(1, 4):
                reporter().advanced(step, 0.6931)
                time.sleep(0.2)
            log.info({LONG!r} + f"[bold] {{arm}}")
            reporter().finished()
    if sys.argv[1] == "raise":
        raise KeyboardInterrupt
"""


def on_a_terminal(script, *arguments, columns=100):
    """What a script writes to a terminal, and its exit code."""
    there, here = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "LINES": "24", "TERM": "xterm"}
    with os.fdopen(here, "rb+", buffering=0) as terminal:
        process = Forked(script, *arguments, stdin=terminal, stdout=terminal, stderr=terminal, env=environment)
    told = b""
    try:
        while chunk := os.read(there, 65536):
            told += chunk
    except OSError:  # the other end is closed
        pass
    os.close(there)
    return told.decode(), process.wait(60).returncode


def test_the_bar_shows_part_step_loss_pace_and_time_left():
    told, code = on_a_terminal(SCRIPT, "end")
    assert code == 0
    assert "reading" in told
    for fact in ("arm 1 of 2, training", "arm 2 of 2, training", "1/1,200", "loss 0.6931", "steps/s", " left"):
        assert fact in told
    assert f"{LONG}[bold] 1\r\n" in told  # whole, neither folded nor taken for markup
    hidden, shown = told.rindex("\x1b[?25l"), told.rindex("\x1b[?25h")
    assert shown > hidden  # the cursor is back
    assert told.rstrip().endswith("\x1b[2K")  # and the bar's line is empty


def test_a_narrow_terminal_has_the_step_at_least():
    told, code = on_a_terminal(SCRIPT, "end", columns=40)
    assert code == 0
    assert "1/1,200" in told
    assert "steps/s" not in told


def test_the_cursor_is_back_after_an_interruption():
    told, code = on_a_terminal(SCRIPT, "raise")
    assert code != 0
    assert told.rindex("\x1b[?25h") > told.rindex("\x1b[?25l")


def test_a_pipe_gets_the_lines_and_nothing_else():
    done = Forked(SCRIPT, "end").wait()
    assert done.returncode == 0
    assert done.stdout == ""
    assert done.stderr == f"{LONG}[bold] 1\n{LONG}[bold] 2\n"


def test_a_program_that_asks_gets_lines_of_json():
    done = Forked(SCRIPT, "end", env={**os.environ, "XDOMAIN_PROGRESS": "json"}).wait()
    assert (done.returncode, done.stdout) == (0, "")
    lines = done.stderr.splitlines()
    told = [json.loads(line)["progress"] for line in lines if line.startswith("{")]
    assert told[0] == {"label": "", "phase": "reading", "done": 0, "total": None, "facts": []}
    steps = [(one["label"], one["done"], one["total"]) for one in told if one["phase"] == "training"]
    assert ("arm 1 of 2", 3, 1200) in steps
    assert any("loss 0.6931" in one["facts"] for one in told)
    assert [line for line in lines if not line.startswith("{")] == [f"{LONG}[bold] 1", f"{LONG}[bold] 2"]


def test_a_bar_that_is_told_of_every_step_costs_little():
    from rich.console import Console

    from xdomain.cli.progress_bar import ProgressBar

    bar = ProgressBar(Console(file=io.StringIO(), force_terminal=True))

    class Slow:
        read = 0

        def __float__(self):
            Slow.read += 1
            return 1.0

    with bar.shown():
        bar.tracker.started("training", 100_000)
        begun = time.monotonic()
        for step in range(1, 20_001):
            bar.tracker.advanced(step, Slow())
        seconds = time.monotonic() - begun
    assert Slow.read <= 2 + 10 * seconds  # a loss on a device is waited for ten times a second at most


class Recorder(Silent):
    def __init__(self):
        self.told = []

    def labelled(self, label):
        self.told.append(label)

    def phase(self, name):
        self.told.append(name)

    def started(self, name, total, done=0, *, unit="steps"):
        self.told.append((name, total, done))

    def advanced(self, step, loss=None):
        self.told.append((step, loss is not None and float(loss) > 0))

    def finished(self):
        self.told.append("finished")


def test_a_run_reports_every_step_with_its_loss(tiny_bert, tmp_path):
    recorder = Recorder()
    changes = ("train.max_steps=3", "split.limit.train=40", "split.limit.valid=20", "split.limit.test=20",
               "train.gradient_accumulation_steps=2")  # fmt: skip
    with reporting(recorder), part("arm 2 of 3"):
        xdomain.run("toy/dna-classification", overrides=changes, backbone=str(tiny_bert), out=tmp_path / "run",
                    mapping="search:2")  # fmt: skip
    assert recorder.told == [
        "arm 2 of 3", "reading",
        ("choosing a mapping", 2, 0), (1, False), (2, False), "finished",
        ("training", 3, 0), (1, True), (2, True), (3, True), "finished", "",
    ]  # fmt: skip


def test_nothing_is_reported_to_after_a_fault():
    with pytest.raises(ValueError, match="fault"), reporting(Recorder()):
        raise ValueError("fault")
    assert isinstance(reporter(), Silent)


def test_the_same_warning_is_shown_once(caplog):
    caplog.set_level("INFO", "xdomain")
    with warned_once():
        for number in (1, 2):
            log.warning("2 records are the same")
            log.warning(f"arm {number} did not learn")
            log.info("reading")
    log.warning("2 records are the same")
    assert caplog.messages == [
        "2 records are the same", "arm 1 did not learn", "reading", "arm 2 did not learn", "reading",
        "2 records are the same",
    ]  # fmt: skip
