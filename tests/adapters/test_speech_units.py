"""Units of files: merged, written, measured, and what becomes of odd and bad files."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

soundfile = pytest.importorskip("soundfile")

from xdomain.adapters.speech.adapter import Speech  # noqa: E402
from xdomain.adapters.speech.codebook import (  # noqa: E402
    Codebook,
    fit_codebook,
    sample_frames,
)
from xdomain.adapters.speech.encode import Utterance, encode_files, units_of_files  # noqa: E402
from xdomain.adapters.speech.frame_reader import ReadLog, frames_of_files  # noqa: E402
from xdomain.adapters.speech.labels import Usage, agreement, count_labels, labels_told, read_labels, usage  # noqa: E402  # noqa: E402
from xdomain.adapters.speech.mfcc import Mfcc  # noqa: E402
from xdomain.core.errors import DataError, RecipeError  # noqa: E402
from xdomain.data.run_length import merged, written_units  # noqa: E402

MFCC = Mfcc()
SOUND = np.random.default_rng(0).normal(0, 0.1, 16000)


@pytest.fixture(scope="module")
def book():
    frames = MFCC(SOUND.astype(np.float32))
    return Codebook.of_array(frames[::20], features=MFCC)


def test_units_by_hand():
    units, runs = merged(np.array([71, 71, 71, 12, 0, 0], np.uint16))
    assert (units.tolist(), runs.tolist()) == ([71, 12, 0], [3, 1, 2])
    assert written_units(units, runs) == "71:3 12 0:2"
    assert [part.tolist() for part in merged(np.empty(0, np.uint16))] == [[], []]


@given(st.lists(st.integers(0, 3), max_size=40))
def test_merging_loses_nothing(ids):
    units, runs = merged(np.array(ids, np.uint16))
    assert np.repeat(units, runs).tolist() == ids
    assert (units[1:] != units[:-1]).all()
    parsed = [part.partition(":") for part in written_units(units, runs).split()]
    assert [int(unit) for unit, _, run in parsed for _ in range(int(run or 1))] == ids


def test_a_file_becomes_the_nearest_centroids(tmp_path, book):
    for name in ("x/a.wav", "y/a.wav", "b.flac"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, SOUND[: 8000 + 10 * len(name)], 16000)
    paths = [tmp_path / name for name in ("x/a.wav", "b.flac", "y/a.wav")]
    first, second, _ = found = list(encode_files(paths, book))
    assert [one.id for one in found] == ["x/a", "b", "y/a"]
    frames = MFCC(soundfile.read(paths[0], dtype="float32")[0])
    squares = ((frames[:, None] - book.centroids) ** 2).sum(-1)
    assert np.repeat(first.units, first.runs).tolist() == squares.argmin(1).tolist()
    assert second.row() == {
        "id": "b",
        "sequence": second.sequence,
        "rate": 100.0,
        "duration": 8060 / 16000,
        "file": str(paths[1]),
        "codebook": book.mark,
    }
    assert units_of_files(paths, book) == [one.sequence for one in found]


def test_other_features_are_refused(tmp_path, book):
    moved = Codebook(book.centroids, "mfcc", "0" * 64, 16000, 100.0)
    with pytest.raises(RecipeError, match="0" * 64):
        list(encode_files([tmp_path / "a.wav"], moved))


def test_odd_files_are_read_and_told(tmp_path, book):
    soundfile.write(tmp_path / "quiet.wav", np.zeros(8000), 16000)
    soundfile.write(tmp_path / "both.wav", np.stack([SOUND, SOUND], 1), 16000)
    soundfile.write(tmp_path / "plain.wav", SOUND, 16000)
    notes = ReadLog()
    quiet, both, plain = encode_files(
        sorted(tmp_path.iterdir(), key=lambda p: "qbp".index(p.name[0])), book, notes=notes
    )
    assert len(quiet.units) == 1
    assert quiet.runs.tolist() == [48]
    assert both.sequence == plain.sequence
    assert notes.lines() == [
        f"1 of 3 files is silent, and got units all the same: {tmp_path / 'quiet.wav'}",
        f"1 of 3 files is of several channels, whose mean was taken: {tmp_path / 'both.wav'}",
    ]


def test_one_bad_file_stops_all_unless_asked(tmp_path, book):
    soundfile.write(tmp_path / "a.wav", SOUND, 16000)
    (tmp_path / "b.wav").write_text("no sound")
    soundfile.write(tmp_path / "c.wav", SOUND[:399], 16000)
    paths = sorted(tmp_path.iterdir())
    with pytest.raises(DataError, match=r"b\.wav is no sound file"):
        list(encode_files(paths, book))
    with pytest.raises(DataError, match=r"b\.wav is no sound file"):
        list(frames_of_files(paths, MFCC, ReadLog()))
    steps = []
    notes = ReadLog(lambda notes: steps.append(notes.done))
    assert [one.id for one in encode_files(paths, book, skip_bad=True, notes=notes)] == ["a"]
    assert (notes.heard, notes.done, steps[-1]) == (1, 3, 3)
    assert notes.lines()[0].startswith(f"2 of 3 files are skipped: {tmp_path / 'b.wav'} is no sound file")
    assert f"{tmp_path / 'c.wav'} is 24.9 ms long, shorter than a frame" in notes.lines()[0]
    assert sum(len(f) for f in frames_of_files(paths, MFCC, ReadLog(), skip_bad=True)) == 98
    with pytest.raises(DataError, match="none of 2 files can be read; the first: "):
        list(encode_files(paths[1:], book, skip_bad=True))


def test_usage_by_hand():
    first = usage(np.array([0, 2, 0]), np.array([3, 4, 1]), size=4, seconds=0.1)
    assert first.counts.tolist() == [4, 0, 4, 0]
    assert first.perplexity == pytest.approx(2)
    assert (first.frames, first.merged, first.used) == (8, 3, 0.5)
    assert first.units_a_second == pytest.approx(30)
    assert first.frames_a_unit == pytest.approx(8 / 3)
    both = first + usage(np.array([3]), np.array([8]), size=4, seconds=0.1)
    assert (both.files, both.merged, both.seconds) == (2, 4, pytest.approx(0.2))
    assert both.perplexity == pytest.approx(2**1.5)  # ¼, ¼, ½: 1.5 bits
    nothing = Usage(np.zeros(4, np.int64), 0, 0.0, 0)
    assert (nothing.perplexity, nothing.used) == (1, 0)
    assert np.isnan([nothing.units_a_second, nothing.frames_a_unit]).all()


def test_agreement_by_hand():
    # unit 5: a a b; unit 7: b, a frame long each
    found = agreement(np.array([5, 5, 5, 7]), np.array(["a", "a", "b", "b"]))
    assert found.purity == pytest.approx(3 / 4)
    assert found.cluster_purity == pytest.approx(3 / 4)
    assert found.chance == pytest.approx(1 / 2)
    entropy_left = 3 / 4 * (-(2 / 3) * np.log(2 / 3) - 1 / 3 * np.log(1 / 3))
    assert found.pnmi == pytest.approx(1 - entropy_left / np.log(2))
    # weighed by runs: unit 5: a 2, b 6; unit 7: b 2
    weighed = agreement(np.array([5, 5, 7]), np.array(["a", "b", "b"]), np.array([2, 6, 2]))
    assert weighed.purity == pytest.approx(8 / 10)
    assert weighed.cluster_purity == pytest.approx(8 / 10)
    assert weighed.chance == pytest.approx(8 / 10)


def test_agreement_at_its_ends():
    units = np.array([0, 1, 2, 3])
    finest = agreement(units, np.array([0, 0, 1, 1]))
    assert (finest.purity, finest.cluster_purity, finest.pnmi) == (1, 0.5, pytest.approx(1))
    assert agreement(units * 0, np.array([0, 0, 1, 1])).pnmi == pytest.approx(0)
    assert np.isnan(agreement(units[:0], units[:0]).purity)
    assert np.isnan(agreement(units, units * 0).pnmi)


def test_frames_are_held_against_the_label_in_which_their_middle_lies(tmp_path):
    # ten frames a second: units 3 3 3 8 8 3, middles .05, .15, …, .55
    one = Utterance("a", np.array([3, 8, 3]), np.array([3, 2, 1]), 10.0, 0.6, "a.wav", "")
    path = tmp_path / "labels.csv"
    path.write_text("id,start,end,label\na,0,.14,sil\na,.14,.5,AA\na,.35,.5,T\nb,0,1,sil\n")
    stretches = read_labels(path, ["a"])
    counts = count_labels(one, stretches)
    assert counts == {(3, "sil"): 1, (3, "AA"): 2, (8, "T"): 2, (3, None): 1}
    told = labels_told(counts)
    assert told["share of frames labelled"] == round(5 / 6, 4)
    assert told["purity"] == 4 / 5
    assert told["cluster purity"] == 1
    assert told["purity by chance"] == 2 / 5
    path.write_text("id,label\na,word\n")
    assert count_labels(one, read_labels(path, ["a"])) == {(3, "word"): 4, (8, "word"): 2}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("id,phone\na,AA\n", "has the columns id, phone"),
        ("id,label,start\na,AA,0\n", "has the columns id, label, start"),
        ("id,label,start,end\na,AA,0,1\na,T,1,1\n", r"record 2 \(a\): from 1 to 1 seconds"),
        ("id,label,start,end\na,AA,zero,1\n", r"record 1 \(a\): from zero to 1 seconds"),
        ("id,label\ndigit_1.wav,AA\n", "(?s)none of the 2 files.*digit_1.*did you mean: digit_1.wav"),
    ],
)
def test_labels_that_cannot_hold_are_named(text, error, tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=error):
        read_labels(path, ["digit_1", "a" if "digit" not in text else "digit_2"])


@pytest.mark.realdata
def test_units_of_real_digits_tell_digits():
    folder = Path(os.environ.get("XDOMAIN_DATA", "")) / "speech" / "fsdd" / "recordings"
    if not folder.is_dir():
        pytest.skip("XDOMAIN_DATA has no speech/fsdd")
    paths = [
        folder / f"{digit}_{who}_{take}.wav" for digit in range(10) for who in ("theo", "nicolas") for take in range(8)
    ]
    sample, total = sample_frames(frames_of_files(paths, MFCC, ReadLog()), 10_000, width=39)
    made, _ = fit_codebook(sample, 50, features=MFCC)
    found = list(encode_files(paths, made))
    assert sum(int(one.runs.sum()) for one in found) == total
    for one in found:
        assert -0.01 < one.duration - one.runs.sum() / one.rate < 0.03
    units, runs = (np.concatenate([getattr(one, name) for one in found]) for name in ("units", "runs"))
    labels = np.repeat([one.id[0] for one in found], [len(one.units) for one in found])
    told = agreement(units, labels, runs)
    assert told.purity > told.chance + 0.2


def test_the_codebook_that_does_not_fit_is_named(tmp_path, book):
    book.save(tmp_path / "book")
    own, other, third = book.mark, "0" * 16, "1" * 16
    adapter = Speech(codebook=str(tmp_path / "book"))
    adapter.check_compatible({"codebook": [own, "hubert-100"], "rate": ["50"]})
    with pytest.raises(DataError, match=f"units of the codebook {other}, .*book is {own}"):
        adapter.check_compatible({"codebook": [own, other]})
    with pytest.raises(DataError, match=f"units of the codebook {third}, those of another file are of {other}"):
        Speech().check_compatible({"codebook": [other, third]})
