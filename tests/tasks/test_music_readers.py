"""Readers of music: a piece stays in one split, chords get their names, and what is missing is named."""

import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from xdomain.core.errors import DataError, MissingError, RecipeError
from xdomain.core.plugins import readers
from xdomain.data.validate import validated
from xdomain.tasks.music.readers import chord_name
from xdomain.tasks.music.toys import SCALES

HEAD = "composer,title,folder,midi_score,midi_performance\n"


@pytest.fixture
def asap(tmp_path):
    """Three composers with 4, 5 and 2 pieces; one piece also with other repeats; three performances of each."""
    lines = []
    for composer, folders in {
        "Bach": ["a", "b", "b_no_repeat", "c", "d"],
        "Ravel": ["a", "b", "c", "d_repeat", "e_no_2_repeat"],
        "Glinka": ["a", "b"],
    }.items():
        for folder in folders:
            place = tmp_path / composer / folder
            place.mkdir(parents=True)
            for name in ("midi_score", "X1", "X2", "Y1"):
                (place / f"{name}.mid").touch()
            score = f"{composer}/{folder}/midi_score.mid"
            lines += [
                f"{composer},{folder},{composer}/{folder},{score},{composer}/{folder}/{p}.mid"
                for p in ("X1", "X2", "Y1")
            ]
    (tmp_path / "metadata.csv").write_text(HEAD + "\n".join(lines) + "\n")
    return lambda **options: readers()["asap"]({"metadata": tmp_path / "metadata.csv"}, **options)


def test_no_piece_is_in_two_splits_and_every_composer_in_all(asap):
    table = asap(min_pieces=3)
    rows = table.to_pylist()
    assert Counter(row["label"] for row in rows) == {"Bach": 15, "Ravel": 15}
    where = {row["group"]: {r["split"] for r in rows if r["group"] == row["group"]} for row in rows}
    assert set(map(len, where.values())) == {1}
    assert len(where) == 4 + 5  # b_no_repeat is b
    for composer in ("Bach", "Ravel"):
        assert {row["split"] for row in rows if row["label"] == composer} == {"train", "valid", "test"}
    assert all(Path(row["sequence"]).is_absolute() and Path(row["sequence"]).is_file() for row in rows)
    assert rows[0]["id"] == "Bach/a/X1"
    assert validated(table, "classification", where="made").num_rows == 30


def test_what_is_taken_of_a_piece(asap):
    assert {row["id"].split("/")[-1] for row in asap(min_pieces=3, include="scores").to_pylist()} == {"midi_score"}
    assert asap(min_pieces=3, include="both").num_rows == 30 + 10
    few = asap(min_pieces=3, most=1).to_pylist()
    assert Counter(row["group"] for row in few) == dict.fromkeys({row["group"] for row in few}, 1)
    assert {row["label"] for row in asap(min_pieces=5, most=2).to_pylist()} == {"Ravel"}


def test_the_seed_decides(asap):
    assert asap(min_pieces=3).equals(asap(min_pieces=3))
    assert not asap(min_pieces=3).equals(asap(min_pieces=3, seed=1))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"include": "score"}, "did you mean: scores"),
        ({"min_pieces": 2}, "min_pieces=2(?s:.*)at least 3"),
        ({"valid": 0.5, "test": 0.5}, "shares above 0 whose sum is below 1"),
        ({"valid": 0.0}, "shares above 0"),
    ],
)
def test_impossible_options(asap, options, told):
    with pytest.raises(RecipeError, match=told):
        asap(**options)


def test_what_is_missing_is_named(asap, tmp_path):
    with pytest.raises(DataError, match="no composer has 9 pieces"):
        asap(min_pieces=9)
    (tmp_path / "Bach" / "c" / "Y1.mid").unlink()
    with pytest.raises(MissingError, match=r"1 of 30 MIDI files(?s:.*)Bach/c/Y1.mid(?s:.*)git clone"):
        asap(min_pieces=3)
    (tmp_path / "metadata.csv").write_text("composer,title\nBach,a\n")
    with pytest.raises(DataError, match="no column folder"):
        asap()
    (tmp_path / "metadata.csv").write_text("")
    with pytest.raises(DataError, match="is empty"):
        asap()


@pytest.mark.parametrize(
    ("pitches", "name"),
    [
        ([48, 64, 67, 72], "C"),
        ([64, 67, 72], "C"),  # its bass does not matter
        ([48, 52, 55, 58], "C"),  # with a seventh
        ([48, 52], "C"),  # without its fifth
        ([57, 60, 64], "Am"),
        ([51, 55, 58], "Eb"),
        ([59, 62, 65], "Bdim"),
        ([48, 55], "other"),  # neither major nor minor
        ([48, 50, 55], "other"),
        ([], "rest"),
    ],
)
def test_chords_by_hand(pitches, name):
    assert chord_name(pitches) == name


@pytest.fixture
def chorales(tmp_path):
    c, f, g = [48, 64, 67, 72.0], [53, 60, 69, 72], [55, 62, 71, 74]
    beats = [c, f, g, c, c, g]
    chorale = [chord for chord in beats for _ in range(4)]
    (tmp_path / "all.json").write_text(
        json.dumps({"train": [chorale, chorale], "valid": [chorale[:12]], "test": [chorale]})
    )
    return lambda **options: readers()["next_chord"]({"all": tmp_path / "all.json"}, **options)


def test_the_next_chord_by_hand(chorales):
    rows = chorales(context=2).to_pylist()
    assert [row["label"] for row in rows[:4]] == ["G", "C", "C", "G"]
    assert (
        rows[1]["sequence"] == "ticks=1 53:0:1:64 60:0:1:64 69:0:1:64 72:0:1:64 55:1:1:64 62:1:1:64 71:1:1:64 74:1:1:64"
    )
    assert (rows[1]["id"], rows[1]["group"], rows[1]["split"]) == ("train0:3", "train0", "train")
    assert Counter(row["split"] for row in rows) == {"train": 8, "valid": 1, "test": 4}
    few = chorales(context=1, classes=1).to_pylist()  # C and G are as common: the first by name
    assert [row["label"] for row in few[:5]] == ["other", "other", "C", "C", "other"]
    assert len(chorales(context=1, every=3).to_pylist()) == 2 * 2 + 1 + 2


def test_a_bad_chorale_is_named(tmp_path):
    path = tmp_path / "all.json"
    for told, why in [
        (
            {"train": [[[60]], [[60], [61, 128]]], "valid": [], "test": []},
            r"train, chorale 2, sixteenth 2: \[61, 128\]",
        ),
        ({"train": []}, "other things than train, valid and test"),
    ]:
        path.write_text(json.dumps(told))
        with pytest.raises(DataError, match=why):
            readers()["next_chord"]({"all": path})
    path.write_text("{")
    with pytest.raises(DataError, match="is not JSON"):
        readers()["next_chord"]({"all": path})
    with pytest.raises(RecipeError, match="every=0"):
        readers()["next_chord"]({"all": path}, every=0)


def test_melodies_stay_in_their_key():
    for row in readers()["toy_music_classification"]({}, records=50).to_pylist():
        pitches = np.array(row["sequence"].split(), int)
        assert len(pitches) == 32
        assert set((pitches - pitches[-1]) % 12) <= set(SCALES[row["label"]])


def test_runs_go_by_step_and_broken_chords_do_not():
    for row in readers()["toy_music_tagging"]({}, records=50).to_pylist():
        pitches, tags = np.array(row["sequence"].split(), int), np.array(row["tags"])
        assert len(pitches) == len(tags) == 32
        assert ((np.abs(np.diff(pitches)) <= 2) == (tags[1:] == "R")).all()
        assert 0 <= pitches.min() <= pitches.max() <= 127


def test_the_higher_melody():
    for row in readers()["toy_music_pair"]({}, records=50).to_pylist():
        first, second = (np.mean([int(w) for w in row[side].split()]) for side in ("sequence", "sequence_b"))
        assert row["label"] == ("first" if first >= second else "second")


@pytest.mark.realdata
def test_the_real_sets():
    if not os.environ.get("XDOMAIN_DATA"):
        pytest.skip("XDOMAIN_DATA is not set")
    folder = Path(os.environ["XDOMAIN_DATA"]) / "music"
    table = readers()["asap"]({"metadata": folder / "asap" / "metadata.csv"}, min_pieces=8)
    assert Counter(table.column("label").to_pylist()) == {
        "Chopin": 289, "Beethoven": 271, "Bach": 169, "Liszt": 121, "Schubert": 62, "Haydn": 44, "Schumann": 28,
    }  # fmt: skip
    assert len(set(table.column("group").to_pylist())) == 199
    chords = readers()["next_chord"]({"all": folder / "jsb_chorales" / "jsb-chorales-16th.json"})
    assert Counter(chords.column("split").to_pylist()) == {"train": 11_958, "valid": 3_966, "test": 4_094}
    assert len(set(chords.column("group").to_pylist())) == 229 + 76 + 77
