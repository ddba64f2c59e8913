"""Which device and number format a run uses, and why."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Precision = Literal["auto", "bf16", "fp32"]


@dataclass(frozen=True)
class Device:
    """A device, whether training uses bfloat16 there, and the reason, printable."""

    name: Literal["cpu", "cuda", "mps"]
    bf16: bool
    reason: str

    @property
    def dtype(self) -> str:
        """The number format of matrix products in training."""
        return "bfloat16" if self.bf16 else "float32"

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """A context in which matrix products run in bfloat16, where the device has it."""
        if not self.bf16:
            return contextlib.nullcontext()
        import torch  # takes seconds to load, and a baseline does without

        return torch.autocast(self.name, torch.bfloat16)

    def __str__(self) -> str:
        return f"{self.name} in {self.dtype} ({self.reason})"


def best_device(precision: Precision = "auto") -> Device:
    """The fastest device here; bfloat16 where it computes in it, unless `precision` says otherwise."""
    import torch  # takes seconds to load, and a baseline does without

    if torch.cuda.is_available():
        major, minor = torch.cuda.get_device_capability()
        name, able = "cuda", major >= 8
        reason = f"{torch.cuda.get_device_name()} is sm_{major}{minor}, " + (
            "which has bfloat16" if able else "older than sm_80, which brought bfloat16"
        )
    elif torch.backends.mps.is_available():
        name, able, reason = "mps", False, "Apple GPU, trained in float32"
    else:
        name, able = "cpu", "avx512_bf16" in _cpu_flags()
        reason = "this CPU has avx512_bf16" if able else "this CPU has no bfloat16 instructions"
    if precision == "auto":
        return Device(name, able, reason)
    return Device(name, precision == "bf16", f"asked for; {reason}")


def _cpu_flags() -> frozenset[str]:
    """The instruction sets that Linux lists; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.split() for line in lines if line.startswith("flags")), []))
