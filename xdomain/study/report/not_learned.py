"""The first message of a report: which arms did not learn, so that their differences mean nothing."""

from __future__ import annotations

from dataclasses import dataclass

from xdomain.metrics.learned import what_to_try
from xdomain.study.report.conclusions import several_shares
from xdomain.study.report.formats import clean, share
from xdomain.study.results import Findings, Group


@dataclass(frozen=True)
class NotLearned:
    """Arms that have not shown that they learned.

    Parameters
    ----------
    title
        Says how many they are.
    arms
        For each its task and name, and the reason as the end of a sentence that begins with the name.
    advice
        What may help, in a sentence; empty where only counts have failed.
    every
        Whether no arm of the study has learned.
    """

    title: str
    arms: tuple[tuple[str, str], ...]
    advice: str
    every: bool


def not_learned(findings: Findings) -> NotLearned | None:
    """The arms of `findings` that have not shown that they learned; None where all have."""
    finished = [group for group in findings.groups if group.done]
    failing = [group for group in finished if group.not_learned]
    if not failing:
        return None
    every, named = len(failing) == len(finished), several_shares(findings)
    several = f"{len(failing)} of {len(finished)} arms have" if len(failing) > 1 else f"1 of {len(finished)} arms has"
    title = "No arm has shown that it learned" if every else f"{several} not shown that {_they(failing)} learned"
    losses = [loss for _, loss in next((group for group in failing if group.losses), failing[0]).losses]
    arms = tuple((_place(group, named), clean(group.not_learned or "")) for group in failing)
    counted = not any(group.baseline == "kmer" for group in finished)
    trained = any(group.baseline != "kmer" for group in failing)
    return NotLearned(title, arms, what_to_try(losses, counted=counted, in_study=True) if trained else "", every)


def _they(groups: list[Group]) -> str:
    return "they" if len(groups) > 1 else "it"


def _place(group: Group, named: bool) -> str:
    return f"{clean(group.task)}, {clean(group.arm)}" + (f", {share(group.fraction)}" if named else "")
