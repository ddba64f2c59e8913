"""What a report has to say first: that arms did not learn, so that nothing they do differently means anything."""

from __future__ import annotations

from dataclasses import dataclass

from xdomain.metrics.learned import what_to_try
from xdomain.study.report.conclusions import several_shares
from xdomain.study.report.formats import clean, share
from xdomain.study.results import Findings, Group


@dataclass(frozen=True)
class Unlearned:
    """Arms that have not shown that they learned.

    Parameters
    ----------
    title
        How many they are.
    arms
        Of each its task and name, and why: the end of a sentence that begins with the name.
    advice
        What may help, a sentence.
    every
        Whether no arm has learned.
    """

    title: str
    arms: tuple[tuple[str, str], ...]
    advice: str
    every: bool


def unlearned(findings: Findings) -> Unlearned | None:
    """The arms of a study that have not shown that they learned; None where all have."""
    asked = [group for group in findings.groups if group.done]
    found = [group for group in asked if group.not_learned]
    if not found:
        return None
    every, named = len(found) == len(asked), several_shares(findings)
    several = f"{len(found)} of {len(asked)} arms have" if len(found) > 1 else f"1 of {len(asked)} arms has"
    title = "No arm has shown that it learned" if every else f"{several} not shown that {_they(found)} learned"
    losses = [loss for _, loss in found[0].losses]
    arms = tuple((_place(group, named), clean(group.not_learned or "")) for group in found)
    return Unlearned(title, arms, what_to_try(losses), every)


def _they(found: list[Group]) -> str:
    return "they" if len(found) > 1 else "it"


def _place(group: Group, named: bool) -> str:
    return f"{clean(group.task)}, {clean(group.arm)}" + (f", {share(group.fraction)}" if named else "")
