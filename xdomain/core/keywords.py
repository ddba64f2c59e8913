"""Calls with unknown keywords: the error names the nearest keyword, or the place where the option belongs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from xdomain.core.errors import RecipeError, unknown
from xdomain.core.recipe import Recipe
from xdomain.core.recipe_sections import Columns

SAME = {"set": "overrides", "overrides": "set"}
"""Changes to recipes: how one function calls them, by how another does."""
P = ParamSpec("P")
T = TypeVar("T")


def names_misspelt_options(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate `function` so that a call with an unknown keyword names the nearest keyword that it has.

    Where `function` has ``columns``, a keyword that is a field of `xdomain.core.recipe_sections.Columns` is told to
    stand there; where it has ``overrides``, so is the name of an option of a recipe, such as ``epochs``.

    Raises
    ------
    RecipeError
        On such a call of the decorated function, in place of Python's TypeError.
    """
    known = inspect.signature(function).parameters
    options = [name for name, one in known.items() if one.kind is one.KEYWORD_ONLY]
    title = function.__qualname__.removesuffix(".__init__")

    @functools.wraps(function)
    def checked(*args: P.args, **given: P.kwargs) -> T:
        for name in given:
            if name not in known:
                error = unknown(f"option of {title}", name, options)
                if (same := SAME.get(name)) in known:
                    raise RecipeError(error.what, expected=error.expected, nearest=same)
                if "columns" in known and name in Columns.model_fields:
                    raise RecipeError(error.what, expected=error.expected, fix=f'columns={{"{name}": "NAME"}}')
                if "overrides" in known and (key := recipe_key(name)):
                    raise RecipeError(error.what, expected=error.expected, fix=f'overrides={{"{key}": VALUE}}')
                raise error
        return function(*args, **given)

    return checked


def recipe_key(name: str) -> str | None:
    """The key of a recipe that ends in `name`: ``train.epochs`` for epochs; None if there is none."""
    if name in Recipe.model_fields:
        return name
    parts = {part: getattr(field.annotation, "model_fields", {}) for part, field in Recipe.model_fields.items()}
    return next((f"{part}.{name}" for part, fields in parts.items() if name in fields), None)
