"""The results of a study, from which all reports are made."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from xdomain.core.recipe import Published
from xdomain.study.stats.components import Components
from xdomain.study.stats.estimate import Estimate


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
    baseline
        Its name, where it is one.
    constant
        What the same answer for all test records gets, see `xdomain.metrics.learned.majority_baseline`, or spans
        drawn at random; NaN where that is not known.
    not_learned
        Why the cells together have not shown that they learned, the end of a sentence; None where they have.
    unlearned
        How many cells answer with one class or value, or are not better than `constant`.
    records, record_groups
        Test records, and the groups that they come in; None where they come in none.
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
    baseline: str | None = None
    constant: float = math.nan
    not_learned: str | None = None
    unlearned: int = 0
    records: int = 0
    record_groups: int | None = None


@dataclass(frozen=True)
class Difference:
    """An arm less the reference arm, paired over mapping seeds, seeds and test records.

    Parameters
    ----------
    pairs
        Cells that both arms have.
    q
        `estimate.p` after Benjamini & Hochberg over all differences of the study; NaN where there is no test: of one
        seed, of values that do not vary, of two arms that both have not learned.
    sign_flip, least_sign_flip
        p of the permutation test over seeds and mappings alone, and the least it could be with so many; None where
        no pair of cells differs.
    mcnemar
        p over test records, or groups of them, alone, for metrics that count right answers; else None, and where no
        record differs.
    fixed
        Whether neither arm depends on a seed or a mapping, so that a single pair of cells is all there is.
    learned
        Whether one of both arms has shown that it learned.
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
    fixed: bool = False
    learned: bool = True


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
    mixed
        Where cells that are compared were made with other versions or number formats, a line each.
    unmatched
        Arms that were judged on other test records than the reference, a line each.
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
    mixed: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()


def as_dict(findings: Findings) -> dict[str, Any]:
    """As JSON."""
    published = [{"task": task, **value.model_dump()} for task, value in findings.published]
    return {**asdict(replace(findings, published=())), "published": published}
