"""Jinja templates of pages: how they are read, and text of users in them that is not to be taken as Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

MARKDOWN_SPECIAL = (
    (r"&(?=#?\w+;)", "&amp;"),
    (r"([\\`*|])", r"\\\1"),
    (r"(?<!\w)_|_(?!\w)", r"\\_"),  # within a word it is a letter
    (r"<(?=[\w/!?])", "&lt;"),
    (r"\[(?=[^\]]*\][(\[:])", r"\\["),  # a link; an interval may stay as it is
    (r"\](?=[(\[:])", r"\\]"),
    (r"(?<=:)/(?=/)|(?<=\bwww)\.", r"\\\g<0>"),  # addresses become links without any brackets
)


def templates_in(folder: Path, **filters: Callable[..., Any]) -> Environment:
    """Open the templates in `folder`, for which `filters` are there by their names.

    A name that is not given is an error, and only templates that end in ``.html.j2`` have their values escaped.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = Environment(
        loader=FileSystemLoader(folder, encoding="utf-8"),
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),  # other pages are Markdown
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters.update(filters)
    return templates


def escaped(text: str) -> str:
    """The `text` of a user for a page in Markdown, where nothing of it is markup."""
    for special, instead in MARKDOWN_SPECIAL:
        text = re.sub(special, instead, text)
    return text
