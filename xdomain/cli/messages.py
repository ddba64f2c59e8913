"""Show the messages of the logger ``xdomain`` of a command on stderr, above the progress bar if there is one."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

from xdomain.core.progress import log


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class _Handler(logging.Handler):
    """Writes messages as they are, and warnings after ``warning:``."""

    write: Callable[[str], None] = staticmethod(_to_stderr)

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        prefix = f"{record.levelname.lower()}: " if record.levelno > logging.INFO else ""
        self.write(prefix + record.getMessage())


_handler = _Handler()


@contextmanager
def messages_on_stderr() -> Generator[None]:
    """Show messages on stderr while this context lasts; stdout is for results."""
    level, propagate = log.level, log.propagate
    log.addHandler(_handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(_handler)
        log.setLevel(level)
        log.propagate = propagate


@contextmanager
def messages_to(write: Callable[[str], None]) -> Generator[None]:
    """Call `write` with each message, one line without its line end, while this context lasts."""
    before, _handler.write = _handler.write, write
    try:
        yield
    finally:
        _handler.write = before
