"""The last part of the form: open earlier comparisons, runs and studies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from xdomain.app import show
from xdomain.app.downloads import downloads
from xdomain.app.workplace import Workplace
from xdomain.core.errors import RecipeError
from xdomain.core.run_dir import HISTORY_PLOT, read_result
from xdomain.study.comparison import COMPARISON, read_comparison
from xdomain.study.plan import PLAN

REPORT = "report.html"


def earlier_tab(place: Workplace) -> gr.Dropdown:
    """Lay out this part of the form, for what is in `place`; returns the field of what to open."""
    names = gr.Dropdown(earlier_choices(place), value=None, label="Comparison, run or study", elem_id="earlier",
                        info="Finished ones in the folders runs and studies, the newest first.")  # fmt: skip
    found = gr.HTML(elem_id="opened")
    files = gr.File(label="Download", visible=False, interactive=False, file_count="multiple", elem_id="opened-files")

    def open_one(name: str | None) -> list[Any]:
        if not name:
            return ["", gr.File(value=None, visible=False)]
        try:
            shown, paths = _opened(place.one_of(name, place.finished(), "comparison, run or study"))
        except Exception as error:
            return [show.fault(error), gr.File(value=None, visible=False)]
        return [shown, gr.File(value=paths, visible=True)]

    names.change(open_one, names, [found, files], api_name="open")
    return names


def earlier_choices(place: Workplace) -> list[tuple[str, str]]:
    """What is finished in `place`, by what is shown of it."""
    kinds = ((PLAN, "study"), (COMPARISON, "comparison"), ("", "run"))
    return [
        (
            f"{next(kind for file, kind in kinds if (place.folder / name / file).exists())}: {name.split('/', 1)[1]}",
            name,
        )
        for name in place.finished()
    ]


def _opened(folder: Path) -> tuple[str, list[str]]:
    """What is shown of what is in `folder`, and the files to download."""
    if (folder / PLAN).is_file():
        report = folder / REPORT
        if not report.is_file():
            raise RecipeError(f"{folder.name} has no report yet", expected="a finished study",
                              fix=f"xdomain report {folder}")  # fmt: skip
        page = show.escape(report.read_text("utf-8"))
        return f'<iframe class="study" title="report" sandbox srcdoc="{page}"></iframe>', [str(report)]
    if (folder / COMPARISON).is_file():
        return show.comparison(read_comparison(folder)), downloads(folder)
    return show.run(read_result(folder), pictures=[folder / HISTORY_PLOT]), downloads(folder)
