"""The report of a study: one set of findings as Markdown, as a page, as tables and as pictures."""

from __future__ import annotations

from pathlib import Path

from xdomain.core.disk import writing
from xdomain.core.run_dir import whole_or_nothing, write_text
from xdomain.study.report.content import compose
from xdomain.study.report.figures import ENDINGS, FIGURES, draw_all
from xdomain.study.report.render import render_markdown, render_page
from xdomain.study.report.tables import differences_csv, latex, results_csv
from xdomain.study.results import Findings

MARKDOWN, PAGE = "report.md", "report.html"
RESULTS, DIFFERENCES, TABLES = "results.csv", "differences.csv", "results.tex"


def write_report(findings: Findings, folder: Path) -> list[Path]:
    """Write `findings` as a report, its tables and its figures into `folder`; each file whole or not at all.

    These are ``report.md`` and ``report.html``; ``results.csv`` and ``differences.csv`` with plain numbers;
    ``results.tex`` with the tables of the report; and for each figure ``report-….png``, ``.svg`` and ``.pdf``.

    The same findings give the same files, to the byte, under one version of matplotlib. A figure of an earlier report
    that there is nothing more to draw for is removed.

    Raises
    ------
    OutputError
        `folder` cannot be written.
    """
    drawn = draw_all(findings)
    blocks = compose(findings, {name: figure.picture for name, figure in drawn.items()})
    with writing(folder, expected="a folder you may write to"):
        folder.mkdir(parents=True, exist_ok=True)
        for name in FIGURES:
            for ending in ENDINGS:
                path = folder / f"report-{name}{ending}"
                if name in drawn:
                    with whole_or_nothing(path) as part:
                        part.write_bytes(drawn[name].files[ending])
                else:
                    path.unlink(missing_ok=True)
        texts = {
            MARKDOWN: render_markdown(blocks),
            PAGE: render_page(blocks, {name: figure.svg for name, figure in drawn.items()}),
            RESULTS: results_csv(findings),
            DIFFERENCES: differences_csv(findings),
            TABLES: latex(blocks),
        }
        for name, text in texts.items():
            write_text(folder / name, text)
    return [*(folder / name for name in texts), *(folder / f"report-{n}{e}" for n in drawn for e in ENDINGS)]
