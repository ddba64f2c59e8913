"""Turn out-of-memory errors into messages that say how to use less."""

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
    "DefaultCPUAllocator: not enough memory",  # the wording on Windows
    "CUBLAS_STATUS_ALLOC_FAILED",
)
ASKED_FOR = re.compile(r"tried to allocate (\d+(?:\.\d+)?) ?(bytes|[KMGT]i?B)", re.IGNORECASE)
GIB = 2**30


@dataclass(frozen=True)
class Need:
    """What needs the memory, and how to need less.

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
    """Whether `error` is torch's for a lack of memory. Does not load torch."""
    if not isinstance(error, RuntimeError):
        return False
    return type(error).__name__ == "OutOfMemoryError" or any(sign in str(error) for sign in SIGNS)


def memory_failure(error: BaseException) -> OutOfMemoryError | None:
    """The message for the user if `error` is torch's for a lack of memory outside `enough_memory`; else None."""
    return _failure(error, ANYTHING) if is_out_of_memory(error) else None


@contextmanager
def enough_memory(need: Callable[[], Need]) -> Generator[None]:
    """Turn torch's out-of-memory errors in this context into ones that say how to need less, and free its memory.

    Parameters
    ----------
    need
        Called only after memory has run out.

    Raises
    ------
    OutOfMemoryError
        In place of torch's error, which becomes its ``__cause__``.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        traceback.clear_frames(error.__traceback__)  # they hold the tensors, whose memory is needed later
        raise _failure(error, need()) from error


def _failure(error: BaseException, need: Need) -> OutOfMemoryError:
    return OutOfMemoryError(f"memory ran out, {_asked_for(str(error))}for {need.what}", fix=need.fix)


def _asked_for(text: str) -> str:
    """The part of the message on how much more was asked for; empty if torch's message does not say."""
    amount = ASKED_FOR.search(text)
    if amount is None:
        return ""
    size, unit = amount.groups()
    shown = f"{float(size) / GIB:,.2f} GiB" if unit == "bytes" else f"{size} {unit}"
    return f"where {shown} more were asked for, "
