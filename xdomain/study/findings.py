"""What a study found, ready to be told: the one thing that reports are made from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from xdomain.recipe import Published
from xdomain.study.statistics.components import Components
from xdomain.study.statistics.estimate import Estimate


@dataclass(frozen=True)
class Group:
    """The finished cells of one arm on one task, trained on one share of its training records.

    Parameters
    ----------
    fraction
        Of the training records, in (0, 1].
    metric
        The task's first, on test.
    rate, rates
        The learning rate that validation chose, and all that were tried, ascending; None and empty for a baseline.
    at_edge
        Whether the chosen rate is the lowest or the highest of several.
    wanted, done
        Cells that the study asks for once the rate is chosen, and those that are finished.
    test
        None where no cell is finished.
    losses
        Steps and mean training loss of the finished cells there, for a curve; empty for a baseline without steps.
    """

    task: str
    arm: str
    fraction: float
    metric: str
    higher_is_better: bool
    rate: float | None
    rates: tuple[float, ...]
    at_edge: bool
    wanted: int
    done: int
    test: Estimate | None
    losses: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Difference:
    """An arm less the reference arm, paired over mapping seeds, seeds and test records.

    Parameters
    ----------
    pairs
        Cells that both arms have.
    q
        `estimate.p` after Benjamini & Hochberg over all differences of the study.
    sign_flip, least_sign_flip
        p of the permutation test over seeds and mappings alone, and the least it could be with so many.
    mcnemar
        p over test records alone, for metrics that count right answers; else None.
    """

    task: str
    arm: str
    reference: str
    fraction: float
    metric: str
    higher_is_better: bool
    pairs: int
    estimate: Estimate
    q: float
    sign_flip: float | None
    least_sign_flip: float | None
    mcnemar: float | None


@dataclass(frozen=True)
class MappingShare:
    """How much of an arm's variance is the mapping's.

    Parameters
    ----------
    null
        Whether the mapping cannot matter here, as the word rows are drawn anew: an effect is an alarm.
    q
        Of `components.mapping_p`, over all nulls of the study; None where this is no null.
    """

    task: str
    arm: str
    fraction: float
    components: Components
    null: bool
    q: float | None


@dataclass(frozen=True)
class Efficiency:
    """The mean test metric over shares of the training records (trapezoids over log2 of the share, in [0, 1] units).

    Parameters
    ----------
    difference
        To the reference arm, paired; None for that itself, and where cells of it are missing.
    """

    task: str
    arm: str
    area: Estimate
    difference: Estimate | None = None


@dataclass(frozen=True)
class Missing:
    """A cell that the study asks for and that is not finished."""

    key: str
    task: str
    arm: str
    what: str
    state: str
    error: str


@dataclass(frozen=True)
class Findings:
    """All of it, in the order of the study file.

    Parameters
    ----------
    cells
        How many of those that the study asks for are finished, failed, still open.
    published
        Task, then its values from the literature for the metric that decides.
    machine
        Versions and devices that finished cells were made with, a line each.
    study
        The study file as it was understood, in YAML.
    """

    name: str
    question: str
    reference: str
    cells: tuple[int, int, int]
    groups: tuple[Group, ...]
    differences: tuple[Difference, ...]
    shares: tuple[MappingShare, ...]
    efficiencies: tuple[Efficiency, ...]
    published: tuple[tuple[str, Published], ...]
    missing: tuple[Missing, ...]
    machine: tuple[str, ...]
    study: str


def as_dict(findings: Findings) -> dict[str, Any]:
    """As JSON."""
    published = [{"task": task, **value.model_dump()} for task, value in findings.published]
    return {**asdict(replace(findings, published=())), "published": published}
