"""Give a command again and again, each time disturbed at another place, then undisturbed: ``disturb.py PLAN``.

A place is an operation on a file below the folder of the plan (one that is opened for writing, renamed, made or
removed, or that a library writes by itself), or a step of training. There the process is killed, or, as on a disk
that is full, this and every later attempt to write fails. Each command runs in a child that is forked before any
thread is started.

PLAN is a list in JSON: ``{"folder": …, "command": [word, …], "again": [word, …], "how": "kill" | "full", "first": K,
"stride": K, "results": [path, …]}``. The words may hold ``{out}``, a folder below the plan's own that is new for every
place. Of each entry a line of JSON is printed, a list of objects: one for the undisturbed command, then one for each
place, ``{"place", "code", "told", "again", "told_again", "changed"}``, where ``changed`` names those of the ``results``
whose content is another than undisturbed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
TIMES = ("seconds", "training_seconds", "tokens_per_second", "peak_memory_bytes", "minutes", "date", "git")
"""Fields of results that differ from run to run."""
SAFETENSORS = "Error while serializing: I/O error: No space left on device (os error 28)"
TORCH = "[enforce fail at inline_container.cc:671] . unexpected pos 576 vs 534"
TOO_LONG = 120
"""Seconds after which a child counts as hanging."""


class Places:
    """Counts the places that a command comes by, and disturbs it at one of them.

    Parameters
    ----------
    below
        Only files below this folder are places.
    at
        The place to disturb, from 1; 0: none.
    how
        ``kill`` or ``full``.
    """

    def __init__(self, below: Path, at: int, how: str) -> None:
        self.below, self.at, self.how = str(below), at, how
        self.count = 0

    def watch(self) -> None:
        """Watch this process from now on."""
        sys.addaudithook(self._hook)
        import pyarrow.parquet as pq
        import safetensors.numpy
        import safetensors.torch
        import torch

        from xdomain.training import trainer

        self._wrap(safetensors.numpy, "serialize_file", 1, safetensors.SafetensorError(SAFETENSORS))
        self._wrap(safetensors.torch, "serialize_file", 1, safetensors.SafetensorError(SAFETENSORS))
        self._wrap(pq, "write_table", 1, OSError(errno.ENOSPC, "Error writing bytes to file"))
        self._wrap(torch, "save", 1, RuntimeError(TORCH))
        if self.how == "kill":
            self._wrap(trainer._WindowTrainer, "training_step", None, None)
        else:
            import xdomain.core.disk

            xdomain.core.disk._has_no_room = lambda _: True

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            if isinstance(path, int) or not (flags & WRITES if isinstance(flags, int) else "w" in str(mode)):
                return
            self._come_by(path, writes=True)
        elif event in ("os.rename", "os.mkdir", "os.link"):
            self._come_by(arguments[0], writes=event != "os.rename")
        elif event in ("os.remove", "os.rmdir"):
            self._come_by(arguments[0], writes=False)

    def _wrap(self, owner: Any, name: str, position: int | None, error: Exception | None) -> None:
        """Make a function that writes a file by itself, named by its argument at `position`, a place."""
        written: Callable[..., Any] = getattr(owner, name)

        def wrapped(*arguments: Any, **named: Any) -> Any:
            path = self.below if position is None else str(arguments[position])
            self._come_by(path, writes=position is not None, error=error)
            return written(*arguments, **named)

        setattr(owner, name, wrapped)

    def _come_by(self, path: Any, *, writes: bool, error: Exception | None = None) -> None:
        if not os.fsdecode(path).startswith(self.below):
            return
        self.count += 1
        if self.at and self.count == self.at and self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.at and self.count >= self.at and self.how == "full" and writes:
            if error is not None:
                with contextlib.suppress(OSError):
                    Path(path).write_bytes(b"half")  # what the library had written by then
                raise error
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fsdecode(path))


def child(words: list[str], places: Places) -> tuple[int, str, int]:
    """Run a command in a child: its exit code, what it printed to stderr, and how many places it came by."""
    read, write = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(read)
        told = io.StringIO()
        code: Any = 0
        try:
            from xdomain.cli.main import main

            places.watch()
            with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()), _cells_run_here():
                signal.alarm(TOO_LONG)
                main(words)
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            code, told = 1, io.StringIO(traceback.format_exc())
        with os.fdopen(write, "w") as pipe:
            json.dump([code, told.getvalue() if isinstance(told, io.StringIO) else "", places.count], pipe)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        answer = pipe.read()
    _, status = os.waitpid(process, 0)
    if not answer:
        return -os.WTERMSIG(status), "", 0
    return tuple(json.loads(answer))


@contextlib.contextmanager
def _cells_run_here() -> Generator[None]:
    """Run the cells of a study in this process, where they are watched."""
    from unittest.mock import patch

    from xdomain.study.engines.worker import work
    from xdomain.study.plan import open_study

    def run_here(plan: Any, progress: Any, **_: Any) -> None:
        work(open_study(plan.folder), progress.tell)

    with patch("xdomain.study.api.run_local", run_here):
        yield


def content(path: Path) -> str:
    """A digest of a file, times and the like left out of JSON."""
    if not path.is_file():
        return "none"
    if path.suffix not in (".json", ".jsonl"):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    text = path.read_text("utf-8")
    parts = [json.loads(part) for part in (text.splitlines() if path.suffix == ".jsonl" else [text])]
    return hashlib.sha256(json.dumps(_timeless(parts), sort_keys=True).encode()).hexdigest()


def _timeless(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _timeless(value) for key, value in tree.items() if key not in TIMES}
    return [_timeless(one) for one in tree] if isinstance(tree, list) else tree


def disturbed(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Carry out a plan; see the module. Yields a row for the undisturbed command, then one for each place."""
    folder = Path(plan["folder"])
    for module in (
        "torch",
        "transformers",
        "pyarrow.parquet",
        "xdomain.runs.pipeline",
        "xdomain.study.compare",
        "sklearn",
    ):
        __import__(module)

    def given(name: str, out: Path) -> list[str]:
        return [word.replace("{out}", str(out)) for word in plan[name]]

    def results(out: Path) -> dict[str, str]:
        paths = sorted(path for pattern in plan["results"] for path in out.glob(pattern))
        return {str(path.relative_to(out)): content(path) for path in paths}

    whole = folder / "whole"
    whole.mkdir(parents=True)
    code, told, places = child(given("command", whole), Places(whole, 0, plan["how"]))
    wanted = results(whole)
    yield {"place": 0, "code": code, "told": told, "places": places, "results": sorted(wanted)}
    for place in range(plan["first"], places + 1, plan["stride"]):
        out = folder / "cut"  # the same name each time, as it stands in what is written
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        code, told, _ = child(given("command", out), Places(out, place, plan["how"]))
        again, told_again, _ = (code, "", 0) if code == 0 else child(given("again", out), Places(out, 0, plan["how"]))
        found = results(out)
        changed = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
        row = {"place": place, "code": code, "told": told, "again": again, "told_again": told_again}
        yield {**row, "changed": changed}


if __name__ == "__main__":
    for one in json.loads(Path(sys.argv[1]).read_text("utf-8")):
        print(json.dumps(list(disturbed(one))), flush=True)
