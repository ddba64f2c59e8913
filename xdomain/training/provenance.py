"""What a result was made with: data files, versions, commit, device, memory."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from xdomain.core.recipe_sections import Source
from xdomain.core.shared_run import HUB
from xdomain.data.in_memory import display_name
from xdomain.data.sources import file_sha256, paths_of
from xdomain.training.device import Device

PACKAGES = ("xdomain", "torch", "transformers", "accelerate", "tokenizers", "numpy", "scipy", "scikit-learn")


def provenance(device: Device, memory: PeakMemory) -> dict[str, Any]:
    """The fields of a result that say where and with what it was made.

    Parameters
    ----------
    device
        Where the run computed.
    memory
        Made when the run began: ``peak_memory_bytes`` is the most since then.
    """
    return {
        "device": device_name(device),
        "dtype": device.dtype,
        "threads": torch.get_num_threads(),
        "peak_memory_bytes": memory.read(device),
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}},
        "git": git_commit(),
    }


def data_files(source: Source) -> dict[str, dict[str, Any]]:
    """The files of `source` by their names in the recipe: file name without folders, bytes and sha256.

    Records of a data set of the hub have its name, as it was given to ``--data``.
    """
    files: dict[str, dict[str, Any]] = {}
    for role, path in paths_of(source).items():
        if path.is_file():
            shown = display_name(path)
            parts = shown.split(" with ")  # records and their labels
            name = shown if shown.startswith(HUB) else " with ".join(Path(part).name for part in parts)
            files[role] = {"name": name, "bytes": path.stat().st_size, "sha256": file_sha256(path)}
    return files


def device_name(device: Device) -> str:
    """The name of `device` for people: that of the GPU, or ``cpu (x86_64)``."""
    return torch.cuda.get_device_name() if device.name == "cuda" else f"{device.name} ({platform.machine()})"


class PeakMemory:
    """The most memory that was held at once since this object was made, in bytes.

    On a GPU, this is what torch's allocator handed out. Elsewhere it is what the process had resident, libraries and
    data included: Linux keeps a high-water mark, VmHWM, which a process can reset. Where it cannot be reset (in some
    containers, on macOS), the mark is that of this run once it has risen; it is unknown if an earlier run in the same
    process had a higher one. On Windows it is unknown. There is one mark for a process, so only one run at a time can
    be measured.
    """

    def __init__(self) -> None:
        if torch.cuda.is_initialized():
            torch.cuda.reset_peak_memory_stats()
        self._before = 0 if _set_back() else _high_water_mark()

    def read(self, device: Device) -> int | None:
        """Bytes up to now, of the memory that a run on `device` uses; None where they are unknown."""
        if device.name == "cuda":
            return torch.cuda.max_memory_allocated()
        now = _high_water_mark()
        return None if now is None or self._before is None or now <= self._before else now


def _set_back() -> bool:
    """Reset the process's high-water mark to what is resident now; return whether that worked (proc(5), clear_refs)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _high_water_mark() -> int | None:
    """The most bytes that the process had resident since it began, or since `_set_back`; None where unknown."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    if sys.platform != "darwin":
        return None
    import resource  # which Windows lacks

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def git_commit() -> str | None:
    """The commit of the checkout that xdomain runs from, with "+" if files were changed since; None outside of one."""
    here = Path(__file__).resolve().parent
    try:
        commit, changes, _ = [
            subprocess.run(["git", "-C", str(here), *words], capture_output=True, text=True, check=True).stdout.strip()
            for words in (
                ["rev-parse", "--short=12", "HEAD"],
                ["status", "--porcelain", "--untracked-files=no"],
                ["ls-files", "--error-unmatch", Path(__file__).name],  # fails in somebody else's repository
            )
        ]
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+" if changes else "")
