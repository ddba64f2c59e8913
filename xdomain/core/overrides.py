"""Changes to a recipe: ``key.sub=value``, as they are typed behind ``--set``, or a mapping of keys to values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from xdomain.core.bounded_yaml import load_yaml
from xdomain.core.errors import RecipeError, nearest

Overrides = Sequence[str] | Mapping[str, Any]
"""``["train.epochs=3"]`` or ``{"train.epochs": 3}``."""


def as_typed(overrides: Overrides) -> list[str]:
    """Write changes as they are typed behind ``--set``.

    Parameters
    ----------
    overrides
        Each ``key.sub=value``, or values by their keys. A value that is a string is read as one behind ``--set``, so
        ``"1e-4"`` is a number.

    Raises
    ------
    RecipeError
        A value is nothing that a recipe can hold.
    """
    if isinstance(overrides, str):
        return [overrides]
    if not isinstance(overrides, Mapping):
        return list(overrides)
    return [f"{key}={_on_one_line(key, value)}" for key, value in overrides.items()]


def _on_one_line(key: str, value: Any) -> str:
    if isinstance(value, str | Path):
        return str(value)
    plain = value.item() if hasattr(value, "item") else value  # of numpy
    try:
        return yaml.safe_dump(plain, default_flow_style=True, width=10**6).removesuffix("...\n").strip()
    except yaml.YAMLError:
        raise RecipeError(
            f"{key}: a {type(value).__name__}", expected="a number, a string, a list, a dictionary, True, False or None"
        ) from None


def overridden(model: type[BaseModel], tree: Mapping[str, Any], overrides: Overrides) -> dict[str, Any]:
    """A copy of nested mappings with changes.

    Parameters
    ----------
    model
        The model whose fields the mappings give, such as a recipe, so that a wrong key is named.
    tree
        The mappings, or a part of them. They are not changed.
    overrides
        The changes, see `as_typed`.

    Raises
    ------
    RecipeError
        A change names no field of `model`; its value is not checked.
    """
    whole: dict[str, Any] = _deep_copy(tree)
    for override in as_typed(overrides):
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
