"""Messages and progress of long operations. By default nothing is shown.

Long operations report their progress to `reporter()`. To show it, set a `Reporter` with `reporting`.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, SupportsFloat

from xdomain.core.errors import clipped

log = logging.getLogger("xdomain")
"""The logger of all messages: INFO for progress, WARNING for what may be wrong. To see them, add a handler, as the
command line does, or call ``logging.basicConfig(level="INFO")``."""
_muted: ContextVar[bool] = ContextVar("muted", default=False)
_warned: ContextVar[set[str] | None] = ContextVar("warned", default=None)
MAX_SHOWN = 1500
"""Characters of a message: names out of files can be of any length."""


def _passes(record: logging.LogRecord) -> bool:
    """Whether the message is shown; a very long one is cut."""
    message = record.getMessage()
    if len(message) > MAX_SHOWN:
        record.msg, record.args = clipped(message, MAX_SHOWN), None
    return not _muted.get() and not _is_repeated(record)


def _is_repeated(record: logging.LogRecord) -> bool:
    """Whether the same warning was shown before within `warned_once`."""
    before = _warned.get()
    if before is None or record.levelno < logging.WARNING:
        return False
    known = record.getMessage() in before
    before.add(record.getMessage())
    return known


log.addFilter(_passes)


@contextmanager
def muted(when: bool = True) -> Generator[None]:
    """Log nothing within this context if `when` is true; if false, change nothing."""
    token = _muted.set(when or _muted.get())
    try:
        yield
    finally:
        _muted.reset(token)


@contextmanager
def warned_once() -> Generator[None]:
    """Show each warning once within this context: several runs on the same records find the same."""
    token = _warned.set(set())
    try:
        yield
    finally:
        _warned.reset(token)


class Reporter(Protocol):
    """Shows the progress of a run."""

    def labelled(self, label: str) -> None:
        """Begin the part called `label`, such as ``arm 2 of 3``; an empty string ends it."""
        ...

    def phase(self, name: str) -> None:
        """Begin the phase `name`, such as ``reading``, of unknown length."""
        ...

    def started(self, name: str, total: int, done: int = 0, *, unit: str = "steps") -> None:
        """Begin the phase `name`, such as ``training``, of `total` steps, of which `done` are already taken.

        A step may be another `unit`, such as ``records``, several of which are done at a time.
        """
        ...

    def advanced(self, step: int, loss: SupportsFloat | None = None) -> None:
        """Report that step number `step` is done, counted from 1, with the `loss` of its batch.

        The loss may be a tensor on a device: read it only to show it, as that waits for the device.
        """
        ...

    def finished(self) -> None:
        """Report that all steps are done, or that the rest is left out."""
        ...


class Silent:
    """Shows nothing."""

    def labelled(self, label: str) -> None:
        """Ignore `label`."""

    def phase(self, name: str) -> None:
        """Ignore `name`."""

    def started(self, name: str, total: int, done: int = 0, *, unit: str = "steps") -> None:
        """Ignore `name`, `total`, `done` and `unit`."""

    def advanced(self, step: int, loss: SupportsFloat | None = None) -> None:
        """Ignore `step` and `loss`."""

    def finished(self) -> None:
        """Do nothing."""


_reporter: ContextVar[Reporter] = ContextVar("reporter", default=Silent())  # noqa: B039 - Silent has no state


def reporter() -> Reporter:
    """The `Reporter` of this context; by default one that shows nothing."""
    return _reporter.get()


@contextmanager
def reporting(to: Reporter) -> Generator[None]:
    """Let everything that runs within this context report to `to`."""
    token = _reporter.set(to)
    try:
        yield
    finally:
        _reporter.reset(token)


@contextmanager
def part(label: str) -> Generator[None]:
    """Report `label`, such as ``arm 2 of 3``, as the name of what runs within this context."""
    reporter().labelled(label)
    try:
        yield
    finally:
        reporter().labelled("")
