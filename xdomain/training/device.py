"""Where a run computes: device, number format, attention kernel, and the processes that share it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

Precision = Literal["auto", "bf16", "fp32"]
SHORT = 256
"""Positions up to which the plain products win. Measured with 6 layers of width 384 on 2 cores: the fused kernel takes
1.3 to 1.4 times a training step at 62 and at 128 positions, 1.0 to 1.1 times at 256, 0.75 times at 512."""
T = TypeVar("T")


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


@contextmanager
def quick_attention(model: Any, device: Device, positions: float) -> Generator[None]:
    """A context in which `model` attends by whichever is quicker for sequences of so many positions."""
    usual = model.config._attn_implementation
    plain = usual == "sdpa" and device.name == "cpu" and device.bf16 and positions <= SHORT
    if plain:
        model.set_attn_implementation("eager")
    try:
        yield
    finally:
        if plain:
            model.set_attn_implementation(usual)


if TYPE_CHECKING:
    from xdomain.training.device import Device


def process_count() -> int:
    """How many processes share this run; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this process is the one that says, checks and writes for all of them."""
    return os.environ.get("RANK", "0") == "0"


def join(device: Device) -> None:
    """Meet the others, and take a GPU of one's own where `device` is one; nothing to do for a process alone.

    `transformers.Trainer` does the same later, and finds it done.
    """
    if process_count() > 1:
        from accelerate import PartialState  # which loads torch

        PartialState(cpu=device.name == "cpu")


def of_first(value: T) -> T:
    """The first process's value, in all of them, which call this together.

    Decisions are made of it where each process computes by itself: numbers of several devices may differ in their last
    bits, and a process that stops alone leaves the others waiting for ever.
    """
    if process_count() == 1:
        return value
    from accelerate.utils import broadcast_object_list  # which loads torch

    return broadcast_object_list([value])[0]
