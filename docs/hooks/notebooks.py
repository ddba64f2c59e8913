"""Pages made from the notebooks of examples/notebooks, with the outputs that are kept in them."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "notebooks"
PAGES = "notebooks"
NOTE = "*This page is the notebook `examples/notebooks/{}` of the repository, with the outputs that are kept in it.*"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each notebook, and its figures.

    Parameters
    ----------
    files
        Those of the site.
    config
        That of the site.

    Returns
    -------
    Files
        All files of the site.
    """
    for path in sorted(FOLDER.glob("*.ipynb")):
        figures: list[bytes] = []
        title, *parts = _parts(json.loads(path.read_text("utf-8")), path.stem, figures)
        text = "\n\n".join([title, NOTE.format(path.name), *parts])
        files.append(File.generated(config, f"{PAGES}/{path.stem}.md", content=text))
        for number, figure in enumerate(figures):
            files.append(File.generated(config, f"{PAGES}/{_figure(path.stem, number)}", content=figure))
    return files


def _figure(stem: str, number: int) -> str:
    return f"{stem}-{number}.png"


def _parts(notebook: dict[str, Any], stem: str, figures: list[bytes]) -> Iterator[str]:
    """The cells and their outputs as Markdown; images are added to `figures`."""
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            linked = re.sub(r"\]\((\w+)\.ipynb\)", r"](\1.md)", source).replace("](../../docs/", "](../")
            yield linked
            continue
        yield f"```python\n{source}\n```"
        for output in cell["outputs"]:
            yield from _shown(output, stem, figures)


def _shown(output: dict[str, Any], stem: str, figures: list[bytes]) -> Iterator[str]:
    data = output.get("data", {})
    if "image/png" in data:
        figures.append(b64decode(data["image/png"]))
        yield f"![The figure that this cell draws]({_figure(stem, len(figures) - 1)})"
    elif "text/html" in data:
        html = re.sub(r"<style.*?</style>", "", "".join(data["text/html"]), flags=re.DOTALL)
        html = re.sub(r"<table[^>]*>", "<table>", html)  # the style of the site, not that of pandas
        html = re.sub(r"\s*\n\s*", "", html)  # Markdown ends a block of HTML at an empty line
        yield f'<div class="output">{html}</div>'
    else:
        text = "".join(output.get("text", data.get("text/plain", "")))
        yield f"```text\n{text.rstrip()}\n```"
