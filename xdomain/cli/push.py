"""The command ``xdomain push``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xdomain.cli.options import Json


def push_command(
    run_dir: Annotated[Path, typer.Argument(help="A finished run.")],
    name: Annotated[str, typer.Argument(help="USER/NAME, or ORGANISATION/NAME, on the Hugging Face hub.")],
    *,
    private: Annotated[
        bool, typer.Option("--private/--public", help="Whether only you see a new repository, or all.")
    ] = True,
    licence: Annotated[
        str | None, typer.Option(help="Licence of the model, as the hub writes it: apache-2.0, cc-by-4.0, …")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run in the repository, by a new commit.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be uploaded; no network.")] = False,
    as_json: Json = False,
) -> None:
    """Upload a run to the Hugging Face hub: model, tokenizer, mapping, recipe, result and card, but no records."""
    from xdomain.cli.console import print_json, print_pushed
    from xdomain.core.run_dir import read_result

    read_result(run_dir)  # report a wrong name before loading torch, which takes seconds
    from xdomain.hub.push import push

    pushed = push(run_dir, name, private=private, licence=licence, overwrite=overwrite, dry_run=dry_run)
    print_json(pushed.as_dict()) if as_json else print_pushed(pushed)
