"""A stand-in for the Hugging Face hub: an HTTP server at the loopback address that answers what the real client asks.

It knows accounts by their tokens, creates repositories, takes files as the hub does (small ones within the commit,
large ones by the LFS protocol before it), and serves them again.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

TOKEN = "hf_tokenOfAnnWhichMustNeverBePrinted"
LARGE = (".safetensors", ".png")


@dataclass
class Repository:
    """Its files at the last commit; one commit has one name."""

    private: bool
    files: dict[str, bytes] = field(default_factory=lambda: {".gitattributes": b"*.safetensors filter=lfs\n"})
    commits: int = 0

    @property
    def sha(self) -> str:
        return f"{self.commits:040x}"


@dataclass
class StandIn:
    """What the server knows and what it was asked."""

    endpoint: str = ""
    accounts: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {TOKEN: {"type": "user", "name": "ann", "orgs": [{"name": "lab"}], "auth": {}}}
    )
    repositories: dict[str, Repository] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """Method and path of each request."""
    headers: list[str] = field(default_factory=list)
    broken: str = ""
    """A part of a path; requests for it are answered with 500."""


class _Handler(BaseHTTPRequestHandler):
    hub: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None: ...

    def do_GET(self) -> None:
        self.answer()

    def do_HEAD(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def do_PUT(self) -> None:
        self.answer()

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "chunked" in (self.headers.get("Transfer-Encoding") or ""):
            body = self.chunks()
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(f"{self.command} {path}")
        if self.hub.broken and self.hub.broken in path:
            return self.send(500, {"error": "broken"})
        for method, pattern, call in ROUTES:
            found = re.fullmatch(pattern, path)
            if found and method == ("GET" if self.command == "HEAD" else self.command):
                return call(self, body, *found.groups())
        return self.send(404, {"error": f"no such page: {path}"})

    def chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def send(self, status: int, content: Any, **headers: str) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    @property
    def account(self) -> dict[str, Any] | None:
        return self.hub.accounts.get((self.headers.get("Authorization") or "").removeprefix("Bearer "))

    def names(self) -> set[str]:
        return {self.account["name"], *(one["name"] for one in self.account["orgs"])} if self.account else set()

    def readable(self, name: str) -> Repository | None:
        """The repository, if the account may read it; the answer is given if not."""
        found = self.hub.repositories.get(name)
        if found is None or (found.private and name.split("/")[0] not in self.names()):
            self.send(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
            return None
        return found

    def writable(self, name: str) -> Repository | None:
        found = self.readable(name)
        if found and name.split("/")[0] not in self.names():
            self.send(403, {"error": "forbidden"}, X_Error_Message="you lack the rights to write to it")
            return None
        return found

    def whoami(self, _body: bytes) -> None:
        self.send(200, self.account) if self.account else self.send(401, {"error": "Invalid username or password."})

    def create(self, body: bytes) -> None:
        asked = json.loads(body)
        name = f"{asked['organization'] or (self.account and self.account['name'])}/{asked['name']}"
        if name.split("/")[0] not in self.names():
            return self.send(403, {"error": "forbidden"}, X_Error_Message="you lack the rights to create it")
        if name in self.hub.repositories:
            return self.send(409, {"error": "You already created this model repo"})
        private = asked.get("private", asked.get("visibility") == "private")
        self.hub.repositories[name] = Repository(bool(private))
        return self.send(200, {"url": f"{self.hub.endpoint}/{name}", "name": name})

    def validate(self, body: bytes) -> None:
        text = json.loads(body)["content"]
        front = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
        try:
            told = yaml.safe_load(front[1]) if front else None
        except yaml.YAMLError as error:
            return self.send(400, {"errors": [{"message": str(error)}], "warnings": []})
        warnings = [] if told else [{"message": "empty or missing yaml metadata in repo card"}]
        return self.send(200, {"errors": [], "warnings": warnings})

    def info(self, _body: bytes, name: str, _revision: str | None = None) -> None:
        if found := self.readable(name):
            files = [{"rfilename": file} for file in found.files]
            told = {"_id": "1", "id": name, "modelId": name, "sha": found.sha, "private": found.private, "tags": []}
            self.send(200, {**told, "downloads": 0, "likes": 0, "siblings": files})

    def tree(self, _body: bytes, name: str, _revision: str) -> None:
        if found := self.readable(name):
            self.send(200, [
                {"type": "file", "path": file, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for file, content in found.files.items()
            ])  # fmt: skip

    def modes(self, body: bytes, name: str) -> None:
        if self.writable(name):
            self.send(200, {"files": [
                {"path": one["path"], "uploadMode": "lfs" if one["path"].endswith(LARGE) else "regular",
                 "shouldIgnore": False} for one in json.loads(body)["files"]
            ]})  # fmt: skip

    def batch(self, body: bytes, name: str) -> None:
        if self.writable(name):
            objects = json.loads(body)["objects"]
            self.send(200, {"objects": [
                {**one, "actions": {"upload": {"href": f"{self.hub.endpoint}/lfs/{one['oid']}"}}} for one in objects
            ]})  # fmt: skip

    def store(self, body: bytes, oid: str) -> None:
        if hashlib.sha256(body).hexdigest() != oid:
            return self.send(400, {"error": "another content"})
        self.hub.large[oid] = body
        return self.send(200, {})

    def commit(self, body: bytes, name: str) -> None:
        found = self.writable(name)
        if found is None:
            return
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                found.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                found.files[value["path"]] = self.hub.large[value["oid"]]
            elif line["key"] == "deletedFile":
                del found.files[value["path"]]
        found.commits += 1
        self.send(200, {"success": True, "commitOid": found.sha,
                        "commitUrl": f"{self.hub.endpoint}/{name}/commit/{found.sha}"})  # fmt: skip

    def download(self, _body: bytes, name: str, _revision: str, file: str) -> None:
        found = self.readable(name)
        if found is None:
            return None
        if file not in found.files:
            return self.send(404, {"error": "no such file"}, X_Error_Code="EntryNotFound", X_Repo_Commit=found.sha)
        content = found.files[file]
        return self.send(200, content, ETag=f'"{hashlib.sha1(content).hexdigest()}"', X_Repo_Commit=found.sha)


REPOSITORY = r"([\w.-]+/[\w.-]+)"
ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "/api/whoami-v2", _Handler.whoami),
    ("POST", "/api/repos/create", _Handler.create),
    ("POST", "/api/validate-yaml", _Handler.validate),
    ("GET", f"/api/models/{REPOSITORY}", _Handler.info),
    ("GET", f"/api/models/{REPOSITORY}/revision/([^/]+)", _Handler.info),
    ("GET", f"/api/models/{REPOSITORY}/tree/([^/]+)", _Handler.tree),
    ("POST", f"/api/models/{REPOSITORY}/preupload/main", _Handler.modes),
    ("POST", f"/api/models/{REPOSITORY}/commit/main", _Handler.commit),
    ("POST", rf"/{REPOSITORY}\.git/info/lfs/objects/batch", _Handler.batch),
    ("PUT", "/lfs/([0-9a-f]{64})", _Handler.store),
    ("GET", f"/{REPOSITORY}/resolve/([^/]+)/(.+)", _Handler.download),
]


@contextlib.contextmanager
def hub_stand_in() -> Generator[StandIn]:
    """A hub that is served within this context."""
    hub = StandIn()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
