"""YAML written by users: read strictly and checked against a pydantic model, with all faults reported at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from xdomain.core.bounded_yaml import load_yaml, read_bounded
from xdomain.core.errors import RecipeError, clipped, nearest

SHOWN = 15
"""Faults that a message names."""
M = TypeVar("M", bound=BaseModel)


class ConfigModel(BaseModel):
    """Base of the models of YAML files. Unknown keys are errors; objects cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def read_config(path: Path, *, kind: str, see: str | None = None) -> str:
    """The text of the file `path`, which should be a `kind` (``recipe``) in YAML, like that in `see`.

    Raises
    ------
    RecipeError
        It cannot be read, or is too large for one.
    """
    try:
        return read_bounded(path)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(f"{path} cannot be read ({error})", expected=f"a {kind} in YAML", fix=see) from None


def read_yaml(text: str, *, where: str, kind: str, see: str) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Parameters
    ----------
    text
        What the file holds.
    where
        Name of the file, for messages.
    kind
        What it should be, for messages: ``recipe``.
    see
        Where to look up an example, for messages: ``see …``.

    Raises
    ------
    RecipeError
        It is not YAML, has a key twice, or holds something other than a mapping.
    """
    try:
        tree = load_yaml(text)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2020-13-45
        raise RecipeError(f"{where} is not YAML: {error}", expected=f"a {kind}; {see}") from None
    if not isinstance(tree, dict):
        raise RecipeError(f"{where} holds no {kind}", expected=f"a mapping; {see}")
    return tree  # pyright: ignore[reportUnknownVariableType]


def checked(model: type[M], tree: Mapping[str, Any], *, where: str, fix: str) -> M:
    """Make a model from nested mappings.

    Parameters
    ----------
    model
        The class to make.
    tree
        Values of its fields.
    where, fix
        What is checked and how to fix it, for messages.

    Raises
    ------
    RecipeError
        A value or key is invalid. The message lists all of them, and the nearest key for one that is misspelt.
    """
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise RecipeError(f"{where}: {_faults(error, model)}", fix=fix) from None


def _faults(error: ValidationError, whole: type[BaseModel]) -> str:
    lines: list[str] = []
    for fault in error.errors():
        place = ".".join(str(step) for step in fault["loc"]) or whole.__name__.lower()
        if fault["type"] == "value_error":  # raised by our validators, which say where and what was given
            lines.append("\n  " + fault["msg"].removeprefix("Value error, "))
        elif fault["type"] == "extra_forbidden":
            near = nearest(str(fault["loc"][-1]), _keys_at(fault["loc"][:-1], whole))
            lines.append(f"\n  {place}: no such key" + (f", did you mean {near}?" if near else ""))
        elif fault["type"] == "missing":
            lines.append(f"\n  {place}: missing")
        else:
            lines.append(f"\n  {place}: {fault['msg']} (got {fault['input']!r})"[:300])
    rest = f"\n  … and {len(lines) - SHOWN:,} more" if len(lines) > SHOWN else ""
    shown = "".join(clipped(line, 300) for line in lines[:SHOWN])
    return f"{len(lines)} fault{'s' if len(lines) > 1 else ''}{shown}{rest}"


def _keys_at(path: tuple[int | str, ...], whole: type[BaseModel]) -> list[str]:
    model: Any = whole
    for step in path:
        field = model.model_fields.get(step)
        kind = field.annotation if field else None
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return []
        model = kind
    return list(model.model_fields)


def dump_yaml(tree: Any) -> str:
    """Write `tree`, nested mappings and lists, as YAML that reads back as it was, mappings in their order."""
    text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=100)
    if "\x85" in text:  # YAML takes it for a line break, but PyYAML does not quote it
        text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=False, width=100)
    return text
