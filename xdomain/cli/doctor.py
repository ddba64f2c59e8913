"""Report what this machine has, what is missing, and how to get it."""

from __future__ import annotations

import os
import platform
import shutil
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from xdomain.core.import_errors import import_failure

EXTRAS = {
    "peft": ("peft", "--tune lora"),
    "ray": ("ray", "studies on several machines"),
    "soundfile": ("speech", "reading sound files"),
    "soxr": ("speech", "resampling sound"),
    "torchaudio": ("torchaudio", "speech features torchaudio:PIPELINE:LAYER"),
    "captum": ("analysis", "integrated gradients"),
    "onnxruntime": ("onnx", "exported models"),
    "symusic": ("music", "reading MIDI"),
    "miditoolkit": ("music", "reading MIDI with reader=miditoolkit"),
    "miditok": ("music", "symbols of MidiTok"),
    "openpyxl": ("excel", "reading and writing Excel files"),
    "pyfaidx": ("genome", "genomes: --genome, --windows"),
    "datasets": ("hub", "data sets of the hub: --data hub:NAME"),
    "gradio": ("app", "a form in the browser: xdomain app"),
}
"""Optional packages: the extra that installs each, and what it is for."""


def doctor() -> list[dict[str, str]]:
    """One row {thing, state, detail} per item. The state is ok, missing (for optional items) or broken."""
    rows = [_row("python", "ok", platform.python_version())]
    rows += [
        _package(name) for name in ("torch", "transformers", "accelerate", "tokenizers", "pyarrow", "scikit-learn")
    ]
    rows.append(_transformers_models())
    rows += [_device(), _memory(), _disk(), _data(), _bundled()]
    rows += [_optional(package, extra, purpose) for package, (extra, purpose) in EXTRAS.items()]
    espeak = shutil.which("espeak-ng")
    return [
        *rows,
        _row("espeak-ng", *(("ok", espeak) if espeak else ("missing", "speaks test sets: apt install espeak-ng"))),
    ]


def _row(thing: str, state: str, detail: str) -> dict[str, str]:
    return {"thing": thing, "state": state, "detail": detail}


def _package(name: str) -> dict[str, str]:
    try:
        return _row(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return _row(name, "broken", f"not installed: pip install {name}")


def _optional(package: str, extra: str, purpose: str) -> dict[str, str]:
    if find_spec(package):
        return _row(package, "ok", metadata.version(package))
    return _row(package, "missing", f"for {purpose}: pip install 'xdomain[{extra}]'")


def _transformers_models() -> dict[str, str]:
    """Whether transformers can import its models. Any broken package that it also imports can prevent that."""
    try:
        from transformers import BertModel  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except Exception as error:
        failure = import_failure(error)
        reason = f"{failure.what}; {failure.fix}" if failure else str(error).splitlines()[0][:200]
        return _row("models", "broken", f"transformers cannot import its models: {reason}")
    return _row("models", "ok", "transformers imports them")


def _device() -> dict[str, str]:
    try:
        from xdomain.training.device import best_device
    except Exception as error:
        failure = import_failure(error)
        return _row("device", "broken", f"unknown: {failure.what if failure else error}")
    return _row("device", "ok", str(best_device()))


def _memory() -> dict[str, str]:
    if not hasattr(os, "sysconf"):
        return _row("memory", "ok", "unknown")
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return _row("memory", "ok", f"{total / 2**30:.0f} GiB, {os.cpu_count()} cores")


def _disk() -> dict[str, str]:
    free = shutil.disk_usage(Path.cwd()).free
    return _row("disk", "ok" if free > 2**30 else "broken", f"{free / 2**30:.0f} GiB free here")


def _data() -> dict[str, str]:
    from xdomain.data.sources import data_home

    home = data_home()
    if home.is_dir():
        return _row("data", "ok", f"{home} holds {', '.join(sorted(p.name for p in home.iterdir() if p.is_dir()))}")
    return _row("data", "missing", f"no {home}: toy tasks and --data work; else set XDOMAIN_DATA")


def _bundled() -> dict[str, str]:
    from xdomain.model.checkpoints import bundled_backbones

    names = [path.name for path in bundled_backbones()]
    return _row("backbone", "ok" if names else "broken", ", ".join(names) or "no bundled checkpoint: reinstall xdomain")
