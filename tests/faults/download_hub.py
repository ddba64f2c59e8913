"""A stand-in for the model hub on this machine: a folder under any name, and owners that fail in their own way."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "a" * 40
FAILS = {"e401": 401, "e403": 403, "e404": 404, "e500": 500}
"""Owners of models, and how the hub answers whatever is asked of them; ``half`` and ``stall`` besides."""


@contextmanager
def model_hub(folder: Path) -> Generator[str]:
    """The address of a hub that serves `folder` as ``some/NAME``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def answer(self, *, body: bool) -> None:
            steps = self.path.split("?")[0].strip("/").split("/")
            asked = steps[0] == "api"
            owner = steps[2] if asked else steps[0]
            if owner in FAILS:
                self.send(FAILS[owner], b"no", body=body)
            elif owner == "stall":
                time.sleep(20)
            elif asked and "tree" not in steps:
                names = [{"rfilename": path.name} for path in folder.iterdir()]
                told = {"id": "/".join(steps[2:4]), "sha": COMMIT, "siblings": names}
                self.send(200, json.dumps(told).encode(), body=body)
            elif (path := folder / steps[-1]).is_file():
                content = path.read_bytes()
                marks = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
                self.send(200, content, marks, body=body, half=owner == "half" and path.suffix == ".safetensors")
            else:
                self.send(404, b"", {"X-Error-Code": "EntryNotFound"}, body=body)

        def send(self, code: int, content: bytes, marks: dict[str, str] | None = None, *, body: bool,
                 half: bool = False) -> None:  # fmt: skip
            self.send_response(code)
            for name, value in {**(marks or {}), "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(content[: len(content) // 2] if half else content)
                self.close_connection = half

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
