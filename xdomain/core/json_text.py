"""JSON of which nobody knows who wrote it: every fault, also of nesting or huge numbers, is a JSONDecodeError."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Iterable
from typing import Any

DEEPEST = 50
"""Lists and objects within each other: data has a few, and what walks through them fails at about a thousand."""


def parse_json(text: str | bytes) -> Any:
    """The Python object that `text` describes.

    Raises
    ------
    json.JSONDecodeError
        It is no JSON, is nested more than `DEEPEST` deep, or holds a number of thousands of digits or half a character.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise _fault(f"nested more than {DEEPEST} deep", text) from None
    except ValueError as error:  # digits beyond those that Python reads, bytes that are no text
        raise _fault(str(error)[:120], text) from None
    opening, escape = ("[{", "\\ud") if isinstance(text, str) else (b"[{", b"\\ud")
    if sum(text.count(opening[i : i + 1]) for i in (0, 1)) > DEEPEST and _depth_exceeds(value, DEEPEST):  # pyright: ignore
        raise _fault(f"nested more than {DEEPEST} deep", text)
    if escape in text.lower():  # pyright: ignore[reportOperatorIssue]
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise _fault("half a character (a surrogate such as \\ud83d alone)", text) from None
    return value


def parse_literal(text: str) -> Any:
    """What JSON or else Python reads in `text`.

    Raises
    ------
    ValueError
        Neither can.
    """
    try:
        return parse_json(text)
    except json.JSONDecodeError:
        pass
    if sum(map(text.count, "[{(")) > DEEPEST and _brackets_exceed(text, DEEPEST):
        raise ValueError(f"nested more than {DEEPEST} deep")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an odd escape in a text
            value = ast.literal_eval(text.strip())
        repr(value)
        return value
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        raise ValueError("neither JSON nor a Python literal") from None


def _fault(what: str, text: str | bytes) -> json.JSONDecodeError:
    return json.JSONDecodeError(what, text if isinstance(text, str) else text.decode(errors="replace"), 0)


def _depth_exceeds(value: Any, left: int) -> bool:
    inner: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if not isinstance(value, (dict, list)):
        return False
    return left == 0 or any(_depth_exceeds(one, left - 1) for one in inner if isinstance(one, (dict, list)))


def _brackets_exceed(text: str, most: int) -> bool:
    """Whether brackets are nested deeper than `most`, those within texts counted too."""
    depth = 0
    for character in text:
        depth += (character in "[{(") - (character in "]})")
        if depth > most:
            return True
    return False
