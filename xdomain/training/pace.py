"""Measure how long a step takes on this machine, and choose how many steps fit into a number of minutes."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass

import torch

from xdomain.core.errors import RecipeError
from xdomain.core.recipe import Recipe
from xdomain.core.train_options import Train
from xdomain.data.collate import LengthGrouped
from xdomain.data.dataset import Examples
from xdomain.model.last_layer import last_layer_at_first_position
from xdomain.training.arguments import batch_share, scored_at_once
from xdomain.training.defaults import settle, steps_of
from xdomain.training.device import Device, process_count, quick_attention
from xdomain.training.predict import forward, predict_scores
from xdomain.training.preparation import JUDGED
from xdomain.training.train_encoder import Built

MIN_TIMED_STEPS, MAX_TIMED_STEPS, TIMED_SECONDS = 3, 10, 5.0
TIMED_RECORDS = 64
MAX_EVALUATIONS, EVALUATION_SHARE = 10, 0.2
MIN_SCORED, SCORING_SHARE = 30, 0.4
USED_SHARE, SECONDS_TO_SAVE = 0.85, 5.0
"""The share of the time that a plan uses, as the machine may get other work; seconds to save the model and plot."""
MIN_STEPS = 5
"""A run of fewer steps is refused, unless its recipe asks for fewer."""


class TooFewMinutesError(RecipeError):
    """The time is too short for a few steps.

    Parameters
    ----------
    minutes
        As the user gave them.
    needed
        Minutes that would be enough.
    """

    def __init__(self, minutes: float, needed: float) -> None:
        super().__init__(
            f"{minutes:g} minutes are too few for a handful of steps",
            expected=f"{math.ceil(10 * needed) / 10:g} minutes or more",
            fix="shorter sequences (--set train.max_length=N --set train.too_long=truncate) make steps faster",
        )
        self.needed = needed


@dataclass(frozen=True)
class Pace:
    """Seconds of a training step, and of scoring one record."""

    step: float
    record: float


def measure_pace(built: Built, examples: Examples, recipe: Recipe, device: Device) -> Pace:
    """Time a few steps at a learning rate of 0, and the scoring of a few records.

    The first step is not counted: it is slower than those that follow.

    Parameters
    ----------
    built
        The model, which is moved to `device` and keeps its values, and its batches.
    examples
        All encoded records.
    recipe
        Its options of training: batch size and parts.
    device
        Where the run will compute.
    """
    train, model, collate = recipe.train, built.learner.to(device.name), built.collate
    records = examples.indices("train")
    order = itertools.cycle(records[list(LengthGrouped(collate.grouping()[records], train.batch_size, 0, lambda: 0))])
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.0)
    taken: list[float] = []
    positions = collate.lengths().sum() / len(collate.windows.start)
    with quick_attention(built.model, device, positions), last_layer_at_first_position(built.model):
        model.train()
        while len(taken) < MIN_TIMED_STEPS or (len(taken) < MAX_TIMED_STEPS and sum(taken) < TIMED_SECONDS):
            started = time.perf_counter()
            for _ in range(train.gradient_accumulation_steps):
                batch = collate(list(itertools.islice(order, batch_share(train))))
                with device.autocast():
                    part = (
                        forward(model, {name: value.to(device.name) for name, value in batch.items()}, apart=True)
                        .square()
                        .mean()
                    )
                part.backward()
            optimizer.step()
            optimizer.zero_grad()
            next(model.parameters()).sum().item()  # waits for the device
            taken.append(time.perf_counter() - started)
        judged = examples.indices("valid")[:TIMED_RECORDS]
        started = time.perf_counter()
        at_once = scored_at_once(train)
        predict_scores(model, collate, judged, device=device, batch_size=at_once, longest=train.max_answer)
    return Pace(sum(taken[1:]) / len(taken[1:]), (time.perf_counter() - started) / len(judged))


def plan_for_minutes(
    minutes: float, pace: Pace, train: Train, *, sizes: dict[str, int], spent: float, width: int
) -> tuple[Train, dict[str, float]]:
    """Choose how many steps and evaluations, and how many records to score, fit into the time.

    Parameters
    ----------
    minutes
        For the whole run, of which `spent` seconds are gone.
    pace
        As `measure_pace` measured it.
    train
        The recipe's options of training. The run gets no more steps and evaluations than they say.
    sizes
        Records of each split.
    spent
        Seconds since the run began.
    width
        Hidden units of the backbone, which `settle` chooses a learning rate by.

    Returns
    -------
    tuple
        Options of training, and ``split.limit`` for splits of which only a part, at least 30 records, can be scored in
        time; empty where scoring all of them takes less than four tenths of the time. A caller that gets such limits
        has to read the data again: the plan leaves `spent` seconds for that.

    Raises
    ------
    TooFewMinutesError
        There is no time for five steps, or for all steps where the options ask for fewer.
    """
    wanted = settle(train, records=sizes["train"], width=width)
    fewest = min(MIN_STEPS, steps_of(wanted, sizes["train"]))
    steps, evaluations, limit = _plan(minutes, pace, wanted, sizes, spent)
    if steps < fewest:
        longer = (minutes * 1.05**i for i in itertools.count(1))
        raise TooFewMinutesError(minutes, next(n for n in longer if _plan(n, pace, wanted, sizes, spent)[0] >= fewest))
    size = {"epochs": None, "steps_share": 1.0, "max_steps": steps, "evaluations": min(evaluations, steps)}
    return wanted.model_copy(update=size), limit


def _plan(
    minutes: float, pace: Pace, wanted: Train, sizes: dict[str, int], spent: float
) -> tuple[int, int, dict[str, float]]:
    """Steps, evaluations, and limits of splits that fit into so many minutes."""
    left = USED_SHARE * 60 * minutes - spent - SECONDS_TO_SAVE
    limit: dict[str, float] = {}
    share = SCORING_SHARE * left / _scoring_seconds(pace, sizes)
    if 0 < share < 1:
        left -= spent
        limit = {name: max(MIN_SCORED, int(share * sizes[name])) for name in JUDGED if sizes[name] > MIN_SCORED}
        sizes = {**sizes, **{name: min(sizes[name], int(most)) for name, most in limit.items()}}
    once = pace.record * sizes["valid"]
    left -= _scoring_seconds(pace, sizes) - once
    evaluations = max(1, min(wanted.evaluations or 1, MAX_EVALUATIONS, int(EVALUATION_SHARE * left / once)))
    return min(steps_of(wanted, sizes["train"]), int((left - evaluations * once) / pace.step)), evaluations, limit


def _scoring_seconds(pace: Pace, sizes: dict[str, int]) -> float:
    """Seconds to score validation once while training, and both splits at the end."""
    return pace.record * (2 * sizes["valid"] + sizes["test"])


def check_minutes(minutes: float) -> None:
    """Refuse `minutes` that cannot limit a run.

    Raises
    ------
    RecipeError
        They are not a number above 0, or several processes share the run: each would measure another pace.
    """
    if not 0 < minutes < float("inf"):
        raise RecipeError(f"minutes: {minutes:g}", expected="a number above 0")
    if process_count() > 1:
        raise RecipeError("minutes with several processes", expected="one process", fix="--set train.max_steps=N")
