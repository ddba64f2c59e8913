"""A progress bar in a terminal. In a pipe only messages are shown."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import SupportsFloat

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from xdomain.cli.messages import messages_to
from xdomain.core.progress import reporting

PAUSE = 0.1  # least seconds between two updates: more would slow training and not be visible
FRESH = 0.1  # weight of the newest loss in the mean that is shown
BAR = 12  # characters reserved for the bar
ECHO = 2  # characters reserved for the ^C that a terminal writes after the bar, so that it does not begin a new line


@contextmanager
def progress_bar() -> Generator[None]:
    """Show a bar on stderr, with messages above it, while this context lasts. Do nothing if stderr is no terminal."""
    console = Console(stderr=True)
    if not sys.stderr.isatty() or not console.is_interactive or os.environ.get("RANK", "0") != "0":
        yield
        return
    bar = ProgressBar(console)
    with bar.shown(), reporting(bar), messages_to(bar.print_line):
        yield


class ProgressBar:
    """A `xdomain.core.progress.Reporter` that draws one line: part, phase, bar, step, loss, pace, time left.

    Parameters
    ----------
    console
        The terminal. If it is narrow, the last of these are left out.
    """

    def __init__(self, console: Console) -> None:
        self._label, self._phase = "", "starting"
        self._total = self._first = 0
        self._unit = "steps"
        self._begun = self._updated = float("-inf")
        self._loss: float | None = None
        whole = Column(no_wrap=True)
        self._progress = _Line(
            TextColumn("{task.description}", markup=False, table_column=whole),
            BarColumn(bar_width=None),
            _Facts(console),
            console=console,
            transient=True,
            expand=True,
            refresh_per_second=1 / PAUSE,
            redirect_stdout=sys.stdout.isatty(),
        )
        self._task = self._progress.add_task(self._phase, total=None, facts=())

    @contextmanager
    def shown(self) -> Generator[None]:
        """Draw the bar while this context lasts, and clear its line afterwards, even after an error."""
        with self._progress:
            yield

    def print_line(self, line: str) -> None:
        """Print `line` above the bar, without markup."""
        self._progress.console.print(Text(line), soft_wrap=True, highlight=False)

    def labelled(self, label: str) -> None:
        """Show `label` as the name of the part."""
        self._label = label
        self._describe()

    def phase(self, name: str) -> None:
        """Show `name` as the phase, of unknown length."""
        self._phase = name
        self._progress.reset(self._task, total=None, facts=())
        self._describe()

    def started(self, name: str, total: int, done: int = 0, *, unit: str = "steps") -> None:
        """Show `name` as the phase, of `total` steps (or another `unit`), of which `done` are already taken."""
        self._phase, self._total, self._first, self._unit = name, total, done, unit
        self._begun, self._updated, self._loss = time.monotonic(), float("-inf"), None
        self._progress.reset(self._task, total=total, completed=done, facts=(f"{done:,}/{total:,}",))
        self._describe()

    def advanced(self, step: int, loss: SupportsFloat | None = None) -> None:
        """Move the bar to `step` and the running mean of losses towards `loss`, at most once per `PAUSE`."""
        now = time.monotonic()
        if now - self._updated < PAUSE and step < self._total:
            return
        self._updated = now
        if loss is not None:
            newest = float(loss)
            self._loss = newest if self._loss is None else self._loss + FRESH * (newest - self._loss)
        self._progress.update(self._task, completed=step, facts=self._facts(step, now))

    def finished(self) -> None:
        """Show the phase ``evaluating``."""
        self.phase("evaluating")

    def _facts(self, step: int, now: float) -> tuple[str, ...]:
        pace = (step - self._first) / max(now - self._begun, 1e-9)
        left = timedelta(seconds=round((self._total - step) / pace)) if pace > 0 else "?"
        loss = () if self._loss is None else (f"loss {self._loss:.4f}",)
        return f"{step:,}/{self._total:,}", *loss, f"{pace:.3g} {self._unit}/s", f"{left} left"

    def _describe(self) -> None:
        description = ", ".join(part for part in (self._label, self._phase) if part)
        self._progress.update(self._task, description=description)


class _Line(Progress):
    """A progress bar that leaves room for `ECHO` at the end of its line."""

    def get_renderable(self) -> RenderableType:
        """See `rich.progress.Progress`."""
        return Padding(super().get_renderable(), (0, ECHO, 0, 0))


class _Facts(ProgressColumn):
    """The numbers of a task, as many as the terminal has room for."""

    def __init__(self, console: Console) -> None:
        super().__init__(Column(no_wrap=True))
        self._console = console

    def render(self, task: Task) -> Text:
        """See `rich.progress.ProgressColumn`."""
        room = self._console.width - len(task.description) - BAR - ECHO
        facts: tuple[str, ...] = task.fields["facts"]
        while len(facts) > 1 and len("  ".join(facts)) > room:
            facts = facts[:-1]
        return Text("  ".join(facts))
