"""Errors that the user can fix. Each message says what was expected and how to fix it."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


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
        self.what = what
        self.expected = expected
        self.nearest = nearest
        self.fix = fix
        super().__init__(self.block())

    def block(self) -> str:
        """The message, one part a line."""
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


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The entry of `names` that is most like `name`, or None if none is similar."""
    matches = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return matches[0] if matches else None


def unknown(kind: str, name: str, names: Iterable[str], *, error: type[UserError] = RecipeError) -> UserError:
    """The `error` for a `name` that is not one of `names`; `kind` says in the message what it names: ``task``."""
    known = sorted(names)
    return error(f"unknown {kind} {name!r}", expected=f"one of {', '.join(known)}", nearest=nearest(name, known))


def names_misspelt_options(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate `function` so that a call with an unknown keyword names the nearest keyword that it has.

    Raises
    ------
    RecipeError
        On such a call of the decorated function, in place of Python's TypeError.
    """
    known = inspect.signature(function).parameters
    options = [name for name, one in known.items() if one.kind is one.KEYWORD_ONLY]
    title = function.__qualname__.removesuffix(".__init__")

    @functools.wraps(function)
    def checked(*args: P.args, **given: P.kwargs) -> T:
        for name in given:
            if name not in known:
                raise unknown(f"option of {title}", name, options)
        return function(*args, **given)

    return checked
