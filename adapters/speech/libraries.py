"""The libraries for sound, which not every installation has."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from xdomain.errors import MissingError


def library(name: str) -> Any:
    """An optional module, imported where it is first needed.

    Raises
    ------
    MissingError
        It is not installed, or cannot be loaded here.
    """
    try:
        return import_module(name)
    except (ImportError, OSError) as error:  # OSError: a shared library that it wants
        package = name.split(".")[0]
        raise MissingError(f"reading speech needs {package} ({error})", mend="pip install 'xdomain[speech]'") from None
