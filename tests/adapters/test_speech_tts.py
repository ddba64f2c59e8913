"""Text said by espeak-ng: where each part is, to the sample, and clear words where it cannot be said."""

import csv
import json
import shutil
import wave

import numpy as np
import pyarrow as pa
import pytest

from xdomain.adapters.speech.tts import speak, speak_questions
from xdomain.cli.main import main
from xdomain.core.errors import DataError, MissingError, OutputError

installed = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
ROW = {
    "id": "q1",
    "sequence": "What is it?",
    "sequence_b": "The answer is forty two, of course.",
    "answers": [{"start": 0.0, "end": 10.0}, {"start": 14.0, "end": 23.0}, {"start": 14.0, "end": 23.0}],
    "group": "numbers",
}


def samples(path):
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), np.int16)


def test_without_the_program(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(MissingError, match=r"espeak-ng is not installed(?s:.*)apt install espeak-ng"):
        speak("hello", tmp_path / "a.wav")
    assert not list(tmp_path.iterdir())


@installed
def test_parts_lie_where_they_are_said_to_lie(tmp_path):
    parts = ["The answer is", "forty two", " ", "of course."]
    borders = speak(parts, tmp_path / "whole.wav")
    rate, whole = samples(tmp_path / "whole.wav")
    assert borders[0][0] == 0
    assert borders[-1][1] == pytest.approx(len(whole) / rate)
    assert [a[1] for a in borders[:-1]] == [b[0] for b in borders[1:]]
    assert borders[2][0] == borders[2][1]  # a blank is not said
    speak(parts[1], tmp_path / "part.wav")
    start, end = (round(second * rate) for second in borders[1])
    assert np.array_equal(whole[start:end], samples(tmp_path / "part.wav")[1])
    assert np.abs(whole[start:end]).max() > 1000  # it is heard


@installed
def test_faster_is_shorter(tmp_path):
    (slow,), (fast,) = (speak("one two three four", tmp_path / "a.wav", words_per_minute=n) for n in (120, 300))
    assert slow[1] > 1.5 * fast[1]


@installed
@pytest.mark.parametrize(
    ("text", "options", "error", "told"),
    [
        ("hello", {"voice": "klingonese"}, DataError, r"with the voice 'klingonese'(?s:.*)--voices"),
        ("hello", {"words_per_minute": 5}, DataError, r"5 words per minute(?s:.*)80 to 450"),
        ("  ", {}, DataError, r"nothing to say"),
    ],
)
def test_what_cannot_be_said(tmp_path, text, options, error, told):
    with pytest.raises(error, match=told):
        speak(text, tmp_path / "a.wav", **options)


@installed
def test_a_text_is_no_option_and_no_command(tmp_path):
    assert speak("--help; touch stray", tmp_path / "a.wav")[0][1] > 0.3
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


@installed
def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(OutputError, match=r"cannot be written"):
        speak("hello", tmp_path / "no" / "a.wav")


@installed
def test_questions_with_their_answers(tmp_path):
    told = []
    table = pa.Table.from_pylist([ROW, ROW | {"id": "q2"}])
    out = speak_questions(
        table, tmp_path / "spoken.csv", voices=("en", "en-us"), progress=lambda *now: told.append(now)
    )
    with out.open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["id"], second["id"], first["group"]) == ("q1", "q2", "numbers")
    assert first["passage"] == "spoken/passage-0.wav"
    rate, passage = samples(tmp_path / first["passage"])
    speak("forty two", tmp_path / "answer.wav")  # of three references the one that two have
    start, end = (round(float(first[name]) * rate) for name in ("start", "end"))
    assert np.array_equal(passage[start:end], samples(tmp_path / "answer.wav")[1])
    question = samples(tmp_path / first["question"])[1]
    assert len(question) > rate / 4
    assert not np.array_equal(samples(tmp_path / second["passage"])[1], passage)  # another voice
    assert [done for done, _ in told] == [1, 2]
    assert told[0][1] == pytest.approx((len(question) + len(passage)) / rate)


@installed
def test_an_answer_outside_of_its_passage(tmp_path):
    row = ROW | {"answers": [{"start": 30.0, "end": 99.0}]}
    with pytest.raises(DataError, match=r"record 'q1': an answer from character 30 to 99 of 35"):
        speak_questions(pa.Table.from_pylist([row]), tmp_path / "spoken.csv")


@installed
def test_from_text_to_a_model_of_sound(tmp_path, tiny_bert, capsys):
    pytest.importorskip("soundfile")

    def typed(*words):
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        return end.value.code or 0

    rows = [
        ("Who?", f"It was {name}, of course.", 7, 7 + len(name)) for name in ("Mary", "Ahab", "Ishmael", "Queequeg")
    ]
    with (tmp_path / "text.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("question", "passage", "start", "end"), *rows * 3])
    spoken = tmp_path / "new" / "spoken.csv"
    assert typed("units", "speak", tmp_path / "text.csv", "--out", spoken) == 0
    assert typed("units", "fit", spoken.with_suffix(""), "--units", "12", "--out", tmp_path / "book") == 0
    capsys.readouterr()
    assert typed("run", "--data", spoken, "--domain", "speech", "--backbone", tiny_bert, "--set",
                 f"adapter.options.codebook={tmp_path / 'book'}", "--set", "train.max_steps=1", "--json",
                 "--set", "train.window_overlap=8", "--out", tmp_path / "run") == 0  # fmt: skip
    told = json.loads(capsys.readouterr().out)
    assert told["oracle"]["test"]["FF1"] > 0.9
    assert typed("units", "speak", tmp_path / "text.csv", "--out", spoken) == 2
    assert "spoken.csv is there already" in capsys.readouterr().err


def test_what_is_no_question_on_a_text_is_not_said(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(["units", "speak", "toy/dna-pair", "--out", str(tmp_path / "spoken.csv")])
    assert end.value.code == 2
    assert "toy/dna-pair is of the problem pair in the domain dna" in capsys.readouterr().err
