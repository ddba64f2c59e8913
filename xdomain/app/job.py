"""A command in a process of its own: its progress, its messages, how it ended. It can be stopped, and needs no page."""

from __future__ import annotations

import atexit
import json
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

ENVIRONMENT = {"XDOMAIN_PROGRESS": "json", "MPLBACKEND": "Agg", "PYTHONIOENCODING": "utf-8", "COLUMNS": "100"}
ERROR, PROGRESS = "error: ", '{"progress":'
GRACE = 20
"""Seconds from the request to stop until the process is killed."""


class Job:
    """A command of xdomain that runs from now on.

    Parameters
    ----------
    arguments
        Those of ``xdomain``.
    folder
        The working directory.
    """

    def __init__(self, arguments: Sequence[str], folder: Path) -> None:
        self.arguments, self.folder = tuple(arguments), folder
        self.status: dict[str, Any] = {"label": "", "phase": "starting", "done": 0, "total": None, "facts": []}
        self.lines: list[str] = []
        self._stopped = False
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "xdomain", *arguments], cwd=folder, env={**os.environ, **ENVIRONMENT},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, encoding="utf-8",
            errors="replace",
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        atexit.register(self.stop)  # or it would go on without anybody to see it

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if line.startswith(PROGRESS):
                self.status = json.loads(line)["progress"]
            else:
                self.lines.append(line.rstrip("\n"))
        self._process.wait()
        self._process.stderr.close()
        atexit.unregister(self.stop)

    @property
    def state(self) -> Literal["running", "done", "stopped", "failed"]:
        """Whether it runs, and else how it ended."""
        if self._reader.is_alive():
            return "running"
        if self._process.returncode == 0:
            return "done"
        return "stopped" if self._stopped else "failed"

    def wait(self, seconds: float | None = None) -> None:
        """Wait for its end, at most for `seconds`."""
        self._reader.join(seconds)

    def stop(self) -> None:
        """Ask it to end, as job schedulers do: a run can be resumed from its last checkpoint. Waits for the end."""
        if self._process.poll() is not None:
            return
        self._stopped = True
        self._process.terminate()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._reader.join(GRACE)

    def error(self) -> str:
        """What it said is wrong; for a fault of xdomain itself the last line that it wrote."""
        starts = [place for place, line in enumerate(self.lines) if line.startswith(ERROR)]
        if starts:
            return "\n".join(self.lines[starts[-1] :]).removeprefix(ERROR)
        if self._process.returncode < 0:
            return f"the system ended the process (signal {-self._process.returncode}), as where memory runs out"
        return self.lines[-1] if self.lines else f"the process ended with exit code {self._process.returncode}"

    def command(self) -> str:
        """The command as it is typed in a shell."""
        return shlex.join(["xdomain", *self.arguments])
