"""From sound to an answer in seconds, cut out as sound, by what a person types."""

import csv

import numpy as np
import pytest
import soundfile

from xdomain.adapters.speech.codebook import Codebook
from xdomain.cli.main import main

RATE = 8000
TONES = (300, 500, 800, 1200, 1800, 2600)


def tone(number, seconds, rng):
    time = np.arange(round(seconds * RATE)) / RATE
    return 0.3 * np.sin(2 * np.pi * TONES[number] * time + rng.uniform(0, 6)) + rng.normal(0, 0.005, len(time))


@pytest.fixture
def questions(tmp_path):
    """A question is a tone; the answer is where it sounds again among others."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(24):
        order = rng.permutation(6)[:4]
        lengths = rng.uniform(0.08, 0.2, 4)
        asked = int(rng.integers(4))
        soundfile.write(tmp_path / f"q{i}.wav", tone(order[asked], 0.12, rng), RATE)
        passage = np.concatenate([tone(n, s, rng) for n, s in zip(order, lengths, strict=True)])
        soundfile.write(tmp_path / f"p{i}.wav", passage, RATE)
        ends = np.cumsum(lengths)
        rows.append((f"q{i}.wav", f"p{i}.wav", ends[asked] - lengths[asked], ends[asked]))
    with (tmp_path / "questions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("question", "passage", "start", "end"), *rows])
    return tmp_path


def typed(*arguments):
    try:
        main([str(a) for a in arguments])
    except SystemExit as end:
        return end.code or 0
    return 0


def test_sound_in_and_sound_out(questions, tiny_bert, capsys):
    run = questions / "run"
    assert typed("units", "fit", questions, "--units", "12", "--out", questions / "book") == 0
    assert typed("run", "--data", questions / "questions.csv", "--domain", "speech", "--backbone", tiny_bert,
                 "--set", f"adapter.options.codebook={questions / 'book'}", "--set", "train.max_steps=3",
                 "--set", "train.window_overlap=8", "--out", run) == 0  # fmt: skip
    told = capsys.readouterr()
    assert "problem: span" in told.err
    assert "oracle" in told.out
    clip = questions / "answer.wav"
    asked = [questions / "q0.wav", questions / "p0.wav"]
    assert typed("predict", run, *asked, "--clip", clip) == 0
    (row,) = csv.DictReader(capsys.readouterr().out.splitlines())
    start, end = float(row["start"]), float(row["end"])
    assert 0 <= start < end <= soundfile.info(asked[1]).duration
    passage, answer = soundfile.read(asked[1])[0], soundfile.read(clip)[0]
    assert np.array_equal(answer, passage[round(start * RATE) : round(end * RATE)])
    # a run that gives no answer where it is the least likely writes no sound
    (run / "thresholds.json").write_text('{"no answer": 0}')
    assert typed("predict", run, *asked, "--clip", questions / "none.wav") == 0
    nothing = capsys.readouterr()
    (none,) = csv.DictReader(nothing.out.splitlines())
    assert [none[name] for name in ("start", "end", "answer")] == ["", "", ""]
    assert "the passage holds no answer" in nothing.err
    assert not (questions / "none.wav").exists()
    (run / "thresholds.json").unlink()
    # the run holds its codebook: the one it was made with may go
    (questions / "book").rename(questions / "elsewhere")
    assert typed("predict", run, *asked) == 0
    assert capsys.readouterr().out.splitlines()[1].split(",")[1:3] == [row["start"], row["end"]]


def test_one_sound_file_is_no_question_on_a_passage(questions, tiny_bert, capsys):
    assert typed("run", "--data", questions / "questions.csv", "--domain", "speech", "--backbone", tiny_bert) == 2
    assert "no codebook is named" in capsys.readouterr().err


def test_units_of_another_codebook_are_refused(questions, tiny_bert, capsys):
    books = [questions / "book", questions / "other"]
    for seed, book in enumerate(books):
        assert typed("units", "fit", questions, "--units", "12", "--seed", seed, "--out", book) == 0
    marks = [Codebook.load(book).mark for book in books]
    units = questions / "units.csv"
    encode = ["units", "encode", questions / "questions.csv", "--out", units, "--overwrite", "--codebook"]
    run = ["run", "--data", units, "--domain", "speech", "--backbone", tiny_bert, "--out", questions / "run"]
    assert typed(*encode, books[0]) == 0
    capsys.readouterr()
    assert typed(*run, "--set", f"adapter.options.codebook={books[1]}") == 2
    assert f"these are units of the codebook {marks[0]}, {books[1]} is {marks[1]}" in capsys.readouterr().err
    assert typed(*run, "--set", f"adapter.options.codebook={books[0]}", "--set", "train.max_steps=1",
                 "--set", "train.window_overlap=8") == 0  # fmt: skip
    assert typed(*encode, books[1]) == 0
    capsys.readouterr()
    assert typed("evaluate", questions / "run", units) == 2
    assert marks[1] in capsys.readouterr().err
