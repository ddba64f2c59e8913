"""Turn errors of writing, such as those of a full disk, into messages that name the place and say how to go on."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from xdomain.core.errors import OutputError

FULL = (errno.ENOSPC, errno.EDQUOT)
DISK_FULL_MESSAGES = ("No space left on device", "Not enough free space", "Disk quota exceeded")
"""How safetensors and numpy say it, whose errors have no number."""
TORCH_WRITE_ERRORS = ("PytorchStreamWriter failed writing", "unexpected pos")
"""What torch says of a file that it cannot write, whatever the reason."""
NEARLY_FULL_BYTES = 2**20
"""Bytes free on a disk, below which such an error of torch is put down to a full one."""
AGAIN = "make room on its disk, and give the same command again"
ELSEWHERE = "another --out"


def is_disk_full(error: BaseException, place: Path) -> bool:
    """Whether a full disk caused `error`. Those of torch count if that of `place` has under 1 MiB."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in FULL
    if isinstance(error, RuntimeError):
        return any(sign in str(error) for sign in TORCH_WRITE_ERRORS) and _has_no_room(place)
    written = isinstance(error, OSError) or type(error).__name__ == "SafetensorError"
    return written and any(sign in str(error) for sign in DISK_FULL_MESSAGES)


def disk_failure(error: BaseException) -> OutputError | None:
    """The message for the user if `error` came of a full disk outside `explaining_full_disk`; else None."""
    if not is_disk_full(error, Path()):
        return None
    named = getattr(error, "filename", None)
    return OutputError(f"{named or 'a file'} cannot be written ({os.strerror(errno.ENOSPC)})", fix=AGAIN)


@contextmanager
def explaining_full_disk(place: Path, *, fix: str = AGAIN) -> Generator[None]:
    """Turn errors of a full disk in this context, and no others, into one that names `place` and a `fix`.

    Raises
    ------
    OutputError
        In place of the error of the library that wrote, which becomes its ``__cause__``.
    """
    try:
        yield
    except Exception as error:
        if not is_disk_full(error, place):
            raise
        raise OutputError(f"{place} cannot be written ({os.strerror(errno.ENOSPC)})", fix=fix) from error


@contextmanager
def writing(place: Path, *, expected: str | None = None, fix: str = ELSEWHERE) -> Generator[None]:
    """Turn the errors of the system in this context, which does no more than write to `place`.

    Parameters
    ----------
    place, expected, fix
        For the message, as for `unwritable`.

    Raises
    ------
    OutputError
        In place of the system's error; see `unwritable`.
    """
    try:
        yield
    except OSError as error:
        raise unwritable(place, error, expected=expected, fix=fix) from None


def unwritable(place: Path, error: OSError, *, expected: str | None = None, fix: str = ELSEWHERE) -> OutputError:
    """The message for the user that `place` cannot be written, because of `error`.

    It says what was `expected`, and the `fix`; if the disk is full, that there must be room on it.
    """
    why = f"{place} cannot be written ({error.strerror or error})"
    return OutputError(why, expected=expected, fix=AGAIN if is_disk_full(error, place) else fix)


def _has_no_room(place: Path) -> bool:
    there = next(path for path in (place, *place.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free < NEARLY_FULL_BYTES
