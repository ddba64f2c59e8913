"""A process that works off a study: ``python -m xdomain.study.engines.worker FOLDER``, started by an engine.

What it does is told on stdout, a JSON object a line: ``{"cell": KEY, "state": "begun" | "done" | "failed"}``. It ends
when nothing is left to do, with exit code 2 if the store cannot be written, or as soon as its stdin ends, since then
whoever started it is no more.
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
"""Seconds between two looks at cells that others run."""


def work(study: StudyPlan, tell: Tell) -> None:
    """Run one cell after another until all are done or failed, whoever runs them.

    Parameters
    ----------
    study
        Whose cells to run.
    tell
        Called with the key of a cell and what has become of it.

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
    """An orphan would go on with a study that somebody has stopped."""
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    """See the module."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        work(open_study(Path(sys.argv[1])), _tell)
    except UserError as error:
        print(json.dumps({"error": str(error)}), flush=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
