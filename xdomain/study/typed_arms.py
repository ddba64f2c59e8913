"""An arm of a comparison as a person types it: ``scratch``, ``kmer``, ``pretrained backbone=DIR mapping=own``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from xdomain.core.choices import ARMS, Baseline
from xdomain.core.errors import RecipeError, nearest, unknown
from xdomain.core.plugins import find_recipe
from xdomain.core.progress import log
from xdomain.core.recipe import ENCODER_FIELDS, Recipe, with_arm
from xdomain.runs.run_names import arm_label
from xdomain.training.preparation import adapter_of, target_of

OPTIONS = ("backbone", "mapping", "tune")
"""What an arm may have of its own, beside changes to the recipe such as ``train.attention=bidirectional``."""
EXAMPLE = "an init or baseline, then options of its own: 'pretrained backbone=DIR mapping=own'"


@dataclass(frozen=True)
class TypedArm:
    """An arm with its recipe, and a label that tells it from the others."""

    label: str
    recipe: Recipe

    @property
    def file_name(self) -> str:
        """Its label, fit for a file name."""
        return re.sub(r"[^\w.+\[\],=-]+", "-", self.label)


def typed_arm(recipe: Recipe, text: str, options: dict[str, Any]) -> TypedArm:
    """Read an arm.

    Parameters
    ----------
    recipe
        Of the task.
    text
        The name of an init or of a baseline, then perhaps options of this arm alone, ``key=value``.
    options
        Fields of `xdomain.core.recipe_sections.Run` for all arms; those of `text` go before them.

    Raises
    ------
    RecipeError
        The arm has no such name or option.
    """
    try:
        name, *words = shlex.split(text)
    except ValueError:
        raise RecipeError(f"arm {text!r}", expected=EXAMPLE) from None
    if name not in ARMS:
        raise unknown("arm", name, ARMS)
    own: dict[str, Any] = {}
    changes: list[str] = []
    for word in words:
        key, sign, value = word.partition("=")
        if not sign or not value or (key not in OPTIONS and "." not in key):
            raise RecipeError(f"arm {text!r}: {word!r}", nearest=nearest(key, OPTIONS),
                              expected=f"{EXAMPLE}; its options are {', '.join(OPTIONS)}")  # fmt: skip
        if key in OPTIONS and name in get_args(Baseline):
            raise RecipeError(f"arm {text!r}: a {name} baseline has no {key}", expected="those go with an encoder")
        if "." in key:
            changes.append(word)
        else:
            own[key] = value
    whole = _recipe(find_recipe(recipe, changes), name, options, own)
    told = [Path(value).name if key == "backbone" else value for key, value in own.items() if key != "tune"]
    told += [change.rpartition(".")[2] for change in changes]
    return TypedArm(" ".join([arm_label(whole), *told]), whole)


def check_backbones(recipes: Sequence[Recipe]) -> None:
    """Refuse arms that could not begin, before the first of them is run, where they have backbones of their own.

    Parameters
    ----------
    recipes
        Of all arms.

    Raises
    ------
    UserError
        A backbone cannot be loaded, has no head for the problem, or no room for the symbols under its arm's mapping.
    """
    encoders = [one for one in recipes if one.run.baseline is None]
    names = dict.fromkeys(one.run.backbone for one in encoders)
    if len(names) < 2:
        return
    from xdomain.model.backbone import load_backbone  # which loads torch
    from xdomain.model.families import check_head
    from xdomain.model.vocabulary import Vocabulary
    from xdomain.training.sequence_learner import check_sequence
    from xdomain.training.train_encoder import mappings_of

    started = {one.run.backbone for one in encoders if one.run.init != "scratch"}
    for name in names:
        backbone = load_backbone(name)
        if name not in started and len(encoders) > 1:
            log.warning(f"only scratch has the shape of {backbone.name}: compare each checkpoint with a scratch of its "
                        f"own shape, “scratch backbone={next(iter(started))}”")  # fmt: skip
        vocabulary = Vocabulary.of(backbone.tokenizer)
        for one in (one for one in encoders if one.run.backbone == name):
            check_head(backbone.name, backbone.config, one.problem)
            adapter = adapter_of(one)
            target = target_of(one, adapter) if one.problem == "sequence" else None
            mapping = mappings_of(one, vocabulary, adapter, target)[0]
            if target:
                check_sequence(one, backbone, mapping)


def _recipe(recipe: Recipe, name: str, options: dict[str, Any], own: dict[str, Any]) -> Recipe:
    if name in get_args(Baseline):
        plain = {key: value for key, value in options.items() if key not in ENCODER_FIELDS}
        return with_arm(recipe, {**plain, **own, "baseline": name})
    plain = recipe.model_copy(update={"run": recipe.run.model_copy(update={"baseline": None})})
    return with_arm(plain, {**options, **own, "init": name})
