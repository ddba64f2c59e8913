"""The Ray engine: each cell is a Ray task with its resources, on any machine of the cluster.

All machines must see the store under the same path: results come back only through it.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Any

from xdomain.core.errors import MissingError, OutputError, UserError
from xdomain.study.engines.progress import Progress
from xdomain.study.engines.worker import PAUSE
from xdomain.study.plan import StudyPlan, open_study

TRIES = 3
"""How often a cell is tried when the worker that runs it, or its whole machine, is lost."""
HANDED_ON = ("XDOMAIN_DATA", "HF_HOME", "HF_HUB_OFFLINE", "PYTHONPATH")


def run_on_ray(study: StudyPlan, progress: Progress, *, address: str | None = None) -> None:
    """Run the cells of a study on a Ray cluster, and return when no cell is left.

    Parameters
    ----------
    study
        Whose cells to run; its grid says which resources a cell needs.
    progress
        Its `tell` is called with the state of each cell.
    address
        ``HOST:PORT`` of the head of the cluster, or ``auto``. None: a cluster that Ray knows of on this machine, or
        else a new one.

    Raises
    ------
    MissingError
        Ray is not installed, or there is no cluster at `address`.
    OutputError
        The store cannot be written.
    """
    ray = _connected(address)
    resources = {"num_cpus": study.grid.resources.cpus, "num_gpus": study.grid.resources.gpus}
    attempt = ray.remote(max_retries=TRIES - 1, **resources)(_attempt)
    folder, store = str(study.folder.resolve()), study.store
    under_way: dict[Any, str] = {}
    try:
        while True:
            left = [cell for cell in study.planned_cells() if store.state(cell.key) in ("open", "running")]
            for cell in left:
                if cell.key not in under_way.values() and store.state(cell.key) == "open":
                    under_way[attempt.remote(folder, cell.key)] = cell.key
            if not left and not under_way:
                return
            if not under_way:  # other processes run the cells that are left
                time.sleep(PAUSE)
                continue
            ready, _ = ray.wait(list(under_way), timeout=PAUSE)
            for task in ready:
                key = under_way.pop(task)
                state = _state(ray, study, task, key)
                if state:
                    progress.tell(key, state)
    finally:
        for task in under_way:
            ray.cancel(task, force=True)
        ray.shutdown()


def _connected(address: str | None) -> Any:
    try:
        import ray
    except ImportError:
        raise MissingError("Ray is not installed", fix='pip install "xdomain[ray]"') from None
    given = {name: os.environ[name] for name in HANDED_ON if name in os.environ}
    try:
        ray.init(
            address=address, runtime_env={"env_vars": given}, log_to_driver=False, logging_level=logging.WARNING,
            include_dashboard=None if address else False,
        )  # fmt: skip
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise MissingError(
            f"no Ray cluster at {address or 'this machine'} ({str(error).splitlines()[0]})",
            expected="HOST:PORT of its head, or auto",
            fix="ray start --head",
        ) from None
    return ray


def _attempt(folder: str, key: str) -> str | None:
    """Run one cell in a Ray worker; an error of the store is returned, not raised, or Ray would try again."""
    study = open_study(Path(folder))
    try:
        return study.store.attempt(study.cell(key))
    except UserError as error:
        return f"error: {error.block()}"


def _state(ray: Any, study: StudyPlan, task: Any, key: str) -> str | None:
    try:
        state = ray.get(task)
    except ray.exceptions.RayError as error:  # its worker was lost in every try
        study.store.note_failure(study.cell(key), f"{type(error).__name__} in {TRIES} tries: {error}")
        return "failed"
    if state and state.startswith("error: "):
        raise OutputError(state.removeprefix("error: "))
    return state
