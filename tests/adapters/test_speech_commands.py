"""The commands as typed: what they print, write, refuse and leave behind."""

import csv
import json
import re

import numpy as np
import pytest

soundfile = pytest.importorskip("soundfile")

from typer.testing import CliRunner  # noqa: E402

from xdomain.adapters.speech import commands  # noqa: E402
from xdomain.adapters.speech.codebook import Codebook  # noqa: E402
from xdomain.cli.messages import messages_on_stderr  # noqa: E402
from xdomain.core.errors import DataError, OutputError, RecipeError, UserError  # noqa: E402


def typed(*words):
    with messages_on_stderr():
        return CliRunner().invoke(commands.app, [str(word) for word in words])


def refused(error: type[UserError], *words: object) -> UserError:
    result = typed(*words)
    assert isinstance(result.exception, error), result.output
    return result.exception


@pytest.fixture
def wavs(tmp_path):
    (tmp_path / "wavs").mkdir()
    for seed in range(4):
        noise = np.random.default_rng(seed).normal(0, 0.02 * (seed + 1), 6000 + 500 * seed)
        soundfile.write(tmp_path / "wavs" / f"{seed}.wav", noise, 8000)
    return tmp_path / "wavs"


@pytest.fixture
def book(wavs, tmp_path):
    assert typed("fit", wavs, "--out", tmp_path / "book", "--units", 5).exit_code == 0
    return tmp_path / "book"


def test_a_vqvae_is_fitted_and_used_as_a_codebook(wavs, tmp_path, monkeypatch):
    pytest.importorskip("vector_quantize_pytorch", reason="pip install vector-quantize-pytorch")
    monkeypatch.setattr("xdomain.adapters.speech.vqvae.STEPS", 20)
    result = typed("fit", wavs, "--out", tmp_path / "book", "--units", 4, "--method", "vqvae")
    assert result.exit_code == 0, result.exception
    told = dict(line.split("\t") for line in result.stdout.splitlines()[1:-1])
    assert 0 < float(told["mean squared error, standardised"]) < 1.5
    assert "VQ-VAE: 4 units from" in result.stderr
    result = typed("encode", wavs, "--codebook", tmp_path / "book", "--out", tmp_path / "units.csv")
    assert result.exit_code == 0, result.exception
    with (tmp_path / "units.csv").open(newline="") as file:
        assert {row["codebook"] for row in csv.DictReader(file)} == {Codebook.load(tmp_path / "book").mark}


def test_fit_and_encode(wavs, tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "EVERY", 0.0)
    result = typed("fit", wavs, "--out", tmp_path / "book", "--units", 5, "--frames", 200)
    assert result.exit_code == 0, result.exception
    told = dict(line.split("\t") for line in result.stdout.splitlines()[1:-1])
    assert (told["files"], told["frames fitted to"], told["units"]) == ("4", "200", "5")
    assert 1 < float(told["perplexity"]) <= 5
    assert result.stdout.splitlines()[-1] == f"written: {tmp_path / 'book'}"
    assert "4 of 4 files" in result.stderr
    assert "left" in result.stderr
    assert f"k-means: 5 units from 200 of {told['frames']} frames" in result.stderr

    result = typed("encode", wavs / "*.wav", "--codebook", tmp_path / "book", "--out", tmp_path / "out" / "units.csv")
    assert result.exit_code == 0, result.exception
    with (tmp_path / "out" / "units.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["id", "sequence", "rate", "duration", "file", "codebook"]
    assert [row["id"] for row in rows] == ["0", "1", "2", "3"]
    assert [float(row["duration"]) for row in rows] == [0.75, 0.8125, 0.875, 0.9375]
    runs = [int(part.partition(":")[2] or 1) for part in rows[0]["sequence"].split()]
    assert sum(runs) == 1 + (12000 - 400) // 160
    assert {row["codebook"] for row in rows} == {told["codebook"]}
    again = dict(line.split("\t") for line in result.stdout.splitlines()[1:-1])
    assert again["frames"] == told["frames"]
    assert float(again["frames a unit"]) == pytest.approx(int(again["frames"]) / int(again["units, merged"]), abs=0.01)


def test_json_and_the_same_again(wavs, book, tmp_path):
    first = typed("fit", wavs, "--out", book, "--units", 5, "--overwrite", "--json")
    assert json.loads(first.stdout)["codebook"] == Codebook.load(book).mark
    again = typed("fit", wavs, "--out", book, "--units", 5, "--overwrite", "--json")
    assert json.loads(again.stdout) == json.loads(first.stdout)
    other = typed("fit", wavs, "--out", book, "--units", 5, "--overwrite", "--json", "--seed", 1)
    assert json.loads(other.stdout)["codebook"] != json.loads(first.stdout)["codebook"]
    encoded = typed("encode", wavs, "--codebook", book, "--out", tmp_path / "u.csv", "--json")
    assert json.loads(encoded.stdout)["files"] == 4
    assert json.loads(encoded.stdout)["out"] == str(tmp_path / "u.csv")
    assert "purity" not in json.loads(encoded.stdout)


def test_units_are_held_against_labels(wavs, book, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text("id,label\n0,quiet\n1,quiet\n3,loud\n")
    encode = ("encode", wavs, "--codebook", book, "--out", tmp_path / "u.csv", "--labels", labels, "--json")
    told = json.loads(typed(*encode).stdout)
    assert told["share of frames labelled"] == pytest.approx(3 / 4, abs=0.02)
    assert told["purity"] >= told["purity by chance"] > 0.5
    labels.write_text("id,label\nnobody,quiet\n")
    (tmp_path / "u.csv").unlink()
    assert "none of the 4 files" in refused(DataError, *encode).what
    assert not (tmp_path / "u.csv").exists()  # it was known before anything was heard


def test_a_table_of_sound_becomes_one_of_units(wavs, book, tmp_path):
    rows = [("q1", "wavs/0.wav", "wavs/1.wav", "0.1"), ("q2", "wavs/0.wav", "wavs/2.wav", "0.2")]
    with (tmp_path / "sound.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "question", "passage", "start"), *rows])
    assert typed("encode", wavs, "--codebook", book, "--out", tmp_path / "files.csv").exit_code == 0
    with (tmp_path / "files.csv").open(newline="") as file:
        units = {f"wavs/{row['id']}.wav": row["sequence"] for row in csv.DictReader(file)}
    result = typed("encode", tmp_path / "sound.csv", "--codebook", book, "--out", tmp_path / "units.csv", "--json")
    assert result.exit_code == 0, result.exception
    assert json.loads(result.stdout)["files"] == 3
    with (tmp_path / "units.csv").open(newline="") as file:
        header, *found = csv.reader(file)
    assert header == ["id", "question", "passage", "start", "codebook"]
    mark = Codebook.load(book).mark
    assert found == [[name, units[question], units[passage], start, mark] for name, question, passage, start in rows]
    again = typed("fit", tmp_path / "sound.csv", "--out", tmp_path / "other", "--units", 5, "--json")
    assert json.loads(again.stdout)["files"] == 3


def test_a_table_that_tells_its_codebook_gets_the_new_one(wavs, book, tmp_path):
    (tmp_path / "sound.csv").write_text("id,file,codebook\na,wavs/0.wav,old\n")
    out = tmp_path / "units.csv"
    assert typed("encode", tmp_path / "sound.csv", "--codebook", book, "--out", out).exit_code == 0
    with out.open(newline="") as file:
        header, row = csv.reader(file)
    assert (header, row[-1]) == (["id", "file", "codebook"], Codebook.load(book).mark)


def test_rows_of_a_bad_file_are_left_out_when_asked(wavs, book, tmp_path):
    (wavs / "1.wav").write_text("no sound")
    (tmp_path / "sound.csv").write_text("id,file\na,wavs/0.wav\nb,wavs/1.wav\n")
    out = tmp_path / "units.csv"
    assert "1.wav" in str(refused(DataError, "encode", tmp_path / "sound.csv", "--codebook", book, "--out", out))
    assert not out.exists()
    result = typed("encode", tmp_path / "sound.csv", "--codebook", book, "--out", out, "--skip-bad")
    assert result.exit_code == 0
    assert "1.wav" in result.stderr
    with out.open(newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == ["a"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id,file\na,wavs/0.wav\nb,wavs/11.wav\n", r"sound\.csv, record 2, column file: .*wavs/11\.wav does not exist"),
        ("id,sequence\na,1 2 3\n", r"no column names sound files(?s:.*)\.wav"),
    ],
)
def test_a_table_without_its_sound(wavs, book, tmp_path, text, told):
    (tmp_path / "sound.csv").write_text(text)
    error = refused(DataError, "encode", tmp_path / "sound.csv", "--codebook", book, "--out", tmp_path / "units.csv")
    assert re.search(told, str(error))


def test_a_bad_file_stops_it_and_nothing_half_done_is_left(wavs, book, tmp_path):
    (wavs / "2.wav").write_text("I am a text")
    encode = ("encode", wavs, "--codebook", book, "--out", tmp_path / "u.csv")
    found = refused(DataError, *encode)
    assert f"{wavs / '2.wav'} is no sound file that can be read: it holds text, 'I am a text' …" == found.what
    assert sorted(p.name for p in tmp_path.iterdir()) == ["book", "wavs"]
    refused(DataError, "fit", wavs, "--out", tmp_path / "other")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["book", "wavs"]
    result = typed(*encode, "--skip-bad")
    assert result.exit_code == 0
    assert f"1 of 4 files is skipped: {wavs / '2.wav'}" in result.stderr
    assert "skipped\t1\n" in result.stdout
    assert len((tmp_path / "u.csv").read_text().splitlines()) == 4
    assert typed("fit", wavs, "--out", tmp_path / "other", "--units", 5, "--skip-bad").exit_code == 0


def test_nothing_is_overwritten_unasked(wavs, book, tmp_path):
    (tmp_path / "u.csv").write_text("mine")
    encode = ("encode", wavs, "--codebook", book, "--out", tmp_path / "u.csv")
    assert "is there already" in refused(OutputError, *encode).what
    assert (tmp_path / "u.csv").read_text() == "mine"
    assert typed(*encode, "--overwrite").exit_code == 0
    assert "is a folder" in refused(OutputError, *encode[:-1], wavs).what
    assert "holds a codebook" in refused(OutputError, "fit", wavs, "--out", book).what
    assert "holds 0.wav, 1.wav" in refused(OutputError, "fit", wavs, "--out", wavs, "--overwrite").what


def test_a_codebook_of_other_features(wavs, book, tmp_path):
    facts = json.loads((book / "codebook.json").read_text())
    made = Codebook(Codebook.load(book).centroids, "mfcc", "f" * 64, 16000, 100.0)
    made.save(book, overwrite=True)
    found = refused(RecipeError, "encode", wavs, "--codebook", book, "--out", tmp_path / "u.csv")
    assert "f" * 64 in found.what
    assert facts["features_sha256"] in found.what
    assert not (tmp_path / "u.csv").exists()


def test_centroids_from_elsewhere(wavs, tmp_path):
    np.save(tmp_path / "km.npy", np.random.default_rng(0).normal(size=(3, 39)))
    result = typed("import", tmp_path / "km.npy", "--features", "mfcc", "--out", tmp_path / "book")
    assert result.exit_code == 0, result.exception
    assert "units\t3\n" in result.stdout
    assert typed("encode", wavs, "--codebook", tmp_path / "book", "--out", tmp_path / "u.csv").exit_code == 0


def test_a_terminal_has_one_line(capsys, monkeypatch):
    from xdomain.adapters.speech.frame_reader import ReadLog

    monkeypatch.setattr(commands.sys.stderr, "isatty", lambda: True)
    progress = commands.Progress(1200)
    progress.told -= 1
    progress(ReadLog(heard=600, seconds=90))
    progress(ReadLog(heard=1200, seconds=180))
    assert capsys.readouterr().err == (
        "\r600 of 1,200 files, 2 min of audio\x1b[K\r1,200 of 1,200 files, 3 min of audio\x1b[K\n"
    )
