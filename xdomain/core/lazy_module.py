"""A module that is imported when it is first used, so that commands that do without it start at once."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class LazyModule:
    """Stand in for a module until one of its attributes is asked for.

    Parameters
    ----------
    name
        The full name of the module, such as ``sklearn.metrics``.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)
