"""Render the blocks of a report as Markdown and as one HTML page: templates in ``templates/``, their filters here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from xdomain.core.templates import escaped, templates_in
from xdomain.study.report.blocks import Block, Heading

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
# Spaces that must not become line breaks: between a number and its interval, within the interval, before %, around p =.
UNBROKEN = re.compile(
    r"(?<=[\d%–∞]) (?=\[)|(?<=[\d∞],) (?=[^\[\]\s]+\])|(?<=\d) (?=%)|(?<=\b[pq]) (?=[=<])|(?<=[=<]) (?=\.?\d)"
)


def render_page(blocks: Iterable[Block], svgs: Mapping[str, str]) -> str:
    """The HTML file of `blocks`; `svgs` are the figures by their names. It loads no other file."""
    blocks = tuple(blocks)
    title = next((block.text for block in blocks if isinstance(block, Heading)), "Study")
    style = (TEMPLATES / "report.css").read_text("utf-8")
    return _templates().get_template("report.html.j2").render(blocks=blocks, svgs=svgs, title=title, style=style)


def render_markdown(blocks: Iterable[Block]) -> str:
    """The Markdown file of `blocks`, for GitHub and the like."""
    return _templates().get_template("report.md.j2").render(blocks=tuple(blocks))


@cache
def _templates() -> Environment:
    return templates_in(
        TEMPLATES,
        kind=_kind,
        # HTML
        anchor=_anchor,
        sections=_sections,
        unbroken=_unbroken,
        words=_words,
        # Markdown
        autolink=_autolink,
        code=_code,
        escaped=escaped,
        fence=_fence,
        quoted=_quoted,
        unlisted=_unlisted,
    )


def _kind(block: object) -> str:
    return type(block).__name__


def _sections(blocks: Iterable[Block]) -> list[Heading]:
    return [block for block in blocks if isinstance(block, Heading) and block.level == 2]


def _anchor(text: str) -> str:
    return re.sub(r"\W+", "-", text.lower(), flags=re.ASCII).strip("-")


def _unbroken(text: str) -> str:
    return UNBROKEN.sub("\N{NO-BREAK SPACE}", text)


def _words(text: str) -> Markup:
    """Text of a sentence or a cell: numbers stay with their intervals, learning rates in one piece."""
    safe = str(escape(_unbroken(text)))
    return Markup(re.sub(r"\b\d[\d.]*e-\d+", r'<span class="rate">\g<0></span>', safe))


def _autolink(url: str) -> str:
    return "<" + re.sub(r"[<>|\s]", "", url) + ">"


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def _unlisted(text: str) -> str:
    """A paragraph that does not begin like a list, a heading or a quotation."""
    return re.sub(r"^(?=[#>+=~-]|\d+[.)])", r"\\", text)


def _fence(text: str) -> str:
    return _backticks(text, 3)


def _code(text: str) -> str:
    backticks = _backticks(text, 1)
    return backticks + text.replace("|", r"\|") + backticks


def _backticks(text: str, least: int) -> str:
    """More backticks than stand together in `text`."""
    longest = max(map(len, re.findall(r"`+", text)), default=0)
    return "`" * max(least, longest + 1)
