"""Write llms.txt (https://llmstxt.org): an index of the site as plain text, and the pages as Markdown beside it."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.nav import Navigation, Section
from mkdocs.structure.pages import Page

DOCSTRINGS = re.compile(r"^::: ", re.MULTILINE)
"""In a page that is made from docstrings, of which there is no Markdown."""
_texts: dict[str, str] = {}
_nav: list[Navigation] = []


def on_page_content(html: str, page: Page, config: MkDocsConfig, **_: object) -> None:
    """Keep the Markdown of a page, with the links of the site.

    Parameters
    ----------
    html
        What the page became; unchanged.
    page
        The page.
    config
        That of the site.
    """
    del html, config
    _texts[page.file.src_uri] = page.markdown or ""


def on_nav(nav: Navigation, config: MkDocsConfig, **_: object) -> None:
    """Remember the order of the pages.

    Parameters
    ----------
    nav
        The navigation.
    config
        That of the site.
    """
    del config
    _nav[:] = [nav]


def on_post_build(config: MkDocsConfig) -> None:
    """Write llms.txt and the Markdown of the pages into the finished site.

    Parameters
    ----------
    config
        That of the site.
    """
    site = Path(config.site_dir)
    lines = [f"# {config.site_name}", "", f"> {' '.join((config.site_description or '').split())}"]
    for top in _nav[0].items:
        if isinstance(top, Section):
            lines += ["", f"## {top.title}", ""]
            lines += [_line(page, site) for page in _pages(top)]
        elif isinstance(top, Page):
            lines += ["", _line(top, site)]
    (site / "llms.txt").write_text("\n".join(lines) + "\n", "utf-8")


def _pages(section: Section) -> list[Page]:
    found: list[Page] = []
    for child in section.children:
        found += _pages(child) if isinstance(child, Section) else [child] if isinstance(child, Page) else []
    return found


def _line(page: Page, site: Path) -> str:
    """A page in the index; its Markdown is written, unless it is made from docstrings."""
    text = _texts[page.file.src_uri]
    place = page.file.dest_uri
    if not DOCSTRINGS.search(text):
        place = page.file.src_uri
        (site / place).write_text(_linked(text, place), "utf-8")
    return f"- [{page.title}]({place}): {first_paragraph(text)}"


def _linked(text: str, place: str) -> str:
    """The Markdown of the page at `place`, in which links to pages made from docstrings lead to their HTML."""

    def lead(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(place), f"{link[1]}.md"))
        return f"]({link[1]}.html" if DOCSTRINGS.search(_texts.get(target, "")) else link[0]

    return re.sub(r"\]\(([\w./-]+)\.md(?=[)#])", lead, text)


def first_paragraph(markdown: str) -> str:
    """The first paragraph of prose, or the first item of a list, on one line and without links.

    Parameters
    ----------
    markdown
        The text of a page.

    Returns
    -------
    str
        Empty if there is none.
    """
    for block in re.split(r"\n\s*\n", re.sub(r"(?s)```.*?```|<!--.*?-->", "", markdown)):
        prose = re.match(r"[A-Za-z`\[*(]", block)
        if prose or block.startswith("- "):
            block = block if prose else re.split(r"\n- ", block[2:])[0]
            return re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(block.split()))
    return ""
