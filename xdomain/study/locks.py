"""Who runs a cell: a file that only one process can make, and that lapses when its owner dies."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BEAT, LAPSE = 5.0, 60.0
"""Seconds between two signs of life of an owner, and without one after which it counts as dead."""


class Claim:
    """The right to run one cell, among processes that see the same folder, on one machine or many.

    The claims of a cell are numbered; the highest number owns it. A process that finds the last one lapsed makes the
    next, which the file system grants to one process only.

    Parameters
    ----------
    base
        The path of the claims, without their number.
    beat, lapse
        Seconds; a clock that differs between machines by more than `lapse` would break the claims.
    """

    def __init__(self, base: Path, *, beat: float = BEAT, lapse: float = LAPSE) -> None:
        self.base, self.beat, self.lapse = base, beat, lapse

    def files(self) -> list[Path]:
        """The claims made so far, the owner's last."""
        found = self.base.parent.glob(f"{self.base.name}.claim-*")
        return sorted((path for path in found if _number(path) is not None), key=lambda path: _number(path) or 0)

    def held(self) -> bool:
        """Whether some living process owns the cell."""
        files = self.files()
        return bool(files) and not self._lapsed(files[-1])

    def acquire(self) -> Path | None:
        """A claim that is now this process's, or None where another's is alive or was quicker."""
        files = self.files()
        if files and not self._lapsed(files[-1]):
            return None
        number = (_number(files[-1]) or 0) + 1 if files else 1
        mine = self.base.with_name(f"{self.base.name}.claim-{number}")
        try:
            with mine.open("x", encoding="utf-8") as file:
                json.dump({**_here(), "pid": os.getpid()}, file)
        except FileExistsError:
            return None
        if any(file != mine and not self._lapsed(file) for file in self.files()):
            mine.unlink(missing_ok=True)  # an owner released the cell in between, and another claimed it anew
            return None
        return mine

    @contextmanager
    def holding(self, mine: Path, *, lost: Callable[[], None]) -> Generator[None]:
        """Give signs of life, and release the cell at the end; `lost` is called if another has taken it over."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(self.beat):
                try:
                    os.utime(mine)
                    overtaken = self.files()[-1] != mine
                except (OSError, IndexError):
                    overtaken = not mine.exists()
                if overtaken and not done.is_set():
                    lost()
                    return

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            for file in self.files():
                if (_number(file) or 0) <= (_number(mine) or 0):
                    file.unlink(missing_ok=True)

    @contextmanager
    def wait(self, *, lost: Callable[[], None]) -> Generator[None]:
        """Wait until it is this process's turn, and keep it."""
        while (mine := self.acquire()) is None:
            time.sleep(self.beat / 20)
        with self.holding(mine, lost=lost):
            yield

    def _lapsed(self, path: Path) -> bool:
        try:
            if time.time() - path.stat().st_mtime > self.lapse:
                return True
            owner = json.loads(path.read_text("utf-8"))
        except (OSError, json.JSONDecodeError):  # gone, or being written
            return False
        return _dead(owner)


def _number(path: Path) -> int | None:
    digits = path.name.rpartition("-")[2]
    return int(digits) if digits.isdigit() else None


def _here() -> dict[str, str]:
    """Where a process number means something: this machine, this start of it, this container."""
    found = {"host": platform.node()}
    with contextlib.suppress(OSError):
        found["boot"] = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        found["space"] = str(Path("/proc/self/ns/pid").readlink())
    return found


def _dead(owner: dict[str, Any]) -> bool:
    """Whether the owner was a process here and is no more; what cannot be known is no."""
    pid = owner.get("pid")
    here = _here()
    if len(here) == 1 or {key: owner.get(key) for key in here} != here or not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
