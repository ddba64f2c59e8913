"""What can be downloaded of a run or a comparison: the model, the predictions, a report."""

from __future__ import annotations

import os
import tempfile
import zipfile
from pathlib import Path

from xdomain.app import show
from xdomain.core.run_dir import MODEL, PREDICTIONS, StoredResult, is_done, read_result
from xdomain.data.formats.write import write_table
from xdomain.export.dome import dome
from xdomain.metrics.scoring import read_predictions
from xdomain.study.comparison import COMPARISON, Comparison, read_comparison

STYLE = Path(__file__).with_name("style.css")


def downloads(folder: Path) -> list[str]:
    """Make the files to download of the run or comparison in `folder`; of a comparison those of its first arm.

    Returns
    -------
    list of str
        The model as a zip archive, the predictions as CSV, a report as HTML; in a new folder among the temporary files.

    Raises
    ------
    UserError
        The folder holds neither, or a file is damaged.
    """
    compared = read_comparison(folder) if (folder / COMPARISON).is_file() else None
    result = read_result(compared.rows[0].folder if compared else folder)
    place = Path(tempfile.mkdtemp(prefix="xdomain-", dir=os.environ.get("GRADIO_TEMP_DIR")))
    stem = f"{result.values['task'].rsplit('/', 1)[-1]}-{result.folder.name}"
    files = [place / f"{stem}-{what}" for what in ("predictions.csv", "report.html")]
    write_table(read_predictions(result.folder / PREDICTIONS, result.values.get("classes", [])), files[0])
    files[1].write_text(report(result, compared), "utf-8")
    if (result.folder / MODEL).is_dir():
        files.insert(0, _packed(result.folder / MODEL, place / f"{stem}-model.zip"))
    return [str(file) for file in files]


def report(result: StoredResult, compared: Comparison | None = None) -> str:
    """A page in HTML that needs no other file.

    Parameters
    ----------
    result
        The run whose methods are described.
    compared
        The comparison that it is part of, if any.
    """
    runs = [read_result(row.folder) for row in compared.rows if is_done(row.folder)] if compared else [result]
    title = f"{result.values['task']}: {'comparison' if compared else result.values['arm']['label']}"
    parts = [
        show.comparison(compared) if compared else "",
        *(show.run(one) for one in runs),
        show.folded("Methods, for the supplement of a paper (DOME)", [dome(result.folder)]),
    ]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{show.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE.read_text("utf-8")}</style>'
        f'<body class="report"><h1>{show.escape(title)}</h1>{"".join(parts)}</body></html>'
    )


def _packed(folder: Path, archive: Path) -> Path:
    """The files of `folder` in the zip file `archive`, not compressed: weights hardly get smaller."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for path in sorted(folder.rglob("*")):
            packed.write(path, Path(folder.parent.name) / path.relative_to(folder))
    return archive
