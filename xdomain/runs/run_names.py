"""The names of arms and of run folders."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from xdomain.core.plugins import find_recipe, task_names
from xdomain.core.recipe import Recipe
from xdomain.core.recipe_sections import Split
from xdomain.data.own_data import train_defaults
from xdomain.model.initialise import EncoderArm

OPTIONS = (
    "reader_options",
    "negatives",
    "adapter",
    "split",
    "metrics",
    "positive",
    "calibration",
    "thresholds",
    "class_balance",
    "train",
    "run",
)
"""Parts of a recipe that hold options, not the data."""
IN_NAME = {"init", "tune", "baseline", "mapping_seed", "seed"}


def arm_label(recipe: Recipe) -> str:
    """The short name of the arm of `recipe`: ``pretrained``, ``scratch``, ``pretrained+head``, ``kmer``."""
    options = recipe.run
    return options.baseline or EncoderArm.of(options).label


def run_name(recipe: Recipe, arm: str | None = None) -> str:
    """What a run of `recipe` is called among those of its task: ``ARM-mM-sS``, with mapping seed M and seed S.

    `arm` is a name for the arm; None: `arm_label`.
    """
    return f"{arm or arm_label(recipe)}-m{recipe.run.mapping_seed}-s{recipe.run.seed}"


def default_folder(recipe: Recipe) -> Path:
    """The run folder of `recipe` if none is given: ``runs/TASK/ARM-mM-sS``.

    If other options differ from those of the task, or for data of one's own from the defaults, a short hash of them
    is added.
    """
    changed = _changed(recipe)
    digest = hashlib.sha256(json.dumps(changed, sort_keys=True).encode()).hexdigest()[:6]
    return Path("runs") / recipe.name / (run_name(recipe) + (f"-{digest}" if changed else ""))


def _changed(recipe: Recipe) -> dict[str, Any]:
    """The options by their parts of the recipe, ``train.epochs``, that are not as usual for its task."""
    usual, own = (_options(one) for one in (_usual(recipe), recipe))
    return {name: value for name, value in own.items() if value != usual.get(name)}


def _usual(recipe: Recipe) -> Recipe:
    if recipe.name in task_names():
        return find_recipe(recipe.name)
    kept = {"name", "title", "source", "reader", "reader_options", "columns", "problem", "negatives"}
    return Recipe.model_validate(
        {
            **recipe.model_dump(include=kept),
            "adapter": {"name": recipe.adapter.name},
            "split": Split(rule=recipe.split.rule),
            "train": train_defaults(recipe.problem),
        }
    )


def _options(recipe: Recipe) -> dict[str, Any]:
    tree = recipe.model_dump(mode="json", include=set(OPTIONS))
    flat: dict[str, Any] = {}
    for part, value in tree.items():
        if isinstance(value, dict):
            flat |= {f"{part}.{name}": one for name, one in value.items() if part != "run" or name not in IN_NAME}
        else:
            flat[part] = value
    return flat
