"""Errors that the user can fix. Each message says what was expected and how to fix it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from xdomain.core.python_words import in_python

MAX_MESSAGE = 800
"""Characters of what a message says first; with its other parts it fits a screen."""


class UserError(Exception):
    """A fault in what the user gave. The command line prints it as one block and ends with exit code 2.

    Parameters
    ----------
    what
        What was given, with file, record and position where they are known.
    expected
        What was expected instead.
    nearest
        The nearest thing that exists ("did you mean …").
    fix
        The command or edit that fixes it.
    """

    def __init__(
        self,
        what: str,
        *,
        expected: str | None = None,
        nearest: str | None = None,
        fix: str | None = None,
    ) -> None:
        self.what = clipped(what, MAX_MESSAGE)
        self.expected = expected and clipped(expected, 450)
        self.nearest = nearest and clipped(nearest, 300)
        self.fix = fix and clipped(fix, 250)
        super().__init__(self.block())

    def __str__(self) -> str:
        """The message as Python shows it: with keywords in place of options of the command line."""
        return in_python(self.block())

    def block(self) -> str:
        """The message as the command line prints it, one part a line."""
        lines = [self.what]
        if self.expected:
            lines.append(f"  expected: {self.expected}")
        if self.nearest:
            lines.append(f"  did you mean: {self.nearest}")
        if self.fix:
            lines.append(f"  to fix it: {self.fix}")
        return "\n".join(lines)


class DataError(UserError):
    """A data file that cannot be read as the kind of data it should hold."""


class RecipeError(UserError):
    """A recipe or an option with an impossible value."""


class BackboneError(UserError):
    """A checkpoint that cannot be loaded or used."""


class TrainingError(UserError):
    """A training that cannot go on because its loss is no longer a finite number."""


class OutOfMemoryError(UserError):
    """Training or scoring that needs more memory than the device has."""


class OutputError(UserError):
    """A place where results cannot or must not be written."""


class DamagedError(UserError):
    """A file that xdomain wrote, and that is no longer as it was written."""


class MissingError(UserError):
    """An optional package or a data set that is not on this machine."""


def clipped(text: str, limit: int) -> str:
    """`text`, or about `limit` characters of it where it has more: its beginning and its end."""
    if len(text) <= limit:
        return text
    head, tail = text[: limit * 3 // 4], text[-limit // 4 :]
    return f"{head} … ({len(text) - len(head) - len(tail):,} characters left out) … {tail}"


def listed_names(names: Iterable[str], limit: int = 440) -> str:
    """The `names` with commas between them; of those beyond `limit` characters only how many there are."""
    shown, rest = list[str](), [clipped(name, limit // 4) for name in names]
    while rest and (not shown or sum(map(len, shown)) + 2 * len(shown) + len(rest[0]) <= limit - 20):
        shown.append(rest.pop(0))
    return ", ".join(shown) + (f" … and {len(rest):,} more" if rest else "")


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The entry of `names` that is most like `name`, or None if none is similar."""
    if len(name) > 200:  # no name, and slow to compare
        return None
    matches = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return matches[0] if matches else None


def unknown(
    kind: str, name: str, names: Iterable[str], *, fix: str | None = None, error: type[UserError] = RecipeError
) -> UserError:
    """The `error` for a `name` that is not one of `names`; `kind` says in the message what it names: ``task``.

    `fix` is for where nothing is similar, and the name may be right.
    """
    known = sorted(names)
    shown = clipped(name, MAX_MESSAGE // 4)
    like = nearest(name, known)
    expected = f"one of {listed_names(known)}"
    return error(f"unknown {kind} {shown!r}", expected=expected, nearest=like, fix=None if like else fix)
