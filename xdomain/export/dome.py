"""A page for the supplement of a paper, after the DOME recommendations, filled in from a run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from xdomain.core.disk import writing
from xdomain.core.errors import OutputError
from xdomain.core.recipe import load_recipe
from xdomain.core.restore import reading
from xdomain.core.run_dir import RECIPE, finite, read_result, write_text
from xdomain.export.render import render
from xdomain.metrics.calibration import edge_note
from xdomain.runs.in_words import BASELINES, OUTPUTS, SPLIT_RULES, TUNED, name_of_backbone


def dome(run_dir: str | Path) -> str:
    """Fill the DOME recommendations (Walsh et al. 2021, doi:10.1038/s41592-021-01205-4) in from a run.

    Parameters
    ----------
    run_dir
        A finished run.

    Returns
    -------
    str
        A page in Markdown. What the run does not know is marked "To be filled in by the authors".

    Raises
    ------
    RecipeError
        `run_dir` holds no finished run.
    """
    folder = Path(run_dir)
    values = finite(read_result(folder).values)
    recipe = load_recipe(folder / RECIPE)
    told: dict[str, Any] = values.get("counts") or {}
    counts = {name: count for name, count in told.items() if isinstance(count, int) and count}
    with reading(folder, expected="recipe.yaml and result.json of one run"):
        page = render(
            "dome.md.j2",
            recipe=recipe,
            values=values,
            counts=counts,
            first=recipe.metrics[0],
            folder=folder.resolve().name,
            backbone=name_of_backbone((values.get("backbone") or {}).get("name", "")),
            files=[Path(file).name for file in recipe.source.files.values()],
            rule=SPLIT_RULES[recipe.split.rule],
            tuned=TUNED[recipe.run.tune],
            baseline=BASELINES.get(recipe.run.baseline or ""),
            output=OUTPUTS[recipe.problem],
            edge_note=edge_note((values.get("calibration") or {}).get("temperature") or 1.0),
        )
    return re.sub(r"\n{3,}", "\n\n", page)


def write_dome(run_dir: str | Path, out: str | Path, *, overwrite: bool = False) -> None:
    """Write the page of `dome` to a file.

    Parameters
    ----------
    run_dir
        A finished run.
    out
        The file to write.
    overwrite
        Whether to replace it where it exists: authors may have filled it in.

    Raises
    ------
    OutputError
        The file exists and `overwrite` is false, or it cannot be written.
    RecipeError
        As for `dome`.
    """
    out = Path(out)
    if out.exists() and not overwrite:
        raise OutputError(f"{out} is there already", fix="--overwrite, or another --out")
    with writing(out):
        write_text(out, dome(run_dir))
