"""What a number came from: versions, commit, device, memory."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from xdomain.training.device import Device

PACKAGES = ("xdomain", "torch", "transformers", "accelerate", "tokenizers", "numpy", "scipy", "scikit-learn")


def provenance(device: Device) -> dict[str, Any]:
    """The fields of a result that say where and with what it was made."""
    return {
        "device": device_name(device),
        "dtype": device.dtype,
        "threads": torch.get_num_threads(),
        "peak_memory_bytes": peak_memory(device),
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}},
        "git": git_commit(),
    }


def device_name(device: Device) -> str:
    """The device as a person knows it."""
    return torch.cuda.get_device_name() if device.name == "cuda" else f"{device.name} ({platform.machine()})"


def peak_memory(device: Device) -> int:
    """Bytes: of the GPU's allocator where one is used, else the process's largest resident size."""
    if device.name == "cuda":
        return torch.cuda.max_memory_allocated()
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024


def git_commit() -> str | None:
    """The commit of xdomain's own checkout, with "+" if it was changed since; None outside of one."""
    here = Path(__file__).resolve().parent
    try:
        told = [
            subprocess.run(["git", "-C", str(here), *words], capture_output=True, text=True, check=True).stdout.strip()
            for words in (
                ["rev-parse", "--short=12", "HEAD"],
                ["status", "--porcelain", "--untracked-files=no"],
                ["ls-files", "--error-unmatch", Path(__file__).name],  # fails in somebody else's repository
            )
        ]
    except (OSError, subprocess.CalledProcessError):
        return None
    return told[0] + ("+" if told[1] else "")
