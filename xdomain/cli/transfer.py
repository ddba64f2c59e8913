"""The command ``xdomain transfer``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xdomain.cli import complete
from xdomain.cli.options import Json, OwnData, Task, mapping_arguments, takes


@takes(own=OwnData)
def transfer_command(
    run_dir: Annotated[
        Path,
        typer.Argument(
            help="The run of an encoder, for classification, pair or regression.", autocompletion=complete.runs
        ),
    ],
    task: Task = None,
    *,
    own: OwnData,
    mapping: Annotated[
        str | None,
        typer.Option(help="Which word stands for which symbol, as for run.", autocompletion=complete.mappings),
    ] = None,
    mapping_seed: Annotated[int | None, typer.Option(min=0, help="Seed of the first mapping's draw.")] = None,
    draws: Annotated[int, typer.Option(min=1, help="Mappings, and permuted ones to compare with.")] = 10,
    as_json: Json = False,
) -> None:
    """Evaluate a run on another task without training, and compare with permuted rows of the mapping."""
    from xdomain.cli.console import print_json, print_rows
    from xdomain.cli.progress_bar import progress_bar
    from xdomain.core.run_dir import read_result

    read_result(run_dir)  # report a wrong name before loading torch, which takes seconds
    recipe = own.recipe(task)
    with progress_bar():
        from xdomain.inference.zero_shot import transfer

        found = transfer(run_dir, recipe, **mapping_arguments(mapping), mapping_seed=mapping_seed, draws=draws)
    if as_json:
        print_json(found.as_dict())
        return
    parts = {"by the mapping": found.value, "rows permuted": found.permuted, "difference": found.difference}
    print_rows([{"what": name, found.metric: str(interval)} for name, interval in parts.items()])
