"""Bars by the time signatures of a piece: by hand, against a slow twin, and back again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdomain.adapters.music import Music
from xdomain.adapters.music.bars import signatures_of
from xdomain.adapters.music.notes import meter_map, parsed, written
from xdomain.core.errors import DataError, RecipeError

FILE = {"symbols": "events", "drums": "keep", "bars": "file"}


def names(adapter, line):
    return adapter.to_tokenizer_text(line).split()


def heads(adapter, line):
    """The symbols that say where notes lie, without what the notes are."""
    return [name for name in names(adapter, line) if name.startswith(("Bar", "TimeSig", "Pos"))]


def test_a_waltz_by_hand():
    line = "ticks=4 meter=0:3/4 60:0:4:64 62:8:4:64 64:12:4:64"
    assert names(Music(**FILE), line) == [
        "Bar", "TimeSig_3/4", "Pos_0", "Pitch_60", "Dur_4", "Vel_7", "Pos_8", "Pitch_62", "Dur_4", "Vel_7",
        "Bar", "Pos_0", "Pitch_64", "Dur_4", "Vel_7",
    ]  # fmt: skip
    assert heads(Music(symbols="events"), line) == ["Bar", "Pos_0", "Pos_8", "Pos_12"]  # bars of four beats
    beats = [[0, 3], [0, 3], [0, 0.25], *[[0, 1]] * 3, [2, 2.25], *[[2, 3]] * 3, [3, 6], [3, 3.25], *[[3, 4]] * 3]
    assert Music(**FILE).spans([line]).tolist() == beats


def test_changes_begin_bars_and_cut_those_before_short():
    adapter = Music(**FILE)
    pickup = "ticks=4 meter=0:1/4,4:6/8,28:2/4 60:0:1:64 62:4:1:64 64:16:1:64 65:28:1:64 67:37:1:64"
    assert heads(adapter, pickup) == [
        "Bar", "TimeSig_1/4", "Pos_0", "Bar", "TimeSig_6/8", "Pos_0", "Bar", "Pos_0", "Bar", "TimeSig_2/4", "Pos_0",
        "Bar", "Pos_1",
    ]  # fmt: skip
    assert adapter.encode([pickup]).counts["bars_cut_short"] == 0
    cut = "ticks=4 meter=8:3/4,999:2/4 60:0:1:64 62:8:1:64"  # after two beats of the first bar of four
    assert heads(adapter, cut) == ["Bar", "TimeSig_4/4", "Pos_0", "Bar", "TimeSig_3/4", "Pos_0"]
    assert adapter.encode([cut]).counts["bars_cut_short"] == 1
    assert adapter.spans([cut])[[0, 1, 6, 7]].tolist() == [[0, 2], [0, 2], [2, 5], [2, 5]]


def test_a_change_without_notes_is_told_where_it_still_holds():
    adapter = Music(**FILE)
    line = "ticks=4 meter=0:2/4,8:3/4,20:2/4 60:0:1:64 62:28:1:64"
    assert heads(adapter, line) == [
        "Bar", "TimeSig_2/4", "Pos_0", "Bar", "TimeSig_3/4", "Bar", "TimeSig_2/4", "Bar", "Pos_0",
    ]  # fmt: skip


def test_time_signatures_without_a_symbol_are_counted():
    adapter = Music(**FILE)
    line = "ticks=4 meter=0:65/4,16:3/4 60:0:1:64 62:16:1:64"
    assert heads(adapter, line) == ["Bar", "TimeSig_4/4", "Pos_0", "Bar", "TimeSig_3/4", "Pos_0"]
    assert adapter.encode([line, "ticks=4 60:0:1:64"]).counts["time_signatures_unknown"] == 1
    assert (3, 8) in signatures_of(4, 4)
    assert (3, 8) not in signatures_of(1, 4)  # one and a half steps
    assert signatures_of(1, 16)[0] == (16, 4)


def test_ids_of_others_stay():
    plain, more = Music(symbols="events", drums="keep").alphabet.symbols, Music(**FILE).alphabet.symbols
    assert more[1:9] == plain[1:9]
    assert [s for s in more if not s.startswith(("TimeSig", "Pos"))] == [s for s in plain if not s.startswith("Pos")]
    line = "ticks=4 meter=0:3/4 60:0:1:64 62:16:1:64"
    bare = line.replace(" meter=0:3/4", "")
    for symbols in ("pitch", "events"):
        assert (
            Music(symbols=symbols).encode([line]).values.tolist()
            == Music(symbols=symbols).encode([bare]).values.tolist()
        )


@pytest.mark.parametrize("options", [{"symbols": "pitch"}, {"symbols": "events", "time": "seconds"}])
def test_where_there_are_no_bars(options):
    with pytest.raises(RecipeError, match=r"bars=file(?s:.*)expected: symbols=events and time=beats"):
        Music(bars="file", **options)


@pytest.mark.parametrize(
    ("meter", "told"),
    [("0:3/5", "denominator '5'"), ("0:3", "denominator ''"), ("0:0/4", "meter=0:0/4: '0'"), ("x:3/4", "meter=x:3/4")],
)
def test_a_bad_time_signature_is_named(meter, told):
    with pytest.raises(DataError, match=f"record 1: .*{told}"):
        Music(**FILE).encode([f"meter={meter} 60"])


def test_a_meter_in_order():
    assert meter_map([]).shape == (0, 3)
    changes = [(9, 3, 4), (5, 2, 4), (9, 6, 8), (12, 6, 8), (0, 2, 4)]
    assert meter_map(changes).tolist() == [[0, 2, 4], [9, 6, 8]]


def made_line(number, seed):
    rng = np.random.default_rng(seed)
    ticks = int(rng.choice([1, 7, 96, 480]))
    signatures = [(4, 4), (3, 4), (6, 8), (7, 8), (5, 16), (1, 8), (65, 4)]
    chosen = rng.integers(0, len(signatures), 4)
    meter = ",".join(
        f"{tick}:{signatures[c][0]}/{signatures[c][1]}"
        for tick, c in zip(rng.integers(0, 60 * ticks, 4), chosen, strict=True)
    )
    notes = " ".join(f"{rng.integers(128)}:{rng.integers(0, 90 * ticks)}:{ticks}:64" for _ in range(number))
    return f"ticks={ticks} meter={meter} {notes}"


LINES = st.builds(made_line, st.integers(0, 25), st.integers(0, 2**32 - 1))


def slow_heads(line, grid, bar):
    """Bars counted one by one."""
    piece = parsed(line)
    known = signatures_of(grid, bar)

    def step(tick):
        return (2 * tick * grid + piece.ticks) // (2 * piece.ticks)

    changes = {0: (bar, 4)}
    for tick, above, below in piece.meter.tolist():
        changes[step(tick)] = (above, below) if (above, below) in known else (bar, 4)
    onsets = sorted({step(tick) for tick in piece.start.tolist()})
    found, pending, signature, told, begin = [], [], None, None, 0
    now = 0
    while onsets and now <= onsets[-1]:
        if now in changes and changes[now] != signature:
            signature, begin = changes[now], now
            pending.append(signature)
        elif (now - begin) % (4 * grid * signature[0] // signature[1]) == 0:
            begin = now
            pending.append(signature)
        if now in onsets:
            for one in pending[-17:]:
                found += ["Bar"] + (["TimeSig_{}/{}".format(*one)] if one != told else [])
                told = one
            pending = []
            found.append(f"Pos_{now - begin}")
        now += 1
    return found


@settings(max_examples=60)
@given(LINES, st.sampled_from([1, 3, 4, 6]), st.integers(1, 9))
def test_bars_are_those_of_a_slow_count_and_survive_decoding(line, grid, bar):
    adapter = Music(**FILE, grid=grid, bar=bar)
    ids = adapter.encode([line]).values
    assert heads(adapter, line) == slow_heads(line, grid, bar)
    assert adapter.encode([adapter.decode(ids)]).values.tolist() == ids.tolist()
    assert len(adapter.spans([line])) == len(ids)
    assert written(parsed(written(parsed(line)))) == written(parsed(line))
