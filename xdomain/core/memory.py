"""Memory that runs out: torch's errors recognised, and told as a person's who can fix it."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from xdomain.core.errors import OutOfMemoryError

SIGNS = (
    "CUDA out of memory",
    "MPS backend out of memory",
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",  # as Windows has it
    "CUBLAS_STATUS_ALLOC_FAILED",
)
ASKED_FOR = re.compile(r"tried to allocate (\d+(?:\.\d+)?) ?(bytes|[KMGT]i?B)", re.IGNORECASE)
GIB = 2**30


@dataclass(frozen=True)
class Need:
    """What takes the memory, and how to take less.

    Parameters
    ----------
    what
        The sizes in use: ``training with batches of 16 records …``.
    fix
        Options or commands that make them smaller.
    """

    what: str
    fix: str


ANYTHING = Need(
    "this command",
    "fewer or shorter records; where a GPU is too small, CUDA_VISIBLE_DEVICES= in front of the command uses the CPU",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch raised `error` as there was no memory left; torch need not be loaded to ask."""
    if not isinstance(error, RuntimeError):
        return False
    return type(error).__name__ == "OutOfMemoryError" or any(sign in str(error) for sign in SIGNS)


def memory_failure(error: BaseException) -> OutOfMemoryError | None:
    """The error to show a person where memory ran out in no `enough_memory`; None where `error` is another."""
    return _failure(error, ANYTHING) if is_out_of_memory(error) else None


@contextmanager
def enough_memory(need: Callable[[], Need]) -> Generator[None]:
    """A context whose memory is free again, and which says how to need less, where it runs out.

    Parameters
    ----------
    need
        Asked only then.

    Raises
    ------
    OutOfMemoryError
        In place of torch's error, which is its cause.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        traceback.clear_frames(error.__traceback__)  # they hold the tensors, and whoever goes on needs the memory
        raise _failure(error, need()) from error


def _failure(error: BaseException, need: Need) -> OutOfMemoryError:
    return OutOfMemoryError(f"memory ran out, {_asked_for(str(error))}for {need.what}", fix=need.fix)


def _asked_for(text: str) -> str:
    """How much more was asked for, where torch's message has it."""
    found = ASKED_FOR.search(text)
    if found is None:
        return ""
    size, unit = found.groups()
    told = f"{float(size) / GIB:,.2f} GiB" if unit == "bytes" else f"{size} {unit}"
    return f"where {told} more were asked for, "
