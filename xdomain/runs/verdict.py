"""How far to trust the test metrics of a run: intervals, simple rules to compare with, whether it learned anything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xdomain.baselines.simple_rules import KMERS, best_rule, simple_rules
from xdomain.core.choices import UNCOUNTED
from xdomain.core.recipe import Recipe
from xdomain.data.dataset import Examples
from xdomain.metrics.bootstrap import Interval
from xdomain.metrics.heldout import NEED_CHANCES, HeldOutPredictions, resampled_metric
from xdomain.metrics.learned import majority_baseline, not_above_rule, not_learned, of_constant_output, what_to_try
from xdomain.metrics.metrics import METRICS
from xdomain.metrics.no_answer import best_constant, never_answering
from xdomain.metrics.outputs import constant_output

RULE_NAMES = {KMERS: "k-mer counts under a linear model", "composition": "composition and length alone"}
COUNTS_ADVICE = (
    "Counts of short k-mers do not predict these labels; an encoder, or --baseline cnn, also reads their order."
)


@dataclass(frozen=True)
class Verdict:
    """What is reported beside the test metrics of a run.

    Parameters
    ----------
    intervals
        By metric, its 95 % interval over test records, or over their groups if they have groups.
    majority
        By metric, the value of a constant answer: the most frequent class of train, or its mean; for span, where
        questions have no answer, that of none to all; for sequence, the most frequent symbol of each position.
    rules
        By rule and metric, the values of `xdomain.baselines.simple_rules`; empty if the run is a baseline.
    learned
        Whether the model has shown that it learned something that holds on test.
    notes
        Warnings, one or two sentences each, the most important first.
    """

    intervals: dict[str, Interval]
    majority: dict[str, float]
    rules: dict[str, dict[str, float]]
    learned: bool
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """These parts of ``result.json``, which stand beside ``metrics``."""
        return {
            **({"majority": {"test": self.majority}} if self.majority else {}),
            **({"simple_rules": {"test": self.rules}} if self.rules else {}),
            "learned": self.learned,
            "notes": list(self.notes),
        }


def verdict_on(
    recipe: Recipe,
    examples: Examples,
    held_out: HeldOutPredictions,
    *,
    label: str,
    alphabet_size: int,
    losses: Sequence[float] = (),
    random_span: float = math.nan,
) -> Verdict:
    """Assess the predictions of one model on the test records.

    Parameters
    ----------
    recipe
        The task of the run.
    examples
        All encoded records. Simple rules are fitted on those in train.
    held_out
        Labels and scores of the test records.
    label
        The name of the arm, ``pretrained``: sentences begin with it.
    alphabet_size
        Number of symbols in the alphabet.
    losses
        Training losses, in the order of steps.
    random_span
        For span: the first metric for spans drawn at random.
    """
    problem, first = recipe.problem, recipe.metrics[0]
    known = [name for name in recipe.metrics if problem != "tagging" or name not in NEED_CHANCES]
    intervals = {name: resampled_metric(name, held_out).interval() for name in known}
    majority: dict[str, float] = {}
    if examples.labels is not None and problem != "span":
        train = examples.labels_of(examples.indices("train"))
        classes = len(examples.classes)
        majority = majority_baseline(train, held_out.labels, recipe.metrics, problem, n_classes=classes or None)
    elif examples.outputs is not None:
        constant = constant_output(examples.outputs, examples.indices("train"))
        majority = of_constant_output(constant, held_out.labels, recipe.metrics)
    elif problem == "span":
        majority = never_answering(recipe.metrics, held_out.labels)
    interval = intervals.get(first)
    reason = not_learned(
        held_out.labels,
        held_out.scores,
        problem,
        first,
        constant=best_constant(first, majority.get(first), random_span if problem == "span" else None),
        low=_worse_end(first, interval),
        losses=losses,
        classes=examples.classes,
    )
    rules = {} if recipe.run.baseline else simple_rules(recipe, examples, alphabet_size, "test")
    advice = COUNTS_ADVICE if recipe.run.baseline == "kmer" else what_to_try(losses, counted=problem not in UNCOUNTED)
    notes = [f"{label} did not learn: it {reason}.", advice] if reason else []
    if interval and (beaten := not_above_rules(first, interval.value, rules)):
        notes.append(f"{label} {beaten}.")
    return Verdict(intervals, majority, rules, reason is None, tuple(notes))


def not_above_rules(metric: str, value: float, rules: dict[str, dict[str, float]]) -> str | None:
    """Say that a test `value` of `metric` is not above the best of `rules`, values by rule and metric, if so."""
    best = best_rule(rules, metric)
    return not_above_rule(metric, value, best[1], RULE_NAMES[best[0]]) if best else None


def _worse_end(metric: str, interval: Interval | None) -> float:
    """The worse end of an interval; the worst value possible if that end is NaN, and NaN without an interval."""
    if interval is None:
        return math.nan
    end, worst = (interval.low, -math.inf) if METRICS[metric].higher_is_better else (interval.high, math.inf)
    return worst if math.isnan(end) else end
