"""The form without a browser: what the page asks of the server, from upload to download, and what it refuses."""

import csv
import io
import json
import re
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path

import pytest
from command_line import told as xdomain

from xdomain.app import show
from xdomain.app.job import Job
from xdomain.app.messages import ROLES

pytest.importorskip("gradio", reason="gradio, the extra app, is not installed")
SMALL = "train.max_steps=2\nsplit.limit.train=40"
GUESSED = ["guess"] * len(ROLES)


def fields(visitor, file=None, domain: str | None = "dna", *, further="", example=None, roles=GUESSED, problem="guess"):
    """The values of the first part of the form."""
    source = "example" if example else "upload"
    upload = visitor.upload(file) if file else None
    return [source, upload, None, example, domain, problem, "guess", *[None] * 4, False, False, further, *roles]


def compared(visitor, file, arms, **options):
    """Start a comparison and wait for its end: the last progress, the result, and the names of the files."""
    told = visitor.ask("compare", *fields(visitor, file, **options), arms, 1, 0, "./tiny", "", "")
    assert "fault" not in told[0], told[0]
    progress, deadline = "", time.monotonic() + 150
    while time.monotonic() < deadline:
        progress, _, _, _, result, files, *_, said = visitor.ask("progress")
        if "Finished" in progress or "fault" in progress:
            return progress + said, result, files["value"]
        time.sleep(0.3)
    pytest.fail(f"no end: {progress}")


def fetched(app, file):
    """The content of a file that the form offers."""
    address = f"{app.url}gradio_api/file={urllib.parse.quote(file['path'])}"
    with urllib.request.urlopen(address) as answer:
        return answer.read()


def test_it_listens_at_the_loopback_address_alone(app):
    port = int(app.url.rstrip("/").rsplit(":", 1)[1])
    assert app.url.startswith("http://127.0.0.1:")
    table = Path("/proc/net/tcp")
    if not table.is_file():
        pytest.skip("needs /proc/net/tcp")
    listening = [line.split()[1] for line in table.read_text().splitlines()[1:] if line.split()[3] == "0A"]
    assert [address for address in listening if address.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]
    assert not any(
        line.split()[1].endswith(f":{port:04X}") for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]
    )


def test_the_page_names_no_other_server(app):
    with urllib.request.urlopen(app.url) as answer:
        page = answer.read().decode()
    loaded = re.findall(r"""(?:src|href)=["'](https?://[^"']+)""", page)
    assert [address for address in loaded if not address.startswith(app.url)] == []
    assert "fonts.googleapis" not in page


def test_what_is_guessed_is_told_and_can_be_corrected(visitor, data_file):
    visible, guess, _, problem, split, sequence, label, *_ = visitor.ask("guess", *fields(visitor, data_file))
    assert visible["visible"]
    assert "by its name" in guess
    assert "--column" not in guess
    assert sequence["choices"][0] == ["dna (guessed)", "guess"]
    assert label["choices"][:2] == [["activity (guessed)", "guess"], ["none", "none"]]
    assert (problem["choices"][0][0], split["choices"][0][0]) == ("a class (guessed)", "at random (guessed)")
    chosen = ["guess", ["guess", "is:batch"], *GUESSED[2:]]  # as where a name is chosen beside the guess
    _, guess, *_, label = visitor.ask("correct", *fields(visitor, data_file, roles=chosen))[:7]
    assert "as &#x27;batch&#x27; has 3 distinct values" in guess
    assert label["value"] == ["is:batch"]
    for nothing, value in (([], "guess"), (["guess", "none"], "none")):
        chosen = ["guess", nothing, *GUESSED[2:]]
        assert visitor.ask("correct", *fields(visitor, data_file, roles=chosen))[6]["value"] == [value]


def test_nothing_counts_as_guessed_where_nothing_was(visitor, tmp_path):
    two = tmp_path / "two.csv"
    two.write_text("dna,batch,dish\n" + "ACGT,1,low\nTTGA,2,high\n" * 20)
    _, guess, *fields_shown = visitor.ask("guess", *fields(visitor, two))
    assert "2 columns could be the label" in guess
    assert "none (guessed)" not in str(fields_shown)


def test_a_check_counts_and_warns(visitor, data_file, tmp_path):
    told = visitor.ask("check", *fields(visitor, data_file))
    assert "120 records can be read" in told
    assert "96 for training, 12 for validation, 12 for test" in told
    lines = data_file.read_text().splitlines()
    twice = tmp_path / "twice.csv"
    twice.write_text("\n".join([*lines, *(line.replace("s", "t", 1) for line in lines[1:40])]))
    assert "warning" in visitor.ask("check", *fields(visitor, twice))


BAD = {
    "empty.csv": (b"", "empty"),
    "paper.csv": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "is a PDF"),
    "mine.yaml": (b"name: dna/mine\nsource: {files: {data: /etc/passwd}}\n", "is a recipe"),
    "<img src=x onerror=alert(1)>.csv": (b"\x00\x01\x02binary", ".csv"),
    "…" * 40 + ".csv": (b"sequence,label\nACGT,1\n", "fewer than"),
    "unclear.csv": (b"a,b\n" + b"".join(b"%d,%d\n" % (i, i) for i in range(30)), "unclear.csv"),
}


@pytest.mark.parametrize("name", BAD, ids=lambda name: name[:30])
def test_a_bad_file_gets_one_message_and_no_traceback(visitor, app, name, tmp_path):
    content, expected = BAD[name]
    (tmp_path / name).write_bytes(content)
    guess = visitor.ask("guess", *fields(visitor, tmp_path / name))[1]
    check = visitor.ask("check", *fields(visitor, tmp_path / name))
    for told in (guess, check) if name != "…" * 40 + ".csv" else (check,):
        assert "Traceback" not in told
        assert 'class="panel fault"' in told
        assert "a fault of xdomain" not in told
        assert "<img" not in told
    assert expected in check or name.startswith("…")


def test_nothing_chosen_is_told(visitor, data_file):
    assert "no data yet" in visitor.ask("check", *fields(visitor))
    assert "“Domain”" in visitor.ask("check", *fields(visitor, data_file, domain=None))


def test_a_large_file_is_taken(visitor, tmp_path):
    rows = "".join(
        f"{'ACGT' * 60}{'ACGT'[i % 4]}{'ACGT'[i // 4 % 4]}{'ACGT'[i // 16 % 4] * (i % 97)},{i % 2}\n"
        for i in range(18_000)
    )
    (tmp_path / "large.csv").write_text("sequence,label\n" + rows)
    assert (tmp_path / "large.csv").stat().st_size > 5e6
    assert "18,000 records can be read" in visitor.ask("check", *fields(visitor, tmp_path / "large.csv"))


@pytest.fixture(scope="module")
def finished(visitor, data_file):
    return compared(visitor, data_file, ["pretrained", "kmer"], further=SMALL)


def test_a_comparison_shows_table_plot_and_sentence(finished, app):
    progress, result, files = finished
    assert "Finished" in progress, progress
    assert "xdomain compare" in progress
    assert "kmer" in result
    assert ">pretrained</td>" in result
    assert 'src="data:image/png;base64,' in result
    assert "intervals over test records, one seed" in result
    names = [Path(file["path"]).name for file in files]
    assert [name.rsplit("-", 1)[1] for name in names] == ["model.zip", "predictions.csv", "report.html"]
    assert (
        json.loads(next((app.folder / "runs").rglob("comparison.json")).read_text())["rows"][0]["arm"] == "pretrained"
    )


def test_what_is_downloaded_can_be_used(finished, app, tmp_path):
    model, predictions, report = (fetched(app, file) for file in finished[2])
    (tmp_path / "model.zip").write_bytes(model)
    with zipfile.ZipFile(tmp_path / "model.zip") as packed:
        packed.extractall(tmp_path)
    from transformers import AutoModelForSequenceClassification

    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert AutoModelForSequenceClassification.from_pretrained(folder).config.num_labels == 2
    rows = list(csv.DictReader(predictions.decode().splitlines()))
    assert {row["split"] for row in rows} == {"valid", "test"}
    assert {"id", "label", "prediction", "p(rich)"} <= rows[0].keys()
    page = report.decode()
    assert "Methods, for the supplement" in page
    assert "data:image/png" in page
    assert "http://" not in page.split("<body")[0]


def predicted(visitor, text="", file=None, unlike=False, further=""):
    """What is shown of the predictions of the model that is offered first, and their files."""
    model = visitor.ask("models", None)["value"]
    assert Path(model).name == "pretrained-m0-s0"
    told, file, _ = visitor.ask("predict", model, text, visitor.upload(file) if file else None, unlike, further)
    return told, file["value"]


def test_an_upload_is_predicted(finished, app, visitor, data_file):
    told, (file, book) = predicted(visitor, file=data_file, unlike=True)
    assert "first 100 rows" in told
    assert told.count("<tr>") == 101
    assert "<th>unlike</th>" in told
    rows = list(csv.DictReader(fetched(app, file).decode().splitlines()))
    assert [row["id"] for row in rows[:2]] == ["s0", "s1"]
    assert len(rows) == 120
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl, the extra excel, is not installed")
    header, *cells = openpyxl.load_workbook(io.BytesIO(fetched(app, book))).active.iter_rows(values_only=True)
    assert [dict(zip(header, row, strict=True))["id"] for row in cells] == [row["id"] for row in rows]
    assert float(rows[0]["score"]) == pytest.approx(dict(zip(header, cells[0], strict=True))["score"])


def test_ids_of_digits_stay_as_they_are_in_excel(finished, app, visitor, tmp_path):
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl, the extra excel, is not installed")
    (tmp_path / "new.csv").write_text("name,dna\n007,ACGTACGT\n08,GGGTACGT\n")
    _, (_, book) = predicted(visitor, file=tmp_path / "new.csv")
    rows = openpyxl.load_workbook(io.BytesIO(fetched(app, book))).active.iter_rows(values_only=True)
    assert [row[0] for row in rows] == ["id", "007", "08"]


def test_a_letter_that_is_no_symbol_is_read_as_the_message_says(finished, visitor):
    told, _ = predicted(visitor, "ACGT\nACEGT")
    assert "“adapter.options.unknown=count” in the field “Other options”" in told
    told, file = predicted(visitor, "ACGT\nACEGT", further="adapter.options.unknown=count")
    assert file, told
    told, _ = predicted(visitor, "ACGT", further="train.epochs=3")  # which changes nothing here
    assert "in the field “Other options”" in told


def test_nothing_to_predict_is_told(finished, visitor):
    told, _ = predicted(visitor)
    assert 'class="panel fault"' in told
    assert "nothing to predict" in told


def test_earlier_runs_and_comparisons_are_opened(finished, visitor):
    listed = {name.split(":")[0]: value for name, value in visitor.ask("earlier")["choices"]}
    assert listed.keys() == {"comparison", "run"}
    told, files = visitor.ask("open", listed["comparison"])
    assert ">kmer</td>" in told
    assert len(files["value"]) == 3
    told, files = visitor.ask("open", listed["run"])
    assert ">accuracy</td>" in told


def test_a_study_is_opened_by_its_report(app, visitor):
    folder = app.folder / "studies" / "mine"
    folder.mkdir(parents=True)
    (folder / "plan.json").write_text("{}")
    (folder / "report.html").write_text("<h1>A study</h1>")
    name = dict(visitor.ask("earlier")["choices"])["study: mine"]
    told, files = visitor.ask("open", name)
    assert 'srcdoc="&lt;h1&gt;A study' in told
    assert "sandbox" in told
    assert files["value"][0]["orig_name"] == "report.html"


@pytest.mark.parametrize("path", ["/etc/passwd", "runs/../../outside.txt"])
def test_no_file_outside_is_served(app, path):
    (app.folder.parent / "outside.txt").write_text("secret")
    for place in (path, str(app.folder / "tiny" / "config.json"), str(app.folder.parent / "outside.txt")):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{app.url}gradio_api/file={urllib.parse.quote(place)}")
        assert refused.value.code in (403, 404)
        refused.value.close()


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside.txt", "{folder}/tiny/config.json"])
def test_a_path_in_place_of_an_upload_is_refused(app, visitor, path):
    upload = {"path": path.format(folder=app.folder), "meta": {"_type": "gradio.FileData"}}
    values = ["upload", upload, *fields(visitor)[2:]]
    with pytest.raises(RuntimeError) as refused:
        visitor.ask("check", *values)
    assert "root:" not in str(refused.value)
    assert not (app.folder / "uploads" / Path(path).name).exists()


def test_a_comparison_can_be_stopped_and_goes_on(visitor, data_file, app):
    long = "train.max_steps=100000\nsplit.limit.train=40"
    asked = [*fields(visitor, data_file, further=long), ["pretrained"], 1, 0, "./tiny"]
    with pytest.raises(RuntimeError):  # a mapping that would read a file
        visitor.ask("compare", *asked, "given:/etc/passwd", "")
    told = visitor.ask("compare", *asked, "frequent", "head")
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and "training" not in told[0]:
        time.sleep(0.3)
        told = visitor.ask("progress")
    assert "100,000" in told[0]
    recipes = app.folder.glob(f"runs/dna/{data_file.stem}/compare*/pretrained*/recipe.yaml")
    recipe = max(recipes, key=lambda path: path.stat().st_mtime_ns).read_text()
    assert "mapping: frequent" in recipe
    assert "tune: head" in recipe
    second = visitor.ask("compare", *fields(visitor, data_file), ["kmer"], 1, 0, "./tiny", "", "")
    assert "a comparison is running" in second[0]
    told = visitor.ask("stop")
    assert "Stopped" in told[0]
    assert "Traceback" not in told[0]
    told = visitor.ask("resume")
    assert "--resume" in told[-1]
    assert "Stopped" in visitor.ask("stop")[0]


def test_a_failure_of_the_command_is_told(tmp_path):
    job = Job(["compare", "toy/dna-clasification"], tmp_path)
    job.wait(60)
    assert job.state == "failed"
    assert job.error().splitlines()[0] == "unknown task 'toy/dna-clasification'"
    assert "did you mean: toy/dna-classification" in show.progress(job)
    job.lines = ["Traceback (most recent call last):", "  File …", "ValueError: odd"]
    assert job.error() == "ValueError: odd"


def test_others_on_the_network_are_warned_of(capsys, tmp_path, monkeypatch):
    asked = []

    class Page:
        def block_thread(self):
            pass

    def start(folder, *, host, port):
        asked.append((folder, host, port))
        return None, f"http://{host}:{port}/", Page()

    monkeypatch.setattr("xdomain.app.serve.start", start)
    monkeypatch.chdir(tmp_path)
    code, out, err = xdomain(capsys, "app", "--host", "0.0.0.0", "--port", 8123, "--no-browser")
    assert (code, asked) == (0, [(tmp_path, "0.0.0.0", 8123)])
    assert "warning: 0.0.0.0 is no loopback address: anyone who reaches this machine" in err
    assert out.startswith("xdomain app: http://0.0.0.0:8123/")
    for loopback in ("127.0.0.1", "localhost", "::1"):
        assert "anyone" not in xdomain(capsys, "app", "--host", loopback, "--no-browser")[2]


@pytest.mark.parametrize(("host", "why"), [("127.0.0.1", "in use"), ("192.0.2.1", "assign")])
def test_an_address_that_cannot_be_had_is_told(capsys, host, why):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, _, err = xdomain(capsys, "app", "--host", host, "--port", taken.getsockname()[1], "--no-browser")
    assert code == 2
    assert f"error: {host}:" in err
    assert why in err.splitlines()[0]


def test_without_gradio_one_message_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setattr("xdomain.app.serve.find_spec", lambda name: None)
    code, out, err = xdomain(capsys, "app", "--browser")
    assert (code, out) == (2, "")
    assert "pip install 'xdomain[app]'" in err


def test_its_end_ends_the_command_that_it_runs(start_app, visit, data_file, tmp_path):
    own = start_app(tmp_path)
    visitor = visit(own.url)
    visitor.ask(
        "compare", *fields(visitor, data_file, further="train.max_steps=100000"), ["pretrained"], 1, 0, "", "", ""
    )
    tasks = list(Path(f"/proc/{own.process.pid}/task").glob("*/children"))
    if not tasks:
        pytest.skip("needs /proc/PID/task/TID/children")
    started = [Path("/proc", number) for task in tasks for number in task.read_text().split()]
    assert any(b"compare" in (process / "cmdline").read_bytes() for process in started)
    own.process.terminate()
    own.process.wait(60)
    assert not any(process.exists() for process in started)
