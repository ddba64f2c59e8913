"""Keyword options as people type them in Python."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from xdomain.core.errors import unknown

P = ParamSpec("P")
T = TypeVar("T")


def names_misspelt_options(function: Callable[P, T]) -> Callable[P, T]:
    """Let a function name the nearest of its options where it is given one that it does not have.

    Raises
    ------
    RecipeError
        On such a call, in place of Python's TypeError.
    """
    known = inspect.signature(function).parameters
    options = [name for name, one in known.items() if one.kind is one.KEYWORD_ONLY]
    title = function.__qualname__.removesuffix(".__init__")

    @functools.wraps(function)
    def checked(*args: P.args, **given: P.kwargs) -> T:
        for name in given:
            if name not in known:
                raise unknown(f"option of {title}", name, options)
        return function(*args, **given)

    return checked
