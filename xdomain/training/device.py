"""Where a run computes: device, number format, attention kernel, and the processes that share it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from xdomain.core.choices import Precision

SHORT = 256
"""Positions up to which plain matrix products are quicker than the fused attention kernel. Measured with 6 layers of
width 384 on 2 cores: with the fused kernel a training step takes 1.3 to 1.4 times as long at 62 and at 128 positions,
1.0 to 1.1 times at 256, 0.75 times at 512."""
T = TypeVar("T")


@dataclass(frozen=True)
class Device:
    """Where to compute.

    Parameters
    ----------
    bf16
        Whether matrix products are computed in bfloat16 there.
    reason
        Why, for people to read.
    """

    name: Literal["cpu", "cuda", "mps"]
    bf16: bool
    reason: str

    @property
    def dtype(self) -> str:
        """The number format of matrix products in training."""
        return "bfloat16" if self.bf16 else "float32"

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """A context in which matrix products run in bfloat16; where `bf16` is false it changes nothing."""
        if not self.bf16:
            return contextlib.nullcontext()
        import torch  # takes seconds to load, and a baseline does without

        return torch.autocast(self.name, torch.bfloat16)

    def __str__(self) -> str:
        return f"{self.name} in {self.dtype} ({self.reason})"


def best_device(precision: Precision = "auto") -> Device:
    """The fastest device here, a GPU if there is one.

    Parameters
    ----------
    precision
        auto: bfloat16 where the device computes in it (Apple GPUs are used in float32); bf16 or fp32: that format.
    """
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
    """A context in which a model uses the attention kernel that is quicker for its sequences.

    Parameters
    ----------
    model
        Its attention implementation is changed inside of the context only.
    device
        Where `model` computes: only on a CPU in bfloat16 can the plain kernel be quicker.
    positions
        Of a sequence, on average.
    """
    slower = model.config._attn_implementation == "sdpa" and device.name == "cpu" and device.bf16
    with plain_attention(model) if slower and positions <= SHORT else contextlib.nullcontext():
        yield


@contextmanager
def plain_attention(model: Any) -> Generator[None]:
    """A context in which `model` uses the plain attention kernel, the only one that has attention weights."""
    usual = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(usual)


def process_count() -> int:
    """How many processes share this run: 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this is the first of the processes that share a run: the one that logs and writes for all of them."""
    return os.environ.get("RANK", "0") == "0"


def join(device: Device) -> None:
    """Connect to the other processes of this run, and take a GPU of one's own if `device` is a GPU.

    A process alone has nothing to do. `transformers.Trainer` does the same later, and then keeps what was set up here.
    """
    if process_count() > 1:
        from accelerate import PartialState  # which loads torch

        PartialState(cpu=device.name == "cpu")


def of_first(value: T) -> T:
    """Send `value` of the first process to all others; every process must call this at the same point.

    For numbers that decide something and that each process computes by itself: those of several devices may differ in
    their last bits, and a process that stops alone leaves the others waiting for ever. `value` must be picklable.
    """
    if process_count() == 1:
        return value
    from accelerate.utils import broadcast_object_list  # which loads torch

    return broadcast_object_list([value])[0]
