"""Messages and progress of what takes long, for whoever shows them. By default nothing is shown.

What takes long reports to `reporter()`; whoever wants to see it puts a `Reporter` there with `reporting`.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, SupportsFloat

log = logging.getLogger("xdomain")
"""Takes all messages: INFO for how it is going, WARNING for what may be wrong. Who wants to see them adds a handler, as
the command line does, or calls ``logging.basicConfig(level="INFO")``."""
_muted: ContextVar[bool] = ContextVar("muted", default=False)
log.addFilter(lambda _: not _muted.get())


@contextmanager
def muted(when: bool = True) -> Generator[None]:
    """Log nothing within this context, unless `when` is false."""
    token = _muted.set(when or _muted.get())
    try:
        yield
    finally:
        _muted.reset(token)


class Reporter(Protocol):
    """Shows how far a run has come."""

    def labelled(self, label: str) -> None:
        """Name the part that begins, such as ``arm 2 of 3``; an empty label: it has no parts."""
        ...

    def phase(self, name: str) -> None:
        """Begin something of unknown length, such as ``reading``."""
        ...

    def started(self, name: str, total: int, done: int = 0) -> None:
        """Begin something of `total` steps, such as ``training``, of which `done` are behind it."""
        ...

    def advanced(self, step: int, loss: SupportsFloat | None = None) -> None:
        """Step number `step` of `total` is done, the first being 1.

        `loss` is that of its batch. It may be a tensor on a device: it is read only when it is shown.
        """
        ...

    def finished(self) -> None:
        """All steps are done, or no more will be."""
        ...


class Silent:
    """Shows nothing."""

    def labelled(self, label: str) -> None:
        """See `Reporter`."""

    def phase(self, name: str) -> None:
        """See `Reporter`."""

    def started(self, name: str, total: int, done: int = 0) -> None:
        """See `Reporter`."""

    def advanced(self, step: int, loss: SupportsFloat | None = None) -> None:
        """See `Reporter`."""

    def finished(self) -> None:
        """See `Reporter`."""


_reporter: ContextVar[Reporter] = ContextVar("reporter", default=Silent())  # noqa: B039 - it has no state


def reporter() -> Reporter:
    """What to report to; by default nothing is shown."""
    return _reporter.get()


@contextmanager
def reporting(to: Reporter) -> Generator[None]:
    """Let all that runs within this context report to `to`."""
    token = _reporter.set(to)
    try:
        yield
    finally:
        _reporter.reset(token)


@contextmanager
def part(label: str) -> Generator[None]:
    """Name what runs within this context, such as ``arm 2 of 3``."""
    reporter().labelled(label)
    try:
        yield
    finally:
        reporter().labelled("")
