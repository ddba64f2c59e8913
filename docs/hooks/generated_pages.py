"""Pages that are made from other files when the site is built: the command line, the example studies, the changelog."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = "reference/examples.md"
CLI_HEAD = """\
# Command line

Every command with its arguments and options, as `xdomain COMMAND --help` prints them. All commands accept `--debug`,
which shows the traceback of an error. Exit codes: 0 success, 1 a study lacks cells, 2 an error that the message
explains.
"""
EXAMPLES_HEAD = """\
# Example studies

Study files that come with xdomain, in the folder `examples/studies` of the repository. Run one with
`xdomain study FILE`; every key is described under [studies](../studies.md).
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages.

    Parameters
    ----------
    files
        Those of the folder docs.
    config
        That of the site.

    Returns
    -------
    Files
        All files of the site.
    """
    pages = {
        "reference/cli.md": CLI_HEAD + "".join(command_sections()),
        EXAMPLES: EXAMPLES_HEAD + "".join(example_sections()),
        "changelog.md": from_root("CHANGELOG.md"),
        "contributing.md": from_root("CONTRIBUTING.md"),
    }
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: Any) -> str:
    """Adapt links: those to example studies, which lie outside of the folder docs, and those that show a file's name.

    Parameters
    ----------
    markdown
        The text of a page.
    page
        The page.
    config
        That of the site.

    Returns
    -------
    str
        Its text.
    """
    up = "../" * page.file.src_uri.count("/")
    titles = {path: title for title, path in _titles(config.nav)}
    markdown = re.sub(r"\]\((?:\.\./)+examples/studies/([\w-]+)\.yaml\)", rf"]({up}{EXAMPLES}#\1)", markdown)
    return re.sub(r"\[(?:docs/)?([\w-]+\.md)(?=\]\()", lambda link: "[" + titles.get(link[1], link[1]), markdown)


def _titles(nav: Any, title: str = "") -> Iterator[tuple[str, str]]:
    """The title and the path of each page of the navigation."""
    if isinstance(nav, str):
        yield title, nav
    for each in nav if isinstance(nav, list) else []:
        if isinstance(each, dict):
            for name, below in each.items():
                yield from _titles(below, name)
        elif title:
            yield title, each


def from_root(name: str) -> str:
    """A Markdown file of the repository, with links as a page of the site has them; pages that it names are linked.

    Parameters
    ----------
    name
        Name of the file.

    Returns
    -------
    str
        Its text.
    """
    text = (ROOT / name).read_text("utf-8").replace("](docs/", "](")
    return re.sub(r"(?<![\w`/(\[])docs/([\w-]+\.md)\b", r"[\1](\1)", text)


def example_sections() -> Iterator[str]:
    """Yield a section for each example study.

    Yields
    ------
    str
        Markdown.
    """
    for path in sorted((ROOT / "examples" / "studies").glob("*.yaml")):
        yield f"\n## {path.stem}\n\n```yaml\n{path.read_text('utf-8').strip()}\n```\n"


def command_sections() -> Iterator[str]:
    """Yield a section for each command.

    Yields
    ------
    str
        Markdown: what the command does, its arguments, its options and examples.
    """
    from typer.main import get_command

    from xdomain.cli.main import app

    yield from _sections("xdomain", get_command(app))


def _sections(name: str, command: Any) -> Iterator[str]:
    """The commands below a command in their order, or the command itself."""
    from xdomain.core.examples import commands_in

    context = command.make_context(name, [], resilient_parsing=True)
    if below := getattr(command, "list_commands", None):
        for each in below(context):
            yield from _sections(f"{name} {each}", command.get_command(context, each))
        return
    words = [name, *command.collect_usage_pieces(context)]
    yield f"\n## {name}\n\n{_escaped(command.help or '')}\n\n```sh\n{' '.join(words)}\n```\n\n"
    yield "| argument or option | meaning |\n|---|---|\n"
    for parameter in command.params:
        if record := parameter.get_help_record(context):
            given, meaning = record
            yield f"| `{given}` | {_escaped(meaning)} |\n"
    if shown := commands_in(command.epilog):
        yield f"\n```sh\n{shown.strip()}\n```\n"


def _escaped(text: str) -> str:
    """Text in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
