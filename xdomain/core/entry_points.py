"""Look up what packages offer to xdomain through entry points, without loading it."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from importlib import metadata

from xdomain.core.errors import RecipeError


def entry_points(group: str) -> dict[str, metadata.EntryPoint]:
    """The entry points of `group`, such as ``xdomain.adapters``, by name.

    Raises
    ------
    RecipeError
        Two packages offer different things under one name.
    """
    return dict(_entry_points(group, tuple((place, _changed(place)) for place in sys.path)))


@lru_cache(maxsize=16)
def _entry_points(group: str, _: tuple[tuple[str, int], ...]) -> dict[str, metadata.EntryPoint]:
    """Found once as long as no package is installed: every look-up reads a file of each."""
    entries: dict[str, metadata.EntryPoint] = {}
    for entry in metadata.entry_points(group=group):
        if entry.name in entries and entries[entry.name].value != entry.value:
            raise RecipeError(
                f"two packages offer {entry.name!r} in {group}: {entries[entry.name].value} and {entry.value}",
                fix="uninstall one of them",
            )
        entries[entry.name] = entry
    return entries


def _changed(place: str) -> int:
    """When the folder `place` last got or lost a file; 0 where there is none."""
    try:
        return os.stat(place or ".").st_mtime_ns  # noqa: PTH116
    except OSError:
        return 0
