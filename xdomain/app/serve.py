"""Serve the form to a browser."""

from __future__ import annotations

import ipaddress
import logging
import os
import shutil
import socket
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from xdomain.core.errors import MissingError, OutputError
from xdomain.core.progress import log

LOOPBACK = "127.0.0.1"


def serve(folder: Path, *, host: str = LOOPBACK, port: int | None = None, browser: bool = False) -> None:
    """Serve the form until the process is interrupted.

    Parameters
    ----------
    folder
        Where it reads data and writes runs.
    host
        The address to listen at. Any but a loopback address lets others use it.
    port
        Of the address; None: the first free one from 7860 on.
    browser
        Open it in a browser.

    Raises
    ------
    MissingError
        gradio is not installed.
    OutputError
        The address cannot be listened at.
    """
    _, address, blocks = start(folder, host=host, port=port)
    if not is_loopback(host):
        log.warning(
            f"{host} is no loopback address: anyone who reaches this machine over the network can see the data in "
            f"{folder}, and start trainings. There is no password. Without --host only this machine can."
        )
    print(f"xdomain app: {address}   (Ctrl-C ends it)", flush=True)
    if browser and _has_screen():
        import webbrowser

        webbrowser.open(address)
    blocks.block_thread()


def start(folder: Path, *, host: str = LOOPBACK, port: int | None = None) -> tuple[Any, str, Any]:
    """Start to serve the form, and return.

    Parameters
    ----------
    folder, host, port
        As for `serve`.

    Returns
    -------
    tuple
        The application, its address, and the page, whose method ``close`` ends it.
    """
    if find_spec("gradio") is None:
        raise MissingError("the form in the browser needs the package gradio", fix="pip install 'xdomain[app]'")
    _check_free(host, port)
    _keep_to_itself(host)
    from gradio.themes import Default

    from xdomain.app.downloads import STYLE
    from xdomain.app.page import page
    from xdomain.app.workplace import Workplace

    log.setLevel(min(log.getEffectiveLevel(), logging.INFO))
    fonts = ["system-ui", "sans-serif"]
    theme = Default(primary_hue="blue", font=fonts, font_mono=["ui-monospace", "monospace"])
    blocks = page(Workplace(folder.resolve()))
    blocks.queue(default_concurrency_limit=4)
    application, address, _ = blocks.launch(
        server_name=host, server_port=port, share=False, quiet=True, inbrowser=False, prevent_thread_lock=True,
        footer_links=[], run_history=False, allowed_paths=[], ssr_mode=False, pwa=False, mcp_server=False,
        enable_monitoring=False, strict_cors=True, theme=theme, css=STYLE.read_text("utf-8"),
    )  # fmt: skip
    return application, address, blocks


def _check_free(host: str, port: int | None) -> None:
    """Refuse an address that is not of this machine, or a `port` that something else uses."""
    try:
        with socket.create_server((host, port or 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            pass
    except OSError as error:
        where = f"{host}:{port}" if port else host
        raise OutputError(
            f"{where} cannot be listened at ({os.strerror(error.errno) if error.errno and error.errno > 0 else error})",
            expected="an address of this machine, and a port that nothing else uses",
            fix="another --port, or none",
        ) from None


def is_loopback(host: str) -> bool:
    """Whether `host` is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _keep_to_itself(host: str) -> None:
    """Tell gradio, before it is imported, to send nothing anywhere, and to keep uploads in a folder of this process.

    It asks the server at `host` whether it is there, and no proxy shall answer for it.
    """
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join([*filter(None, [os.environ.get(name)]), LOOPBACK, "localhost", host])
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    if "GRADIO_TEMP_DIR" not in os.environ:
        import atexit

        os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="xdomain-app-")
        atexit.register(shutil.rmtree, os.environ["GRADIO_TEMP_DIR"], ignore_errors=True)


def _has_screen() -> bool:
    return sys.platform in ("win32", "darwin") or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())
