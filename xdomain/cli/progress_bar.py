"""A progress bar in a terminal. In a pipe only messages are shown, or lines of JSON to a program that asks for them."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
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
ASKED, AS_JSON = "XDOMAIN_PROGRESS", "json"  # the variable that asks for lines of JSON, and its value
ECHO = 2  # characters reserved for the ^C that a terminal writes after the bar, so that it does not begin a new line


@contextmanager
def progress_bar() -> Generator[None]:
    """Show a bar on stderr, with messages above it, while this context lasts. Do nothing if stderr is no terminal.

    With ``XDOMAIN_PROGRESS=json`` in the environment, a line ``{"progress": …}`` goes to stderr at each change instead:
    the fields of `Status`.
    """
    if os.environ.get("RANK", "0") != "0":
        yield
        return
    if os.environ.get(ASKED) == AS_JSON:
        with reporting(Tracker(_print_json)):
            yield
        return
    console = Console(stderr=True)
    if not sys.stderr.isatty() or not console.is_interactive:
        yield
        return
    bar = ProgressBar(console)
    with bar.shown(), reporting(bar.tracker), messages_to(bar.print_line):
        yield


@dataclass(frozen=True)
class Status:
    """How far an operation is.

    Parameters
    ----------
    label
        The part, such as ``arm 2 of 3``; may be empty.
    phase
        Such as ``training``.
    done, total
        Steps taken and all steps; `total` is None where the length of the phase is unknown.
    facts
        For people: steps, loss, pace, time left.
    """

    label: str = ""
    phase: str = "starting"
    done: int = 0
    total: int | None = None
    facts: tuple[str, ...] = ()


def _print_json(status: Status) -> None:
    print(json.dumps({"progress": asdict(status)}), file=sys.stderr, flush=True)


class Tracker:
    """A `xdomain.core.progress.Reporter` that keeps the `Status` and the running mean of losses.

    Parameters
    ----------
    show
        Called with the status at each change; while steps are taken at most once per `PAUSE`.
    """

    def __init__(self, show: Callable[[Status], None]) -> None:
        self._show = show
        self._label, self._phase = "", Status.phase
        self._total = self._first = 0
        self._unit = "steps"
        self._begun = self._updated = float("-inf")
        self._loss: float | None = None

    def labelled(self, label: str) -> None:
        """Show `label` as the name of the part."""
        self._label = label
        self._show(Status(label, self._phase))

    def phase(self, name: str) -> None:
        """Show `name` as the phase, of unknown length."""
        self._phase = name
        self._show(Status(self._label, name))

    def started(self, name: str, total: int, done: int = 0, *, unit: str = "steps") -> None:
        """Show `name` as the phase, of `total` steps (or another `unit`), of which `done` are already taken."""
        self._phase, self._total, self._first, self._unit = name, total, done, unit
        self._begun, self._updated, self._loss = time.monotonic(), float("-inf"), None
        self._show(Status(self._label, name, done, total, (f"{done:,}/{total:,}",)))

    def advanced(self, step: int, loss: SupportsFloat | None = None) -> None:
        """Show `step` as the number of steps taken, and move the running mean towards `loss`."""
        now = time.monotonic()
        if now - self._updated < PAUSE and step < self._total:
            return
        self._updated = now
        if loss is not None:
            newest = float(loss)
            self._loss = newest if self._loss is None else self._loss + FRESH * (newest - self._loss)
        self._show(Status(self._label, self._phase, step, self._total, self._facts(step, now)))

    def finished(self) -> None:
        """Show the phase ``evaluating``."""
        self.phase("evaluating")

    def _facts(self, step: int, now: float) -> tuple[str, ...]:
        pace = (step - self._first) / max(now - self._begun, 1e-9)
        left = timedelta(seconds=round((self._total - step) / pace)) if pace > 0 else "?"
        loss = () if self._loss is None else (f"loss {self._loss:.4f}",)
        return f"{step:,}/{self._total:,}", *loss, f"{pace:.3g} {self._unit}/s", f"{left} left"


class ProgressBar:
    """Draws what its `tracker` is told as one line: part, phase, bar, step, loss, pace, time left.

    Parameters
    ----------
    console
        The terminal. If it is narrow, the last of these are left out.
    """

    def __init__(self, console: Console) -> None:
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
        self._status = Status()
        self._task = self._progress.add_task(self._status.phase, total=None, facts=())
        self.tracker = Tracker(self._draw)

    @contextmanager
    def shown(self) -> Generator[None]:
        """Draw the bar while this context lasts, and clear its line afterwards, even after an error."""
        with self._progress:
            yield

    def print_line(self, line: str) -> None:
        """Print `line` above the bar, without markup."""
        self._progress.console.print(Text(line), soft_wrap=True, highlight=False)

    def _draw(self, status: Status) -> None:
        before, self._status = self._status, status
        if (before.phase, before.total) != (status.phase, status.total):
            self._progress.reset(self._task, total=status.total)
        described = ", ".join(part for part in (status.label, status.phase) if part)
        self._progress.update(self._task, description=described, completed=status.done, facts=status.facts)


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
