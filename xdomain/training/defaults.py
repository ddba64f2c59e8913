"""Default epochs, learning rate and evaluations, where the recipe leaves them open.

docs/defaults.md says which of these numbers rest on measurements.
"""

from __future__ import annotations

import math
from typing import Any

from xdomain.core.train_options import Train

EPOCHS = 6
LEAST_STEPS = 300
MAX_EVALUATIONS = 20
RATE, RATE_WIDTH = 5e-4, 256
"""The learning rate, and the width of the backbone that it was chosen for: the one shipped."""


def settle(train: Train, *, records: int, width: int) -> Train:
    """Replace the options of training that are None by numbers.

    Parameters
    ----------
    train
        As the recipe has it.
    records
        How many training records there are.
    width
        Hidden units of the backbone.

    Returns
    -------
    Train
        The same options, with: the learning rate of `default_rate`; 6 epochs, or more where 300 steps need more; one
        evaluation for each epoch, at most 20. What was given is kept, and `epochs` stays None where `max_steps` is
        given.
    """
    chosen: dict[str, Any] = {}
    if train.learning_rate is None:
        chosen["learning_rate"] = default_rate(width)
    if train.epochs is None and train.max_steps <= 0:
        chosen["epochs"] = max(EPOCHS, math.ceil(LEAST_STEPS / steps_an_epoch(train, records)))
    train = train.model_copy(update=chosen)
    if train.evaluations is None:
        epochs = round(steps_of(train, records) / steps_an_epoch(train, records))
        train = train.model_copy(update={"evaluations": min(max(1, epochs), MAX_EVALUATIONS)})
    return train


def default_rate(width: int) -> float:
    """The learning rate for a backbone of `width` hidden units: 5e-4 up to 256, then as 1 / width, to two digits."""
    return float(f"{RATE * min(1, RATE_WIDTH / width):.1e}")


def steps_an_epoch(train: Train, records: int) -> int:
    """Steps in which each of `records` training records is seen once, in the batches of `train`."""
    return math.ceil(records / train.batch_size)


def steps_of(train: Train, records: int) -> int:
    """Steps of a run with the options `train`, settled by `settle`, on `records` training records."""
    if train.max_steps <= 0 and train.epochs is None:
        raise ValueError("neither train.max_steps nor train.epochs is given")
    whole = train.max_steps if train.max_steps > 0 else math.ceil((train.epochs or 0) * steps_an_epoch(train, records))
    return math.ceil(whole * train.steps_share)


def evaluate_every(train: Train, records: int) -> int:
    """Steps between evaluations, with settled options `train` on `records` training records; the last is at the end."""
    return max(1, math.ceil(steps_of(train, records) / (train.evaluations or 1)))


def describe_training(train: Train, records: int) -> str:
    """Say in one line how long a run with the settled options `train` is on `records` training records."""
    steps = steps_of(train, records)
    evaluations = math.ceil(steps / evaluate_every(train, records))
    epochs = steps / steps_an_epoch(train, records)
    return (
        f"{steps:,} steps of {train.batch_size} records ({epochs:.3g} epochs), learning rate {train.learning_rate:g}, "
        f"{evaluations} evaluation{'s' * (evaluations != 1)}"
    )
