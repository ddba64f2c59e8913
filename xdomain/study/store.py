"""The store of cells: a run folder for each, named by the cell's key; the first process that claims a cell runs it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import traceback
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from xdomain.core.disk import is_disk_full
from xdomain.core.errors import DamagedError, OutputError, UserError
from xdomain.core.progress import muted
from xdomain.core.recipe import Recipe, load_recipe
from xdomain.core.restore import reading
from xdomain.core.result_file import read_result_file
from xdomain.core.run_dir import LOCK, PREDICTIONS, RECIPE, RESULT, same_run, write_json
from xdomain.study.cells import Cell
from xdomain.study.locks import BEAT, LAPSE, Claim

State = Literal["done", "failed", "running", "open"]
CELLS = "cells"
OVERTAKEN = 75
"""The exit code of a worker whose cell another process has taken over."""
NEEDED = ("metrics", "chosen_on", "train_loss")
"""Fields that the result of a finished cell must have."""


@dataclass(frozen=True)
class Store:
    """A folder of cells, shared by any number of studies and processes.

    ``cells/KEY`` is a finished run, ``cells/KEY.run`` one that is running or was interrupted;
    ``cells/KEY.failed.json`` says why a run failed.

    Parameters
    ----------
    folder
        Holds the folder ``cells``, and a folder for each study.
    beat, lapse
        Seconds, as for `Claim`.
    """

    folder: Path
    beat: float = BEAT
    lapse: float = LAPSE
    _done: dict[str, dict[str, Any]] = field(
        default_factory=dict[str, dict[str, Any]], init=False, repr=False, compare=False
    )

    @property
    def cells(self) -> Path:
        """The folder of all cells."""
        return self.folder / CELLS

    def run_folder(self, key: str) -> Path:
        """The run folder of the cell with this `key`, once it is finished."""
        return self.cells / key

    def open(self) -> None:
        """Create the folder of cells if it does not exist.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        try:
            self.cells.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from None

    def adopt(self, cells: Iterable[Cell]) -> None:
        """Rename the run folders of `cells` that version 0.1 finished from their former to their present key."""
        there = {path.name for path in self.cells.iterdir()} if self.cells.is_dir() else set[str]()
        for cell in cells if there else ():
            if cell.key not in there and cell.former_key in there:
                with contextlib.suppress(OSError):  # another process was quicker, or this one may not write here
                    self.run_folder(cell.former_key).rename(self.run_folder(cell.key))

    def state(self, key: str) -> State:
        """The state of the cell with this `key`; "open" if it was not run yet or its run was interrupted."""
        if key in self._done:
            return "done"
        if self.run_folder(key).is_dir():
            if self.fault(key) is not None:
                return "failed"
            self._done[key] = self.result(key)
            return "done"
        if self._failed(key).exists():
            return "failed"
        return "running" if self._claim(key).held() else "open"

    def result(self, key: str) -> dict[str, Any]:
        """The ``result.json`` of the finished cell with this `key`; kept in memory once the cell was checked.

        Raises
        ------
        DamagedError
            It is missing or damaged.
        """
        return self._done[key] if key in self._done else read_result_file(self.run_folder(key) / RESULT)

    def fault(self, key: str) -> str | None:
        """Why the cell with this `key` has no usable result: its error, or what is wrong with its files; else None."""
        if self.run_folder(key).is_dir():
            path = self.run_folder(key) / RESULT
            try:
                result = self.result(key)
            except DamagedError as error:
                return error.what
            lost = [name for name in NEEDED if name not in result]
            return f"{path} lacks {', '.join(lost)}" if lost else _unreadable(self.run_folder(key) / PREDICTIONS)
        try:
            with reading(self._failed(key)):
                return str(json.loads(self._failed(key).read_text("utf-8"))["error"])
        except DamagedError as error:
            return error.what if self._failed(key).exists() else None

    def attempt(self, cell: Cell, *, begun: Callable[[], None] | None = None) -> State | None:
        """Run a cell unless another process has; a failure is recorded, not raised.

        Only for worker processes, as the engines start them: if this process was stopped for so long that another has
        taken over the cell, it exits at once.

        Parameters
        ----------
        cell
            The cell to run.
        begun
            Called once this process owns the cell, before it is run.

        Returns
        -------
        "done", "failed" or None
            None where there was nothing to do: another process owns the cell or has run it.

        Raises
        ------
        OutputError
            The disk is full, or the store cannot be written, so that no other cell could be run either.
        """
        claim = self._claim(cell.key)
        mine = claim.acquire()
        if mine is None:
            return None
        with claim.holding(mine, lost=_leave):
            if self.state(cell.key) in ("done", "failed"):
                return None
            if begun:
                begun()
            return self._run(cell)

    def forget_failure(self, key: str) -> None:
        """Remove what a failed cell with this `key` has left, so that it is run again from the beginning."""
        self._failed(key).unlink(missing_ok=True)
        for folder in (self.run_folder(key), self._unfinished(key)):
            shutil.rmtree(folder, ignore_errors=True)

    def note_failure(self, cell: Cell, error: str, details: str = "") -> None:
        """Record that a `cell` failed: the `error` in a line, and `details` such as the traceback."""
        try:
            write_json(self._failed(cell.key), {"cell": str(cell), "error": error, "details": details})
        except OSError as fault:
            raise self._unwritable(fault) from None

    @contextlib.contextmanager
    def locked(self, name: str) -> Generator[None]:
        """Keep other processes from writing the files of the study `name` within the context.

        Raises
        ------
        OutputError
            At the end of the context: this process was stopped for so long that another has taken over the lock. The
            files are whole all the same, as each is written atomically.
        """
        lost = threading.Event()
        with Claim(self.folder / name, beat=self.beat, lapse=self.lapse).wait(lost=lost.set):
            yield
        if lost.is_set():
            raise OutputError(
                f"{self.folder / name} was taken over by another process, as this one stood still for too long",
                fix="the same command again",
            )

    def _run(self, cell: Cell) -> State:
        from xdomain.runs.pipeline import run  # which loads torch

        folder = self._unfinished(cell.key)
        (folder / LOCK).unlink(missing_ok=True)  # the claim decides; one that stood still too long may still lock it
        try:
            with muted():
                run(cell.recipe, out=folder, resume=_begun(folder, cell.recipe))
            folder.replace(self.run_folder(cell.key))
        except OutputError:
            raise
        except UserError as error:
            self.note_failure(cell, error.block())
        except Exception as error:  # the study goes on, and its report lists the failure
            if is_disk_full(error, folder):  # of moving the folder
                raise self._unwritable(error) from None
            self.note_failure(cell, f"{type(error).__name__}: {error}", traceback.format_exc())
        else:
            return "done"
        shutil.rmtree(folder, ignore_errors=True)
        return "failed"

    def _unwritable(self, error: Exception) -> OutputError:
        return OutputError(
            f"{self.cells} cannot be written ({getattr(error, 'strerror', error)}); finished cells are kept",
            expected="a folder you may write to, with room",
            fix="make room and give the same command again, or another --out",
        )

    def _claim(self, key: str) -> Claim:
        return Claim(self.cells / key, beat=self.beat, lapse=self.lapse)

    def _failed(self, key: str) -> Path:
        return self.cells / f"{key}.failed.json"

    def _unfinished(self, key: str) -> Path:
        return self.cells / f"{key}.run"


def _unreadable(path: Path) -> str | None:
    """What is wrong with a Parquet file, judged by its metadata; None for a readable one."""
    try:
        pq.read_metadata(path)
    except (OSError, pa.ArrowException) as error:
        return f"{path} cannot be read ({error})"
    return None


def _begun(folder: Path, recipe: Recipe) -> bool:
    """Whether an interrupted run can be resumed; one whose recipe has other titles or paths is removed."""
    with contextlib.suppress(UserError):
        if (folder / RECIPE).exists() and same_run(load_recipe(folder / RECIPE), recipe):
            return True
    shutil.rmtree(folder, ignore_errors=True)
    return False


def _leave() -> None:
    """Exit at once: another process owns the cell now, and must not be disturbed."""
    os._exit(OVERTAKEN)
