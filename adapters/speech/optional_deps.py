"""Libraries that not every installation has."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from xdomain.core.errors import MissingError

EXTRAS = {
    "soundfile": ("speech", "to read sound files"),
    "soxr": ("speech", "to resample sound"),
    "vector_quantize_pytorch": ("vqvae", "to fit a VQ-VAE"),
    "torchaudio": ("torchaudio", "for features torchaudio:PIPELINE:LAYER"),
}
"""Optional packages: the extra that installs each, and what needs it."""
PAIRS = {"torchaudio": "torchaudio 2.11.0 with torch 2.11.0: each torchaudio fits one build of torch"}
"""Packages that load only beside certain versions of another."""


def library(name: str) -> Any:
    """Import a module that may be missing.

    Parameters
    ----------
    name
        Name of the module, such as ``soundfile`` or ``torchaudio.pipelines``.

    Raises
    ------
    MissingError
        It is not installed, or cannot be imported.
    """
    try:
        return import_module(name)
    except (ImportError, OSError) as error:  # OSError: a shared library that it needs
        raise _missing(name.partition(".")[0], error) from None


def _missing(package: str, error: Exception) -> MissingError:
    extra, purpose = EXTRAS.get(package, ("", ""))
    fix = f"pip install 'xdomain[{extra}]'" if extra else "`xdomain doctor` lists what is installed and what is broken"
    needed = f"{package}, needed {purpose}," if purpose else package
    if isinstance(error, ModuleNotFoundError) and error.name == package:
        return MissingError(f"{needed} is not installed", fix=fix)
    reason = str(error).strip().split("\n", 1)[0]
    return MissingError(f"{needed} cannot be imported ({reason})", expected=PAIRS.get(package), fix=fix)
