"""Weak scaling of a study: N workers on N times the cells, and how near the time stays to that of one.

    python benchmarks/scaling.py [--most 2] [--cells 6] [--steps 100] [--engine local|ray]

Every worker has one core. What is timed is the command as a person gives it, start of the processes included, on a
store of its own each time, for Ray that of its cluster too.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from xdomain.study.api import run_study
from xdomain.study.engines.local import THREADS


def main() -> None:
    """Print a line a number of workers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=len(os.sched_getaffinity(0)), help="workers")
    parser.add_argument("--cells", type=int, default=6, help="a worker")
    parser.add_argument("--steps", type=int, default=100, help="of training, a cell")
    parser.add_argument("--engine", default="local", choices=("local", "ray"))
    given = parser.parse_args()
    os.environ |= dict.fromkeys(THREADS, "1")
    print("workers  cells  seconds  efficiency", flush=True)
    alone = 0.0
    for workers in range(1, given.most + 1):
        cells = workers * given.cells
        study = {
            "name": "scaling", "tasks": "toy/dna-classification", "arms": ["pretrained"], "seeds": cells,
            "set": {"train.max_steps": given.steps, "split.limit": {"valid": 64, "test": 64}},
        }  # fmt: skip
        with tempfile.TemporaryDirectory() as store:
            started = time.perf_counter()
            with cluster(workers) if given.engine == "ray" else nullcontext() as address:
                run_study(study, out=Path(store), engine=given.engine, workers=workers, address=address)
            seconds = time.perf_counter() - started
        alone = alone or seconds
        print(f"{workers:7}  {cells:5}  {seconds:7.1f}  {alone / seconds:9.0%}", flush=True)


@contextmanager
def cluster(workers: int) -> Generator[str]:
    """The address of a Ray cluster on this machine that gives studies so many cores."""
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": workers, "include_dashboard": False})
    try:
        yield made.address
    finally:
        ray.shutdown()
        made.shutdown()


if __name__ == "__main__":
    main()
