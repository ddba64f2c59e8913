"""What may be said of a difference, and what has to be said of a study: decided here, once for words and pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from xdomain.study.findings import Difference, Findings, Group, MappingShare
from xdomain.study.reporting.blocks import Inline, Kind, Strong, Text, Verdict
from xdomain.study.reporting.formats import clean, count, equals, interval, number, rate, share

LEVEL, ALARM = 0.05, 0.01
WORDS: dict[Kind, str] = {
    "better": "helps",
    "worse": "hurts",
    "unseen": "no difference seen",
    "unknown": "cannot be told",
}


def kind_of(difference: Difference) -> Kind:
    """Q decides whether there is a difference, its sign and the metric's direction which."""
    value = difference.estimate.interval.value
    if not (math.isfinite(difference.q) and math.isfinite(value)):
        return "unknown"
    if difference.q >= LEVEL or value == 0:
        return "unseen"
    return "better" if (value > 0) == difference.higher_is_better else "worse"


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
    if kind == "unknown":
        parts.append(f". With {count(difference.pairs, 'pair')} of cells there is no p value.")
        return Verdict(WORDS[kind], kind, tuple(parts))
    parts.append(f", {equals('q', difference.q)}.")
    if kind == "unseen":
        parts.append(_power(estimate.detectable))
        if estimate.p < LEVEL <= difference.q:
            parts.append(f" Alone it would pass ({equals('p', estimate.p)}); as one of {of} differences it does not.")
    if difference.pairs == 1:
        parts.append(" This holds for the one seed and mapping that was run.")
    return Verdict(WORDS[kind], kind, tuple(parts))


def _power(detectable: float) -> str:
    if not math.isfinite(detectable):
        return " How large an effect would have been seen is not known."
    return f" An effect of {number(detectable)} would have been seen with 80 % power."


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
        ("Fewer cells than the study asks for", ".", _fewer),
    ]
    named = several_shares(findings)
    return tuple(
        (Strong(what), f", {clean(task)}: {', '.join(told)}{end}")
        for what, end, tell in found
        for task in tasks_of(findings.groups)
        if (told := _told(findings.groups, task, tell, named))
    )


def tasks_of(rows: Iterable[Group] | Iterable[Difference] | Iterable[MappingShare]) -> list[str]:
    """Each task once, in order."""
    return list(dict.fromkeys(row.task for row in rows))


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
    """A baseline without steps comes out the same for every seed, so one is enough."""
    trained = group.rate is not None or bool(group.losses)
    return "1 cell" if trained and group.test is not None and group.test.cells == 1 else None


def _fewer(group: Group) -> str | None:
    return f"{group.done} of {group.wanted}" if group.done < group.wanted else None
