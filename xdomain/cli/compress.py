"""The command ``xdomain compress``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xdomain.cli import complete
from xdomain.cli.options import Json

WAYS = ("vocabulary", "distil", "prune", "units", "quantise")
"""As in `xdomain.compression.api`, which loads torch."""


def compress_command(
    run_dir: Annotated[Path, typer.Argument(help="A finished run of an encoder.", autocompletion=complete.runs)],
    *,
    how: Annotated[
        str,
        typer.Option(help="vocabulary, distil, prune, units or quantise.", autocompletion=complete.words(*WAYS)),
    ],
    out: Annotated[Path, typer.Option(help="The run folder to write; for quantise a folder with ONNX.")],
    layers: Annotated[
        int | None, typer.Option(help="distil: how many of the run's own layers are kept; default: half.")
    ] = None,
    backbone: Annotated[
        str | None, typer.Option(help="distil: the checkpoint to distil into, in place of the run's own layers.")
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="distil: what logits are divided by; default: 2.")] = None,
    share: Annotated[
        float | None, typer.Option(help="prune, units: the share of weights or units to remove; default: 0.5.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="distil, prune, units: change training options, train.epochs=2. Repeatable."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in the output folder.")] = False,
    as_json: Json = False,
) -> None:
    """Make a run's model smaller: a new run folder, which reports what was saved and what was lost."""
    from xdomain.cli.console import print_compression, print_json
    from xdomain.cli.progress_bar import progress_bar
    from xdomain.core.run_dir import read_result

    read_result(run_dir)  # report a wrong name before loading torch, which takes seconds
    with progress_bar():
        from xdomain.compression.api import compress  # which loads torch

        result = compress(
            run_dir,
            how=how,
            out=out,
            layers=layers,
            backbone=backbone,
            temperature=temperature,
            share=share,
            overrides=changes or (),
            overwrite=overwrite,
        )
    show = print_json if as_json else print_compression
    show(result.values["compression"])
