"""Verdicts on differences and warnings about a study, decided here for both texts and figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from xdomain.metrics.learned import not_above_rule
from xdomain.metrics.metrics import METRICS
from xdomain.study.report.blocks import Inline, Kind, Strong, Text, Verdict
from xdomain.study.report.formats import clean, count, equals, interval, number, rate, share
from xdomain.study.results import Difference, Findings, Group, Variance
from xdomain.study.stats.estimate import detectable
from xdomain.study.stats.standard_error import StandardError

SIGNIFICANCE, ALARM = 0.05, 0.01
ENOUGH = 5  # cells: with fewer, Student's t is 3 or more, so that intervals are half as wide again as normal ones
MAX_NAMED = 6  # arms in a warning; the table of results has all
WORDS: dict[Kind, str] = {
    "better": "better",
    "worse": "worse",
    "unseen": "no difference seen",
    "unknown": "inconclusive",
}
SEEDS = 3
"""The fewest seeds of a useful study: with two, Student's t makes intervals 6.5 times as wide as normal ones."""
FEW_GROUPS = 10


def kind_of(difference: Difference) -> Kind:
    """Classify a `difference`: whether there is one by its q, which one by its sign and the direction of the metric.

    If the study is too small to see even the largest possible difference, the kind is "unknown", not "unseen".
    """
    value = difference.estimate.interval.value
    if not (math.isfinite(difference.q) and math.isfinite(value)):
        return "unknown"
    if difference.q >= SIGNIFICANCE or value == 0:
        return "unknown" if _blind(difference) else "unseen"
    return "better" if (value > 0) == difference.higher_is_better else "worse"


def word_of(difference: Difference) -> str:
    """The verdict on a `difference` in a few words; an inconclusive one with its reason, if that is a common one."""
    kind = kind_of(difference)
    if kind != "unknown" or not math.isfinite(difference.estimate.interval.value):
        return WORDS[kind]
    if not difference.learned:
        return f"{WORDS[kind]}: neither arm learned"
    return f"{WORDS[kind]}: one seed" if _one_seed(difference) else WORDS[kind]


def would_pass_alone(difference: Difference) -> bool:
    """Whether no `difference` is seen, but would be if it were the only one of the study."""
    return kind_of(difference) == "unseen" and difference.estimate.p < SIGNIFICANCE <= difference.q


def _one_seed(difference: Difference) -> bool:
    return difference.pairs == 1 and not difference.fixed


def _blind(difference: Difference) -> bool:
    """Whether not even the largest possible difference could be seen; the difference of errors has no largest."""
    low, high = METRICS[difference.metric].possible
    return difference.estimate.detectable > high - low


def several_shares(findings: Findings) -> bool:
    """Whether `findings` are on several shares of the training records, so that each row has to name its own."""
    return len({group.fraction for group in findings.groups}) > 1


def verdict(difference: Difference, *, of: int, name_share: bool) -> Verdict:
    """The verdict on a difference as a line of the report.

    Parameters
    ----------
    difference
        To the reference arm.
    of
        The number of differences of the study.
    name_share
        Whether to name the share of the training records.
    """
    kind, estimate = kind_of(difference), difference.estimate
    parts: list[Inline] = [Strong(clean(difference.arm)), f" against {clean(difference.reference)}"]
    parts.append(f" with {share(difference.fraction)} of the training records" if name_share else "")
    parts.append(f": test {difference.metric} {interval(estimate.interval, signed=True)}")
    parts.append("" if difference.higher_is_better else " (lower is better)")
    parts.append(f", {equals('corrected p', difference.q)}." if math.isfinite(difference.q) else ".")
    if kind == "unknown":
        parts.append(_why_unknown(difference))
    if kind == "unseen":
        parts.append(_power(difference, of))
        if would_pass_alone(difference):
            parts.append(f" Alone it would pass ({equals('p', estimate.p)}); as one of {of} differences it does not.")
    if difference.fixed and kind != "unknown":
        parts.append(" No seed changes either arm: this is over test records alone.")
    return Verdict(word_of(difference), kind, tuple(parts))


def _power(difference: Difference, of: int) -> str:
    least = difference.estimate.detectable
    if math.isfinite(least):
        alone = ", were it the only one" if of > 1 else ""
        return f" Only a difference of {number(least)} or more would have been seen reliably (80 % power{alone})."
    return " How large a difference would have been seen is not known."


def _why_unknown(difference: Difference) -> str:
    mean, pairs = difference.estimate.interval, difference.pairs
    if not math.isfinite(mean.value):
        return " It is not defined for these predictions."
    if not difference.learned:
        return " Neither arm has shown that it learned."
    if _one_seed(difference):
        return _one_seed_is_none(difference)
    if math.isfinite(difference.q):
        return f" With {count(pairs, 'pair')} of cells no difference could have been seen, however large."
    if pairs == 2 and math.isfinite(mean.low):
        return f" Both pairs of cells have the same difference, which may be chance: take {SEEDS} seeds or more."
    alike = " In every pair both values are the same." if mean.value == 0 else ""
    return f"{alike} {count(pairs, 'pair')} of cells that do not vary: how certain this is cannot be estimated."


def _one_seed_is_none(difference: Difference) -> str:
    error, power = difference.estimate.standard_error, ""
    if math.isfinite(error) and error > 0:
        least = detectable(StandardError(0.0, math.inf), error)
        power = (
            f" Over test records alone the standard error is {number(error)}: with any number of seeds, only a "
            f"difference of {number(least)} or more would be seen reliably on this test set."
        )
    return (
        f" Another seed may turn it round: of such differences of one seed, half would pass for an effect where there "
        f"is none. Take {SEEDS} seeds or more.{power}"
    )


def unmeasured(findings: Findings) -> tuple[Group, ...]:
    """The groups of `findings` without a difference to the reference arm, so that the report can list them."""
    compared = {(d.task, d.arm, d.fraction) for d in findings.differences}
    return tuple(
        g for g in findings.groups if g.arm != findings.reference and (g.task, g.arm, g.fraction) not in compared
    )


def alarms(findings: Findings) -> tuple[Variance, ...]:
    """The nulls of `findings` with an effect of the mapping (q below .01), where there can be none."""
    return tuple(s for s in findings.variances if s.null and s.q is not None and s.q < ALARM)


def warnings(findings: Findings) -> tuple[Text, ...]:
    """What weakens the study although nothing failed: a line for each reason and task of `findings`."""
    checks = [
        ("Learning rate on the edge of its grid", "; a better one may lie beyond.", _edge),
        ("One cell only", "; the intervals are over test records, another seed or mapping may differ.", _single),
        ("Few cells", "; intervals are wide, more seeds and mappings would narrow them.", _few),
        ("Fewer cells than the study asks for", ".", _fewer),
        ("Cells that did not learn", "; another learning rate or more steps may help them.", _some_unlearned),
        ("No better than k-mer counts", ".", _against_kmers(findings)),
        ("Few groups of test records", "; groups are what is resampled, so that intervals are rough.", _few_groups),
    ]
    named = several_shares(findings)
    whole = (
        *((Strong("Judged on different test records, so not compared"), f", {clean(s)}.") for s in findings.unmatched),
        *((Strong("Made with different software"), f", {clean(line)}.") for line in findings.mixed),
    )
    return whole + tuple(
        (Strong(what), f", {clean(task)}: {_joined(arms)}{end}")
        for what, end, check in checks
        for task in tasks_of(findings.groups)
        if (arms := _affected(findings.groups, task, check, named))
    )


def _some_unlearned(group: Group) -> str | None:
    """None where the arm as a whole did not learn: the report begins with that."""
    return f"{group.unlearned} of {group.done}" if group.unlearned and group.not_learned is None else None


def _few_groups(group: Group) -> str | None:
    groups = group.record_groups
    return f"{group.records:,} records in {groups}" if groups is not None and groups < FEW_GROUPS else None


def _against_kmers(findings: Findings) -> Callable[[Group], str | None]:
    kmers = {
        (group.task, group.fraction): group.test.interval.value
        for group in findings.groups
        if group.baseline == "kmer" and group.test
    }

    def check(group: Group) -> str | None:
        counted = kmers.get((group.task, group.fraction), math.nan)
        if group.baseline or group.test is None or group.not_learned:
            return None
        value = group.test.interval.value
        return f"{number(value)}, k-mers {number(counted)}" if not_above_rule(group.metric, value, counted) else None

    return check


def tasks_of(rows: Iterable[Group] | Iterable[Difference] | Iterable[Variance]) -> list[str]:
    """The tasks of `rows`, each once, in order."""
    return list(dict.fromkeys(row.task for row in rows))


def _joined(arms: Sequence[str]) -> str:
    more = len(arms) - MAX_NAMED
    return ", ".join(arms[:MAX_NAMED]) + (f" and {more} more, in the table of results" if more > 0 else "")


def _affected(groups: Sequence[Group], task: str, check: Callable[[Group], str | None], named: bool) -> list[str]:
    """The arms of a task for which `check` returns a reason, each with the reason."""
    return [
        clean(group.arm) + (f" at {share(group.fraction)}" if named else "") + f" ({reason})"
        for group in groups
        if group.task == task and (reason := check(group))
    ]


def _edge(group: Group) -> str | None:
    if not group.at_edge or not group.rates:
        return None
    end = "lowest" if group.rate == group.rates[0] else "highest"
    return f"{rate(group.rate)}, the {end} of {len(group.rates)}"


def _single(group: Group) -> str | None:
    return "1 cell" if _cells_of_trained(group) == 1 else None


def _few(group: Group) -> str | None:
    cells = _cells_of_trained(group)
    return count(cells, "cell") if 1 < cells < ENOUGH else None


def _cells_of_trained(group: Group) -> int:
    """The number of cells; 0 for a baseline without steps, which needs only one, as no seed changes it."""
    trained = group.rate is not None or bool(group.losses)
    return group.test.cells if trained and group.test is not None else 0


def _fewer(group: Group) -> str | None:
    return f"{group.done} of {group.wanted}" if group.done < group.wanted else None
