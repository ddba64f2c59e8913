"""Download one file: checked by its sha256, and bounded in size, in time, and in how slowly it may come."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from xdomain.core.recipe_sections import Download


@dataclass(frozen=True)
class Limits:
    """What a download may take before it is given up.

    Parameters
    ----------
    size
        Bytes, where the recipe does not say how many there are.
    seconds
        From the first request to the last byte.
    window
        Seconds over which `pace` is measured, and for which a server may be silent.
    pace
        The fewest bytes a second.
    """

    size: int = 2 * 2**30
    seconds: float = 2 * 3600
    window: float = 30
    pace: float = 1000


LIMITS = Limits()
CHUNK = 2**16


class DownloadError(OSError):
    """A download that was given up."""


def fetch(download: Download, path: Path) -> None:
    """Fetch `download` to `path`, in an existing folder. It appears whole, with the right checksum, or not at all.

    Raises
    ------
    OSError, ValueError
        The file cannot be had or written, has another checksum, or exceeds `LIMITS`; see `download_reason`.
    """
    import pooch  # slow to import, and rarely needed

    def write(url: str, part: str, _: object) -> None:
        transfer = _Transfer(url, Path(part), download.size, LIMITS)
        try:
            transfer.wait()
        finally:
            transfer.given_up.set()

    ours: Any = write  # pooch's stub names the arguments otherwise
    # pooch writes beside the target and moves the file there only after the checksum is right
    pooch.retrieve(download.url, f"sha256:{download.sha256}", fname=path.name, path=path.parent, downloader=ours)


def download_reason(error: Exception, url: str) -> str:
    """Why the download of `url` failed with `error`, in a few words."""
    import requests

    if isinstance(error, requests.ConnectionError):  # its own message is a chain of four errors
        return f"no connection to {urlsplit(url).hostname}"
    return str(error).split("\n", 1)[0][:300] or type(error).__name__


class _Transfer(threading.Thread):
    """Writes what is at a URL to a file, in a thread: no time limit of a socket ends an answer that trickles."""

    def __init__(self, url: str, part: Path, size: int | None, limits: Limits) -> None:
        super().__init__(name="download", daemon=True)
        self.given_up = threading.Event()
        self._url, self._part, self._size, self._limits = url, part, size, limits
        self._came = 0
        self._error: Exception | None = None

    def wait(self) -> None:
        """Start, and wait for the end; raise what went wrong, or a `DownloadError` where a limit is exceeded."""
        limits, started, before = self._limits, time.monotonic(), 0
        self.start()
        while self.is_alive():
            left = started + limits.seconds - time.monotonic()
            if left <= 0:
                raise DownloadError(f"it is not complete after {limits.seconds:.0f} s")
            self.join(min(limits.window, left))
            came, before = self._came - before, self._came
            if self.is_alive() and left > limits.window and came < limits.pace * limits.window:
                raise DownloadError(f"{came:,} bytes came in {limits.window:.0f} s")
        if self._error:
            raise self._error

    def run(self) -> None:
        """Write the file; what goes wrong is kept for `wait`."""
        try:
            self._write()
        except Exception as error:
            self._error = error

    def _write(self) -> None:
        import requests
        from urllib3.exceptions import HTTPError

        asked = {"Accept-Encoding": "identity"}  # the checksum is that of the bytes as they lie on the server
        with requests.get(self._url, stream=True, timeout=self._limits.window, headers=asked) as response:
            response.raise_for_status()
            self._check_size(int(response.headers.get("Content-Length") or 0))
            self._part.unlink()  # pooch made a file that its owner alone can read
            with self._part.open("xb") as file:
                try:
                    while not self.given_up.is_set() and (chunk := response.raw.read1(CHUNK)):
                        self._came += len(chunk)
                        self._check_size(self._came)
                        file.write(chunk)
                except HTTPError as error:
                    raise DownloadError(f"the connection broke after {self._came:,} bytes ({error})") from None

    def _check_size(self, size: int) -> None:
        most = self._size or self._limits.size
        if size > most:
            told = "as the recipe says (downloads: size)" if self._size else "the most for a recipe that says no size"
            raise DownloadError(f"the file is larger than {most:,} bytes, {told}")
