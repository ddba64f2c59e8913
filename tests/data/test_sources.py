import functools
import hashlib
import http.server
import threading

import pytest

from xdomain.core.errors import DataError, MissingError, RecipeError
from xdomain.core.recipe_sections import Download, Source
from xdomain.data.sources import data_home, digest, locate


def source(**parts):
    return Source(licence="CC0", citation="nobody", **parts)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A folder and the URL at which it is served."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_data_home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDOMAIN_DATA", str(tmp_path))
    assert data_home() == tmp_path
    monkeypatch.delenv("XDOMAIN_DATA")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_home() == tmp_path / ".cache" / "xdomain-data"


def test_relative_paths_lie_below_the_data_home_and_absolute_ones_where_they_say(home, tmp_path):
    (home / "dna").mkdir()
    (home / "dna" / "a.csv").write_text("x")
    other = tmp_path / "b.csv"
    other.write_text("x")
    found = locate(source(files={"train": "dna/a.csv", "test": str(other)}))
    assert found == {"train": home / "dna" / "a.csv", "test": other}
    assert list(found) == ["train", "test"]


def test_data_that_is_made_up_has_no_files(home):
    assert locate(source()) == {}


def test_all_missing_files_are_told_at_once_with_where_and_how(home):
    (home / "traim.csv").write_text("x")
    with pytest.raises(MissingError) as told:
        locate(source(files={"train": "train.csv", "test": "d/test.csv"}, homepage="https://example.org/set"))
    assert str(told.value) == (
        "2 data files are not on this machine:\n"
        f"  train: {home / 'train.csv'}\n"
        f"  test: {home / 'd' / 'test.csv'}\n"
        f"  expected: below {home} (XDOMAIN_DATA)\n"
        "  did you mean: traim.csv\n"
        "  to fix it: unpack it below that folder, or set XDOMAIN_DATA to the folder that holds train.csv, "
        "or get the data set from https://example.org/set"
    )


def test_a_missing_file_without_xdomain_data_says_that_it_is_not_set(tmp_path, monkeypatch):
    monkeypatch.delenv("XDOMAIN_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(MissingError, match="as XDOMAIN_DATA is not set"):
        locate(source(files={"a": "a.csv"}))


def test_a_missing_absolute_path(home, tmp_path):
    with pytest.raises(MissingError, match=r"1 data file is not .*(?s:.*)write the right path into source\.files"):
        locate(source(files={"data": str(tmp_path / "nowhere.csv")}))


def test_what_is_missing_is_downloaded_and_checked(home, server):
    folder, url = server
    (folder / "a.csv").write_bytes(b"sequence,label\n")
    download = Download(url=f"{url}/a.csv", sha256=sha256(b"sequence,label\n"))
    found = locate(source(files={"data": "deep/down/a.csv"}, downloads={"data": download}))
    assert found["data"] == home / "deep" / "down" / "a.csv"
    assert found["data"].read_bytes() == b"sequence,label\n"


def test_a_download_with_another_checksum_leaves_nothing_behind(home, server):
    folder, url = server
    (folder / "a.csv").write_bytes(b"something else")
    download = Download(url=f"{url}/a.csv", sha256=sha256(b"sequence,label\n"))
    with pytest.raises(MissingError, match="could not be downloaded") as told:
        locate(source(files={"data": "a.csv"}, downloads={"data": download}))
    assert "does not match" in str(told.value)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("tried", [True, False])
def test_no_network(home, monkeypatch, tried):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    url = "http://127.0.0.1:9/a.csv"  # the discard port: nobody listens
    download = Download(url=url, sha256="ab" * 32, tried=tried)
    with pytest.raises(MissingError) as told:
        locate(source(files={"data": "a.csv"}, downloads={"data": download}, homepage="https://example.org"))
    text = str(told.value)
    assert "could not be downloaded (no connection to 127.0.0.1)" in text
    for part in (url, "ab" * 32, str(home / "a.csv"), "https://example.org", "XDOMAIN_DATA"):
        assert part in text
    assert ("could not try this URL" in text) is not tried


def test_a_download_for_a_file_that_is_not_listed(home):
    with pytest.raises(RecipeError, match="did you mean: train"):
        locate(source(files={"train": "a"}, downloads={"trian": Download(url="http://x", sha256="0")}))


def test_digest_follows_content_and_names_but_not_folders(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
        (folder / "a").write_text("ACGT")
    first = digest({"train": one / "a"})
    assert first == digest({"train": two / "a"})
    assert len(first) == 64
    assert digest({"test": one / "a"}) != first
    (one / "a").write_text("ACGA")
    assert digest({"train": one / "a"}) != first
    with pytest.raises(DataError, match="cannot be read"):
        digest({"train": one / "b"})
