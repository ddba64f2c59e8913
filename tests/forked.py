"""Processes of their own for scripts and commands, forked from one that has loaded what a run needs.

A fresh interpreter imports torch and transformers for seconds before it does anything; the server of
`multiprocessing` does so once for all tests of a process. A script sees its own arguments, folder, environment and
streams, and modules in which no test has changed anything; it can be signalled and killed. What asks which modules
are loaded, or what the interpreter does as it starts and ends, needs a fresh one.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping
from multiprocessing import get_context, reduction
from pathlib import Path
from typing import IO, Any

XDOMAIN = "from xdomain.cli.main import main\nmain()"
"""The script of the command ``xdomain``, whose words are the arguments."""
LOADED = ("xdomain.cli.main", "xdomain.runs.pipeline", "xdomain.study.compare", "xdomain.pretraining.api",
          "transformers.models.bert.modeling_bert", "sklearn.linear_model", "pyarrow.parquet")  # fmt: skip

_server = get_context("forkserver")
_server.set_forkserver_preload(list(LOADED))


class Forked:
    """A script that runs in a process of its own, as `subprocess.Popen` has it.

    Parameters
    ----------
    script
        Python source, which runs as ``python -c`` would run it.
    arguments
        What it finds in ``sys.argv[1:]``.
    stdin, stdout, stderr
        Open files; None: nothing to read, and what `wait` returns.
    forget
        Packages that it imports anew.
    cwd
        Its working directory; None: that of this process.
    env
        Its environment; None: that of this process.
    """

    def __init__(
        self, script: str, *arguments: object, stdin: IO[Any] | None = None, stdout: IO[Any] | None = None,
        stderr: IO[Any] | None = None, forget: Collection[str] = (), cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self._kept = {place: tempfile.TemporaryFile("w+b") for place, given in enumerate((stdout, stderr)) if not given}  # noqa: SIM115
        out, err = (given or self._kept[place] for place, given in enumerate((stdout, stderr)))
        with Path(os.devnull).open("rb") as nothing:
            streams = [_Stream(one.fileno()) for one in (stdin or nothing, out, err)]
            words = [str(one) for one in arguments]
            given = (script, words, streams, forget, str(cwd or Path.cwd()), dict(env or os.environ))
            self._process = _server.Process(target=_run, args=given, daemon=True)
            self._process.start()

    def poll(self) -> int | None:
        """Its exit code, that of a signal negative; None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def wait(self, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Wait for its end; what has no end by then is killed."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        told = {}
        for place, file in self._kept.items():
            file.seek(0)
            told[place] = file.read().decode()
            file.close()
        code = self._process.exitcode
        assert code is not None
        self._process.close()
        return subprocess.CompletedProcess("forked", code, told.get(0), told.get(1))


def run(script: str, *arguments: object, timeout: float = 300, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a script to its end; see `Forked`."""
    return Forked(script, *arguments, **options).wait(timeout)


def run_two_processes(script: Path, *arguments: object, timeout: float = 300) -> tuple[str, str]:
    """Run a script in two processes that find one another as torchrun lets them: what both wrote to stdout, stderr."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    both = [
        Forked(script.read_text("utf-8"), *arguments, env={
            **os.environ, "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        })
        for rank in "01"
    ]  # fmt: skip
    ended = [one.wait(timeout) for one in both]
    assert [one.returncode for one in ended] == [0, 0], "".join(one.stderr[-3000:] for one in ended)
    return "".join(one.stdout for one in ended), "".join(one.stderr for one in ended)


class _Stream:
    """The number of an open file, which becomes that of a copy in the process that gets it."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[Any, ...]:
        return _taken, (reduction.DupFd(self.number),)


def _taken(copy: Any) -> _Stream:
    return _Stream(copy.detach())


def _run(
    script: str, arguments: list[str], streams: list[_Stream], forget: Collection[str], cwd: str, env: dict[str, str]
) -> None:
    """In the new process: become what a fresh one would be, and run the script."""
    gc.freeze()  # what was loaded; training collects garbage
    for place, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        os.dup2(streams[place].number, place)
        os.close(streams[place].number)
        errors = "backslashreplace" if name == "stderr" else "strict"
        at_once = 1 if name == "stderr" or os.isatty(place) else -1
        stream = open(place, mode, at_once, encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background process ignores
    for name in [name for name in sys.modules if name.partition(".")[0] in forget]:
        del sys.modules[name]
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["-c", *arguments]
    exec(compile(script, "<script>", "exec"), {"__name__": "__main__"})
