"""How long a run trains and at which learning rate, where its recipe leaves that open.

What has been measured of these numbers, and what has not: docs/defaults.md.
"""

from __future__ import annotations

import math
from typing import Any

from xdomain.core.recipe import Train

EPOCHS = 6
LEAST_STEPS = 300
MOST_EVALUATIONS = 20
RATE, RATE_WIDTH = 5e-4, 256
"""The learning rate of a backbone of this width, the one shipped."""


def settle(train: Train, *, records: int, width: int) -> Train:
    """Options of training with a number where they had None.

    Parameters
    ----------
    train
        As the recipe has it. `epochs` stays None where `max_steps` is given.
    records
        Training records.
    width
        Hidden units of the backbone.

    Returns
    -------
    Train
        What was given is kept. Of the rest: the learning rate of `default_rate`; 6 epochs, or as many whole ones as
        make 300 steps; an evaluation an epoch, or 20.
    """
    chosen: dict[str, Any] = {}
    if train.learning_rate is None:
        chosen["learning_rate"] = default_rate(width)
    if train.epochs is None and train.max_steps <= 0:
        chosen["epochs"] = max(EPOCHS, math.ceil(LEAST_STEPS / steps_an_epoch(train, records)))
    train = train.model_copy(update=chosen)
    if train.evaluations is None:
        epochs = round(steps_of(train, records) / steps_an_epoch(train, records))
        train = train.model_copy(update={"evaluations": min(max(1, epochs), MOST_EVALUATIONS)})
    return train


def default_rate(width: int) -> float:
    """The learning rate for a backbone of `width` hidden units: 5e-4 up to 256, then as 1 / width, to two digits."""
    return float(f"{RATE * min(1, RATE_WIDTH / width):.1e}")


def steps_an_epoch(train: Train, records: int) -> int:
    """Steps in which every one of `records` training records is seen once."""
    return math.ceil(records / train.batch_size)


def steps_of(train: Train, records: int) -> int:
    """Steps of a run.

    Raises
    ------
    ValueError
        Neither `max_steps` nor `epochs` says: `settle` comes first.
    """
    if train.max_steps > 0:
        return train.max_steps
    if train.epochs is None:
        raise ValueError("neither train.max_steps nor train.epochs is given")
    return math.ceil(train.epochs * steps_an_epoch(train, records))


def evaluate_every(train: Train, records: int) -> int:
    """Steps from one evaluation to the next; the last comes at the end."""
    return max(1, math.ceil(steps_of(train, records) / (train.evaluations or 1)))


def told(train: Train, records: int) -> str:
    """What was settled, in one line."""
    steps = steps_of(train, records)
    evaluations = math.ceil(steps / evaluate_every(train, records))
    epochs = steps / steps_an_epoch(train, records)
    return (
        f"{steps:,} steps of {train.batch_size} records ({epochs:.3g} epochs), learning rate {train.learning_rate:g}, "
        f"{evaluations} evaluation{'s' * (evaluations != 1)}"
    )
