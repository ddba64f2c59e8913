"""A download is bounded in size, time and pace; whatever the server does, there is one message and no file."""

import hashlib
import os
import threading
import time

import pytest

from xdomain.core.errors import MissingError
from xdomain.core.recipe_sections import Download, Source
from xdomain.data import download as downloads
from xdomain.data.sources import locate

WHOLE = hashlib.sha256(b"whole").hexdigest()
LIMITS = downloads.Limits(size=2_000_000, seconds=3, window=0.8, pace=10)


def source(url, path, **parts):
    return Source(
        files={"data": "deep/a.csv"}, downloads={"data": Download(url=f"{url}/{path}", sha256=WHOLE, **parts)}
    )


@pytest.fixture(autouse=True)
def short_limits(monkeypatch):
    monkeypatch.setattr(downloads, "LIMITS", LIMITS)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("endless", "larger than 2,000,000 bytes"),
        ("boast", "larger than 2,000,000 bytes"),
        ("trickle", "bytes came in 1 s"),
        ("trickled_header", "0 bytes came in 1 s"),
        ("silence", "0 bytes came in 1 s|timed out|no connection"),
        ("half", "the connection broke after 5 bytes"),
        ("to_file", "file:///etc/passwd"),
        ("to_itself", "redirects"),
        ("nonsense", "no connection"),
        ("nowhere", "404"),
    ],
)
def test_a_bad_server_gets_one_message_within_the_limit(home, hostile, path, reason):
    started = time.monotonic()
    with pytest.raises(MissingError, match=rf"could not be downloaded \(.*({reason})") as told:
        locate(source(hostile, path))
    assert time.monotonic() - started < LIMITS.seconds + 2
    assert len(str(told.value)) < 1000
    assert [path for path in home.rglob("*") if path.is_file()] == []


def test_a_steady_but_slow_download_ends_with_its_time(home, hostile, monkeypatch):
    monkeypatch.setattr(downloads, "LIMITS", downloads.Limits(seconds=1, window=4, pace=0))
    with pytest.raises(MissingError, match="not complete after 1 s"):
        locate(source(hostile, "trickle"))


def test_the_size_that_a_recipe_says_is_the_most(home, hostile):
    with pytest.raises(MissingError, match="larger than 3 bytes, as the recipe says"):
        locate(source(hostile, "good", size=3))
    assert locate(source(hostile, "good", size=5))["data"].read_bytes() == b"whole"


def test_a_file_has_the_rights_of_any_new_file(home, hostile):
    old = os.umask(0o022)
    try:
        path = locate(source(hostile, "good"))["data"]
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o644


def test_no_thread_is_left_behind(home, hostile):
    before = set(threading.enumerate())
    with pytest.raises(MissingError):
        locate(source(hostile, "endless"))
    until = time.monotonic() + 5
    while time.monotonic() < until and any(t.name == "download" for t in set(threading.enumerate()) - before):
        time.sleep(0.05)
    assert not [t for t in set(threading.enumerate()) - before if t.name == "download"]
