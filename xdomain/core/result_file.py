"""What ``result.json`` holds, as far as it is read back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from xdomain.core.formatting import number, with_interval
from xdomain.core.recipe_sections import Negatives
from xdomain.core.restore import read_object

T = TypeVar("T")
Value = float | None
"""None where it is not defined, as JSON has no NaN."""
BOUNDS = ("majority", "oracle", "random_span", "has_answer", "no_answer")
"""Values beside a test value: of a constant answer; for spans of the best possible and of random spans, and of the
questions with and without an answer by themselves."""
KMERS = "kmer"
Values = dict[str, Value]
BySplit = dict[str, Values]


class _Part(BaseModel):
    """Fields that are not named here may be there: other versions have others."""

    model_config = ConfigDict(extra="allow")


class _Metric(_Part):
    value: Value
    low: Value = None
    high: Value = None
    higher_is_better: bool = True


class _DataFile(_Part):
    name: str
    bytes: int
    sha256: str


class _Arm(_Part):
    label: str


class _Backbone(_Part):
    name: str = ""
    sha256: str


class _Parameters(_Part):
    trained: int
    all: int
    bytes_per_task: float | None = None


class _Error(_Part):
    error: Value


class _Calibration(_Part):
    test: dict[str, _Error] = {}


def _with_test(by_split: dict[str, T]) -> dict[str, T]:
    if "test" not in by_split:
        raise ValueError("no values for test")
    return by_split


WithTest = Annotated[BySplit, AfterValidator(_with_test)]


class ResultFile(_Part):
    """The fields of ``result.json`` that any code relies on; those with a default are not in every run."""

    task: str
    data: dict[str, _DataFile] = {}
    arm: _Arm
    metrics: dict[str, Annotated[dict[str, _Metric], Field(min_length=1)]]
    classes: list[str]
    paired: bool
    n: dict[str, int]
    train_loss: Value
    seconds: float
    training_seconds: float
    device: str
    dtype: str | None
    versions: dict[str, str]
    backbone: _Backbone | None = None
    parameters: _Parameters | None = None
    majority: WithTest | None = None
    oracle: WithTest | None = None
    random_span: WithTest | None = None
    has_answer: WithTest | None = None
    no_answer: WithTest | None = None
    simple_rules: dict[str, dict[str, Values]] | None = None
    calibration: _Calibration | None = None
    counts: dict[str, Any] = {}
    notes: list[str] = []
    learned: bool = True
    positive_class: str | None = None
    negatives: Negatives | None = None
    class_balance: str | None = None
    class_weights: Values | None = None
    folds: dict[str, Values] | None = None

    @model_validator(mode="after")
    def _judged_on_both(self) -> ResultFile:
        missing = {"valid", "test"} - set(self.metrics)
        if missing:
            raise ValueError(f"metrics: none for {sorted(missing)[0]}")
        if set(self.metrics["valid"]) != set(self.metrics["test"]):
            raise ValueError("metrics: others for valid than for test")
        if self.class_weights is not None and self.class_balance is None:
            raise ValueError("class_weights without class_balance")
        if missing := {"test", *(() if "folds" in self.n else ("train",))} - set(self.n):
            raise ValueError(f"n: none for {sorted(missing)[0]}")
        return self


def read_result_file(path: Path) -> dict[str, Any]:
    """Read the ``result.json`` at `path`.

    Raises
    ------
    DamagedError
        It is missing or damaged.
    """
    return read_object(path, ResultFile)


def metric_rows(values: Mapping[str, Any]) -> list[dict[str, str]]:
    """The metrics of a run as a table for people.

    Parameters
    ----------
    values
        The contents of ``result.json``.

    Returns
    -------
    list of dict
        One row per metric: its name, its value on valid, on test with the interval, and what to compare it with.
    """
    metrics = values["metrics"]
    rules = (values.get("simple_rules") or {}).get("test", {})
    return [
        {
            "metric": name,
            "valid": number(metrics["valid"][name]["value"]),
            "test [95 %]": with_interval(metrics["test"][name]),
            **{part: number(values[part]["test"].get(name)) for part in BOUNDS if values.get(part)},
            **({"k-mers": number(rules[KMERS].get(name))} if KMERS in rules else {}),
        }
        for name in metrics["test"]
    ]
