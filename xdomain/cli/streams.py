"""The streams of a command: there even where the shell closed them, and without a traceback where they are full."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress

from xdomain.core.errors import OutputError


class _Stdout(io.TextIOWrapper):
    """Stdout whose faults are told to the user; that of a closed pipe is left to typer, which ends in silence."""

    def write(self, text: str) -> int:
        """See `io.TextIOBase`."""
        try:
            return super().write(text)
        except OSError as error:
            raise self._fault(error) from None

    def flush(self) -> None:
        """See `io.TextIOBase`."""
        try:
            super().flush()
        except OSError as error:
            raise self._fault(error) from None

    def _fault(self, error: OSError) -> Exception:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())  # or what is left is tried again when Python ends
        os.close(nowhere)
        if error.errno == errno.EPIPE:
            return error
        return OutputError(f"stdout cannot be written ({error.strerror})", expected="room for what is printed")


@contextmanager
def usable_streams() -> Generator[None]:
    """Within this context stdout and stderr take all text; what their encoding lacks becomes a question mark.

    Raises
    ------
    OutputError
        Stdout did not take all of it, as where its disk is full.
    """
    for place in ("stdout", "stderr"):
        if getattr(sys, place) is None:  # closed by the shell, 2>&-
            setattr(sys, place, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    former = sys.stdout
    if type(former) is io.TextIOWrapper:  # and no stand-in of a notebook or a test
        former.flush()
        own = open(former.fileno(), "wb", closefd=False)  # noqa: SIM115
        errors = "replace" if former.errors == "strict" else former.errors
        sys.stdout = _Stdout(own, former.encoding, errors, line_buffering=former.line_buffering)
    try:
        yield
    finally:
        now, sys.stdout = sys.stdout, former
        with suppress(BrokenPipeError):  # as with `| head`
            now.flush()


def name_failure(error: BaseException) -> OutputError | None:
    """The message for the user if `error` is the system's for a name of a file that is too long; else None."""
    if not isinstance(error, OSError) or error.errno != errno.ENAMETOOLONG:
        return None
    return OutputError(
        f"the name {str(error.filename)[:60]!r} … is too long for a file", expected="at most 255 bytes between slashes"
    )
