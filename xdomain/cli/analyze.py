"""The command ``xdomain analyze``, which looks inside finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xdomain.cli import complete
from xdomain.cli.options import Json, names_in
from xdomain.core.errors import RecipeError

Records = Annotated[int, typer.Option(min=2, help="The most records that are read.")]
Symbol = Annotated[str | None, typer.Option(help="The symbol whose contexts are compared.")]
At = Annotated[int | None, typer.Option(min=0, help="Position of --symbol in the sequence, from 0.")]
Motif = Annotated[str | None, typer.Option(help="Symbols in a row: how much attention goes to them?")]
RecordId = Annotated[str | None, typer.Option(help="The id of the record that mutagenesis or saliency looks at.")]
Points = Annotated[
    int, typer.Option(min=3, help="Points along the line of the loss landscape; half as many each way on its surface.")
]
ANALYSES = ("embeddings", "probes", "similarity", "landscape", "mutagenesis", "attention", "saliency")
"""As in `xdomain.analysis.analyze`, which loads torch."""
Only = Annotated[
    str | None,
    typer.Option(
        help="Some of the analyses, by name; default: all that suit the runs.",
        autocompletion=complete.several(*ANALYSES),
    ),
]
Parallel = Annotated[
    tuple[Path, Path] | None,
    typer.Option(help="Two text files, line by line of one meaning: does a checkpoint align them?"),
]


def analyze_command(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Finished runs; with --parallel one run or checkpoint.", autocompletion=complete.runs),
    ],
    *,
    only: Only = None,
    parallel: Parallel = None,
    records: Records = 200,
    symbol: Symbol = None,
    at: At = None,
    motif: Motif = None,
    record: RecordId = None,
    grid: Points = 21,
    seed: Annotated[int, typer.Option(min=0, help="Seed of what is drawn.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder to write; default: analysis in the first run.")] = None,
    as_json: Json = False,
) -> None:
    """Look inside finished runs: a picture, a table and a sentence for each question that can be asked of them."""
    from xdomain.core.run_dir import read_result

    for folder in () if parallel else runs:
        read_result(folder)  # report a wrong name before loading torch, which takes seconds
    from xdomain.analysis.analyze import analyze, analyze_parallel
    from xdomain.analysis.result import Options
    from xdomain.cli.console import print_json

    options = Options(records=records, symbol=symbol, at=at, motif=motif, record=record, grid=grid, seed=seed)
    if parallel:
        if len(runs) > 1 or only:
            raise RecipeError("--parallel looks into one checkpoint", expected="one folder, and no --only")
        analyses = analyze_parallel(runs[0], *parallel, options=options, out=out)
    else:
        analyses = analyze(*runs, only=names_in(only), options=options, out=out)
    if as_json:
        print_json([{"name": one.name, "title": one.title, "caption": one.caption} for one in analyses])
