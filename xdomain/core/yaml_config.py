"""What a person writes in YAML: read strictly, checked against a model, all faults told at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from xdomain.core.errors import RecipeError, nearest

M = TypeVar("M", bound=BaseModel)


class ConfigModel(BaseModel):
    """Base of all that is written: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def read_yaml(text: str, *, where: str, kind: str, see: str) -> dict[str, Any]:
    """The mapping that a file of some `kind` holds.

    Raises
    ------
    RecipeError
        It is no YAML, a key comes twice, or it holds something else; `see` says where a right one is shown.
    """
    try:
        tree = yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2020-13-45
        raise RecipeError(f"{where} is not YAML: {error}", expected=f"a {kind}; {see}") from None
    if not isinstance(tree, dict):
        raise RecipeError(f"{where} holds no {kind}", expected=f"a mapping; {see}")
    return tree  # pyright: ignore[reportUnknownVariableType]


def checked(model: type[M], tree: Mapping[str, Any], *, where: str, fix: str) -> M:
    """A model from nested mappings; all faults at once in a RecipeError, near misses of keys named."""
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise RecipeError(f"{where}: {_faults(error, model)}", fix=fix) from None


class _Loader(yaml.SafeLoader):
    """YAML in which no key comes twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        twice = next((key for i, key in enumerate(keys) if key in keys[:i]), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice} comes twice", node.start_mark)
        return super().construct_mapping(node, deep)


def _faults(error: ValidationError, whole: type[BaseModel]) -> str:
    told: list[str] = []
    for fault in error.errors():
        place = ".".join(str(step) for step in fault["loc"]) or whole.__name__.lower()
        if fault["type"] == "value_error":  # our own: says where, and what was given
            told.append("\n  " + fault["msg"].removeprefix("Value error, "))
        elif fault["type"] == "extra_forbidden":
            near = nearest(str(fault["loc"][-1]), _keys_at(fault["loc"][:-1], whole))
            told.append(f"\n  {place}: no such key" + (f", did you mean {near}?" if near else ""))
        elif fault["type"] == "missing":
            told.append(f"\n  {place}: missing")
        else:
            told.append(f"\n  {place}: {fault['msg']} (got {fault['input']!r})"[:300])
    return f"{len(told)} fault{'s' if len(told) > 1 else ''}" + "".join(told)


def _keys_at(path: tuple[int | str, ...], whole: type[BaseModel]) -> list[str]:
    model: Any = whole
    for step in path:
        field = model.model_fields.get(step)
        kind = field.annotation if field else None
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return []
        model = kind
    return list(model.model_fields)
