"""A local server that behaves badly."""

import contextlib
import http.server
import threading
import time

import pytest


class Hostile(http.server.BaseHTTPRequestHandler):
    """Each path is another way to be a bad server; ``/good`` is the one that is not."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        getattr(self, self.path.strip("/"), self.missing)()

    def good(self):
        self._start(("Content-Length", "5"))
        self.wfile.write(b"whole")

    def endless(self):
        self._start(("Transfer-Encoding", "chunked"))
        block = b"10000\r\n" + b"A" * 0x10000 + b"\r\n"
        while True:
            self.wfile.write(block)

    def boast(self):
        self._start(("Content-Length", str(10**15)))

    def trickle(self):
        self._start(("Content-Length", "1000000"))
        while True:
            self.wfile.write(b"A")
            time.sleep(2)

    def trickled_header(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-A: ")
        for _ in range(20):
            self.wfile.write(b"A")
            time.sleep(0.3)

    def silence(self):
        time.sleep(5)

    def half(self):
        self._start(("Content-Length", "10"))
        self.wfile.write(b"whole")
        self.close_connection = True

    def to_file(self):
        self.send_response(302)
        self.send_header("Location", "file:///etc/passwd")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def to_itself(self):
        self.send_response(302)
        self.send_header("Location", self.path)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def nonsense(self):
        self.wfile.write(b"\x00\xff\x00 no HTTP at all\r\n\r\n")
        self.close_connection = True

    def missing(self):
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _start(self, *headers):
        self.send_response(200)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def handle(self):
        with contextlib.suppress(OSError):  # the client has given up
            super().handle()

    def log_message(self, format, *args):
        pass


@pytest.fixture
def hostile(monkeypatch):
    """The URL of the bad server."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
