"""What packages offer to xdomain through entry points. Nothing that is offered is loaded here."""

from __future__ import annotations

from importlib import metadata

from xdomain.core.errors import RecipeError


def entry_points(group: str) -> dict[str, metadata.EntryPoint]:
    """The entry points of a group by name, such as those of ``xdomain.adapters``.

    Raises
    ------
    RecipeError
        Two packages offer different things under one name.
    """
    found: dict[str, metadata.EntryPoint] = {}
    for entry in metadata.entry_points(group=group):
        if entry.name in found and found[entry.name].value != entry.value:
            raise RecipeError(
                f"two packages offer {entry.name!r} in {group}: {found[entry.name].value} and {entry.value}",
                fix="uninstall one of them",
            )
        found[entry.name] = entry
    return found
