"""Trackers that follow a run while it trains: TensorBoard, Weights & Biases and others, through `Trainer`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

from xdomain.core.errors import RecipeError, unknown
from xdomain.core.run_dir import TENSORBOARD


def make_trackers(names: Sequence[str], folder: Path) -> list[TrainerCallback]:
    """The callbacks of the trackers called `names`; TensorBoard's events go to ``folder/tensorboard``.

    Nothing is written before training begins.

    Raises
    ------
    RecipeError
        An unknown tracker, or one whose package is not installed.
    """
    trackers: list[TrainerCallback] = []
    for name in names:
        if name not in INTEGRATION_TO_CALLBACK:
            raise unknown("tracker", name, INTEGRATION_TO_CALLBACK)
        try:
            tracker: Any = INTEGRATION_TO_CALLBACK[name]()
        except (RuntimeError, ImportError) as error:
            raise RecipeError(
                f"the tracker {name} cannot be used: {str(error).splitlines()[0]}",
                expected="a tracker whose package is installed",
                mend=f"pip install {name.replace('_', '-')}, or leave it out of train.report_to",
            ) from None
        if name == "tensorboard":
            tracker.logging_dir = str(folder / TENSORBOARD)
        trackers.append(tracker)
    return trackers
