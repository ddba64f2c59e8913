"""Music by hand: what a line of notes becomes, back again, moved up, cut, and against MidiTok and the tokenizer."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdomain.adapters.music import Music
from xdomain.adapters.music.notes import parsed, tempo_map, written
from xdomain.core.errors import DataError, MissingError, RecipeError
from xdomain.core.plugins import make_adapter
from xdomain.core.sequences import Adapter
from xdomain.data.media_files import endings

CHORDS = "ticks=480 67:0:480:64 60:0:480:100 64:480:240:1 d36:480:120:127"
PARTS = "ticks=96 programs=0,32 72:0:96:64:1 60:0:96:64:0 48:96:96:64:1 d38:96:10:64:0 64:192:96:64:0"


def made_line(number, seed):
    """Notes of any kind, drawn at once: one by one takes hypothesis longer than all that is tested."""
    rng = np.random.default_rng(seed)
    ticks = int(rng.choice([1, 7, 96, 480, 960]))
    words = [f"ticks={ticks}"]
    changes = zip(rng.integers(0, 20 * ticks, 3), rng.integers(1, 2**24, 3), strict=True)
    words += ["tempo=" + ",".join(f"{tick}:{lasting}" for tick, lasting in changes)] if rng.random() < 0.5 else []
    for _ in range(number):
        times = rng.integers(0, [90 * ticks, 40 * ticks])
        words.append(f"{rng.choice(['d', ''])}{rng.integers(128)}:{times[0]}:{times[1]}:{rng.integers(1, 128)}")
    return " ".join(words)


LINES = st.builds(made_line, st.integers(0, 25), st.integers(0, 2**32 - 1))
ANY = settings(max_examples=50)


def names(adapter, line):
    return adapter.to_tokenizer_text(line).split()


def test_the_defaults():
    adapter = make_adapter("music")
    assert isinstance(adapter, Adapter)
    assert (adapter.name, adapter.alphabet.unit) == ("music", "note")
    assert endings(adapter) == (".mid", ".midi")
    assert adapter.alphabet.symbols == tuple(map(str, range(128)))
    found = adapter.encode([CHORDS, "60 62 60"])
    assert [ids.tolist() for ids in found] == [[60, 67, 64], [60, 62, 60]]
    assert found.counts == {"drums_dropped": 1, "notes_of_other_tracks": 0, "notes_behind": 0}
    assert adapter.decode(found[0]) == "60 67 64"


@pytest.mark.parametrize(
    ("options", "reads", "counts"),
    [
        ({}, "60 72 48 64", {"drums_dropped": 1}),
        ({"drums": "keep"}, "60 72 d38 48 64", {}),
        ({"tracks": "first"}, "60 64", {"drums_dropped": 1, "notes_of_other_tracks": 2}),
        ({"tracks": "first", "drums": "keep"}, "60 d38 64", {"notes_of_other_tracks": 2}),
        ({"tracks": "skyline"}, "72 48 64", {"drums_dropped": 1, "notes_of_other_tracks": 1}),
        ({"tracks": "skyline", "drums": "keep"}, "72 d38 48 64", {"notes_of_other_tracks": 1}),
        ({"first_notes": 3}, "60 72 48", {"drums_dropped": 1, "notes_behind": 1}),
        ({"tracks": "skyline", "first_notes": 9}, "72 48 64", {"drums_dropped": 1, "notes_of_other_tracks": 1}),
    ],
)
def test_what_is_read_of_a_piece(options, reads, counts):
    adapter = Music(**options)
    assert " ".join(names(adapter, PARTS)) == reads
    none = {"drums_dropped": 0, "notes_of_other_tracks": 0, "notes_behind": 0}
    assert adapter.encode([PARTS]).counts == none | counts


def test_first_is_the_first_part_that_is_no_drums():
    line = "programs=0,5,7 d36:0:10:64:0 60:0:10:64:2 62:0:10:64:1"
    assert names(Music(tracks="first"), line) == ["62"]
    assert names(Music(tracks="first"), "d36:0:10:64") == []


def test_events_by_hand():
    adapter = Music(symbols="events", drums="keep")
    assert names(adapter, CHORDS) == [
        "Bar", "Pos_0", "Pitch_60", "Dur_4", "Vel_12", "Pitch_67", "Dur_4", "Vel_7",
        "Pos_4", "Drum_36", "Dur_1", "Vel_15", "Pitch_64", "Dur_2", "Vel_0",
    ]  # fmt: skip
    late = "ticks=480 60:1919:60:64 62:5760:99999:64"  # a tick before the bar line, and three bars on
    assert names(adapter, late) == [
        "Bar", "Bar", "Pos_0", "Pitch_60", "Dur_1", "Vel_7", "Bar", "Bar", "Pos_0", "Pitch_62", "Dur_32", "Vel_7",
    ]  # fmt: skip
    assert adapter.encode([late]).counts["durations_cut"] == 1
    assert len(adapter.alphabet) == 1 + 16 + 128 + 32 + 16 + 128
    assert names(Music(symbols="events", grid=2, bar=3, velocities=1), "ticks=480 60:1680:960:127") == [
        "Bar", "Bar", "Pos_1", "Pitch_60", "Dur_4", "Vel_0",
    ]  # fmt: skip


def test_a_long_silence_is_cut_and_told():
    adapter = Music(symbols="events")
    found = adapter.encode(["ticks=1 60:0:1:64 60:400:1:64"])  # bars 0 and 100
    assert found.counts["empty_bars_dropped"] == 99 - 16
    assert [adapter.alphabet.symbols[i] for i in found[0]].count("Bar") == 1 + 16 + 1


def test_time_by_the_tempo_map():
    line = "ticks=480 tempo=0:1000000,480:250000 60:0:480:64 62:480:480:64 64:960:960:64"
    in_beats, in_seconds = Music(), Music(time="seconds")
    assert in_beats.spans([line]).tolist() == [[0, 1], [1, 2], [2, 4]]
    assert in_seconds.spans([line]) == pytest.approx(np.array([[0, 1], [1, 1.25], [1.25, 1.75]]))
    assert names(Music(symbols="events"), line)[1::4] == ["Pos_0", "Pos_4", "Pos_8"]
    # half a second is a beat of four steps
    assert names(Music(symbols="events", time="seconds"), line)[1::4] == ["Pos_0", "Pos_8", "Pos_10"]


def test_spans_of_events():
    adapter = Music(symbols="events")
    line = "ticks=480 60:0:480:64 64:0:480:64 67:9600:480:64"
    bars = [[4 * i, 4 * i + 4] for i in range(1, 6)]
    assert adapter.spans([line]).tolist() == [[0, 4], [0, 0.25], *[[0, 1]] * 6, *bars, [20, 20.25], *[[20, 21]] * 3]
    both = adapter.spans([line, line])
    assert both.shape == (len(adapter.encode([line, line]).values), 2)
    assert adapter.spans([]).shape == (0, 2)


@ANY
@given(LINES, st.sampled_from(["beats", "seconds"]))
def test_spans_are_one_a_symbol_and_in_order(line, time):
    for symbols in ("pitch", "events"):
        adapter = Music(symbols=symbols, drums="keep", time=time)
        spans = adapter.spans([line])
        assert len(spans) == len(adapter.encode([line]).values)
        assert (spans[:, 1] >= spans[:, 0]).all()
        assert (np.diff(spans[:, 0]) >= -1e-9).all() or symbols == "events"  # a bar begins before its last note


@ANY
@given(LINES)
def test_a_line_is_read_and_written(line):
    piece = parsed(line)
    again = parsed(written(piece))
    assert written(again) == written(piece)
    for field in ("pitch", "start", "duration", "velocity", "part", "drum", "tempo"):
        assert np.array_equal(getattr(again, field), getattr(piece, field))


@ANY
@given(LINES, st.integers(1, 12), st.integers(1, 5), st.integers(1, 127), st.sampled_from(["beats", "seconds"]))
def test_symbols_survive_decoding(line, grid, bar, velocities, time):
    events = Music(symbols="events", drums="keep", grid=grid, bar=bar, velocities=velocities, time=time)
    for adapter in (Music(drums="keep"), events):
        ids = adapter.encode([line]).values
        assert adapter.encode([adapter.decode(ids)]).values.tolist() == ids.tolist()


def test_notes_survive_events_up_to_their_steps():
    rng = np.random.default_rng(0)
    times = rng.integers([0, 60, 1], [9600, 3600, 128], (128, 3))
    line = "ticks=480 " + " ".join(f"{pitch}:{a}:{b}:{c}" for pitch, (a, b, c) in enumerate(times))
    adapter = Music(symbols="events", grid=12, velocities=32)
    whole, back = (parsed(text) for text in (line, adapter.decode(adapter.encode([line]).values)))
    back = back.take(np.argsort(back.pitch))
    assert back.ticks == 12 * 120
    step = 1 / 12 + 1e-9
    assert (whole.pitch == back.pitch).all()
    assert np.abs(whole.start / 480 - back.start / back.ticks).max() <= step / 2
    assert np.abs(whole.duration / 480 - back.duration / back.ticks).max() <= step / 2
    assert np.abs(whole.velocity - back.velocity).max() <= 127 / 32 / 2 + 1


@pytest.mark.parametrize("symbols", ["pitch", "events"])
def test_a_file_that_can_be_played(symbols, tmp_path):
    pytest.importorskip("symusic")
    adapter = Music(symbols=symbols, drums="keep")
    ids = adapter.encode([CHORDS]).values
    adapter.to_midi(ids, tmp_path / "a.mid")
    (line,) = adapter.encode_files([tmp_path / "a.mid"])
    assert adapter.encode([line]).values.tolist() == ids.tolist()


def test_symbols_out_of_order_are_read_as_far_as_they_go():
    adapter = Music(symbols="events")
    odd = [
        "Vel_3",
        "Pos_2",
        "Pitch_60",
        "Bar",
        "Pitch_62",
        "Vel_15",
        "Bar",
        "Bar",
        "Pos_1",
        "Dur_2",
        "Pitch_64",
        "Dur_3",
    ]
    line = adapter.decode(np.array([adapter.alphabet.id(name) for name in odd]))
    assert line == "ticks=480 tempo=0:500000 62:0:240:124 60:240:120:68 64:3960:360:68"


@ANY
@given(st.lists(st.integers(0, 127), max_size=30), st.integers(-30, 30))
def test_transposed_pitches_keep_their_intervals_or_fold_by_octaves(pitches, semitones):
    adapter = Music(drums="keep")
    moved = adapter.transpose(np.array(pitches, np.int64), semitones)
    for before, after in zip(pitches, moved.tolist(), strict=True):
        assert 0 <= after <= 127
        assert (after - before - semitones) % 12 == 0
        assert after == before + semitones or not 0 <= before + semitones <= 127
    drums = np.arange(128, 256)
    assert adapter.transpose(drums, semitones).tolist() == drums.tolist()


def test_events_are_transposed_in_their_pitches_alone():
    adapter = Music(symbols="events", drums="keep")
    ids = adapter.encode([CHORDS]).values
    higher = [adapter.alphabet.symbols[i] for i in adapter.transpose(ids, 3)]
    assert higher == [n.replace("60", "63").replace("67", "70").replace("64", "67") for n in names(adapter, CHORDS)]


@ANY
@given(LINES, st.booleans())
def test_the_plain_tokenizer_agrees(line, events):
    adapter = Music(symbols="events" if events else "pitch", drums="keep")
    vocabulary = {symbol: 5 + 2 * i for i, symbol in enumerate(adapter.alphabet.symbols)} | {"[UNK]": 1}
    told = (
        adapter.stock_tokenizer(vocabulary, "[UNK]")
        .encode(adapter.to_tokenizer_text(line), add_special_tokens=False)
        .ids
    )
    assert told == [5 + 2 * i for i in adapter.encode([line]).values]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("60 128", "record 2: note 2: pitch 128\n  expected: a whole number from 0 to 127"),
        ("60:0:1:64 61:0:1:0", "record 2: note 2: velocity 0\n  expected: a whole number from 1 to 127"),
        ("60:0:1:64:1", "record 2: note 1: part 1\n  expected: a whole number from 0 to 0"),
        ("60:2147483648:1:64", "record 2: note 1: start 2147483648"),
        ("60:0:1:64 61:0:1:64:0", "note 2, '61:0:1:64:0', has 5 fields and those before it 4"),
        ("60:0", "record 2: note 1 is '60:0'"),
        ("60 C4", "record 2: note 2 is 'C4'"),
        ("60 -1", "record 2: note 2 is '-1'"),
        ("6d0", "note 1 is '6d0'"),
        ("d", "note 1 is 'd'"),
        (":60:0:1", "note 1 is ':60:0:1'"),
        ("60::1:64", "note 1 is '60::1:64'"),
        ("1" * 16, "note 1 is '1111111111111111'"),
        ("60:0:1:64 ticks=4", "note 2 is 'ticks=4'"),
        ("ticks=0 60", "record 2: ticks '0'\n  expected: a whole number from 1 to 32767"),
        ("tick=4 60", "record 2: tick= is not known(?s:.*)did you mean: ticks"),
        ("tempo=0 60", "record 2: tempo=0: ''\n  expected: a whole number from 1 to 16777215"),
        ("programs=128 60", "record 2: programs '128'\n  expected: a whole number from 0 to 127"),
        ("60 é", "record 2: letters beyond ASCII"),
    ],
)
def test_a_bad_line_is_named(line, told):
    with pytest.raises(DataError, match=told):
        Music().encode(["60", line])
    with pytest.raises(DataError, match=told):
        Music().encode([b"60", line.encode()])


def test_lines_may_be_spaced_as_they_like():
    assert Music().encode(["\t 60  62\n", "", "  ", "ticks=4", " ticks=4\t60:0:1:64 \r\n"]).lengths.tolist() == [
        2,
        0,
        0,
        0,
        1,
    ]


def test_a_tempo_map_in_order():
    assert tempo_map([]).tolist() == [[0, 500_000]]
    assert tempo_map([(9, 2), (5, 1), (9, 3), (12, 3), (5, 500_000)]).tolist() == [[0, 500_000], [9, 3]]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"symbols": "pitches"}, "music option symbols='pitches'(?s:.*)did you mean: pitch"),
        ({"symbols": "miditok:REMY"}, "unknown tokenizer of MidiTok 'REMY'(?s:.*)did you mean: REMI"),
        ({"symbols": "miditok:REMI", "drums": "keep"}, "expected: drums=drop"),
        ({"tracks": "melody"}, "unknown music option tracks: 'melody'"),
        ({"grid": 0}, "music option grid=0\n  expected: a whole number, 1 to 96"),
        ({"velocities": 128}, "music option velocities=128"),
    ],
)
def test_impossible_options(options, told):
    with pytest.raises(RecipeError, match=told):
        make_adapter("music", options)


@pytest.mark.parametrize("kind", ["MIDILike", "REMI", "Structured", "TSD"])
def test_the_tokenizers_of_miditok(kind):
    miditok, symusic = pytest.importorskip("miditok"), pytest.importorskip("symusic")
    line = "ticks=480 60:0:480:64 67:0:480:80 64:480:240:100 127:1920:960:64 d36:0:10:64"
    adapter = Music(symbols=f"miditok:{kind}")
    (ids,) = adapter.encode([line])
    score = symusic.Score(480)
    score.tracks.append(symusic.Track("", 0, False))
    for note in [(0, 480, 60, 64), (0, 480, 67, 80), (480, 240, 64, 100), (1920, 960, 127, 64)]:
        score.tracks[0].notes.append(symusic.Note(*note))
    told = getattr(miditok, kind)(miditok.TokenizerConfig(pitch_range=(0, 127)))(score)
    assert ids.tolist() == (told[0] if isinstance(told, list) else told).ids
    back = parsed(adapter.decode(ids))
    assert back.pitch.tolist() == [60, 67, 64, 127]
    assert (back.start / back.ticks).tolist() == [0, 0, 1, 4]
    assert parsed(adapter.decode(adapter.transpose(ids, 2))).pitch.tolist() == [62, 69, 66, 117]
    with pytest.raises(RecipeError, match="have no times"):
        adapter.spans([line])


def test_miditok_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "miditok", None)
    with pytest.raises(MissingError, match="miditok is not installed\n  to fix it: pip install miditok"):
        Music(symbols="miditok:REMI").encode(["60"])
