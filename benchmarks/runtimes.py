"""How long each task takes here with its defaults, from a few of its steps: what a recipe's `runtime` says.

XDOMAIN_DATA=… python benchmarks/runtimes.py [TASK …]

Of every task are timed: reading and encoding all of it; MANY steps of training, after FEW to warm up, less the
evaluation at their end; predictions for some records. The rest is multiplication: steps of all epochs, an evaluation
on validation an epoch, and at the end one on validation and one on test.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

import xdomain
from xdomain.core.plugins import find_recipe
from xdomain.inference.saved_model import load_saved
from xdomain.inspection import listing
from xdomain.model.backbone import load_backbone
from xdomain.training.defaults import settle, steps_of
from xdomain.training.device import best_device
from xdomain.training.preparation import adapter_of, prepare

FEW, MANY, RECORDS = 5, 35, 128


def measure(task: str, work: Path) -> tuple[float, float, float, float]:
    """Seconds of reading, of a step, of a prediction; minutes of the whole."""
    started = time.perf_counter()
    recipe = find_recipe(task)
    examples, _ = prepare(recipe, adapter_of(recipe))
    reading = time.perf_counter() - started

    limits = [f"split.limit.{split}={RECORDS}" for split in ("valid", "test")]
    for steps in (FEW, MANY):  # the first warms up
        done = xdomain.run(task, overrides=[*limits, f"train.max_steps={steps}"], out=work / str(steps))

    model, device = load_saved(work / str(MANY)), best_device()
    records = np.random.default_rng(0).permutation(examples.indices("test"))[:RECORDS]
    model.scores(examples, records[:16], device)
    started = time.perf_counter()
    model.scores(examples, records, device)
    record = (time.perf_counter() - started) / len(records)

    n = examples.sizes()
    step = max(0.0, done.values["training_seconds"] - min(RECORDS, n["valid"]) * record) / MANY
    train = settle(recipe.train, records=n["train"], width=load_backbone().config.hidden_size)
    evaluations = train.evaluations or 1
    whole = reading + steps_of(train, n["train"]) * step + ((evaluations + 1) * n["valid"] + n["test"]) * record
    return reading, step, record, whole / 60


def main() -> None:
    """Print a line a task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*")
    tasks = parser.parse_args().tasks or [row["task"] for row in listing("tasks") if not row["task"].startswith("toy/")]
    print(f"{best_device()}\n{'task':32} reading s   step ms  prediction ms  minutes")
    for task in tasks:
        with tempfile.TemporaryDirectory() as work:
            reading, step, record, minutes = measure(task, Path(work))
        print(f"{task:32} {reading:9.1f} {1e3 * step:9.0f} {1e3 * record:14.1f} {minutes:8.1f}", flush=True)


if __name__ == "__main__":
    main()
