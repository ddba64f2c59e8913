"""Training a head on a frozen body that is read once, beside reading it at every step and beside full fine-tuning.

    python benchmarks/frozen_body.py [--task toy/dna-classification] [--records 1000] [--epochs 10] [--tune head]

The same run is done in four ways, one after the other in this process. Losses and predictions of the first two must be
equal, else no time is printed. The third is what a frozen body was formerly: with dropout, read at every step, with all
positions of its last layer. Times are of the whole training, the one reading included, as CPU seconds of the process
where it computes on a CPU; the run's other parts (data, scoring at the end, plots) are printed beside.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

import xdomain
from xdomain.core.run_dir import read_history
from xdomain.runs import pipeline
from xdomain.training import frozen_states, train_encoder
from xdomain.training.device import best_device

CLOSE = 1e-4


def timed(task: str, overrides: list[str], tune: str, out: Path) -> tuple[Any, float, float]:
    """A run, the seconds of its training, and those of all of it."""
    clock = time.process_time if best_device().name == "cpu" else time.perf_counter
    plain, spent = pipeline.train_encoder, [0.0]

    def training(*args: Any, **options: Any) -> Any:
        started = clock()
        learned = plain(*args, **options)
        spent[0] = clock() - started
        return learned

    pipeline.train_encoder = training
    try:
        started = clock()
        run = xdomain.run(task, overrides=overrides, tune=tune, out=out)
        return run, spent[0], clock() - started
    finally:
        pipeline.train_encoder = plain


def apart(one: Any, other: Any) -> float:
    """The largest relative difference of losses, or absolute one of scores."""
    losses = [np.array([row["loss"] for row in read_history(run.folder) if row.get("loss")]) for run in (one, other)]
    tables = [pq.read_table(run.folder / "predictions.parquet") for run in (one, other)]
    scores = [name for name in tables[0].column_names if tables[0][name].type in ("float", "double")]
    columns = [np.abs(np.subtract(*(table[name].to_numpy() for table in tables))).max() for name in scores]
    return float(max([(np.abs(losses[0] - losses[1]) / losses[1]).max(), *columns]))


def main() -> None:
    """Do the three runs and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="toy/dna-classification")
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--tune", default="head", choices=["head", "mix"])
    given = parser.parse_args()
    overrides = [f"split.limit.train={given.records}", f"split.limit.valid={given.records // 4}",
                 f"split.limit.test={given.records // 4}", f"train.epochs={given.epochs}"]  # fmt: skip
    with tempfile.TemporaryDirectory() as work:
        timed(given.task, [*overrides, "train.epochs=1", "split.limit.train=100"], given.tune, Path(work) / "warm-up")
        once = timed(given.task, overrides, given.tune, Path(work) / "once")
        able, frozen_states.can_be_read_once = frozen_states.can_be_read_once, lambda *_: False
        always = timed(given.task, overrides, given.tune, Path(work) / "always")
        frozen_states.can_be_read_once = able
        quick = train_encoder.reading_once, train_encoder.last_layer_at_first_position
        train_encoder.reading_once = lambda _, collate, *__, **___: nullcontext(collate)
        train_encoder.last_layer_at_first_position = nullcontext
        former = timed(given.task, overrides, given.tune, Path(work) / "former")
        train_encoder.reading_once, train_encoder.last_layer_at_first_position = quick
        full = timed(given.task, overrides, "full", Path(work) / "full")
        difference = apart(once[0], always[0])
    print(f"{best_device()}; {given.tune} of {given.task}, {given.records} records, {given.epochs} epochs")
    print(f"losses and scores are equal to {difference:.1e}")
    if difference > CLOSE:
        raise SystemExit("the results differ, so times would mean nothing")
    ways = {"read once": once, "read at every step": always, "formerly": former, "full": full}
    for name, (_, training, whole) in ways.items():
        print(f"{name:19} training {training:7.1f} s ({training / once[1]:5.1f} times)   whole run {whole:7.1f} s")


if __name__ == "__main__":
    main()
