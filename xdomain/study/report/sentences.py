"""Differences in sentences, and the question that the one between a pre-trained and a fresh model answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from xdomain.core.formatting import number
from xdomain.metrics.learned import not_above_rule
from xdomain.metrics.metrics import METRICS
from xdomain.study.report.conclusions import SEEDS, alarms, kind_of, would_pass_alone
from xdomain.study.results import Difference, Findings, Question


def question_of(inits: Mapping[str, str], results: Iterable[Mapping[str, Any]]) -> Question | None:
    """The question that a difference between two arms answers; None where it is none of pretrained and scratch.

    Parameters
    ----------
    inits
        Where the weights of each arm start, by its label; the arms must be alike in all else.
    results
        What their runs wrote. The backbone has read text where its symbols are not its own, and so its data.
    """
    if sorted(inits.values()) != ["pretrained", "scratch"]:
        return None
    pretrained = next(label for label, init in inits.items() if init == "pretrained")
    for values in results:
        own = (values.get("mapping") or {}).get("strategy") == "own"
        if own or (values.get("backbone") or {}).get("domain"):
            return Question("Does pre-training help here?", pretrained)
    return Question("Does text pre-training help here?", pretrained)


def sentence(
    difference: Difference, unlearned: Sequence[str] = (), *, more: str, written: Callable[[float], str] = number
) -> str:
    """A `difference` to the reference, and what follows; its question, if it has one, comes first.

    Parameters
    ----------
    difference
        With its q.
    unlearned
        Arms that have not shown that they learned: what helps over one may have been quicker alone.
    more
        How more seeds are asked for, as ``--seeds``.
    written
        Writes a number.
    """
    interval, metric, kind = difference.estimate.interval, difference.metric, kind_of(difference)
    arm, reference, value = _quoted(difference.arm), _quoted(difference.reference), interval.value
    low, high = sorted((abs(interval.low), abs(interval.high)))
    over = "test records" if difference.fixed else f"{difference.pairs} seeds"
    question = f"{difference.question.text} " if difference.question else ""
    if kind in ("better", "worse"):
        ahead, behind = difference.arm, difference.reference
        if kind == "worse":
            ahead, behind = behind, ahead
        answer = doubt = ""
        if difference.question:
            answer = "Yes: " if ahead == difference.question.pretrained else "No: "
            doubt = f" But {_quoted(behind)} may only need more steps." if behind in unlearned else ""
        by = f"{_quoted(behind)} by {written(abs(value))} [{written(low)}, {written(high)}] in test {metric}"
        return f"{question}{answer}{_quoted(ahead)} is better than {by}, over {over}.{doubt}"
    between = f"between {arm} and {reference}"
    if kind == "unseen":
        least = difference.estimate.detectable
        low, high = METRICS[metric].possible
        seen = f"; one of {written(least)} or more would have been seen reliably" if least < (high - low) / 2 else ""
        alone = ""
        if would_pass_alone(difference):
            alone = " Alone it would pass; as one of several differences it does not."
        return f"{question}No difference seen {between} over {over}{seen}.{alone}"
    if not math.isfinite(value):
        return f"{question}Cannot be told {between}: {metric} is not defined for their answers."
    if not difference.learned:
        return f"{question}Cannot be told: neither {arm} nor {reference} has shown that it learned."
    if difference.pairs == 1 and not difference.fixed:
        return f"{question}Cannot be told {between}: one seed is no evidence; it takes at least {more} {SEEDS}."
    if difference.pairs < SEEDS and not difference.fixed:
        few = f"{difference.pairs} seeds with equal values are no evidence"
        return f"{question}Cannot be told {between}: {few}; it takes at least {more} {SEEDS}."
    return f"{question}Cannot be told {between}: the values do not vary, or too little is known of how they do."


def _quoted(arm: str) -> str:
    """The label of an `arm` in a sentence, in quotation marks where it has several words."""
    return f"“{arm}”" if " " in arm else arm


def answers(findings: Findings, written: Callable[[float], str] = number) -> Iterator[tuple[str, float, str]]:
    """Task, share of the training records and sentence of each difference in `findings` that answers a question.

    None where something is wrong with the study. `written` writes a number.
    """
    unlearned = {(one.task, one.fraction, one.arm) for one in findings.groups if one.not_learned is not None}
    for one in findings.differences if not alarms(findings) else ():
        if one.question:
            slow = [arm for arm in (one.arm, one.reference) if (one.task, one.fraction, arm) in unlearned]
            answer = sentence(one, slow, more="seeds:", written=written)
            here = [group for group in findings.groups if (group.task, group.fraction) == (one.task, one.fraction)]
            means = {group.baseline or group.arm: group.test.interval.value for group in here if group.test}
            yield one.task, one.fraction, f"{answer}{beside_kmers(one, means, written)}"


def beside_kmers(difference: Difference, means: Mapping[str, float], written: Callable[[float], str] = number) -> str:
    """A sentence, with a blank before it, where an arm of a `difference` does no better than k-mer counts; else empty.

    Parameters
    ----------
    difference
        One that answers a question.
    means
        Mean test metric of each arm by its label, of a baseline by its name; k-mer counts are ``kmer``.
    written
        Writes a number.
    """
    counted = means.get("kmer", math.nan)
    arms = [arm for arm in (difference.arm, difference.reference) if arm in means]
    below = [arm for arm in arms if not_above_rule(difference.metric, means[arm], counted)]
    if not below:
        return ""
    return (
        f" Counted k-mers ({written(counted)}) are not beaten by {'either' if len(below) > 1 else _quoted(below[0])}."
    )
