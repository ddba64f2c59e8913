"""MIDI files made by hand: both libraries give the notes worked out beforehand, and what is wrong is named."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdomain.adapters.music import Music
from xdomain.adapters.music.midi import read_midi, write_midi
from xdomain.adapters.music.notes import parsed, written
from xdomain.adapters.music.walk import layout_of, walk
from xdomain.core.errors import DataError, MissingError, OutputError

pytest.importorskip("symusic")
pytest.importorskip("miditoolkit")
LIBRARIES = ("symusic", "miditoolkit")
END = b"\x00\xff\x2f\x00"


def delta(ticks):
    groups = [ticks & 0x7F]
    while ticks := ticks >> 7:
        groups.append(0x80 | ticks & 0x7F)
    return bytes(groups[::-1])


def track(*events, end=END):
    inside = b"".join(delta(ticks) + bytes(event) for ticks, event in events) + end
    return b"MTrk" + len(inside).to_bytes(4) + inside


def midi(*tracks, kind=1, ticks=480, count=None):
    numbers = (kind, len(tracks) if count is None else count, ticks)
    return b"MThd" + (6).to_bytes(4) + b"".join(n.to_bytes(2) for n in numbers) + b"".join(tracks)


def on(pitch, velocity=64, channel=0):
    return 0x90 | channel, pitch, velocity


def off(pitch, channel=0):
    return 0x80 | channel, pitch, 0


def signature(above, power):
    return b"\xff\x58\x04" + bytes([above, power, 24, 8])


def tempo(microseconds):
    return b"\xff\x51\x03" + microseconds.to_bytes(3)


ONE = ((0, on(60)), (480, off(60)))
GOOD = {  # what the file says, and the line that tells it
    "one note": (midi(track(*ONE)), "ticks=480 tempo=0:500000 60:0:480:64"),
    "format 0": (midi(track((0, tempo(400_000)), *ONE), kind=0, ticks=96), "ticks=96 tempo=0:400000 60:0:480:64"),
    "a note-on of velocity 0 ends, running status": (
        midi(track((0, on(60)), (10, (60, 0)), (0, (62, 5)), (10, (62, 0)))),
        "ticks=480 tempo=0:500000 60:0:10:64 62:10:10:5",
    ),
    "of two on one pitch the first to begin ends first": (
        midi(track((0, on(60, 50)), (10, on(60, 70)), (10, off(60)), (10, off(60)))),
        "ticks=480 tempo=0:500000 60:0:20:50 60:10:20:70",
    ),
    "a note struck again at the tick where it ends": (
        midi(track((0, on(60)), (10, on(60)), (0, off(60)), (10, off(60)))),
        "ticks=480 tempo=0:500000 60:0:10:64 60:10:10:64",
    ),
    "no duration": (midi(track((0, on(60)), (0, off(60)))), "ticks=480 tempo=0:500000 60:0:0:64"),
    "a note without end, an end without note": (
        midi(track((0, off(50)), (0, on(60)), (0, on(62)), (10, off(62)))),
        "ticks=480 tempo=0:500000 62:0:10:64",
    ),
    "onsets in order, chords from low to high": (
        midi(track((0, on(67)), (0, on(60)), (10, off(60)), (0, on(40)), (10, off(67)), (0, off(40)))),
        "ticks=480 tempo=0:500000 60:0:10:64 67:0:20:64 40:10:10:64",
    ),
    "tracks are parts": (
        midi(
            track((0, (0xC0, 5)), *ONE),
            track((0, tempo(500_000))),
            track((0, (0xC1, 32)), (0, on(40, 64, 1)), (9, off(40, 1))),
        ),
        "ticks=480 tempo=0:500000 programs=5,32 40:0:9:64:1 60:0:480:64:0",
    ),
    "channels of a track are parts in the order in which they begin": (
        midi(
            track(
                (0, on(60, 64, 3)),
                (5, on(36, 90, 9)),
                (5, on(61, 64, 1)),
                (5, off(61, 1)),
                (0, off(36, 9)),
                (0, off(60, 3)),
            )
        ),
        "ticks=480 tempo=0:500000 programs=0,0,0 60:0:15:64:0 d36:5:10:90:1 61:10:5:64:2",
    ),
    "an end on another channel is none": (
        midi(track((0, on(60)), (10, off(60, 1)), (10, off(60)))),
        "ticks=480 tempo=0:500000 60:0:20:64",
    ),
    "two programs after each other": (
        midi(track((0, (0xC0, 50)), (0, on(60)), (5, off(60)), (0, (0xC0, 3)), (0, on(61)), (5, off(61)))),
        "ticks=480 tempo=0:500000 programs=50,3 60:0:5:64:0 61:5:5:64:1",
    ),
    "tempo changes; of two at one tick the last, and repeats left out": (
        midi(
            track(
                (0, tempo(400_000)),
                (480, tempo(400_000)),
                (0, tempo(300_000)),
                (0, tempo(250_000)),
                (480, tempo(250_000)),
            ),
            track(*ONE),
        ),
        "ticks=480 tempo=0:400000,480:250000 60:0:480:64",
    ),
    "a second tempo map that agrees": (
        midi(
            track((0, tempo(400_000)), (960, tempo(300_000))), track((0, tempo(400_000)), (480, tempo(600_000)), *ONE)
        ),
        "ticks=480 tempo=0:400000,480:600000,960:300000 60:480:480:64",
    ),
    "a first tempo that comes late": (
        midi(track((480, tempo(250_000)), *ONE)),
        "ticks=480 tempo=0:500000,480:250000 60:480:480:64",
    ),
    "time signatures, in order, of whichever track": (
        midi(track((0, signature(3, 2)), (960, signature(6, 3))), track((5, signature(2, 1)), *ONE)),
        "ticks=480 tempo=0:500000 meter=0:3/4,5:2/2,960:6/8 60:5:480:64",
    ),
    "chunks of other kinds": (
        midi(b"XFIH" + (3).to_bytes(4) + b"abc" + track(*ONE), count=1) + b"junk behind the last track",
        "ticks=480 tempo=0:500000 60:0:480:64",
    ),
    "more behind the end of a track": (
        midi(track(*ONE, (0, b"\xff\x2f\x00"), (0, on(70)), (10, off(70)))),
        "ticks=480 tempo=0:500000 60:0:480:64",
    ),
    "no end of track": (midi(track(*ONE, end=b"")), "ticks=480 tempo=0:500000 60:0:480:64"),
    "system exclusive, text with a tempo in it": (
        midi(track((0, b"\xf0\x03\x01\x02\xf7"), (0, b"\xff\x01\x04a\xff\x51\x03"), *ONE)),
        "ticks=480 tempo=0:500000 60:0:480:64",
    ),
    "a long header": (
        b"MThd" + bytes([0, 0, 0, 8, 0, 0, 0, 1, 1, 224, 7, 7]) + track(*ONE),
        "ticks=480 tempo=0:500000 60:0:480:64",
    ),
    "late": (midi(track((2**28 - 1, on(60)), (480, off(60)))), "ticks=480 tempo=0:500000 60:268435455:480:64"),
}
BAD = {
    "empty": (b"", r"is empty \(0 bytes\)"),
    "text": (b"hello, this is no MIDI", r"is not a MIDI file: it begins with b'hell'"),
    "rmi": (b"RIFF" + bytes(20), r"is not a MIDI file: it begins with b'RIFF'"),
    "half a header": (midi()[:10], r"is broken off: the header has 10 bytes of 14"),
    "half a track": (
        midi(track((0, on(60)), (20, off(60)), (0, on(62)), (9, off(62))))[:-8],
        r"is broken off: track 1 says 20 bytes and has 12; its last whole event is number 3 at tick 20",
    ),
    "a track too few": (midi(track(*ONE), count=2), r"is broken off: the header says 2 tracks and there is 1"),
    "half an event": (
        midi(track((0, on(60)), (480, (0x80, 60)), end=b"")),
        r"track 1, event 2 \(tick 480\) is broken off",
    ),
    "half a text": (midi(track(*ONE, (0, b"\xff\x03\x7fab"))), r"track 1, event 3 \(tick 480\) is broken off"),
    "format 2": (midi(track(*ONE), track(*ONE), kind=2), r"is of MIDI format 2: 2 pieces in one file"),
    "format 3": (midi(track(*ONE), kind=3), r"says that it is of MIDI format 3"),
    "no ticks": (midi(track(*ONE), ticks=0), r"has 0 ticks a beat"),
    "film": (midi(track(*ONE), ticks=0xE728), r"counts time in film frames \(SMPTE, division 0xE728\)"),
    "pitch": (
        midi(track(*ONE), track((0, on(60)), (10, off(60)), (0, on(130)), (5, off(130)))),
        r"track 2, event 3 \(tick 10\): note on with pitch 130(?s:.*)expected: pitch 0 to 127",
    ),
    "velocity": (midi(track((7, on(60, 200)))), r"track 1, event 1 \(tick 7\): note on with velocity 200"),
    "controller": (midi(track((0, (0xB0, 64, 200)), *ONE)), r"event 1 \(tick 0\): control change with value 200"),
    "status": (midi(track((0, b"\xf4"), *ONE)), r"event 1 \(tick 0\): status byte 0xF4"),
    "data first": (midi(track((0, (60, 64)))), r"event 1 \(tick 0\): data byte 60 without a status before it"),
    "long number": (
        midi(track((0, on(60)), end=b"\xff\xff\xff\xff\x01")),
        r"event 2: a number of more than four bytes",
    ),
    "tempo 0": (midi(track((9, tempo(0)), *ONE)), r"event 1 \(tick 9\): a tempo of 0 microseconds a beat"),
    "tempo of two bytes": (midi(track((0, b"\xff\x51\x02\x01\x02"), *ONE)), r"event 1 \(tick 0\): a tempo of 2 bytes"),
    "a second tempo map": (
        midi(track((0, tempo(400_000)), (960, tempo(300_000))), track((960, tempo(600_000)), *ONE)),
        r"has a second tempo map: track 2, event 1 \(tick 960\) says 100 beats a minute, track 1 says 200",
    ),
    "no tracks": (midi(), r"has no notes in 0 tracks"),
    "no notes": (midi(track((0, tempo(400_000)))), r"has no notes in 1 track\n"),
    "no ends": (midi(track((0, on(60)), (0, on(62)))), r"has no notes in 1 track: 2 begin and never end"),
    "too late": (
        midi(track(*[(2**28 - 1, on(60)), (2**28 - 1, off(60))] * 5)),
        r"a note lies beyond tick 2,147,483,647",
    ),
}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("case", GOOD)
def test_notes_by_hand(case, library, tmp_path):
    contents, line = GOOD[case]
    path = tmp_path / "a.mid"
    path.write_bytes(contents)
    assert written(read_midi(path, reader=library)) == line
    assert Music(reader=library).encode_files([path, path]) == [line, line]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_named(case, library, tmp_path):
    contents, told = BAD[case]
    path = tmp_path / "bad.mid"
    path.write_bytes(contents)
    with pytest.raises(DataError, match=told) as caught:
        read_midi(path, reader=library)
    assert str(path) in caught.value.what
    assert caught.value.expected


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"gone\.mid cannot be read \(No such file"):
        read_midi(tmp_path / "gone.mid")


def test_what_only_the_other_reader_refuses_says_so(tmp_path):
    path = tmp_path / "a.mid"
    path.write_bytes(midi(track((0, b"\xff\x59\x02\x09\x00"), *ONE)))  # a key of nine sharps
    assert len(read_midi(path)) == 1
    with pytest.raises(DataError, match=r"miditoolkit cannot read it (?s:.*)adapter.options.reader=symusic"):
        read_midi(path, reader="miditoolkit")


def test_a_library_that_is_not_installed(tmp_path, monkeypatch):
    path = tmp_path / "a.mid"
    path.write_bytes(GOOD["one note"][0])
    monkeypatch.setitem(__import__("sys").modules, "symusic", None)
    with pytest.raises(MissingError, match=r"symusic is not installed\n  to fix it: pip install 'xdomain\[music\]'"):
        read_midi(path)


def test_seconds_by_the_tempo_map(tmp_path):
    path = tmp_path / "a.mid"
    path.write_bytes(midi(track((0, tempo(400_000)), (960, tempo(200_000)), (480, tempo(1_000_000))), track(*ONE)))
    piece = read_midi(path)
    times = np.array([0, 480, 960, 1200, 1440, 1920])
    assert piece.seconds(times) == pytest.approx([0, 0.4, 0.8, 0.9, 1.0, 2.0])


def test_a_second_part_may_bring_the_tempo(tmp_path):
    path = tmp_path / "a.mid"
    path.write_bytes(midi(track(*ONE), track((0, tempo(250_000)))))
    for library in LIBRARIES:
        assert read_midi(path, reader=library).seconds(np.array([960])) == pytest.approx([0.5])


@pytest.mark.parametrize("library", LIBRARIES)
def test_written_files_are_read_back(library, tmp_path):
    line = "ticks=96 tempo=0:400000,96:250000 programs=0,33,0 60:0:96:64:0 40:10:86:1:1 d36:48:10:127:2 127:96:1:100:0"
    path = tmp_path / "a.mid"
    write_midi(parsed(line), path)
    assert written(read_midi(path, reader=library)) == line
    with pytest.raises(OutputError, match="cannot be written"):
        write_midi(parsed(line), tmp_path / "none" / "a.mid")


@pytest.mark.parametrize("library", LIBRARIES)
def test_time_signatures_come_back_from_a_file(library, tmp_path):
    adapter = Music(symbols="events", bars="file", reader=library)
    ids = adapter.encode(["meter=0:3/4,1440:6/8 60:0:480:64 62:1440:480:64 64:2880:480:64"]).values
    adapter.to_midi(ids, tmp_path / "a.mid")
    lines = adapter.encode_files([tmp_path / "a.mid"])
    assert adapter.encode(lines).values.tolist() == ids.tolist()


OVERLAPPING = "ticks=96 programs=5,0 60:0:96:64:0 60:10:20:70:0 60:40:8:80:0 60:90:20:90:0 60:5:96:50:1 d60:0:9:99:0"


@pytest.mark.parametrize("library", LIBRARIES)
def test_notes_of_one_pitch_that_overlap_are_written_apart(library, tmp_path):
    write_midi(parsed(OVERLAPPING), tmp_path / "a.mid")
    found = read_midi(tmp_path / "a.mid", reader=library)
    told = parsed(OVERLAPPING).in_order()
    for field in ("pitch", "start", "duration", "velocity", "drum"):
        assert getattr(found, field).tolist() == getattr(told, field).tolist()
    assert [found.programs[part] for part in found.part] == [told.programs[part] for part in told.part]
    assert len(found.programs) == 4  # 60:10 and those after it beside the first note, a part for the drums


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(60, 62), st.integers(0, 40), st.integers(0, 30), st.integers(1, 127)), min_size=1)
)
def test_no_note_is_lost_in_a_file(tmp_path_factory, notes):
    path = tmp_path_factory.mktemp("midi") / "a.mid"
    write_midi(parsed(" ".join(":".join(map(str, note)) for note in notes)), path)
    found = read_midi(path)
    rows = zip(
        found.pitch.tolist(), found.start.tolist(), found.duration.tolist(), found.velocity.tolist(), strict=True
    )
    assert sorted(rows) == sorted((pitch, start, max(lasting, 1), loud) for pitch, start, lasting, loud in notes)


@pytest.mark.parametrize("library", LIBRARIES)
def test_values_beyond_the_range_are_clipped_if_asked(library, tmp_path, caplog):
    contents = midi(track((0, on(60, 200)), (9, (0xB0, 64, 255)), (1, off(60)), (0, on(130)), (5, off(130))))
    (tmp_path / "a.mid").write_bytes(contents)
    (tmp_path / "b.mid").write_bytes(GOOD["one note"][0])
    with pytest.raises(DataError, match=r"a\.mid, track 1, event 1 (?s:.*)adapter\.options\.clip_values=true"):
        Music(reader=library).encode_files([tmp_path / "a.mid"])
    with caplog.at_level("WARNING", "xdomain"):
        lines = Music(reader=library, clip_values=True).encode_files([tmp_path / "b.mid", tmp_path / "a.mid"])
    assert lines == [GOOD["one note"][1], "ticks=480 tempo=0:500000 60:0:10:127 127:10:5:64"]
    assert f"4 values above 127 in 1 MIDI files are read as 127, in {tmp_path / 'a.mid'} for one" in caplog.text


def test_files_that_cannot_be_read_are_left_out_if_asked(tmp_path):
    paths = [tmp_path / f"{name}.mid" for name in "abc"]
    for path, contents in zip(paths, (GOOD["one note"][0], BAD["empty"][0], BAD["half a track"][0]), strict=True):
        path.write_bytes(contents)
    with pytest.raises(DataError, match=r"b\.mid is empty(?s:.*)copy the file anew; or (.*)skip_bad=true"):
        Music().encode_files(paths)
    assert Music(skip_bad=True).encode_files(paths) == [GOOD["one note"][1], None, None]


def slow_notes(path):
    """The notes as the standard says, event by event, without a library."""
    found = []
    for number, events in enumerate(layout_of(path.read_bytes(), path).tracks, 1):
        sounding = {}
        for event in walk(events, path, number):
            if event.status >> 4 not in (8, 9):
                continue
            key, (pitch, velocity) = (event.status & 15, event.data[0]), event.data
            if event.status >> 4 == 9 and velocity:
                sounding.setdefault(key, []).append((event.tick, velocity))
            elif sounding.get(key):
                begun, loud = sounding[key].pop(0)
                found.append((begun, pitch, event.tick - begun, loud))
    return sorted(found)


def asap_files(number):
    if not os.environ.get("XDOMAIN_DATA"):
        pytest.skip("XDOMAIN_DATA is not set")
    folder = Path(os.environ["XDOMAIN_DATA"]) / "music" / "asap"
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    files = sorted({row[column] for row in rows for column in ("midi_performance", "midi_score")})
    return [folder / name for name in files[:: -(-len(files) // number)]]


@pytest.mark.realdata
@pytest.mark.slow
def test_real_files_read_the_same_by_both():
    files = asap_files(100)
    assert len(files) >= 90
    for path in files:
        one, other = (read_midi(path, reader=library) for library in LIBRARIES)
        assert written(one) == written(other), path


@pytest.mark.realdata
def test_real_files_read_as_the_standard_says():
    for path in asap_files(12):
        piece = read_midi(path)
        columns = (piece.start, piece.pitch, piece.duration, piece.velocity)
        assert sorted(zip(*(c.tolist() for c in columns), strict=True)) == slow_notes(path)
