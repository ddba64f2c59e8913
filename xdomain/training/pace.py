"""How long a step takes here, measured, and how many of them end within some minutes."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass

import torch

from xdomain.core.errors import RecipeError
from xdomain.core.recipe import Recipe, Train
from xdomain.data.collate import LengthGrouped
from xdomain.data.dataset import Examples
from xdomain.training.arguments import batch_share, scored_at_once
from xdomain.training.device import Device, process_count, quick_attention
from xdomain.training.predict import forward, predict_scores
from xdomain.training.preparation import JUDGED
from xdomain.training.schedule import settle, steps_of
from xdomain.training.train_encoder import Built

FEWEST_STEPS, TIMED_STEPS, TIMED_SECONDS = 3, 10, 5.0
TIMED_RECORDS = 64
MOST_EVALUATIONS, SHARE_OF_EVALUATIONS = 10, 0.2
FEWEST_JUDGED, SHARE_OF_JUDGING = 30, 0.4
MARGIN, ENDING = 0.85, 5.0
"""The share of the time that is planned with, as other work may come; seconds to save the model and draw plots."""
FEWEST_LEARNING = 5
"""Steps below which a run is not worth its time."""


class TooFewMinutesError(RecipeError):
    """There is no time for a few steps."""

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
    """Take a few steps at a learning rate of 0, and score a few records.

    The first step is not counted: it is slower than those that follow.
    """
    train, model, collate = recipe.train, built.learner.to(device.name), built.collate
    records = examples.indices("train")
    order = itertools.cycle(records[list(LengthGrouped(collate.costs()[records], train.batch_size, 0, lambda: 0))])
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.0)
    taken: list[float] = []
    with quick_attention(built.model, device, collate.lengths().sum() / len(collate.windows.start)):
        model.train()
        while len(taken) < FEWEST_STEPS or (len(taken) < TIMED_STEPS and sum(taken) < TIMED_SECONDS):
            started = time.perf_counter()
            for _ in range(train.gradient_accumulation_steps):
                batch = collate(list(itertools.islice(order, batch_share(train))))
                with device.autocast():
                    part = (
                        forward(model, {name: value.to(device.name) for name, value in batch.items()}).square().mean()
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


def within(
    minutes: float, pace: Pace, train: Train, *, sizes: dict[str, int], spent: float, width: int
) -> tuple[Train, dict[str, float]]:
    """What of a run ends in time: at most so many steps, evaluations, and records to judge.

    Parameters
    ----------
    minutes
        For the whole run, of which `spent` seconds are gone.
    pace
        As it was measured: seconds a step and a record.
    train
        What it would be without a limit is never exceeded.
    sizes
        Records of each split.
    spent
        Seconds since the run began.
    width
        Hidden units of the backbone; see `settle`.

    Returns
    -------
    tuple
        Options of training, and ``split.limit`` for splits of which only a part can be scored, 30 records at least;
        empty where scoring all takes less than four tenths of the time. Those who take it have to read again, for
        which as much time is left as was spent.

    Raises
    ------
    TooFewMinutesError
        There is no time for a few steps.
    """
    wanted = settle(train, records=sizes["train"], width=width)
    fewest = min(FEWEST_LEARNING, steps_of(wanted, sizes["train"]))
    steps, evaluations, limit = _plan(minutes, pace, wanted, sizes, spent)
    if steps < fewest:
        longer = (minutes * 1.05**i for i in itertools.count(1))
        raise TooFewMinutesError(minutes, next(n for n in longer if _plan(n, pace, wanted, sizes, spent)[0] >= fewest))
    return wanted.model_copy(update={"epochs": None, "max_steps": steps, "evaluations": min(evaluations, steps)}), limit


def _plan(
    minutes: float, pace: Pace, wanted: Train, sizes: dict[str, int], spent: float
) -> tuple[int, int, dict[str, float]]:
    """Steps, evaluations and limits of splits, for so many minutes."""
    left = MARGIN * 60 * minutes - spent - ENDING
    limit: dict[str, float] = {}
    share = SHARE_OF_JUDGING * left / _judging(pace, sizes)
    if 0 < share < 1:
        left -= spent
        limit = {name: max(FEWEST_JUDGED, int(share * sizes[name])) for name in JUDGED if sizes[name] > FEWEST_JUDGED}
        sizes = {**sizes, **{name: min(sizes[name], int(most)) for name, most in limit.items()}}
    once = pace.record * sizes["valid"]
    left -= _judging(pace, sizes) - once
    evaluations = max(1, min(wanted.evaluations or 1, MOST_EVALUATIONS, int(SHARE_OF_EVALUATIONS * left / once)))
    return min(steps_of(wanted, sizes["train"]), int((left - evaluations * once) / pace.step)), evaluations, limit


def _judging(pace: Pace, sizes: dict[str, int]) -> float:
    """Seconds to score validation once while training, and both splits at the end."""
    return pace.record * (2 * sizes["valid"] + sizes["test"])


def check_minutes(minutes: float) -> None:
    """Refuse what cannot be a limit.

    Raises
    ------
    RecipeError
        It is not above 0, or several processes share the run, each of which would measure another pace.
    """
    if not 0 < minutes < float("inf"):
        raise RecipeError(f"minutes: {minutes:g}", expected="a number above 0")
    if process_count() > 1:
        raise RecipeError("minutes with several processes", expected="one process", fix="--set train.max_steps=N")
