"""Where cells lie: one run folder each, named by what decides it, run once by whoever comes first."""

from __future__ import annotations

import contextlib
import errno
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

from xdomain.core.errors import OutputError, UserError
from xdomain.core.progress import muted
from xdomain.core.recipe import Recipe, load_recipe
from xdomain.core.run_dir import PREDICTIONS, RECIPE, RESULT, same_run, write_json
from xdomain.study.cells import Cell
from xdomain.study.locks import BEAT, LAPSE, Claim

State = Literal["done", "failed", "running", "open"]
CELLS = "cells"
FULL = (errno.ENOSPC, errno.EDQUOT)
NEEDED = ("metrics", "chosen_on", "train_loss")
"""What must be in the result of a finished cell."""


@dataclass(frozen=True)
class Store:
    """A folder of cells, shared by any number of studies and processes.

    ``cells/KEY`` is a finished run, ``cells/KEY.run`` one that is under way or was interrupted;
    ``cells/KEY.failed.json`` says what went wrong.

    Parameters
    ----------
    folder
        Holds the folder ``cells``.
    beat, lapse
        See `Claim`.
    """

    folder: Path
    beat: float = BEAT
    lapse: float = LAPSE
    _done: dict[str, dict[str, Any]] = field(
        default_factory=dict[str, dict[str, Any]], init=False, repr=False, compare=False
    )

    @property
    def cells(self) -> Path:
        """Where they lie."""
        return self.folder / CELLS

    def run_folder(self, key: str) -> Path:
        """The finished run of a cell."""
        return self.cells / key

    def open(self) -> None:
        """Make the folder.

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
        """Give finished cells that an earlier version named otherwise the names that they have now."""
        there = {path.name for path in self.cells.iterdir()} if self.cells.is_dir() else set[str]()
        for cell in cells if there else ():
            if cell.key not in there and cell.former_key in there:
                with contextlib.suppress(OSError):  # another process was quicker, or may write where this one may not
                    self.run_folder(cell.former_key).rename(self.run_folder(cell.key))

    def state(self, key: str) -> State:
        """What has become of a cell."""
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
        """What a finished cell's ``result.json`` says; of one that is known to be whole it is read no second time."""
        if key in self._done:
            return self._done[key]
        found = json.loads((self.run_folder(key) / RESULT).read_text("utf-8"))
        return found if isinstance(found, dict) else {}

    def fault(self, key: str) -> str | None:
        """Why a cell has no result that can be used: what it failed of, or what is wrong with its file."""
        if self.run_folder(key).is_dir():
            path = self.run_folder(key) / RESULT
            try:
                found = self.result(key)
            except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
                return f"{path} cannot be read ({error})"
            lost = [name for name in NEEDED if name not in found]
            return f"{path} lacks {', '.join(lost)}" if lost else _unreadable(self.run_folder(key) / PREDICTIONS)
        try:
            return str(json.loads(self._failed(key).read_text("utf-8"))["error"])
        except FileNotFoundError:
            return None
        except (OSError, KeyError, ValueError) as error:
            return f"{self._failed(key)} cannot be read ({error})"

    def attempt(self, cell: Cell, *, begun: Callable[[], None] | None = None) -> State | None:
        """Run a cell; what goes wrong is kept, not raised. None where there was nothing to do: another process had it.

        For processes that do nothing else, as the engines start them: one that stood still for so long that another
        took its cell ends at once.

        Parameters
        ----------
        cell
            The cell to run.
        begun
            Called when it is this process's, before it is run.

        Raises
        ------
        OutputError
            The disk is full, or what went wrong cannot be written: no other cell could be, either.
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
        """Let a failed cell be run again, from its beginning."""
        self._failed(key).unlink(missing_ok=True)
        for folder in (self.run_folder(key), self._unfinished(key)):
            shutil.rmtree(folder, ignore_errors=True)

    def note_failure(self, cell: Cell, error: str, details: str = "") -> None:
        """Keep what went wrong."""
        try:
            write_json(self._failed(cell.key), {"cell": str(cell), "error": error, "details": details})
        except OSError as fault:
            raise self._unwritable(fault) from None

    @contextlib.contextmanager
    def locked(self, name: str) -> Generator[None]:
        """Keep other processes from the files of the study of this name.

        Raises
        ------
        OutputError
            At the end: this process stood still for so long that another took its place. Files are whole all the
            same, as each is put in its place at once.
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
        from xdomain.pipeline import run  # which loads torch

        folder = self._unfinished(cell.key)
        try:
            with muted():
                run(cell.recipe, out=folder, resume=_begun(folder, cell.recipe))
            folder.replace(self.run_folder(cell.key))
        except OutputError:
            raise
        except UserError as error:
            self.note_failure(cell, str(error))
        except Exception as error:  # a study goes on; the report tells
            if isinstance(error, OSError) and error.errno in FULL:
                raise self._unwritable(error) from None
            self.note_failure(cell, f"{type(error).__name__}: {error}", traceback.format_exc())
        else:
            return "done"
        shutil.rmtree(folder, ignore_errors=True)
        return "failed"

    def _unwritable(self, error: OSError) -> OutputError:
        return OutputError(
            f"{self.cells} cannot be written ({error.strerror}); finished cells are kept",
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
    """What is wrong with a Parquet file, which has its beginning and its end marked."""
    try:
        pq.read_metadata(path)
    except (OSError, pa.ArrowException) as error:
        return f"{path} cannot be read ({error})"
    return None


def _begun(folder: Path, recipe: Recipe) -> bool:
    """Whether an interrupted run can go on; what cannot, as it was told other titles or paths, is removed."""
    with contextlib.suppress(UserError):
        if (folder / RECIPE).exists() and same_run(load_recipe(folder / RECIPE), recipe):
            return True
    shutil.rmtree(folder, ignore_errors=True)
    return False


def _leave() -> None:
    """End this process at once: its cell has another owner, which must not be disturbed."""
    os._exit(75)
