"""The results of a study, from which all reports are made."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from xdomain.core.recipe_sections import Published
from xdomain.study.stats.components import Components
from xdomain.study.stats.estimate import Estimate
from xdomain.study.stats.significance import benjamini_hochberg


@dataclass(frozen=True)
class Group:
    """The finished cells of one arm on one task, trained on one share of its training records.

    Parameters
    ----------
    fraction
        Of the training records, in (0, 1].
    metric
        The task's first metric, which decides.
    rate, rates
        The learning rate that validation chose, and all that were tried, ascending; None and empty for a baseline.
    at_edge
        Whether the chosen rate is the lowest or the highest of several.
    wanted, done
        The number of cells that are judged once the rate is chosen, and how many of them are finished.
    test
        The metric on test; None where no cell is finished, or where none has a value.
    losses
        Steps with the mean training loss of the finished cells; empty for a baseline without steps.
    baseline
        The name of the baseline; None for an encoder.
    constant
        The score of one constant answer for all test records (`xdomain.metrics.learned.majority_baseline`), or, for
        spans, of random ones; NaN where it is not known.
    not_learned
        Why the cells together have not shown that they learned, as the end of a sentence; None where they have.
    unlearned
        How many cells answer with one class or value, or are not better than `constant`.
    records, record_groups
        The number of test records of a cell and of the groups that they come in; `record_groups` is None where they
        come in none.
    splits
        On how many splits of the records the cells are run.
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
    splits: int = 1


@dataclass(frozen=True)
class Question:
    """What a difference between a pre-trained and a fresh model answers.

    Parameters
    ----------
    text
        With its question mark.
    pretrained
        The label of the pre-trained arm.
    """

    text: str
    pretrained: str


@dataclass(frozen=True)
class Difference:
    """The values of an arm minus those of the reference arm, paired over seeds of every kind and test records.

    Parameters
    ----------
    fraction
        Of the training records, in (0, 1].
    pairs
        The number of pairs of cells.
    estimate
        The mean difference.
    q
        `estimate.p` after Benjamini & Hochberg over all differences of the study; NaN where there is no test: with one
        seed, with values that do not vary, or if neither arm has learned.
    sign_flip, least_sign_flip
        p of the permutation test over seeds and mappings alone, and the least p that so many seeds can reach; None
        where no pair of cells differs, and where splits vary, as cells are not independent then.
    mcnemar
        p of McNemar's test over test records alone, or groups of them; None where records are not right or wrong,
        where no record differs, and where splits vary.
    fixed
        Whether neither arm depends on a seed or a mapping, so that there is a single pair of cells.
    learned
        Whether at least one of the two arms has shown that it learned.
    question
        What it answers; None for arms that differ in more than pre-training.
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
    question: Question | None = None


@dataclass(frozen=True)
class Variance:
    """How much of the variance between the cells of an arm is due to mapping, seed and split.

    Parameters
    ----------
    fraction
        Of the training records, in (0, 1].
    null
        Whether the mapping cannot matter, because the word rows are drawn at random: an effect is an alarm.
    q
        p of the mapping after Benjamini & Hochberg over all nulls of the study; None where this is no null.
    """

    task: str
    arm: str
    fraction: float
    components: Components
    null: bool
    q: float | None


@dataclass(frozen=True)
class Efficiency:
    """The sample efficiency of an arm: its mean test metric over shares of the training records.

    Parameters
    ----------
    area
        In units of the metric: trapezoids over log2 of the share, divided by the range of log2 (see `area` in
        `xdomain.study.stats.estimate`).
    difference
        To the reference arm, paired; None for the reference arm itself, and where some of its cells are missing.
    """

    task: str
    arm: str
    area: Estimate
    difference: Estimate | None = None


@dataclass(frozen=True)
class Missing:
    """A cell that is not finished, or the cells of a condition for which no learning rate could be chosen.

    Parameters
    ----------
    key
        Of the cell; empty for a condition.
    what
        The cell or cells in words.
    state
        "not run", "running", "failed" or "not known".
    error
        Why it failed; empty where it did not.
    """

    key: str
    task: str
    arm: str
    what: str
    state: str
    error: str


@dataclass(frozen=True)
class Findings:
    """All results of a study, in the order of the study file.

    Parameters
    ----------
    reference
        The label of the reference arm.
    cells
        The numbers of finished, failed and open cells.
    published
        Pairs of a task and a value from the literature for the metric that decides.
    missing
        The cells that are not finished.
    machine
        Devices and versions that finished cells were made with, a line each.
    study
        The study file in YAML, without the fields that have their default.
    mixed
        Tasks whose cells were made with different versions or number formats, a line each.
    unmatched
        Arms that were judged on other test records than the reference, a line each.
    negatives
        Tasks whose negatives were made, and how, a line each.
    """

    name: str
    question: str
    reference: str
    cells: tuple[int, int, int]
    groups: tuple[Group, ...]
    differences: tuple[Difference, ...]
    variances: tuple[Variance, ...]
    efficiencies: tuple[Efficiency, ...]
    published: tuple[tuple[str, Published], ...]
    missing: tuple[Missing, ...]
    machine: tuple[str, ...]
    study: str
    mixed: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()
    negatives: tuple[str, ...] = ()


def corrected(differences: Sequence[Difference]) -> tuple[Difference, ...]:
    """The `differences` of one study or comparison with their q, after Benjamini & Hochberg over all of them."""
    qs = benjamini_hochberg([one.estimate.p for one in differences])
    return tuple(replace(one, q=q) for one, q in zip(differences, qs, strict=True))


def tested(estimate: Estimate, *, learned: bool) -> Estimate:
    """The `estimate` of a difference; without a test if neither arm has `learned`.

    Two arms that answer at random may differ, which says nothing about their pre-training.
    """
    return estimate if learned else replace(estimate, p=math.nan, detectable=math.nan)


def as_dict(findings: Findings) -> dict[str, Any]:
    """The `findings` as a JSON object."""
    published = [{"task": task, **value.model_dump()} for task, value in findings.published]
    return {**asdict(replace(findings, published=())), "published": published}
