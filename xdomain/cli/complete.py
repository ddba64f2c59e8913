"""What the tab key offers for a value: tasks, domains, runs and choices. Where nothing fits, the shell offers files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

from xdomain.core.paths import PLAN, RESULT, expanded

FOLDERS = 2000
"""Folders that are looked into for runs; whoever presses the tab key should not wait."""

Complete = Callable[[str], list[str]]
"""From what is typed so far to the values that it may become."""


def words(*known: str) -> Complete:
    """Complete one of the words `known`."""

    def complete(incomplete: str) -> list[str]:
        return [word for word in known if word.startswith(incomplete)]

    return complete


def choices(choice: Any) -> Complete:
    """Complete one of the words of the ``Literal`` `choice`."""
    return words(*get_args(choice))


def several(*known: str) -> Complete:
    """Complete the last one of several words `known`, with commas between them, each once."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        left = [word for word in known if word not in before.split(",")]
        return [f"{before}{comma}{word}" for word in left if word.startswith(last)]

    return complete


def tasks(incomplete: str) -> list[str]:
    """The installed tasks whose names begin with `incomplete`."""
    from xdomain.core.plugins import task_names

    return words(*task_names())(incomplete)


def domains(incomplete: str) -> list[str]:
    """The installed domains whose names begin with `incomplete`."""
    from xdomain.core.entry_points import entry_points

    return words(*sorted(entry_points("xdomain.adapters")))(incomplete)


def backbones(incomplete: str) -> list[str]:
    """The shipped checkpoints whose names begin with `incomplete`."""
    from xdomain.model.checkpoints import bundled_backbones

    return words(*(path.name for path in bundled_backbones()))(incomplete)


def mappings(incomplete: str) -> list[str]:
    """The token mappings whose names begin with `incomplete`."""
    from xdomain.model.token_mapping import STRATEGIES

    return words(*STRATEGIES)(incomplete)


def runs(incomplete: str) -> list[str]:
    """The folders of finished runs whose paths begin with `incomplete`."""
    return _holding(RESULT, incomplete)


def studies(incomplete: str) -> list[str]:
    """The folders of studies whose paths begin with `incomplete`."""
    return _holding(PLAN, incomplete)


def _holding(mark: str, incomplete: str) -> list[str]:
    """The folders with a file `mark`, below the folder that `incomplete` names up to its last slash."""
    place, slash, start = incomplete.rpartition("/")
    return [f"{place}{slash}{found}" for found in _below(expanded(place + slash or "."), start, mark)]


def _below(place: Path, start: str, mark: str) -> Iterator[str]:
    """The folders below `place` that hold a file `mark`, by their paths, which begin with `start`; none in another.

    Hidden folders are left out, and those with blanks in their names, which the shell itself completes and quotes.
    """
    for count, (folder, names, files) in enumerate(os.walk(place)):
        path = Path(folder).relative_to(place)
        if path.parts and mark in files:
            names.clear()
            yield path.as_posix()
        fit = [name for name in names if path.parts or name.startswith(start)]
        names[:] = sorted(name for name in fit if not name.startswith(".") and not any(map(str.isspace, name)))
        if count == FOLDERS:
            return
