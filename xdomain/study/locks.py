"""Locks on cells: a file that only one process can create, and that lapses when its owner dies."""

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
"""Seconds between two signs of life of an owner, and seconds without one after which it counts as dead."""


class Claim:
    """The right to run one cell, among processes that see the same folder, on one machine or many.

    Claims are numbered files; the highest number owns the cell. A process that finds the last claim lapsed creates the
    next one, which the file system allows to one process only.

    Parameters
    ----------
    base
        The path of the claims, without ``.claim-NUMBER``.
    beat, lapse
        Seconds between signs of life, and without one until a claim lapses. The clocks of all machines must agree
        to within `lapse`.
    """

    def __init__(self, base: Path, *, beat: float = BEAT, lapse: float = LAPSE) -> None:
        self.base, self.beat, self.lapse = base, beat, lapse

    def files(self) -> list[Path]:
        """The claims made so far, the owner's last."""
        paths = self.base.parent.glob(f"{self.base.name}.claim-*")
        return sorted((path for path in paths if _number(path) is not None), key=lambda path: _number(path) or 0)

    def held(self) -> bool:
        """Whether a living process owns the cell."""
        files = self.files()
        return bool(files) and not self._lapsed(files[-1])

    def acquire(self) -> Path | None:
        """Claim the cell for this process; None where another process owns it or was quicker."""
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
        """Give signs of life within the context, and release the cell at its end.

        Parameters
        ----------
        mine
            The claim, as `acquire` returned it.
        lost
            Called in another thread if another process has taken over the cell.
        """
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
        """Wait until the cell can be claimed, and hold it within the context; `lost` is called as in `holding`."""
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
    """Identify where process numbers are unique: this machine, since its last boot, in this container."""
    namespace = {"host": platform.node()}
    with contextlib.suppress(OSError):
        namespace["boot"] = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace["space"] = str(Path("/proc/self/ns/pid").readlink())
    return namespace


def _dead(owner: dict[str, Any]) -> bool:
    """Whether the owner was a process here that has ended; False where this cannot be known."""
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
