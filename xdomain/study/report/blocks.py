"""What a report consists of, before it is Markdown or HTML: neither renderer sees findings, so both say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True)
class Strong:
    """Words that stand out."""

    text: str


@dataclass(frozen=True)
class Mono:
    """A name as a person types it."""

    text: str


@dataclass(frozen=True)
class Link:
    """A source that has an address: http or https, never loaded, only named."""

    url: str


Inline: TypeAlias = str | Strong | Mono | Link
Text: TypeAlias = tuple[Inline, ...]
Kind = Literal["better", "worse", "unseen", "unknown"]


@dataclass(frozen=True)
class Heading:
    """Level 1 is the title's; 2 is a section's."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """A few sentences."""

    text: Text


@dataclass(frozen=True)
class Bullets:
    """A list, an item each."""

    items: tuple[Text, ...]


@dataclass(frozen=True)
class Verdict:
    """What was found of one difference, first in a word or three."""

    word: str
    kind: Kind
    text: Text


@dataclass(frozen=True)
class Verdicts:
    """Those of one task."""

    task: str
    items: tuple[Verdict, ...]


@dataclass(frozen=True)
class Table:
    """A table whose columns in `numeric` hold numbers; a cell is a text.

    `name` is what a screen reader says of it.
    """

    name: str
    columns: tuple[str, ...]
    numeric: frozenset[str]
    rows: tuple[tuple[Text, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A figure by its name, what it shows for those who cannot see it, and what is below it."""

    name: str
    shows: str
    caption: str


@dataclass(frozen=True)
class Listing:
    """A file, to the letter."""

    text: str
    language: str


@dataclass(frozen=True)
class Box:
    """Something that may not be overlooked."""

    kind: Literal["alarm", "missing", "warning"]
    title: str
    blocks: tuple[Paragraph | Bullets | Table, ...]


Block: TypeAlias = Heading | Paragraph | Bullets | Verdicts | Table | Picture | Listing | Box


def table(name: str, columns: Sequence[str], rows: Sequence[Sequence[Inline | Text]], numeric: Sequence[str]) -> Table:
    """A table called `name` with titles `columns`, of which `numeric` hold numbers; `rows` may hold plain strings."""
    cells = tuple(tuple(cell if isinstance(cell, tuple) else (cell,) for cell in row) for row in rows)
    return Table(name, tuple(columns), frozenset(numeric), cells)
