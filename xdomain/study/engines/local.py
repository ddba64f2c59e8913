"""The local engine: worker processes on this machine, each with its share of cores and its GPU."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xdomain.core.errors import OutputError
from xdomain.study.engines.progress import Progress
from xdomain.study.plan import StudyPlan
from xdomain.study.store import OVERTAKEN

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass
class _Worker:
    """A process, its log file, and the key of the cell that it runs (None between cells)."""

    number: int
    process: subprocess.Popen[str]
    log: Path
    cell: str | None = None


def run_local(study: StudyPlan, progress: Progress, *, workers: int = 1) -> None:
    """Run the cells of a study in processes on this machine, and return when no cell is left.

    If a process dies, its cell counts as failed, and another process is started.

    Parameters
    ----------
    study
        Whose cells to run.
    progress
        Its `tell` is called with the state of each cell.
    workers
        The number of processes.

    Raises
    ------
    OutputError
        The store cannot be written, or a process died between two cells.
    """
    events: queue.Queue[tuple[_Worker, dict[str, Any] | None]] = queue.Queue()
    alive = {number: _start(study, number, workers, events) for number in range(workers)}
    try:
        while alive:
            worker, event = events.get()
            if event is None:
                del alive[worker.number]
                code = _ended(worker)
                if code == -signal.SIGTERM:  # a job scheduler ends all processes of a job: no fault of the cell
                    raise OutputError("a worker was terminated", fix="the same command again goes on")
                if code == OVERTAKEN:  # another machine's worker has the cell, which is no fault of it
                    alive[worker.number] = _start(study, worker.number, workers, events)
                elif code and worker.cell:
                    study.store.note_failure(study.cell(worker.cell), _died(code, worker.log))
                    progress.tell(worker.cell, "failed")
                    alive[worker.number] = _start(study, worker.number, workers, events)
                elif code:
                    raise OutputError(f"a worker ended with code {code}: see {worker.log}")
            elif "error" in event:
                raise OutputError(event["error"])
            else:
                worker.cell = event["cell"] if event["state"] == "begun" else None
                progress.tell(event["cell"], event["state"])
    finally:
        for worker in alive.values():
            worker.process.kill()
            _ended(worker)


def _start(study: StudyPlan, number: int, workers: int, events: queue.Queue[Any]) -> _Worker:
    path = study.folder / f"worker-{os.getpid()}-{number}.log"
    with path.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(  # -P: import the installed package, not a clone in the current folder
            [sys.executable, "-P", "-m", "xdomain.study.engines.worker", str(study.folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=_environment(number, workers),
        )  # fmt: skip
    worker = _Worker(number, process, path)
    threading.Thread(target=_listen, args=(worker, events), daemon=True).start()
    return worker


def _ended(worker: _Worker) -> int:
    """Wait for the process to end and return its exit code; delete its log unless the code is above 0."""
    code = worker.process.wait()
    if worker.process.stdin:
        worker.process.stdin.close()
    if code <= 0:  # its log is of no use
        worker.log.unlink(missing_ok=True)
    return code


def _listen(worker: _Worker, events: queue.Queue[Any]) -> None:
    with worker.process.stdout or contextlib.nullcontext([]) as lines:
        for line in lines:
            with contextlib.suppress(json.JSONDecodeError):  # output of a library or an adapter
                events.put((worker, json.loads(line)))
    events.put((worker, None))


def _environment(number: int, workers: int) -> dict[str, str]:
    """The environment of worker `number`: one of several has a share of the cores, and one GPU if there are several."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    environment = dict(os.environ)
    if workers > 1:
        environment |= dict.fromkeys(THREADS, str(max(1, cores // workers)))
        if torch.cuda.device_count() > 1:
            seen = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(torch.cuda.device_count())))).split(
                ","
            )
            environment["CUDA_VISIBLE_DEVICES"] = seen[number % len(seen)]
    return environment


def _died(code: int, log: Path) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        more = ": the machine had no memory left, most likely" if name == "SIGKILL" else ""
        return f"the process that ran it was ended by {name}{more}"
    return f"the process that ran it ended with code {code}; see {log.name}"
