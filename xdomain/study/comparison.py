"""The result of a comparison of a few arms: values and differences over seeds, and conclusions in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from xdomain.core.errors import RecipeError
from xdomain.core.restore import read_object
from xdomain.core.run_dir import StoredResult, read_history
from xdomain.metrics.bootstrap import Interval
from xdomain.metrics.heldout import HeldOutPredictions, load_held_out
from xdomain.metrics.learned import what_to_try
from xdomain.metrics.metrics import METRICS
from xdomain.study.arm_results import difference_but_rounding, standard_error_of
from xdomain.study.config import RunSeeds
from xdomain.study.report.sentences import beside_kmers, question_of, sentence
from xdomain.study.results import Difference, corrected, tested
from xdomain.study.stats.estimate import mean_with_interval

COMPARISON = "comparison.json"
"""The file of a comparison in its folder."""


@dataclass(frozen=True)
class ArmRuns:
    """The finished runs of one arm, one per seed pair; a single one where no seed changes the arm.

    Parameters
    ----------
    arm
        Its label.
    runs
        By mapping seed and seed.
    fixed
        Whether no seed changes the arm, as with k-mer counts.
    """

    arm: str
    runs: Mapping[RunSeeds, StoredResult]
    fixed: bool

    def run_of(self, pair: RunSeeds) -> StoredResult:
        """The run of the seed `pair`; for a fixed arm always the same run."""
        return next(iter(self.runs.values())) if self.fixed else self.runs[pair]


@dataclass(frozen=True)
class Row:
    """One arm of a comparison.

    Parameters
    ----------
    value
        Mean test metric over seeds with its 95 % interval; with one seed, the interval is over test records alone.
    difference
        To the first arm, paired over seeds and test records; None for the first arm itself.
    train_loss
        Mean over seeds; NaN where a baseline has none.
    seconds
        Total time of all runs of the arm.
    seeds
        How many runs the arm has.
    learned
        Whether at least one of its runs has shown that it learned.
    folder
        The run folder of its first run.
    """

    arm: str
    value: Interval
    difference: Interval | None
    train_loss: float
    seconds: float
    seeds: int
    learned: bool
    folder: Path


@dataclass(frozen=True)
class Comparison:
    """The arms of one task; the first is the reference.

    Parameters
    ----------
    metric
        The metric that decides.
    n_test, groups
        The number of test records and of the groups that they come in; `groups` is None where they come in none.
    seeds
        The number of seed pairs.
    rows
        One for each arm; empty, as are `conclusions`, in a process that has not all results.
    conclusions
        The outcome in sentences, the most important first.
    folder
        Holds the run folders.
    """

    task: str
    metric: str
    n_test: int
    groups: int | None
    seeds: int
    rows: tuple[Row, ...]
    conclusions: tuple[str, ...]
    folder: Path

    def basis(self) -> str:
        """What the values and intervals are taken over, in a sentence."""
        groups = f" in {self.groups:,} groups" if self.groups is not None else ""
        over = f"{self.seeds} seeds and over test records" if self.seeds > 1 else "test records, one seed"
        return f"{self.task}: {self.n_test:,} test records{groups}; intervals over {over}."

    def as_dict(self) -> dict[str, Any]:
        """The content of ``comparison.json``."""
        over = "seeds (each with a mapping of its own) and test records" if self.seeds > 1 else "test records"
        return {
            "task": self.task,
            "metric": self.metric,
            "n_test": self.n_test,
            "groups": self.groups,
            "seeds": self.seeds,
            "interval": f"95 %, over {over}",
            "conclusions": list(self.conclusions),
            "rows": [
                {
                    "arm": row.arm,
                    "value": vars(row.value),
                    "difference_to_first": vars(row.difference) if row.difference else None,
                    "train_loss": row.train_loss,
                    "seconds": row.seconds,
                    "seeds": row.seeds,
                    "learned": row.learned,
                    "run": row.folder.name,
                }
                for row in self.rows
            ],
        }


class _IntervalFile(BaseModel):
    value: float | None
    low: float | None
    high: float | None

    def restored(self) -> Interval:
        return Interval(*(math.nan if one is None else one for one in (self.value, self.low, self.high)))


class _RowFile(BaseModel):
    arm: str
    value: _IntervalFile
    difference_to_first: _IntervalFile | None
    train_loss: float | None
    seconds: float
    seeds: int
    learned: bool
    run: str = Field(default="", pattern=r"^[^/\\]*$")

    def restored(self, folder: Path) -> Row:
        return Row(
            arm=self.arm,
            value=self.value.restored(),
            difference=self.difference_to_first and self.difference_to_first.restored(),
            train_loss=math.nan if self.train_loss is None else self.train_loss,
            seconds=self.seconds,
            seeds=self.seeds,
            learned=self.learned,
            folder=folder / self.run,
        )


class _ComparisonFile(BaseModel):
    task: str
    metric: str
    n_test: int
    groups: int | None
    seeds: int
    conclusions: list[str]
    rows: list[_RowFile] = Field(min_length=1)


def read_comparison(folder: str | Path) -> Comparison:
    """Read the comparison that `xdomain.compare` wrote to `folder`.

    Raises
    ------
    DamagedError
        Its ``comparison.json`` is missing or damaged.
    """
    folder = Path(folder)
    stored = _ComparisonFile.model_validate(read_object(folder / COMPARISON, _ComparisonFile))
    return Comparison(
        stored.task, stored.metric, stored.n_test, stored.groups, stored.seeds,
        tuple(row.restored(folder) for row in stored.rows), tuple(stored.conclusions), folder,
    )  # fmt: skip


def comparison_of(
    task: str, metric: str, arms: Sequence[ArmRuns], pairs: Sequence[RunSeeds], folder: Path
) -> Comparison:
    """Compare finished runs.

    Parameters
    ----------
    task
        Its name.
    metric
        The metric that decides, a name of `xdomain.metrics.metrics.METRICS`.
    arms
        The first is the reference.
    pairs
        The seed pairs that the arms were run with.
    folder
        Holds the run folders; copied into the result.

    Raises
    ------
    RecipeError
        The runs were judged on different test records.
    """
    held_out = {run.folder: load_held_out(run.folder) for arm in arms for run in arm.runs.values()}
    one: HeldOutPredictions = held_out[arms[0].run_of(pairs[0]).folder]
    for run_folder, other in held_out.items():
        if not other.has_records_of(one):
            raise RecipeError(
                f"the runs in {arms[0].run_of(pairs[0]).folder} and {run_folder} were judged on different test records",
                expected="runs of one data file with one split", fix="--overwrite, or another --out",
            )  # fmt: skip
    draws = {key: judged.resamples(metric) for key, judged in held_out.items()}

    def values(arm: ArmRuns) -> NDArray[np.float64]:
        return np.array([[_test_value(arm.run_of(pair), metric) for pair in pairs]])

    def mean_draws(arm: ArmRuns, defined: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The mean over the seed pairs with a `defined` value: the others say nothing about the test records."""
        kept = [draws[arm.run_of(pair).folder] for pair, there in zip(pairs, defined, strict=True) if there]
        return np.mean(kept, axis=0) if kept else np.full(1, math.nan)

    results = [run.values for arm in arms for run in arm.runs.values()]
    differences: list[Difference] = []
    for arm in arms[1:]:
        by_pair = difference_but_rounding(values(arm), values(arms[0]))
        defined = np.isfinite(by_pair[0])
        error = standard_error_of(
            difference_but_rounding(mean_draws(arm, defined), mean_draws(arms[0], defined)), one.units
        )
        fixed = arm.fixed and arms[0].fixed
        learned = _learned(arm) or _learned(arms[0])
        estimated = tested(mean_with_interval(by_pair, error, units=one.units, fixed=fixed), learned=learned)
        differences.append(
            Difference(
                task=task, arm=arm.arm, reference=arms[0].arm, fraction=1.0, metric=metric,
                higher_is_better=METRICS[metric].higher_is_better, pairs=int(defined.sum()), estimate=estimated,
                q=math.nan, sign_flip=None, least_sign_flip=None, mcnemar=None, fixed=fixed, learned=learned,
                question=question_of({one.arm: one.arm for one in (arm, arms[0])}, results),
            )
        )  # fmt: skip
    found = corrected(differences)
    rows = tuple(
        Row(
            arm=arm.arm,
            value=_interval(
                arm,
                values(arm),
                standard_error_of(mean_draws(arm, np.isfinite(values(arm)[0])), one.units),
                one.units,
                metric,
            ),
            difference=found[i - 1].estimate.interval if i else None,
            train_loss=float(np.mean([_loss(run) for run in arm.runs.values()])),
            seconds=sum(run.values["seconds"] for run in arm.runs.values()),
            seeds=len(arm.runs),
            learned=_learned(arm),
            folder=next(iter(arm.runs.values())).folder,
        )
        for i, arm in enumerate(arms)
    )
    sentences = conclusions(rows, found, arms)
    return Comparison(task, metric, len(one), one.groups, len(pairs), rows, sentences, folder)


def conclusions(rows: Sequence[Row], differences: Sequence[Difference], arms: Sequence[ArmRuns]) -> tuple[str, ...]:
    """The outcome in sentences: first which arms did not learn, then each difference to the first arm.

    Parameters
    ----------
    rows
        One for each arm.
    differences
        Of each arm but the first to the first.
    arms
        The runs: if no arm has learned, the training losses of the first arm decide which advice is given.
    """
    sentences: list[str] = []
    unlearned = [row.arm for row in rows if not row.learned]
    if not any(row.learned for row in rows):
        counted = all(arm.arm != "kmer" for arm in arms)
        advice = what_to_try(_losses(arms[0]), counted=counted)
        sentences.append(f"No arm has shown that it learned this task. {advice}")
    else:
        sentences += [f"{arm} has not shown that it learned." for arm in unlearned]
        sentences += [line for arm in arms if arm.arm not in unlearned and (line := _some_failed(arm))]
    means = {row.arm: row.value.value for row in rows}
    for difference in differences:
        counted = beside_kmers(difference, means) if difference.question else ""
        sentences.append(sentence(difference, unlearned, more="--seeds") + counted)
    return tuple(sentences)


def _some_failed(arm: ArmRuns) -> str:
    """A sentence where some of the runs of an arm, and not all, have not shown that they learned; else empty."""
    failed = sum(not run.values.get("learned", True) for run in arm.runs.values())
    return f"{failed} of the {len(arm.runs)} runs of {arm.arm} have not shown that they learned." if failed else ""


def _interval(arm: ArmRuns, values: NDArray[np.float64], error: float, units: int, metric: str) -> Interval:
    """The interval of the mean; for a fixed arm over test records alone, as it has one value for all seeds."""
    kept = values[:, :1] if arm.fixed else values
    return mean_with_interval(kept, error, units=units, fixed=arm.fixed, possible=METRICS[metric].possible).interval


def _test_value(run: StoredResult, metric: str) -> float:
    value = run.values["metrics"]["test"][metric]["value"]
    return math.nan if value is None else float(value)


def _loss(run: StoredResult) -> float:
    loss = run.values["train_loss"]
    return math.nan if loss is None else float(loss)


def _losses(arm: ArmRuns) -> list[float]:
    """The training losses of the arm's first run, in order of their steps."""
    rows = read_history(next(iter(arm.runs.values())).folder)
    return [row["loss"] for row in rows if row.get("loss") is not None]


def _learned(arm: ArmRuns) -> bool:
    """Whether a run of the arm has shown that it learned; a run of an earlier version, which does not say, counts."""
    return any(run.values.get("learned", True) for run in arm.runs.values())
