"""A report as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from xdomain.study.report.blocks import (
    Block,
    Box,
    Bullets,
    Heading,
    Inline,
    Link,
    Listing,
    Mono,
    Paragraph,
    Picture,
    Strong,
    Table,
    Text,
    Verdicts,
)

SPECIAL = (
    (r"&(?=#?\w+;)", "&amp;"),
    (r"([\\`*|])", r"\\\1"),
    (r"(?<!\w)_|_(?!\w)", r"\\_"),  # within a word it is a letter
    (r"<(?=[\w/!?])", "&lt;"),
    (r"\[(?=[^\]]*\][(\[:])", r"\\["),  # a link; an interval may stay as it is
    (r"\](?=[(\[:])", r"\\]"),
    (r"(?<=:)/(?=/)|(?<=\bwww)\.", r"\\\g<0>"),  # addresses become links without any brackets
)
SIGNS = {"alarm": "CAUTION", "missing": "IMPORTANT", "warning": "WARNING"}


def render_markdown(blocks: Iterable[Block]) -> str:
    """The whole file."""
    return "\n\n".join("\n".join(_block(block)) for block in blocks) + "\n"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Heading(text, level):
            yield f"{'#' * level} {_escaped(text)}"
        case Paragraph(text):
            yield re.sub(r"^(?=[#>+=~-]|\d+[.)])", r"\\", _line(text))
        case Bullets(items):
            yield from (f"- {_line(item)}" for item in items)
        case Verdicts(task, items):
            yield f"**{_escaped(task)}**"
            yield ""
            yield from (f"- **{item.word}**: {_line(item.text)}" for item in items)
        case Table():
            yield from _table(block)
        case Picture(name, shows, caption):
            yield f"![{_escaped(shows)}](report-{name}.png)"
            yield ""
            yield _escaped(caption)
        case Listing(text, language):
            fence = _fence(text, 3)
            yield from (fence + language, text.rstrip("\n"), fence)
        case Box(kind, title, inner):
            yield f"> [!{SIGNS[kind]}]"
            yield f"> **{_escaped(title)}**"
            for part in inner:
                yield ">"
                yield from (f"> {line}".rstrip() for line in _block(part))


def _table(block: Table) -> Iterator[str]:
    yield _row([_escaped(column) for column in block.columns])
    yield "|" + "|".join("---:" if column in block.numeric else "---" for column in block.columns) + "|"
    yield from (_row([_line(cell) for cell in row]) for row in block.rows)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _line(text: Text) -> str:
    return "".join(map(_inline, text))


def _inline(part: Inline) -> str:
    match part:
        case str():
            return _escaped(part)
        case Strong(text):
            return f"**{_escaped(text)}**"
        case Mono(text):
            fence = _fence(text, 1)
            return fence + text.replace("|", r"\|") + fence
        case Link(url):
            return "<" + re.sub(r"[<>|\s]", "", url) + ">"


def _fence(text: str, least: int) -> str:
    """More backticks than stand together in the text."""
    longest = max(map(len, re.findall(r"`+", text)), default=0)
    return "`" * max(least, longest + 1)


def _escaped(text: str) -> str:
    """Nothing that a user wrote is markup."""
    for special, instead in SPECIAL:
        text = re.sub(special, instead, text)
    return text
