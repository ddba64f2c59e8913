"""The report of a study: one set of findings as Markdown, as a page, and as pictures."""

from __future__ import annotations

from pathlib import Path

from xdomain.core.errors import OutputError
from xdomain.core.run_dir import write_text
from xdomain.study.report.content import compose
from xdomain.study.report.figures import DRAWN, draw_all
from xdomain.study.report.render import render_markdown, render_page
from xdomain.study.results import Findings

MARKDOWN, PAGE = "report.md", "report.html"


def write_report(findings: Findings, folder: Path) -> list[Path]:
    """Write `findings` as ``report.md``, ``report.html`` and a ``report-….png`` per figure; each whole or not at all.

    The same findings give the same files, to the byte, under one version of matplotlib. A figure of an earlier report
    that there is nothing more to draw for is removed.

    Raises
    ------
    OutputError
        `folder` cannot be written.
    """
    drawn = draw_all(findings)
    blocks = compose(findings, {name: figure.picture for name, figure in drawn.items()})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in DRAWN:
            path = folder / f"report-{name}.png"
            if name in drawn:
                _write_bytes(path, drawn[name].png)
            else:
                path.unlink(missing_ok=True)
        write_text(folder / MARKDOWN, render_markdown(blocks))
        write_text(folder / PAGE, render_page(blocks, {name: figure.svg for name, figure in drawn.items()}))
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written ({error.strerror})", expected="a folder you may write to", fix="another --out"
        ) from None
    return [folder / MARKDOWN, folder / PAGE, *(folder / f"report-{name}.png" for name in drawn)]


def _write_bytes(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)
