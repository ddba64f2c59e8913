"""Speech as discrete units: from sound to units, and from units to symbols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .adapter import Speech

__all__ = ["Speech"]


def __getattr__(name: str) -> Any:
    """Load the adapter when it is first used, so that listing the commands does not load it."""
    if name != "Speech":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .adapter import Speech

    globals()[name] = Speech
    return Speech
