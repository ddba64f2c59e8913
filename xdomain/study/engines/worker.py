"""A process that runs the cells of a study: ``python -m xdomain.study.engines.worker FOLDER``, started by an engine.

It reports on stdout, one JSON object per line: ``{"cell": KEY, "state": "begun" | "done" | "failed"}``. It ends when
no cell is left, with exit code 2 (after a line ``{"error": MESSAGE}``) if the store cannot be written, and with exit
code 1 as soon as its stdin ends, which means that the process that started it has ended.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from xdomain.core.errors import UserError
from xdomain.study.plan import StudyPlan, open_study

Tell = Callable[[str, str], None]
PAUSE = 1.0
"""Seconds to wait before looking again at cells that other processes run."""


def work(study: StudyPlan, tell: Tell) -> None:
    """Run one cell after another until all are done or failed, whoever runs them.

    Parameters
    ----------
    study
        Whose cells to run.
    tell
        Called with the key of a cell and its state: begun, done or failed.

    Raises
    ------
    OutputError
        The store cannot be written.
    """
    store = study.store
    while True:
        left = {cell.key: cell for cell in study.planned_cells() if store.state(cell.key) in ("open", "running")}
        if not left:
            return
        for key, cell in left.items():
            if store.state(key) == "open":
                state = store.attempt(cell, begun=lambda key=key: tell(key, "begun"))
                if state:
                    tell(key, state)
                    break
        else:
            time.sleep(PAUSE)


def _tell(key: str, state: str) -> None:
    print(json.dumps({"cell": key, "state": state}), flush=True)


def _end_with_parent() -> None:
    """Exit once stdin ends: an orphan would go on with a study that the user has stopped."""
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    """Run the cells of the study whose folder is the first command-line argument; see the module."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        work(open_study(Path(sys.argv[1])), _tell)
    except UserError as error:
        print(json.dumps({"error": error.block()}), flush=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
