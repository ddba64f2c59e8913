"""A report as one HTML file that needs no other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape

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
from xdomain.study.report.stylesheet import STYLESHEET

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def render_page(blocks: Iterable[Block], svgs: Mapping[str, str]) -> str:
    """The whole file; `svgs` are the figures by their names."""
    blocks = tuple(blocks)
    headings = [block.text for block in blocks if isinstance(block, Heading) and block.level == 2]
    body: list[str] = []
    listed = False
    for block in blocks:
        if isinstance(block, Heading) and block.level == 2 and not listed:
            body.append(_contents(headings))
            listed = True
        body += _block(block, svgs)
    title = next((block.text for block in blocks if isinstance(block, Heading)), "Study")
    return PAGE.format(title=escape(title), style=STYLESHEET, body="\n".join(body))


def _contents(headings: Iterable[str]) -> str:
    links = "".join(f'<li><a href="#{_anchor(text)}">{escape(text)}</a></li>' for text in headings)
    return f'<nav aria-label="Contents"><ul>{links}</ul></nav>'


def _anchor(text: str) -> str:
    return re.sub(r"\W+", "-", text.lower(), flags=re.ASCII).strip("-")


def _block(block: Block, svgs: Mapping[str, str]) -> Iterator[str]:
    match block:
        case Heading(text, level):
            yield (
                f'<h{level} id="{_anchor(text)}">{escape(text)}</h{level}>' if level > 1 else f"<h1>{escape(text)}</h1>"
            )
        case Paragraph(text):
            yield f"<p>{_line(text)}</p>"
        case Bullets(items):
            yield "<ul>" + "".join(f"<li>{_line(item)}</li>" for item in items) + "</ul>"
        case Verdicts(task, items):
            yield f"<h3>{escape(task)}</h3>"
            yield '<ul class="verdicts">'
            for item in items:
                yield f'<li class="{item.kind}"><b class="word">{item.word}</b> <span>{_line(item.text)}</span></li>'
            yield "</ul>"
        case Table():
            yield from _table(block)
        case Picture(name, shows, caption):
            yield f'<figure><div class="wide" role="img" tabindex="0" aria-label="{escape(shows)}">'
            yield svgs[name]
            yield f"</div><figcaption>{escape(caption)}</figcaption></figure>"
        case Listing(text):
            yield f'<pre tabindex="0"><code>{escape(text)}</code></pre>'
        case Box(kind, title, inner):
            role = ' role="alert"' if kind == "alarm" else ""
            yield f'<section class="box {kind}"{role}>'
            yield f"<h2>{escape(title)}</h2>"
            for part in inner:
                yield from _block(part, svgs)
            yield "</section>"


def _table(block: Table) -> Iterator[str]:
    kinds = [' class="n"' if column in block.numeric else "" for column in block.columns]
    yield f'<div class="wide" role="region" tabindex="0" aria-label="{escape(block.name)}"><table>'
    heads = zip(kinds, block.columns, strict=True)
    yield "<thead><tr>" + "".join(f'<th scope="col"{k}>{escape(_together(c))}</th>' for k, c in heads) + "</tr></thead>"
    yield "<tbody>"
    for row in block.rows:
        yield "<tr>" + "".join(f"<td{k}>{_line(cell)}</td>" for k, cell in zip(kinds, row, strict=True)) + "</tr>"
    yield "</tbody></table></div>"


def _line(text: Text) -> str:
    return "".join(map(_inline, text))


def _together(text: str) -> str:
    """No line break within a number with its interval, its % or its p."""
    for space in (r"(?<=[\d%–∞]) (?=\[)", r"(?<=[\d∞],) (?=[^\[\]\s]+\])", r"(?<=\d) (?=%)", r"(?<=\b[pq]) (?=[=<])"):
        text = re.sub(space, "\N{NO-BREAK SPACE}", text)
    return re.sub(r"(?<=[=<]) (?=\.?\d)", "\N{NO-BREAK SPACE}", text)


def _inline(part: Inline) -> str:
    match part:
        case str():
            return re.sub(r"\b\d[\d.]*e-\d+", r'<span class="rate">\g<0></span>', escape(_together(part)))
        case Strong(text):
            return f"<strong>{escape(text)}</strong>"
        case Mono(text):
            return f"<code>{escape(text)}</code>"
        case Link(url):
            return f'<a href="{escape(url)}" rel="noreferrer">{escape(url)}</a>'
