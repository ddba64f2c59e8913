"""The built-in tasks: a YAML file each, in a folder a domain, beside the readers of that domain's odd file formats."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_MODULES = (
    "dna.files",
    "music.files",
    "music.toys",
    "protein.files",
    "speech.files",
    "speech.nmsqa_units",
    "speech.simulated_qa",
    "text.files",
    "toy.sequences",
    "toy.spans",
)


def __getattr__(name: str) -> Any:
    """Load the readers when they are first asked for: listing the tasks does without them."""
    if name != "READERS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: dict[str, Any] = {}
    for module in _MODULES:
        found |= import_module(f"{__name__}.{module}").READERS
    globals()[name] = found
    return found
