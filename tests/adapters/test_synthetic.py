"""The corpus of made-up sequences: the same in any batches, mixed, read and written, and its refusals."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdomain.adapters.synthetic import Synthetic
from xdomain.core.errors import DataError, RecipeError
from xdomain.core.sequences import Adapter, Ragged, fingerprint

CALM = settings(deadline=None)  # others use this machine too
CORPORA = {
    "uniform": {},
    "unigram": {"law": "zipf:1.2"},
    "bigram:5": {"law": "zipf:1"},
    "flat:16": {"symbols": 70},
    "flat:128": {"law": "zipf:1", "distinct": True, "symbols": 300},
    "nesting:0.3": {},
    "shuffle:9": {"law": "zipf:1"},
    "dyck:7": {},
    "identity": {},
    "reverse": {},
    "sort": {},
    "set:5": {},
    "union:5": {},
    "delete:5": {},
    "stack:0.7": {},
    "flat:16*2+shuffle:9+set:4*0.5": {},
    "uniform*0.2,flat:16*0.3+dyck:8*0.1,nesting": {"total": 60},
}


def corpus(kind, **options):
    return Synthetic(kind=kind, **CORPORA[kind] | options)


def lists(ragged):
    return [ids.tolist() for ids in ragged]


def test_the_defaults():
    assert isinstance(Synthetic(), Adapter)
    adapter = Synthetic()
    assert (adapter.name, len(adapter.alphabet), adapter.alphabet.unit) == ("synthetic", 29_995, "integer")
    assert adapter.alphabet.symbols[:3] == ("0", "1", "2")
    found = adapter.sequences(0, 500)
    assert found.values.dtype == np.uint16
    assert (found.lengths.min(), found.lengths.max()) == (100, 120)
    assert adapter.sequences(7, 0).lengths.tolist() == []
    assert Synthetic(symbols=2**16 + 1, kind="uniform").sequences(0, 2).values.dtype == np.uint32


# The same corpus.


@pytest.mark.parametrize("kind", CORPORA)
@given(cuts=st.lists(st.integers(0, 100), max_size=4), length=st.sampled_from([None, 16, 33]))
@settings(CALM, max_examples=6)
def test_any_batches_and_workers_make_the_same_corpus(kind, cuts, length):
    adapter = corpus(kind)
    edges = sorted({0, 100, *cuts})
    pieces = [adapter.sequences(a, b - a, length=length) for a, b in pairwise(edges)]
    whole = adapter.sequences(0, 100, length=length)
    assert np.array_equal(whole.values, np.concatenate([piece.values for piece in pieces]))
    assert np.array_equal(whole.lengths, np.concatenate([piece.lengths for piece in pieces]))


@pytest.mark.parametrize("kind", CORPORA)
def test_chunks_leave_no_seam(kind, monkeypatch):
    whole = lists(corpus(kind).sequences(5, 40))
    monkeypatch.setattr("xdomain.adapters.synthetic.adapter.CHUNK", 300)
    assert lists(corpus(kind).sequences(5, 40)) == whole


@pytest.mark.parametrize("kind", CORPORA)
def test_seeds_and_numbers_differ(kind):
    found = [ids for seed in (0, 1, 2**40) for ids in lists(corpus(kind, seed=seed).sequences(0, 30))]
    far = lists(corpus(kind).sequences(10**15, 5))
    assert len({*map(tuple, found), *map(tuple, far)}) == 95


GOLDEN = {
    "uniform": [97, 23, 82, 92, 95, 50, 65, 30, 62, 83, 77, 73],
    "unigram": [80, 0, 24, 52, 65, 3, 8, 1, 6, 26, 17, 13],
    "bigram:5": [81, 14, 4, 28, 27, 29, 3, 4, 0, 1, 35, 2],
    "flat:16": [16, 86, 75, 16, 74, 15, 15, 48, 75, 86, 74, 48],
    "nesting:0.3": [48, 48, 16, 74, 15, 15, 75, 75, 74, 16, 86, 86],
    "shuffle:9": [5, 4, 6, 8, 9, 2, 10, 7, 3, 7, 5, 6],
    "dyck:7": [6, 1, 13, 6, 6, 13, 4, 11, 13, 8, 5, 12],
    "set:5": [5, 10, 5, 5, 5, 91, 49, 99, 5, 10, 91, 49],
    "stack:0.7": [95, 23, 80, 90, 93, 99, 93, 90, 80, 23, 95],
}


@pytest.mark.parametrize("kind", GOLDEN)
def test_the_corpus_stays_the_same_for_ever(kind):
    assert corpus(kind, symbols=100, lengths=(12, 16), seed=3).sequences(2**33, 1)[0].tolist() == GOLDEN[kind]


def test_lengths_are_all_as_likely():
    lengths = Synthetic(kind="uniform", lengths=(5, 9)).sequences(0, 5000).lengths
    assert np.bincount(lengths)[5:] / 5000 == pytest.approx([0.2] * 5, abs=0.03)


# Mixtures and curricula.


def test_a_mixture_is_of_its_parts_by_their_weights():
    parts = [lists(Synthetic(kind=kind).sequences(0, 2000)) for kind in ("flat:16", "shuffle:9", "set:4")]
    mixed = lists(Synthetic(kind="flat:16*2 + shuffle:9 + set:4*0.5").sequences(0, 2000))
    of = [[ids == part[i] for part in parts] for i, ids in enumerate(mixed)]
    assert all(sum(row) == 1 for row in of)
    assert np.mean(of, axis=0) == pytest.approx(np.array([2, 1, 0.5]) / 3.5, abs=0.03)


def test_a_curriculum_keeps_its_order():
    told = "uniform*1,flat:16*2+shuffle:9*1,nesting*1"
    parts = [lists(Synthetic(kind=kind).sequences(0, 70)) for kind in ("uniform", "flat:16", "shuffle:9", "nesting")]
    found = lists(Synthetic(kind=told, total=50).sequences(0, 70))
    of = [[ids == part[i] for part in parts].index(True) for i, ids in enumerate(found)]
    assert set(of[:10]) == {0}
    assert set(of[10:40]) == {1, 2}
    assert set(of[40:]) == {3}  # the last stage goes on


# Read and written.


@CALM
@given(st.lists(st.lists(st.integers(0, 149), max_size=8), max_size=6), st.sampled_from([" ", "\n", " \t  "]))
def test_decode_undoes_encode(sequences, space):
    adapter = Synthetic(kind="uniform", symbols=150)
    texts = [space.join(map(str, ids)) for ids in sequences]
    for payloads in (texts, [text.encode() for text in texts], pa.array(texts, pa.string())):
        assert lists(adapter.encode(payloads)) == sequences
    assert [adapter.decode(np.array(ids, np.int64)) for ids in sequences] == [" ".join(t.split()) for t in texts]


def test_the_corpus_survives_text_and_disk(tmp_path):
    adapter = Synthetic()
    found = adapter.sequences(0, 20)
    assert lists(adapter.encode([adapter.decode(ids) for ids in found])) == lists(found)
    found.save(tmp_path / "x.arrow")
    assert lists(Ragged.load(tmp_path / "x.arrow")) == lists(found)


@CALM
@given(st.text(st.sampled_from("0123456789 \n\t"), max_size=30))
def test_the_plain_tokenizer_agrees(text):
    adapter = Synthetic(kind="uniform", symbols=120)
    rows = {symbol: 5 + 2 * i for i, symbol in enumerate(adapter.alphabet.symbols)} | {"[UNK]": 1}
    told = adapter.stock_tokenizer(rows, "[UNK]").encode(text, add_special_tokens=False).ids
    if 1 in told:
        with pytest.raises(DataError, match="record 1: "):
            adapter.encode([text])
    else:
        assert [rows[str(i)] for i in adapter.encode([text])[0]] == told


@pytest.mark.parametrize(
    ("text", "what", "nearest", "fix"),
    [
        ("3 x5", "'x5' at position 2", None, None),
        ("3 120", "'120' at position 2", None, "--set adapter.options.symbols=121"),
        ("007", "'007' at position 1", "7", None),
        ("1 -1", "'-1' at position 2", None, None),
        ("1 2.0", "'2.0' at position 2", None, None),
        ("9" * 40, "'" + "9" * 24 + "…' at position 1", None, None),
        ("5 日", "'日' at position 2", None, None),
    ],
)
def test_what_is_no_integer(text, what, nearest, fix):
    with pytest.raises(DataError) as caught:
        Synthetic(kind="uniform", symbols=120).encode(["1 2", "", text])
    assert caught.value.what == f"record 3: {what} is not in the alphabet"
    assert caught.value.expected == "integers from 0 to 119, in plain decimal, separated by spaces"
    assert (caught.value.nearest, caught.value.fix) == (nearest, fix)


def test_options_decide_the_fingerprint():
    assert fingerprint(Synthetic()) == fingerprint(Synthetic(lengths=[100, 120]))
    assert len({fingerprint(a) for a in (Synthetic(), Synthetic(seed=1), Synthetic(kind="flat:64"))}) == 3


# Refusals.


@pytest.mark.parametrize(
    ("options", "what", "told"),
    [
        ({"kind": "shufle:64"}, "unknown kind 'shufle'", "did you mean: shuffle"),
        ({"kind": "shuffle-64"}, "unknown kind 'shuffle-64'", "did you mean: shuffle:64"),
        ({"kind": "flat:4+"}, "unknown kind ''", "one of automaton, automaton2d, bigram, delete, dyck, flat"),
        ({"kind": "shuffle:1"}, "kind 'shuffle:1'", "expected: shuffle:N, blocks of N integers, 2 or more"),
        ({"kind": "shuffle:2.5"}, "kind 'shuffle:2.5'", "did you mean: shuffle:64"),
        ({"kind": "flat:7"}, "kind 'flat:7'", "did you mean: flat:8"),
        ({"kind": "flat:1e300"}, "kind 'flat:1e300'", "did you mean: flat:128"),
        ({"kind": "nesting:1.5"}, "kind 'nesting:1.5'", "P the probability of a push, 0 to 1"),
        ({"kind": "nesting:"}, "kind 'nesting:'", "did you mean: nesting:0.4"),
        ({"kind": "sort:3"}, "kind 'sort:3'", "did you mean: sort"),
        ({"kind": "bigram:257"}, "kind 'bigram:257'", "1 to 256"),
        ({"kind": "flat*-1"}, "kind 'flat*-1' has the weight '-1'", "did you mean: flat*1"),
        ({"kind": "flat*0+sort"}, "kind 'flat*0+sort' has the weight '0'", "a number above 0"),
        ({"kind": "flat*x"}, "kind 'flat*x' has the weight 'x'", "a number above 0"),
        ({"kind": "sort,flat"}, "kind 'sort,flat' is a curriculum without an end", "expected: total=N"),
        ({"kind": "shuffle:64", "symbols": 63}, "kind shuffle:64 needs 64 integers, but the alphabet has 63", "=64 or"),
        ({"kind": "dyck:8", "symbols": 15}, "kind dyck:8 needs 16 integers", "or a smaller number in dyck:K"),
        ({"kind": "sort", "symbols": 2}, "kind sort needs 3 integers", "expected: symbols=3 or more"),
        ({"kind": 5}, "kind=5", "a word"),
        ({"symbols": 40, "lengths": (90, 120)}, "60 different pairs from the 40 integers", "distinct=false"),
        ({"symbols": 0}, "symbols=0", "a whole number from 1"),
        ({"symbols": "9"}, "symbols='9'", "a whole number"),
        ({"seed": -1}, "seed=-1", "a whole number from 0"),
        ({"total": 1.5}, "total=1.5", "a whole number from 0"),
        ({"distinct": "no"}, "distinct='no'", "true or false"),
        ({"lengths": (9, 3)}, "lengths=(9, 3)", "the shortest and the longest"),
        ({"lengths": (9,)}, "lengths=(9,)", "the shortest and the longest"),
        ({"lengths": (1, 3)}, "sequences of 1 tokens for flat:128", "expected: from 2 to 65,534 tokens"),
        ({"kind": "uniform", "lengths": (1, 70_000)}, "sequences of 70,000 tokens for uniform", "to 65,534"),
        ({"kind": "unigram"}, "kind unigram without a law", "did you mean: uniform"),
        ({"kind": "uniform", "law": "zipf:1"}, "kind uniform with the law zipf:1", "did you mean: unigram"),
        ({"law": "zip:1"}, "unknown law 'zip:1'", "did you mean: zipf"),
        ({"law": "zipf"}, "law 'zipf'", "did you mean: zipf:1"),
        ({"law": "zipf:-1"}, "law 'zipf:-1'", "the exponent S 0 or more"),
        ({"law": "uniform:2"}, "law 'uniform:2'", "did you mean: uniform"),
        ({"law": "table"}, "law table without counts", "law=table and counts=FILE together, or neither"),
        ({"counts": (1, 2)}, "law uniform with counts (a table of your own)", "together, or neither"),
        ({"law": "table", "counts": (1, 2)}, "counts of 2 integers", "one for each of the 29,995"),
        ({"law": "table", "counts": (1, -2), "symbols": 2}, "a count of -2.0 for the integer 1", "0 or more"),
        ({"law": "table", "counts": (0, 0), "symbols": 2}, "counts whose sum is 0.0", "above 0"),
        (
            {"kind": "sort", "law": "table", "counts": (0, 0, 1), "symbols": 3},
            "the counts give none of the integers from 0 to 0",
            "a count above 0 among the first 1",
        ),
    ],
)
def test_impossible_options(options, what, told):
    with pytest.raises(RecipeError) as caught:
        Synthetic(**options)
    assert caught.value.what.startswith(what)
    assert told in str(caught.value)


def test_few_integers_are_read_though_the_default_kind_cannot_draw_from_them():
    few = Synthetic(symbols=6)
    assert few.encode(["0 5 3"]).values.tolist() == [0, 5, 3]
    with pytest.raises(RecipeError, match="60 different pairs from the 6 integers"):
        few.sequences(0, 1)


@pytest.mark.parametrize(
    ("first", "count", "length", "told"),
    [
        (-1, 2, None, "2 sequences from number -1 on"),
        (0, -2, None, "-2 sequences from number 0 on"),
        (0, 1, 5, "sequences of 5 tokens for union:16"),
        (0, 1, 65_535, "sequences of 65,535 tokens"),
    ],
)
def test_impossible_sequences(first, count, length, told):
    with pytest.raises(RecipeError, match=told):
        Synthetic(kind="union").sequences(first, count, length=length)


def test_more_pairs_than_integers_in_a_row():
    adapter = Synthetic(kind="flat:4", symbols=10, lengths=(4, 8))
    adapter.sequences(0, 1, length=20)
    for length in (21, 22):
        with pytest.raises(RecipeError, match="11 different pairs from the 10 integers"):
            adapter.sequences(0, 1, length=length)


def test_a_file_of_counts(tmp_path):
    path = tmp_path / "english.txt"
    path.write_text("5\n0\n3.5\n")
    adapter = Synthetic(kind="unigram", symbols=3, law="table", counts=str(path))
    again = Synthetic(kind="unigram", symbols=3, law="table", counts=(5, 0, 3.5))
    assert lists(adapter.sequences(0, 5)) == lists(again.sequences(0, 5))
    adapter.export_assets(tmp_path)
    assert (tmp_path / "counts.txt").read_text() == "5\n0\n3.5\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read"),
        (b"1\n\xff\n", "cannot be read"),
        (b"1\ntwo\n3\n", "line 2: 'two' is no number"),
        (b"1\n\n3\n", "line 2: '' is no number"),
    ],
)
def test_a_broken_file_of_counts(tmp_path, content, told):
    path = tmp_path / "counts.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        Synthetic(kind="unigram", symbols=3, law="table", counts=str(path))
    assert caught.value.what.startswith(str(path))
    assert told in caught.value.what
    assert "one count a line" in str(caught.value.expected)
