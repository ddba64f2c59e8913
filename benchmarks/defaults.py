"""Which defaults suit small tables: learning rates and numbers of steps, measured on small parts of real data sets.

XDOMAIN_DATA=… python benchmarks/defaults.py --out defaults.jsonl            # train what is missing, a line a run
python benchmarks/defaults.py --out defaults.jsonl --report                  # the tables in docs/defaults.md

Each set is a part of a shipped task's data: at most `train` training records, JUDGED for validation and for test,
and sequences cut to `positions`. One schedule of STEPS steps is run for each learning rate, one with the mean of all
positions under the pooler instead of [CLS] (which no stock BertForSequenceClassification can be told, so that xdomain
has no such option), and one of 6 epochs at 1e-4, which were the defaults before this was measured. Beside them stands
the linear model on k-mers.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata
from torch import Tensor
from transformers.models.bert.modeling_bert import BertModel, BertPooler

import xdomain
from xdomain.core.errors import UserError

JUDGED, STEPS, EVALUATIONS = 150, 200, 8
BEFORE = {"epochs": 6, "learning_rate": 1e-4}
RATES = (5e-4, 1e-3, 3e-4)
MEAN = "mean"
FEW = 100
"""Sets of so few records are run with the former defaults at once: that costs 30 steps."""


@dataclass(frozen=True)
class Small:
    """A small set: a task, how many of its training records, and how many positions of each sequence."""

    task: str
    train: int
    positions: int
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The task and the number of records."""
        return f"{self.task} {self.train}"

    def overrides(self, **train: float | str) -> list[str]:
        """Changes to the task's recipe; `train` are those of its training options."""
        limits = [f"split.limit.{split}={JUDGED}" for split in ("valid", "test")]
        fixed = {"max_length": self.positions, "too_long": "truncate", "batch_size": 16, "warmup": 0.1,
                 "precision": "fp32", "window_overlap": 0, "max_windows": 1}  # fmt: skip
        chosen = [f"train.{key}={value}" for key, value in {**fixed, **train}.items()]
        return [f"split.limit.train={self.train}", *limits, *self.options, *chosen]


SETS = (
    Small("speech/digits", 80, 48),
    Small("protein/amp", 467, 40),
    Small("music/composer", 64, 50, ("adapter.options.first_notes=48", "reader_options.most=1")),
    Small("text/sst-2", 500, 32),
    Small("music/next-chord", 400, 40),
    Small("speech/speakers", 200, 48),
    Small("protein/stability", 400, 50),
    Small("protein/localization", 400, 40),
    Small("dna/promoter", 64, 60),
    Small("text/ud-english-pos", 300, 32),
    Small("dna/splice", 300, 62),
    Small("dna/tf-0", 600, 103),
    Small("protein/gb1", 200, 58),
    Small("text/cola", 500, 24),
)


def runs() -> Iterator[tuple[Small, str, dict[str, Any]]]:
    """What is run, in rounds over all sets: the set, the name of what is tried, options of training."""
    first, *others = RATES
    for small in SETS:
        yield small, f"{first:g}", {"learning_rate": first, "max_steps": STEPS}
        yield small, "kmer", {}
        if small.train <= FEW:
            yield small, "before", dict(BEFORE)
    for small in SETS:
        if small.task != "text/ud-english-pos":  # tags need no pooler
            yield small, MEAN, {"learning_rate": first, "max_steps": STEPS}
    for rate in others:
        yield from ((small, f"{rate:g}", {"learning_rate": rate, "max_steps": STEPS}) for small in SETS)
    yield from ((small, "before", dict(BEFORE)) for small in SETS if small.train > FEW)


def measure(small: Small, tried: str, train: dict[str, Any], work: Path) -> dict[str, Any]:
    """Run one, and keep what is told of it."""
    arm: dict[str, Any] = {"baseline": "kmer"} if tried == "kmer" else {}
    options = {} if tried == "kmer" else {**train, "evaluations": EVALUATIONS}
    with mean_pooling() if tried == MEAN else nullcontext():
        result = xdomain.run(small.task, overrides=small.overrides(**options), out=work / "run", **arm)
    values = result.values
    metric, test = next(iter(values["metrics"]["test"].items()))
    history = [json.loads(line) for line in (result.folder / "history.jsonl").read_text("utf-8").splitlines()]
    return {
        "set": small.name, "tried": tried, "n": values["n"], "metric": metric, "test": test["value"],
        "valid": values["metrics"]["valid"][metric]["value"], "majority": majority(values, metric),
        "course": [[row["step"], row["valid"][metric]] for row in history if "valid" in row],
        "loss": [[row["step"], row["loss"]] for row in history if "loss" in row],
        "train_loss": values["train_loss"], "steps": values["steps"], "best_step": values["best_step"],
        "seconds": values["training_seconds"],
    }  # fmt: skip


@contextmanager
def mean_pooling() -> Iterator[None]:
    """Give the pooler of a BERT the mean state of all positions that are no padding, instead of the first."""
    model, pooler = BertModel.forward, BertPooler.forward
    seen: list[Tensor] = []

    def forward(self: BertModel, *args: Any, **options: Any) -> Any:
        seen[:] = [options["attention_mask"]]
        return model(self, *args, **options)

    def pool(self: BertPooler, states: Tensor) -> Tensor:
        mask = seen[0].unsqueeze(-1).to(states.dtype)
        return self.activation(self.dense((states * mask).sum(1) / mask.sum(1)))

    BertModel.forward, BertPooler.forward = forward, pool
    try:
        yield
    finally:
        BertModel.forward, BertPooler.forward = model, pooler


def majority(values: dict[str, Any], metric: str) -> float:
    """What the most frequent class gets in test; 0 for metrics that a constant answer gives 0."""
    if metric != "accuracy":
        return 0.0
    counts = np.asarray(values["confusion"]["test"]).sum(1)
    return float(counts.max() / counts.sum())


def quiet(_: str) -> None:
    """Say nothing."""


def train_missing(out: Path) -> None:
    """Run what `out` has no line for."""
    done = {(row["set"], row["tried"]) for row in read(out)}
    for small, tried, train in runs():
        if (small.name, tried) in done:
            continue
        with tempfile.TemporaryDirectory() as work:
            try:
                row = measure(small, tried, train, Path(work))
            except UserError as error:
                print(f"{small.name} {tried}: {error}", flush=True)
                continue
        with out.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(row) + "\n")
        print(f"{small.name:26} {tried:7} valid {row['valid']:.3f}  test {row['test']:.3f}  best at {row['best_step']}"
              f" of {row['steps']}  {row['seconds']:.0f} s", flush=True)  # fmt: skip


def read(out: Path) -> list[dict[str, Any]]:
    """The lines of `out`."""
    return [json.loads(line) for line in out.read_text("utf-8").splitlines()] if out.is_file() else []


def standard_error(value: float, records: int) -> float:
    """Of a share or a correlation over `records`, roughly."""
    return math.sqrt(max(abs(value) * (1 - abs(value)), 1 / records) / records)


def enough(row: dict[str, Any]) -> int:
    """The first evaluated step whose validation is within a standard error of the best."""
    best = max(value for _, value in row["course"])
    floor = best - standard_error(best, row["n"]["valid"])
    return next(step for step, value in row["course"] if value >= floor)


def stopped(row: dict[str, Any], patience: int) -> tuple[float, float]:
    """The share of steps that early stopping saves, and the validation that it loses."""
    best, since, last = -math.inf, 0, row["course"][-1][0]
    for step, value in row["course"]:
        best, since = (value, 0) if value > best else (best, since + 1)
        if since >= patience:
            last = step
            break
    return 1 - last / row["course"][-1][0], max(v for _, v in row["course"]) - best


def report(rows: list[dict[str, Any]]) -> None:
    """Print the tables, as Markdown."""
    by = {(row["set"], row["tried"]): row for row in rows}
    rates = [f"{rate:g}" for rate in sorted(RATES)]

    def cell(small: Small, tried: str, part: str) -> str:
        row = by.get((small.name, tried))
        return f"{row[part]:.3f}".replace("0.", ".", 1) if row else ""

    tried = ["before", *rates, MEAN]
    print("| set | training records | metric |", " | ".join(f"valid {t}" for t in tried), "| test: constant | k-mers |",
          " | ".join(tried), "|")  # fmt: skip
    print("|---|---|---|" + "---|" * (2 * len(tried) + 2))
    for small in SETS:
        row = by.get((small.name, rates[0])) or by.get((small.name, f"{RATES[0]:g}"))
        if row:
            valid = [cell(small, t, "valid") for t in tried]
            test = [cell(small, f"{RATES[0]:g}", "majority"), *(cell(small, t, "test") for t in ("kmer", *tried))]
            print("|", " | ".join([small.task, str(row["n"]["train"]), row["metric"], *valid, *test]), "|")

    complete = [small for small in SETS if all((small.name, rate) in by for rate in rates)]
    if complete:
        valid = np.array([[by[small.name, rate]["valid"] for rate in rates] for small in complete])
        ranks = rankdata(-valid, axis=1).mean(0)
        print(f"\nover {len(complete)} sets with all rates:")
        for i, rate in enumerate(rates):
            print(f"  {rate}: mean rank {ranks[i]:.2f}, mean validation {valid[:, i].mean():.3f}")
    both = [(by[small.name, MEAN], by[small.name, f"{RATES[0]:g}"]) for small in SETS if (small.name, MEAN) in by]
    for part in ("valid", "test") if both else ():
        gained = np.array([mean[part] - first[part] for mean, first in both])
        print(
            f"mean instead of [CLS], {part}: {gained.mean():+.3f}, better on {(gained > 0).sum()} of {len(both)} sets"
        )
    for rate in rates:
        found = [row for row in rows if row["tried"] == rate]
        if found:
            steps = [enough(row) for row in found]
            print(f"{rate}: within a standard error of the best after {np.median(steps):.0f} steps (median), "
                  f"{max(steps)} at most")  # fmt: skip
            for patience in (1, 2, 3):
                saved, lost = np.array([stopped(row, patience) for row in found]).T
                print(f"  patience {patience}: saves {saved.mean():.0%} of the steps, loses {lost.mean():.3f} (mean), "
                      f"{lost.max():.3f} at most")  # fmt: skip


def main() -> None:
    """Train what is missing, or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines, one a run.")
    parser.add_argument("--report", action="store_true", help="Print the tables instead of training.")
    given = parser.parse_args()
    report(read(given.out)) if given.report else train_missing(given.out)


if __name__ == "__main__":
    main()
