"""Simulated speech: what is said where, the same each time, as noisy as told."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdomain.core.errors import MissingError, RecipeError
from xdomain.core.plugins import find_recipe, readers
from xdomain.data.assemble import said
from xdomain.data.loading import load_table
from xdomain.data.run_length import units_as_text
from xdomain.data.splits.assign import assign
from xdomain.tasks.speech.lexicon import phonemes
from xdomain.tasks.speech.simulated_qa import Speaker
from xdomain.tasks.speech.simulator import RUNS, Simulator
from xdomain.tasks.speech.words import Word, sentences, spelled, spoken_words, with_errors

PASSAGES = {
    "Bears": "A brown bear sleeps all winter. It eats salmon in 2016, mostly. In spring it wakes. Then it is hungry!",
    "Rivers": "The Rhine is 1,230 km long. It rises in the Alps. It ends in the North Sea.",
}
ASKED = [
    ("b1", "Bears", "What does it eat?", ["salmon", "salmon", "salmon in 2016"]),
    ("b2", "Bears", "When does it wake?", ["In spring", "spring"]),
    ("b3", "Bears", "Who sleeps?", ["A brown bear"]),
    ("r1", "Rivers", "How long is it?", ["1,230 km", "1,230"]),
    ("r2", "Rivers", "Where does it end?", ["North Sea"]),
    ("r3", "Rivers", "What of the two?", ["Alps", "North Sea"]),
]


@pytest.fixture(scope="module")
def nmsqa(tmp_path_factory):
    """A parquet file as NMSQA's, of two passages."""
    rows = [
        {
            "id": name, "title": title, "context": PASSAGES[title], "question": question,
            "answers": {
                "answer_start": [PASSAGES[title].index(text) for text in texts], "text": texts,
                "audio_full_answer_start": None, "audio_full_answer_end": None,
            },
        }
        for name, title, question, texts in ASKED
    ]  # fmt: skip
    path = tmp_path_factory.mktemp("nmsqa") / "dev.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return {"all": path}


def read(files, **options):
    return readers()["simulated_nmsqa"](files, **options)


def frames_of(text):
    pairs = [unit.partition(":") for unit in text.split()]
    return [int(unit) for unit, _, run in pairs for _ in range(int(run or 1))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's 24–10, Zürich!", "its twenty four ten zurich"),
        ("In 1906, 2016 and 1,230", "in nineteen oh six twenty sixteen and one thousand two hundred thirty"),
        ("the 21st, 1990s, 3.14 and $5", "the twenty first nineteen nineties three point one four and dollars five"),
        ("20th 3rd 1800 100% R&D 4K", "twentieth third eighteen hundred one hundred percent r and d four k"),
        ("日本 — 007", "seven"),
    ],
)  # fmt: skip
def test_words_as_they_are_said(text, words):
    assert [word.text for word in spoken_words(text)] == words.split()


def test_words_know_their_characters_and_pauses():
    text = "Well, 42 (or so)."
    assert [(w.text, text[w.start : w.end], w.pause) for w in spoken_words(text)] == [
        ("well", "Well", True), ("forty", "42", False), ("two", "42", True), ("or", "or", False), ("so", "so", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "zero"), (19, "nineteen"), (80, "eighty"), (1_000_001, "one million one"), (10**15, "one" + " zero" * 15)],
)
def test_numbers_in_words(number, words):
    assert spelled(number) == words.split()


def test_sentences_cover_the_text():
    text = 'Dr. J. Smith left the U.S. Army. "Why?" asked Mr. Bean. 3.5 m of it.'
    assert [text[a:b] for a, b in sentences(text)] == [
        "Dr. J. Smith left the U.S. Army. ",
        '"Why?" asked Mr. Bean. ',
        "3.5 m of it.",
    ]


@given(st.text("abcz ,.", min_size=1), st.integers(0, 3))
@settings(max_examples=50)
def test_an_utterance_is_whole(text, seed):
    words = spoken_words(text)
    heard = Simulator(units=64, seed=seed).speak(words, np.random.default_rng(seed))
    assert heard.units.min() >= 0
    assert heard.units.max() < 64
    assert (heard.runs >= 1).all()
    assert (np.diff(heard.units) != 0).all()
    inside = [edge for edges in heard.edges.tolist() for edge in edges]
    assert inside == sorted(inside)
    assert all(start < end for start, end in heard.edges.tolist())
    assert not inside or (inside[0] > 0 and inside[-1] < heard.runs.sum())  # silence before and after


def test_the_same_word_sounds_alike_and_not_the_same():
    words = [Word("elephant", 0, 8)] * 30
    speaker = Simulator(seed=1)
    heard = speaker.speak(words, np.random.default_rng(0))
    frames = np.repeat(heard.units, heard.runs)
    said = [units_as_text(frames[a:b]) for a, b in heard.edges.tolist()]
    assert len(set(said)) > 10
    kinds = [set(frames[a:b].tolist()) for a, b in heard.edges.tolist()]
    alike = np.mean([len(a & b) / len(a | b) for a in kinds for b in kinds])
    other = speaker.speak([Word("football", 0, 8)], np.random.default_rng(0))
    start, end = other.edges[0].tolist()
    strange = set(np.repeat(other.units, other.runs)[start:end].tolist())
    assert alike > 0.6
    assert np.mean([len(a & strange) / len(a | strange) for a in kinds]) < 0.25


def test_runs_are_as_told():
    words = spoken_words("the quick brown fox jumps over the lazy dog and then sleeps in the warm sun " * 200)
    heard = Simulator(units=200).speak(words, np.random.default_rng(0))
    shares = np.bincount(heard.runs, minlength=len(RUNS) + 1)[1:] / len(heard.runs)
    assert np.abs(shares - RUNS).max() < 0.04


def test_answers_lie_where_their_words_are_said(nmsqa):
    table = read(nmsqa, form="text")
    found = {
        row["id"]: [row["sequence_b"][int(a["start"]) : int(a["end"])] for a in row["answers"]]
        for row in table.to_pylist()
    }
    assert found == {
        "b1": ["salmon", "salmon", "salmon in twenty sixteen"],
        "b2": ["in spring", "spring"],
        "b3": ["a brown bear"],
        "r1": ["one thousand two hundred thirty km", "one thousand two hundred thirty"],
        "r2": ["north sea"],
        "r3": ["alps", "north sea"],
    }
    assert table.column("group").to_pylist() == ["Bears"] * 3 + ["Rivers"] * 3
    assert table.column("sequence")[0].as_py() == "what does it eat"


def test_seconds_cut_out_the_units_of_the_answer(nmsqa):
    rows = {row["id"]: row for row in read(nmsqa).to_pylist()}
    whole = frames_of(rows["b1"]["sequence_b"])
    assert rows["b1"]["sequence_b"] == rows["b3"]["sequence_b"]  # said once for all its questions
    (bear,) = rows["b3"]["answers"]
    long, short = (a["end"] - a["start"] for a in reversed(rows["b1"]["answers"][1:]))
    assert 0 < bear["start"] < bear["end"] < len(whole) / 50
    assert long > 2 * short
    parts = read(nmsqa, passage="sentences", sentences=0).to_pylist()[2]
    (alone,) = parts["answers"]
    shown = frames_of(parts["sequence_b"])
    cut = slice(round(alone["start"] * 50), round(alone["end"] * 50))
    assert shown[cut] == whole[round(bear["start"] * 50) : round(bear["end"] * 50)]


def test_the_same_each_time_and_other_with_another_seed(nmsqa):
    assert read(nmsqa, noise=0.3).equals(read(nmsqa, noise=0.3))
    assert read(nmsqa, seed=1)["sequence"].to_pylist() != read(nmsqa)["sequence"].to_pylist()
    few = read(nmsqa, noise=0.3, limit=2).to_pylist()
    assert len(few) == 2
    assert all(row in read(nmsqa, noise=0.3).to_pylist() for row in few)
    assert "the units are simulated (seed 0, 30% word errors): no speech was heard" in said(read(nmsqa, noise=0.3))


def test_both_forms_hear_the_same_words():
    """The text of the cascade has its errors where the units have theirs."""
    text, vocabulary = PASSAGES["Bears"], [word.text for word in spoken_words(PASSAGES["Rivers"])]
    units, words = (
        Speaker(Simulator(), form, 0.5, 0, vocabulary, None).passage(text, spoken_words(text), [])
        for form in ("units", "text")
    )
    assert [sentence.words for sentence in units] == [sentence.words for sentence in words]
    assert sum(word.text in vocabulary for sentence in words for word in sentence.words) > 3
    assert all(len(sentence.edges) == len(sentence.words) for sentence in (*units, *words))


def test_an_answer_is_never_silenced(nmsqa):
    for seed in range(20):
        for row in read(nmsqa, form="text", noise=1.0, seed=seed).to_pylist():
            assert all(a["start"] < a["end"] <= len(row["sequence_b"]) for a in row["answers"])


def test_errors_are_as_many_and_as_told():
    words = [Word("a", 0, 1)] * 20_000
    heard, origins = with_errors(words, 0.3, np.random.default_rng(0), ["b"])
    counts = np.bincount(origins, minlength=len(words))
    deleted, inserted = (counts == 0).mean(), (counts == 2).mean()
    replaced = sum(word.text == "b" for word in heard) / len(words) - inserted
    assert (replaced, deleted, inserted) == pytest.approx((0.24, 0.03, 0.03), abs=0.01)
    assert origins == sorted(origins)


def test_no_words_have_no_errors():
    assert with_errors([], 0.3, np.random.default_rng(0), ["b"]) == ([], [])
    heard, origins = with_errors([Word("a", 0, 1)], 1.0, np.random.default_rng(0), ["b"], kept=[(1, 1)])
    assert (len(heard), origins) == (1, [0])


def test_neighbours_do_not_give_the_answer_away(nmsqa):
    """The sentence of the answer is the first of two as often as the second, wherever it stands in its passage."""
    first = [
        row["answers"][0]["start"] == 0
        for seed in range(60)
        for row in read(nmsqa, form="text", passage="sentences", seed=seed).to_pylist()
        if row["id"] == "b3"
    ]
    assert 15 < sum(first) < 45


def test_references_outside_of_what_is_shown_are_left_out_and_said(nmsqa):
    table = read(nmsqa, form="text", passage="sentences", sentences=0)
    row = table.to_pylist()[-1]
    assert row["sequence_b"] == "it rises in the alps"
    assert len(row["answers"]) == 1
    assert said(table) == ["1 left out: references outside the sentences shown"]
    whole = read(nmsqa, form="text", passage="sentences", sentences=9)
    assert all(len(row["sequence_b"].split()) == 21 for row in whole.to_pylist())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"form": "unit"}, r"reader_options.form 'unit'(?s:.*)did you mean: units"),
        ({"passage": "all"}, r"one of sentences, whole"),
        ({"noise": 1.5}, r"noise=1.5(?s:.*)from 0 to 1"),
        ({"sentences": -1}, r"sentences=-1"),
        ({"limit": 0}, r"limit=0"),
        ({"units": 20}, r"units: 20(?s:.*)at least 32"),
        ({"phonemes": "ipa"}, r"one of espeak, graphemes"),
    ],
)
def test_an_option_that_cannot_be(nmsqa, options, told):
    with pytest.raises(RecipeError, match=told):
        read(nmsqa, **options)


def test_phonemes_need_espeak(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(MissingError, match=r"apt install espeak-ng"):
        phonemes(["word"])


def test_phonemes(nmsqa):
    try:
        found = phonemes(["knight", "night", "word"])
    except MissingError:
        pytest.skip("espeak-ng is not installed")
    assert found["knight"] == found["night"] == ["n", "aɪ", "t"]
    table = read(nmsqa, phonemes="espeak")
    assert table.num_rows == 6
    assert table["sequence"].to_pylist() != read(nmsqa)["sequence"].to_pylist()


@pytest.mark.realdata
@pytest.mark.parametrize("task", ["speech/simulated-qa", "speech/simulated-qa-text"])
def test_no_article_is_in_two_splits(task):
    if not os.environ.get("XDOMAIN_DATA"):
        pytest.skip("XDOMAIN_DATA is not set")
    table = load_table(find_recipe(task))
    assert table.num_rows == 10_570
    split = assign(table, find_recipe(task).split, "span")
    groups = np.array(table.column("group").to_pylist())
    parts = [set(groups[split == name]) for name in ("train", "valid", "test")]
    assert all(parts)
    assert len(set.union(*parts)) == sum(map(len, parts)) == 48
    assert Path(find_recipe(task).source.files["all"]).name == "dev.parquet"
