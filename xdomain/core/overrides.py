"""Changes to a recipe, ``key.sub=value``, as they are typed behind ``--set``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from pydantic import BaseModel

from xdomain.core.bounded_yaml import load_yaml
from xdomain.core.errors import RecipeError, nearest


def overridden(model: type[BaseModel], tree: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A copy of nested mappings with changes.

    Parameters
    ----------
    model
        The model whose fields the mappings give, such as a recipe, so that a wrong key is named.
    tree
        The mappings, or a part of them. They are not changed.
    overrides
        The changes, each ``key.sub=value``.

    Raises
    ------
    RecipeError
        A change names no field of `model`; its value is not checked.
    """
    whole: dict[str, Any] = _deep_copy(tree)
    for override in overrides:
        _override(model, whole, override)
    return whole


def _deep_copy(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {key: _deep_copy(value) for key, value in tree.items()}
    return tree


def _override(whole: type[BaseModel], tree: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals:
        raise RecipeError(f"--set {override}", expected="key=value, e.g. train.epochs=3")
    *path, last = key.strip().split(".")
    model: Any = whole
    for step in (*path, last):
        if model is None:
            break
        fields = model.model_fields
        if step not in fields:
            near = nearest(step, fields)
            full = ".".join([*path[: path.index(step)], near]) if near and step in path else near
            if near and step == last:
                full = ".".join([*path, near])
            raise RecipeError(f"--set {key}: no such option", expected=f"one of {', '.join(fields)}", nearest=full)
        kind = fields[step].annotation
        model = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
    place: Any = tree
    for step in path:
        if place.get(step) is None:
            place[step] = {}
        place = place[step]
        if not isinstance(place, dict):
            raise RecipeError(f"--set {key}: {step} is a value, not a group of options", expected=f"{step}=VALUE")
    downloads = tree["source"].get("downloads") if path == ["source", "files"] else None
    if isinstance(downloads, dict):
        downloads.pop(last, None)  # the download is not the file that is named now
    try:
        place[last] = _scalar(value)
    except (yaml.YAMLError, ValueError):
        place[last] = value


def _scalar(value: str) -> Any:
    if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+", value.strip()):
        return float(value)  # YAML 1.1 reads 1e-4 as a string
    return load_yaml(value)
