"""The form as a user starts it, a process of its own on a free port, and data to upload."""

from __future__ import annotations

import json
import queue
import shutil
import socket
import subprocess
import sys
import threading
import urllib.request
import uuid
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SECONDS = 90
"""Until a form that has not come is given up; a busy machine takes tens."""
NAME = "my data (1) ü.csv"


@dataclass
class App:
    url: str
    folder: Path
    process: subprocess.Popen[str]


class Visitor:
    """What a page asks of the server, without a browser.

    Parameters
    ----------
    url
        Of the form.
    """

    def __init__(self, url: str) -> None:
        self.url, self.session = f"{url}gradio_api/", uuid.uuid4().hex

    def upload(self, file: Path) -> dict[str, Any]:
        """Send `file` as a browser does; the value of a field of a file."""
        edge = uuid.uuid4().hex
        head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{file.name}"\r\n\r\n'
        body = head.encode() + file.read_bytes() + f"\r\n--{edge}--\r\n".encode()
        (path,) = json.loads(self._post("upload", body, f"multipart/form-data; boundary={edge}"))
        return {"path": path, "orig_name": file.name, "meta": {"_type": "gradio.FileData"}}

    def ask(self, name: str, *values: Any) -> Any:
        """Call the function `name` with the `values` of its fields; what it returns, its last if it returns several.

        Raises
        ------
        RuntimeError
            The server refuses them.
        """
        body = json.dumps({"data": values, "session_hash": self.session}).encode()
        event = json.loads(self._post(f"call/{name}", body, "application/json"))["event_id"]
        with urllib.request.urlopen(f"{self.url}call/{name}/{event}") as answer:
            *_, kind, data = (line.partition(": ")[2] for line in answer.read().decode().splitlines() if line)
        if kind != "complete":
            raise RuntimeError(f"{kind}: {data}")
        told = json.loads(data)
        return told[0] if len(told) == 1 else told

    def _post(self, place: str, body: bytes, kind: str) -> bytes:
        request = urllib.request.Request(self.url + place, body, {"Content-Type": kind})
        with urllib.request.urlopen(request) as answer:
            return answer.read()


def write_data(path: Path, rows: int = 120) -> Path:
    """DNA whose composition says its kind, and another column that could be taken for a label."""
    rng = np.random.default_rng(0)
    lines = ["name,dna,activity,batch"]
    for i in range(rows):
        p = [0.45, 0.05, 0.05, 0.45] if i % 2 else [0.05, 0.45, 0.45, 0.05]
        lines.append(f"s{i},{''.join(rng.choice(list('ACGT'), 30, p=p))},{'rich' if i % 2 else 'poor'},{'abc'[i % 3]}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def data_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table under a name that is awkward in shells, addresses and pages."""
    return write_data(tmp_path_factory.mktemp("data") / NAME)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="session")
def start_app() -> Generator[Callable[..., App]]:
    """Start ``xdomain app`` in a folder."""
    pytest.importorskip("gradio", reason="gradio, the extra app, is not installed")
    started: list[subprocess.Popen[str]] = []

    def start(folder: Path) -> App:
        port = str(free_port())
        process = subprocess.Popen(
            [sys.executable, "-m", "xdomain", "app", "--port", port, "--no-browser"], cwd=folder, text=True,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        started.append(process)
        lines: queue.Queue[str] = queue.Queue()
        assert process.stdout is not None
        threading.Thread(target=lambda: lines.put(process.stdout.readline()), daemon=True).start()
        line = lines.get(timeout=SECONDS)
        assert port in line, process.poll()
        return App(line.split()[2], folder, process)

    yield start
    for process in started:
        process.terminate()
    for process in started:
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def app(start_app: Callable[..., App], tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> App:
    """A form in a folder that holds a small checkpoint, ./tiny."""
    folder = tmp_path_factory.mktemp("app")
    shutil.copytree(tiny_bert, folder / "tiny")
    return start_app(folder)


@pytest.fixture(scope="module")
def visitor(app: App) -> Visitor:
    return Visitor(app.url)


@pytest.fixture(scope="session")
def visit() -> Callable[[str], Visitor]:
    """See `Visitor`."""
    return Visitor
