"""The built-in tasks: a folder for each domain, with a YAML file for each task and readers of unusual file formats."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_MODULES = (
    "dna.readers",
    "music.readers",
    "music.toys",
    "protein.readers",
    "speech.readers",
    "speech.nmsqa_units",
    "speech.simulated_qa",
    "text.readers",
    "toy.sequences",
    "toy.spans",
)


def __getattr__(name: str) -> Any:
    """Load the readers when they are first used, so that listing the tasks does not load them."""
    if name != "READERS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    readers: dict[str, Any] = {}
    for module in _MODULES:
        readers |= import_module(f"{__name__}.{module}").READERS
    globals()[name] = readers
    return readers
