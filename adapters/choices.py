"""Options that are one of a few words."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from xdomain.core.errors import unknown


def check_choices(adapter: Any) -> None:
    """Make sure that every field typed ``Literal`` has one of its values.

    Raises
    ------
    RecipeError
        It has another: which are known, and the nearest.
    """
    hints = get_type_hints(type(adapter))
    for option in fields(adapter):
        known = get_args(hints[option.name]) if get_origin(hints[option.name]) is Literal else ()
        value = getattr(adapter, option.name)
        if known and value not in known:
            raise unknown(f"{adapter.name} option {option.name}:", str(value), known)
