"""The command ``xdomain app``: a form in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def app_command(
    *,
    host: Annotated[
        str, typer.Option(help="Address to listen at. Any other than the default lets others on the network use it.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port; default: the first free one from 7860 on.")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it in the browser.")] = True,
) -> None:
    """A form in the browser: check data, compare, predict. It works in the current folder."""
    from xdomain.app.serve import serve

    serve(Path.cwd(), host=host, port=port, browser=browser)
