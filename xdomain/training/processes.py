"""Several processes that share a run, as torchrun starts them: who is the first, and what all take from it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from xdomain.training.device import Device

T = TypeVar("T")


def process_count() -> int:
    """How many processes share this run; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this process is the one that says, checks and writes for all of them."""
    return os.environ.get("RANK", "0") == "0"


def join(device: Device) -> None:
    """Meet the others, and take a GPU of one's own where `device` is one; nothing to do for a process alone.

    `transformers.Trainer` does the same later, and finds it done.
    """
    if process_count() > 1:
        from accelerate import PartialState  # which loads torch

        PartialState(cpu=device.name == "cpu")


def of_first(value: T) -> T:
    """The first process's value, in all of them, which call this together.

    Decisions are made of it where each process computes by itself: numbers of several devices may differ in their last
    bits, and a process that stops alone leaves the others waiting for ever.
    """
    if process_count() == 1:
        return value
    from accelerate.utils import broadcast_object_list  # which loads torch

    return broadcast_object_list([value])[0]
