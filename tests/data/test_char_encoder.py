"""One table of 256 entries, against a slow twin and against the `tokenizers` library."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdomain.core.errors import DataError
from xdomain.core.sequences import Alphabet
from xdomain.data.char_encoder import ByteTable

LENIENT = ByteTable(
    Alphabet(("a", "b", "-", "]", "?"), "letter", "?"),
    {"A": "a", "B": "b", "^": "-", "\\": "]"},
    {"capital": "AB", "dots": ".", "dashes": "-"},
    dropped=".&",
)
STRICT = ByteTable(
    Alphabet(("a", "b"), "letter"), {"A": "a"}, {}, dropped=".", refused={"#": "hash=drop"}, unless="unknown=count"
)
MIXED = st.text(st.sampled_from("abAB-]^\\?.& \n\t#x0éßñ→日本𝄞\u00a0\u2028"), max_size=30)
ANY = st.text(st.one_of(st.characters(max_codepoint=127), st.sampled_from("é日𝄞")), max_size=30)


def slow(table, text):
    """One character at a time."""
    counts = dict.fromkeys((*table.counted, "unknown"), 0)
    ids = []
    for c in text:
        for name, characters in table.counted.items():
            counts[name] += c in characters
        symbol = table.becomes.get(c, c)
        if symbol in table.alphabet.symbols:
            ids.append(table.alphabet.id(symbol))
        elif c not in table.dropped and c not in " \t\r\n\v\f":
            counts["unknown"] += 1
            ids.append(table.alphabet.id(table.alphabet.unknown))
    return ids, counts


def rows(alphabet):
    """A vocabulary in which a symbol's row is not its id."""
    return {symbol: 7 + 3 * i for i, symbol in enumerate(alphabet.symbols)} | {"[UNK]": 1}


def test_by_hand():
    found = LENIENT.encode(["aB.b", "", "x^\\ -", "日本"])
    assert [ids.tolist() for ids in found] == [[0, 1, 1], [], [4, 2, 3, 2], [4, 4]]
    assert found.values.dtype == np.uint16
    assert found.offsets.tolist() == [0, 3, 3, 7, 9]
    assert found.counts == {"capital": 1, "dots": 1, "dashes": 1, "unknown": 3}


def test_no_records_and_empty_records():
    assert len(LENIENT.encode([])) == 0
    assert LENIENT.encode(["", ""]).lengths.tolist() == [0, 0]
    assert LENIENT.encode([" .", ""]).lengths.tolist() == [0, 0]


@given(st.lists(st.one_of(MIXED, ANY), max_size=5))
def test_as_its_slow_twin(texts):
    found = LENIENT.encode(texts)
    each = [slow(LENIENT, text) for text in texts]
    assert [ids.tolist() for ids in found] == [ids for ids, _ in each]
    assert found.counts == {name: sum(counts[name] for _, counts in each) for name in found.counts}


@given(st.one_of(MIXED, ANY))
def test_the_plain_tokenizer_agrees(text):
    vocabulary = rows(LENIENT.alphabet)
    told = LENIENT.stock_tokenizer(vocabulary, "[UNK]").encode(text, add_special_tokens=False).ids
    assert told == [vocabulary[LENIENT.alphabet.symbols[i]] for i in LENIENT.encode([text])[0]]


@given(st.lists(MIXED, max_size=4), st.integers(0, 3))
def test_arrow_columns_bytes_and_strings_are_the_same(texts, skip):
    plain = LENIENT.encode(texts[skip:])
    for same in (pa.array(texts, pa.string())[skip:], [t.encode() for t in texts[skip:]]):
        found = LENIENT.encode(same)
        assert found.values.tolist() == plain.values.tolist()
        assert found.offsets.tolist() == plain.offsets.tolist()
        assert found.counts == plain.counts


@given(st.lists(st.integers(0, 4)))
def test_decode_then_encode(ids):
    assert LENIENT.encode([LENIENT.decode(np.array(ids, np.uint16))])[0].tolist() == ids


def test_texts_of_many():
    assert LENIENT.texts(LENIENT.encode(["aB.b", "", "日-"])) == ["abb", "", "?-"]


def test_counts_are_of_all_bytes_also_beyond_one_chunk(monkeypatch):
    monkeypatch.setattr("xdomain.data.char_encoder.CHUNK", 7)
    assert LENIENT.encode(["aAb.x" * 100]).counts == {"capital": 100, "dots": 100, "dashes": 0, "unknown": 100}


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["ab", "a.bx", "x"], "record 2: 'x' at position 4 is not in the alphabet (the first of 2 such characters)"),
        (["ab", "", "日a"], "record 3: '日' at position 1 is not in the alphabet"),
        (["a\u00a0"], "record 1: '\\xa0' at position 2 is not in the alphabet"),
    ],
)
def test_an_unknown_character_is_named(texts, told):
    with pytest.raises(DataError) as caught:
        STRICT.encode(texts)
    assert caught.value.block() == (
        f"{told}\n  expected: letter letters: ab\n  to fix it: --set adapter.options.unknown=count, or fix the file"
    )


def test_a_refused_character_names_its_own_option():
    with pytest.raises(DataError, match="'#' at position 2") as caught:
        STRICT.encode(["b#"])
    assert caught.value.fix == "--set adapter.options.hash=drop, or fix the file"


def test_without_options_there_is_nothing_to_set():
    with pytest.raises(DataError) as caught:
        ByteTable(Alphabet(("a",), "letter")).encode(["b"])
    assert caught.value.fix == "fix the file"


def test_the_position_is_in_characters():
    with pytest.raises(DataError, match=r"record 1: 'é' at position 3 .*first of 2 "):
        STRICT.encode(["ab" + "éé"])


@pytest.mark.parametrize("table", [LENIENT, STRICT])
def test_bytes_that_are_no_utf8_do_not_vanish(table):
    with pytest.raises(DataError, match="record 2: byte 0xb0, its number 3, is not UTF-8"):
        table.encode([b"ab", b"ab\xb0"])
    with pytest.raises(DataError, match="record 2: byte 0xa9, its number 1, is not UTF-8"):
        table.encode([b"a", b"\xa9"])
    with pytest.raises(DataError, match="record 3: byte 0xa9, its number 1, is not UTF-8"):
        LENIENT.encode([b"a\xc3", b"", b"\xa9"])  # together they would be one letter


def test_what_a_plain_tokenizer_makes_of_what_encode_refuses():
    vocabulary = rows(STRICT.alphabet)
    told = STRICT.stock_tokenizer(vocabulary, "[UNK]").encode("ax#A").tokens
    assert told == ["a", "[UNK]", "[UNK]", "a"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"becomes": {"a": "b"}}, "'a' has two roles"),
        ({"dropped": "b"}, "'b' has two roles"),
        ({"dropped": "."} | {"refused": {".": ""}}, "'.' has two roles"),
        ({"becomes": {"é": "b"}}, "single ASCII characters, not 'é'"),
        ({"becomes": {"xy": "b"}}, "not 'xy'"),
    ],
)
def test_a_character_has_one_role(options, told):
    with pytest.raises(ValueError, match=told.replace(".", r"\.")):
        ByteTable(Alphabet(("a", "b"), "letter"), **options)
