"""Look up what packages offer to xdomain through entry points, without loading it."""

from __future__ import annotations

from importlib import metadata

from xdomain.core.errors import RecipeError


def entry_points(group: str) -> dict[str, metadata.EntryPoint]:
    """The entry points of `group`, such as ``xdomain.adapters``, by name.

    Raises
    ------
    RecipeError
        Two packages offer different things under one name.
    """
    entries: dict[str, metadata.EntryPoint] = {}
    for entry in metadata.entry_points(group=group):
        if entry.name in entries and entries[entry.name].value != entry.value:
            raise RecipeError(
                f"two packages offer {entry.name!r} in {group}: {entries[entry.name].value} and {entry.value}",
                fix="uninstall one of them",
            )
        entries[entry.name] = entry
    return entries
