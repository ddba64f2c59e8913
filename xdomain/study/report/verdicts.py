"""What may be said of a difference, and what has to be said of a study: decided here, once for words and pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from xdomain.study.findings import Difference, Findings, Group, MappingShare
from xdomain.study.report.blocks import Inline, Kind, Strong, Text, Verdict
from xdomain.study.report.formats import clean, count, equals, interval, number, rate, share

LEVEL, ALARM = 0.05, 0.01
ENOUGH = 5  # cells: t of fewer is 3 and more, that is, half as wide again as the normal interval
WIDEST = {
    **dict.fromkeys(("accuracy", "balanced_accuracy", "f1", "f1_binary", "precision", "recall"), 1.0),
    **dict.fromkeys(("roc_auc", "average_precision"), 1.0),
    **dict.fromkeys(("matthews_correlation", "spearmanr", "pearsonr"), 2.0),
}
"""The largest difference that there can be; other metrics have none."""
MOST_NAMED = 6  # arms in a warning: the table of results has all
WORDS: dict[Kind, str] = {
    "better": "helps",
    "worse": "hurts",
    "unseen": "no difference seen",
    "unknown": "cannot be told",
}


def kind_of(difference: Difference) -> Kind:
    """Q decides whether there is a difference, its sign and the metric's direction which.

    A study too small to see any difference at all has not looked: that it saw none says nothing.
    """
    value = difference.estimate.interval.value
    if not (math.isfinite(difference.q) and math.isfinite(value)):
        return "unknown"
    if difference.q >= LEVEL or value == 0:
        return "unknown" if _blind(difference) else "unseen"
    return "better" if (value > 0) == difference.higher_is_better else "worse"


def _blind(difference: Difference) -> bool:
    return difference.estimate.detectable > WIDEST.get(difference.metric, math.inf)


def several_shares(findings: Findings) -> bool:
    """Whether shares of the training records are compared, so that each row has to name its own."""
    return len({group.fraction for group in findings.groups}) > 1


def verdict(difference: Difference, *, of: int, name_share: bool) -> Verdict:
    """A line on one of `of` differences."""
    kind, estimate = kind_of(difference), difference.estimate
    parts: list[Inline] = [Strong(clean(difference.arm)), f" against {clean(difference.reference)}"]
    parts.append(f" with {share(difference.fraction)} of the training records" if name_share else "")
    parts.append(f": test {difference.metric} {interval(estimate.interval, signed=True)}")
    parts.append("" if difference.higher_is_better else " (lower is better)")
    parts.append(f", {equals('q', difference.q)}." if math.isfinite(difference.q) else ".")
    if kind == "unknown":
        parts.append(_why_unknown(difference))
    if kind == "unseen":
        parts.append(_power(difference))
        if estimate.p < LEVEL <= difference.q:
            parts.append(f" Alone it would pass ({equals('p', estimate.p)}); as one of {of} differences it does not.")
    if difference.pairs == 1 and kind != "unknown":
        parts.append(" This holds for the one seed and mapping that was run.")
    return Verdict(WORDS[kind], kind, tuple(parts))


def _power(difference: Difference) -> str:
    detectable, told = difference.estimate.detectable, difference.estimate.interval
    if math.isfinite(detectable):
        return f" Only a difference of {number(detectable)} or more would have been seen reliably (80 % power)."
    alike = " In every pair both values are the same." if told.value == told.low == told.high == 0 else ""
    return f"{alike} How large a difference would have been seen is not known."


def _why_unknown(difference: Difference) -> str:
    value, pairs = difference.estimate.interval.value, difference.pairs
    if not math.isfinite(value):
        return " It is not defined for these predictions."
    if math.isfinite(difference.q):
        return f" With {count(pairs, 'pair')} of cells no difference could have been seen, however large."
    if pairs == 1:
        return " A single pair of cells does not tell how far another would lie from it."
    return f" The {pairs} pairs of cells do not vary, so nothing tells how sure this is."


def unmeasured(findings: Findings) -> tuple[Group, ...]:
    """Groups that should have been compared with the reference and were not: silence would hide them."""
    compared = {(d.task, d.arm, d.fraction) for d in findings.differences}
    return tuple(
        g for g in findings.groups if g.arm != findings.reference and (g.task, g.arm, g.fraction) not in compared
    )


def alarms(findings: Findings) -> tuple[MappingShare, ...]:
    """Nulls in which an effect was found."""
    return tuple(s for s in findings.shares if s.null and s.q is not None and s.q < ALARM)


def warnings(findings: Findings) -> tuple[Text, ...]:
    """What weakens the study though nothing failed, a line a task and reason."""
    found = [
        ("Learning rate on the edge of its grid", "; a better one may lie beyond.", _edge),
        ("One cell only", "; the intervals are over test records, another seed or mapping may differ.", _single),
        ("Few cells", "; intervals are wide, more seeds and mappings would narrow them.", _few),
        ("Fewer cells than the study asks for", ".", _fewer),
    ]
    named = several_shares(findings)
    return tuple(
        (Strong(what), f", {clean(task)}: {_joined(told)}{end}")
        for what, end, tell in found
        for task in tasks_of(findings.groups)
        if (told := _told(findings.groups, task, tell, named))
    )


def tasks_of(rows: Iterable[Group] | Iterable[Difference] | Iterable[MappingShare]) -> list[str]:
    """Each task once, in order."""
    return list(dict.fromkeys(row.task for row in rows))


def _joined(told: Sequence[str]) -> str:
    more = len(told) - MOST_NAMED
    return ", ".join(told[:MOST_NAMED]) + (f" and {more} more, in the table of results" if more > 0 else "")


def _told(groups: Sequence[Group], task: str, tell: Callable[[Group], str | None], named: bool) -> list[str]:
    return [
        clean(group.arm) + (f" at {share(group.fraction)}" if named else "") + f" ({told})"
        for group in groups
        if group.task == task and (told := tell(group))
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
    """A baseline without steps comes out the same for every seed, so one is enough: it does not count here."""
    trained = group.rate is not None or bool(group.losses)
    return group.test.cells if trained and group.test is not None else 0


def _fewer(group: Group) -> str | None:
    return f"{group.done} of {group.wanted}" if group.done < group.wanted else None
