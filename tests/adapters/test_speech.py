"""Units as text, their runs and their seconds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdomain.adapters.speech import Speech
from xdomain.adapters.speech.unit_runs import parse_runs
from xdomain.core.errors import DataError, MissingError

RECORDS = ["71:3 12 0:14", "", "5 5 5:2 6", " 7\t8:2\n"]
units = st.integers(0, 511)
records = st.lists(st.lists(st.tuples(units, st.integers(1, 400)), max_size=20), max_size=6)


def told(record):
    return " ".join(f"{u}:{n}" if n > 1 else f"{u}" for u, n in record)


def slow_twin(text, *, merge):
    found = []
    for part in text.split():
        unit, _, run = part.partition(":")
        for _ in range(int(run or 1)):
            if merge and found and found[-1][0] == int(unit):
                found[-1][1] += 1
            else:
                found.append([int(unit), 1])
    return found


def test_by_hand():
    speech = Speech(units=100)
    encoded = speech.encode(RECORDS)
    assert [ids.tolist() for ids in encoded] == [[71, 12, 0], [], [5, 6], [7, 8]]
    assert encoded.counts == {"frames": 18 + 5 + 3}
    assert Speech(units=100, merge=False).encode(["5:2 6"]).values.tolist() == [5, 5, 6]
    assert speech.spans(["71:3 12 0:14"]).tolist() == [[0, 0.06], [0.06, 0.08], [0.08, 0.36]]
    assert Speech(rate=100).spans(["1 2:2"]).tolist() == [[0, 0.01], [0.01, 0.03]]


@given(records, st.booleans())
def test_as_its_slow_twin(lines, merge):
    texts = [told(line) for line in lines]
    speech = Speech(merge=merge)
    expected = [slow_twin(text, merge=merge) for text in texts]
    encoded, edges = speech.encode(texts), speech.spans(texts)
    assert [ids.tolist() for ids in encoded] == [[u for u, _ in line] for line in expected]
    frames = np.rint(edges * 50).astype(int)
    assert np.array_equal(frames / 50, edges)  # exact both ways
    lengths = [n for line in expected for _, n in line]
    assert (frames[:, 1] - frames[:, 0]).tolist() == lengths


@given(records)
def test_what_is_decoded_encodes_to_the_same(lines):
    speech = Speech()
    encoded = speech.encode([told(line) for line in lines])
    assert [ids.tolist() for ids in speech.encode([speech.decode(ids) for ids in encoded])] == [
        ids.tolist() for ids in encoded
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [("7 x", 3), ("7:", 2), (":3", 1), ("7: 3", 2), ("7 :3", 3), ("7:3:4", 4), ("7:0", 3), ("7::3", 2), ("-3", 1),
     ("1234567890", 1), ("7,8", 2), ("7é", 2)],
)  # fmt: skip
def test_what_is_no_unit_is_refused(text, place):
    with pytest.raises(DataError, match=f"record 2: no unit at character {place}"):
        parse_runs(["1 2", text])


def test_a_unit_beyond_the_codebook_is_refused():
    with pytest.raises(DataError, match="record 2: unit 100") as error:
        Speech(units=100).encode(["99", "100 700"])
    assert "adapter.options.units=701" in str(error.value)


def test_the_stock_tokenizer_reads_what_spaced_writes():
    speech = Speech(units=10)
    tokenizer = speech.stock_tokenizer({**{str(i): i + 1 for i in range(10)}, "[UNK]": 0}, "[UNK]")
    assert tokenizer.encode(speech.to_tokenizer_text("3:4 3 7:2 0"), add_special_tokens=False).ids == [4, 8, 1]


def test_sound_without_a_codebook_is_refused(tmp_path):
    with pytest.raises(MissingError, match="no codebook"):
        Speech().encode_files([tmp_path / "a.wav"])
