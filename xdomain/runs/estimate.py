"""How long a run takes on this machine, from a few steps that change nothing and are not kept."""

from __future__ import annotations

import math
from pathlib import Path

import torch

from xdomain.core.progress import muted
from xdomain.core.recipe import Recipe
from xdomain.model.backbone import load_backbone
from xdomain.runs.cross_validation import is_cross_validation
from xdomain.training.defaults import settle, steps_of
from xdomain.training.device import best_device
from xdomain.training.pace import measure_pace
from xdomain.training.preparation import adapter_of, prepare
from xdomain.training.train_encoder import build_learner, plan_encoder


def estimate_seconds(recipe: Recipe, *, share: float = 1.0) -> float:
    """Estimate how long a run of an encoder takes, by training and scoring for some seconds at a rate of 0.

    Parameters
    ----------
    recipe
        Of the run. A mapping that is searched for counts as a random one.
    share
        The share of this machine's threads that the run has, above 0, at most 1.

    Returns
    -------
    float
        Seconds; NaN for a run of each fold.

    Raises
    ------
    UserError
        The run could not begin.
    """
    if is_cross_validation(recipe):
        return math.nan
    options = recipe.run.model_copy(update={"mapping": "random"} if recipe.run.mapping.startswith("search") else {})
    train = recipe.train.model_copy(update={"report_to": []})
    recipe = recipe.model_copy(update={"run": options, "train": train})
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, int(threads * share)))
    try:
        with muted():
            backbone = load_backbone(options.backbone)
            adapter = adapter_of(recipe)
            examples, _ = prepare(recipe, adapter)
            sizes = examples.sizes()
            train = settle(train, records=sizes["train"], width=backbone.config.hidden_size)
            recipe = recipe.model_copy(update={"train": train})
            plan = plan_encoder(recipe, backbone, adapter, examples, folder=Path())
            built = build_learner(recipe, backbone, examples, plan)
            pace = measure_pace(built, examples, recipe, best_device(train.precision))
    finally:
        torch.set_num_threads(threads)
    scored = ((train.evaluations or 1) + 1) * sizes["valid"] + sizes["test"]
    return steps_of(train, sizes["train"]) * pace.step + scored * pace.record
