"""Mappings: golden rows, what every strategy promises, and what it says when it cannot keep it."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given as cases
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models
from transformers import PreTrainedTokenizerFast

from xdomain.core.errors import DataError, RecipeError
from xdomain.core.sequences import Alphabet
from xdomain.model.make_mapping import load_given, make_mapping
from xdomain.model.token_mapping import STRATEGIES, TokenMapping, is_drawn, learned_kind, search_seeds
from xdomain.model.vocabulary import Vocabulary

DNA = Alphabet(tuple("ACGTN"), "nt", "N")
MADE_UP = Vocabulary(tuple(f"piece{i}" for i in range(10_000)), frozenset())
LECTURE = {"A": "we", "T": "you", "C": "he", "G": "she"}
WORDS = ["the", "of", "and", "in", "to", "he", "she", "we", "you", "they", "was", "were", "are", "is", "it"]
SMALL = Vocabulary(
    ("[PAD]", "[unused0]", "", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", "##the", *WORDS),
    frozenset({0, 3, 4, 5, 6}),
)
WITHOUT_TABLE = tuple(s for s in STRATEGIES if s not in ("given", "own"))


def rows(strategy="random", *, alphabet=DNA, vocabulary=MADE_UP, seed=0, given=None):
    return make_mapping(alphabet, vocabulary, strategy=strategy, seed=seed, given=given).ids.tolist()


def pieces(strategy, *, alphabet=DNA, vocabulary=SMALL, seed=0, given=None):
    return list(make_mapping(alphabet, vocabulary, strategy=strategy, seed=seed, given=given).pieces)


def refusal(**options):
    with pytest.raises(RecipeError) as caught:
        rows(**options)
    return caught.value.block()


def units(n):
    return Alphabet(tuple(f"u{i}" for i in range(n)), "unit")


# Golden rows: a change of any of these changes everybody's results.


@pytest.mark.parametrize(
    ("strategy", "seed", "golden"),
    [
        ("random", 0, [6037, 855, 921, 3697, 269]),
        ("random", 1, [1329, 9181, 5678, 6264, 4451]),
        ("identity", 0, [6037, 855, 921, 3697, 269]),
        ("permute", 0, [3705, 1347, 2226, 1922, 6178]),
        ("permute", 1, [2099, 3242, 656, 7526, 2253]),
        ("shift", 0, [6369, 6370, 6371, 6372, 6373]),
        ("shift", 1, [5118, 5119, 5120, 5121, 5122]),
        ("block", 0, [0, 1, 2, 3, 4]),
        ("block:100", 7, [100, 101, 102, 103, 104]),
    ],
)
def test_golden_rows_of_a_made_up_vocabulary(strategy, seed, golden):
    assert rows(strategy, seed=seed) == golden


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("strategy", "golden", "read"),
    [
        ("random", [26555, 21553, 17025, 7036, 29141], "shenzhen credibility wilmington innocent wheelbase"),
        ("frequent", [1996, 1997, 1998, 1999, 2000], "the of and in to"),
        ("rare", [29611, 29610, 29609, 29608, 29607], "necessitated thyroid scandals salamanca nitrate"),
        ("identity", [1037, 1039, 1043, 1056, 1050], "a c g t n"),
        ("permute", [4704, 23827, 2346, 25949, 3225], "abandoned mushrooms road ##osity starting"),
        ("shift", [19804, 19805, 19806, 19807, 19808], "apr barrister deposition fia mina"),
        ("block", [0, 1, 2, 3, 4], "[PAD] [unused0] [unused1] [unused2] [unused3]"),
        ("block:100", [100, 101, 102, 103, 104], "[UNK] [CLS] [SEP] [MASK] [unused99]"),
        ("given", [2057, 2002, 2016, 2017, 26559], "we he she you ##dorff"),
    ],
)
def test_golden_rows_of_bert_base_uncased(strategy, golden, read):
    file = Path(os.environ.get("XDOMAIN_DATA", "")) / "bert-base-uncased-vocab.txt"
    if not file.is_file():
        pytest.skip("XDOMAIN_DATA names no folder with bert-base-uncased-vocab.txt")
    listed = file.read_text("utf-8").removesuffix("\n").split("\n")
    bert = Vocabulary(tuple(listed), frozenset({0, 100, 101, 102, 103}))
    assert (len(bert.pieces), len(bert.ordinary)) == (30_522, 30_522 - 5 - 994)
    mapping = make_mapping(DNA, bert, strategy=strategy, given=LECTURE if strategy == "given" else None)
    assert (mapping.ids.tolist(), list(mapping.pieces)) == (golden, read.split())


def test_golden_rows_of_a_large_alphabet():
    drawn = rows("random", alphabet=units(1000), seed=7)
    assert (drawn[:3], sum(drawn)) == ([8545, 8255, 9776], 5034004)


# What all strategies promise.


@cases(st.sampled_from(WITHOUT_TABLE), st.integers(0, 2**32), st.integers(0, 15))
def test_every_symbol_has_a_row_of_its_own(strategy, seed, n):
    mapping = make_mapping(units(n), SMALL, strategy=strategy, seed=seed)
    assert mapping.ids.dtype == np.int32
    assert len(set(mapping.ids.tolist())) == len(mapping.ids) == n
    assert [SMALL.pieces[i] for i in mapping.ids] == list(mapping.pieces)
    if strategy != "block":
        assert set(mapping.ids.tolist()) <= set(SMALL.ordinary.tolist())
        assert mapping.special_token_collisions(SMALL.special) == ()


@cases(st.sampled_from(["frequent", "rare", "permute", "shift", "block"]), st.integers(0, 99), st.integers(0, 10))
def test_a_larger_alphabet_keeps_the_rows_of_a_smaller_one(strategy, seed, n):
    small, large = (rows(strategy, alphabet=units(k), vocabulary=SMALL, seed=seed) for k in (n, 15))
    assert large[:n] == small


@pytest.mark.parametrize("strategy", WITHOUT_TABLE)
def test_a_special_or_unused_piece_keeps_its_row(strategy):
    text = Alphabet(("the", "[unused0]", "of", "[UNK]"), "wordpiece", "[UNK]")
    got = rows(strategy, alphabet=text, vocabulary=SMALL)
    assert (got[1], got[3]) == (1, 3)
    assert len(set(got)) == 4


def test_a_whole_vocabulary_fits_itself():
    text = Alphabet(tuple(SMALL.rows), "wordpiece", "[UNK]")
    own = [SMALL.rows[p] for p in text.symbols]
    for strategy in ("random", "permute"):
        got = rows(strategy, alphabet=text, vocabulary=SMALL)
        assert sorted(got) == own
        assert got != own
    assert rows("identity", alphabet=text, vocabulary=SMALL) == own


def test_random_draws_every_ordinary_row_equally_often():
    drawn = np.concatenate([rows(vocabulary=SMALL, alphabet=units(3), seed=s) for s in range(4000)])
    counts = np.bincount(drawn, minlength=len(SMALL.pieces))[SMALL.ordinary]
    expected = 4000 * 3 / len(SMALL.ordinary)
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


# One by one.


def test_frequent_and_rare_take_whole_words_in_the_vocabulary_s_order():
    assert pieces("frequent") == ["the", "of", "and", "in", "to"]
    assert pieces("rare") == ["it", "is", "are", "were", "was"]


@pytest.mark.parametrize("mark", ["Ġ", "▁"])
def test_whole_words_where_the_vocabulary_marks_the_beginning(mark):
    marked = tuple(mark + w for w in (*WORDS, "a"))
    vocabulary = Vocabulary(("<s>", "ing", "ed", *marked), frozenset({0}))
    assert pieces("frequent", vocabulary=vocabulary)[:2] == [mark + "the", mark + "of"]
    assert pieces("rare", vocabulary=vocabulary)[0] == mark + "it"


def test_identity_takes_exact_letters_first_then_lower_case():
    alphabet = Alphabet(("A", "a", "C", "?"), "nt")
    got = pieces("identity", alphabet=alphabet)
    assert got[1:3] == ["a", "c"]  # a is the row of the symbol a, though A comes first
    assert got[0] not in "ac"
    cased = Vocabulary((*SMALL.pieces, "A"), SMALL.special)
    assert pieces("identity", alphabet=alphabet, vocabulary=cased)[:3] == ["A", "a", "c"]


def test_shift_is_a_run_of_ordinary_rows_that_goes_round():
    usual = SMALL.ordinary.tolist()
    starts = set()
    for seed in range(200):
        got = rows("shift", vocabulary=SMALL, seed=seed)
        first = usual.index(got[0])
        assert got == [usual[(first + i) % len(usual)] for i in range(5)]
        starts.add(first)
    assert len(starts) > 0.9 * len(usual)


def test_block_takes_raw_rows_and_tells_which_collide():
    assert pieces("block") == ["[PAD]", "[unused0]", "", "[UNK]", "[CLS]"]
    mapping = make_mapping(DNA, SMALL, strategy="block:2", seed=3)
    assert mapping.ids.tolist() == [2, 3, 4, 5, 6]
    assert mapping.strategy == "block:2"
    assert mapping.special_token_collisions(SMALL.special) == ("C", "G", "T", "N")
    assert mapping.special_token_collisions({0}) == ()


def test_given_follows_the_table_and_draws_the_rest_with_the_seed():
    assert pieces("given", given=LECTURE)[:4] == ["we", "he", "she", "you"]
    rest = {pieces("given", given=LECTURE, seed=seed)[4] for seed in range(50)}
    assert len(rest) > 10
    assert not rest & set(LECTURE.values())
    assert pieces("given", given=LECTURE, seed=3) == pieces("given", given=LECTURE, seed=3)


# What is refused, and how it is said.


def test_an_unknown_strategy():
    assert refusal(strategy="randm") == (
        "unknown mapping 'randm'\n"
        "  expected: one of block, frequent, given, identity, learned, own, permute, random, rare, search, shift\n"
        "  did you mean: random"
    )


@pytest.mark.parametrize("strategy", ["block:", "block:-1", "block:x", "block:²", "random:3", "given:table.yaml"])
def test_a_number_that_is_none_or_does_not_belong(strategy):
    told = refusal(strategy=strategy, given=LECTURE)
    assert repr(strategy) in told
    assert "block:N" in told


def test_an_alphabet_that_is_too_large():
    assert "10,001 symbols do not fit the 10,000 ordinary wordpieces" in refusal(alphabet=units(10_001))
    assert "16 symbols do not fit the 15 whole words of a vocabulary of 49" in refusal(
        alphabet=units(16), vocabulary=SMALL, strategy="frequent"
    )
    assert "5 symbols do not fit the 2 rows from 9998 on" in refusal(strategy="block:9998")
    assert "5 symbols do not fit the 0 rows from 20000 on" in refusal(strategy="block:20000")


@pytest.mark.parametrize("strategy", WITHOUT_TABLE)
def test_no_rows_at_all(strategy):
    nothing = Vocabulary(("[PAD]",), frozenset({0}))
    assert rows(strategy, alphabet=units(0), vocabulary=nothing) == []
    assert "symbols do not fit the" in refusal(strategy=strategy, vocabulary=nothing)


def test_a_negative_seed():
    assert refusal(seed=-1) == "mapping seed -1\n  expected: 0 or more"


def test_a_table_and_given_go_together():
    assert "mapping given without a table" in refusal(strategy="given")
    assert "mapping random with a table" in refusal(strategy="random", given=LECTURE)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"A": "We"}, "A the piece 'We', which the vocabulary does not have"),
        ({"A": "We"}, "did you mean: we"),
        ({"A": "thee"}, "did you mean: the"),
        ({"A": "we", "C": "we"}, "gives A and C the same piece 'we'"),
        ({"B": "we"}, "unknown symbol in the mapping table 'B'"),
        ({"A": "[UNK]"}, "gives [UNK] and A the same piece '[UNK]'"),
        ({"[UNK]": "we"}, "gives [UNK] the piece 'we', but it is a piece itself"),
    ],
)
def test_a_table_that_cannot_hold(table, said):
    alphabet = Alphabet((*"ACGT", "[UNK]"), "nt", "[UNK]")
    assert said in refusal(strategy="given", given=table, alphabet=alphabet, vocabulary=SMALL)


def test_a_table_may_say_what_holds_anyway():
    alphabet = Alphabet(("A", "[UNK]"), "nt", "[UNK]")
    assert rows("given", given={"[UNK]": "[UNK]"}, alphabet=alphabet, vocabulary=SMALL)[1] == 3


def test_a_near_piece_in_a_vocabulary_that_marks_words():
    vocabulary = Vocabulary(("Ġwe", "Ġyou", "Ġhe", "x", "y"), frozenset())
    assert "did you mean: Ġwe" in refusal(strategy="given", given={"A": "We"}, vocabulary=vocabulary)


# Tables on disk.


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.yaml", "A: we\nT: you\nC: he\nG: she\n"),
        ("t.yaml", "# the lecture's\n{A: we, T: you, C: 'he', G: \"she\"}"),
        ("t.json", json.dumps(LECTURE)),
        ("t.json", json.dumps(LECTURE, indent="\t")),
    ],
)
def test_a_table_from_a_file(tmp_path, name, text):
    (tmp_path / name).write_text(text, "utf-8")
    assert load_given(tmp_path / name) == LECTURE


def test_a_table_s_words_stay_words(tmp_path):
    (tmp_path / "t.yaml").write_text("N: no\nY: on\n1: 2\n'': null\n", "utf-8")
    assert load_given(tmp_path / "t.yaml") == {"N": "no", "Y": "on", "1": "2", "": "null"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no mapping table"),
        ("we", "holds no mapping table"),
        ("[A, we]", "holds no mapping table"),
        ("A: we\nC: [he, she]\n", "t.yaml, line 2: one piece for each symbol"),
        ("A: we\nC: he\nA: you\n", "t.yaml, line 3: the symbol A comes twice"),
        ("A: 'we", "is neither JSON nor YAML"),
        ("A: \xff", "cannot be read"),
    ],
)
def test_a_file_that_holds_no_table(tmp_path, text, said):
    (tmp_path / "t.yaml").write_bytes(text.encode("latin1"))
    with pytest.raises(RecipeError) as caught:
        load_given(tmp_path / "t.yaml")
    assert said in str(caught.value)
    assert "{A: we, T: you, C: he, G: she}" in str(caught.value) or "every symbol once" in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(RecipeError, match="cannot be read"):
        load_given(tmp_path / "none.yaml")


# The mapping on disk.


@cases(st.sampled_from(WITHOUT_TABLE), st.integers(0, 2**63))
def test_saved_and_loaded_it_is_the_same(tmp_path_factory, strategy, seed):
    path = tmp_path_factory.mktemp("mapping") / "mapping.json"
    mapping = make_mapping(DNA, SMALL, strategy=strategy, seed=seed)
    mapping.save(path)
    loaded = TokenMapping.load(path)
    assert loaded == mapping
    assert hash(loaded) == hash(mapping)
    assert (loaded.ids == mapping.ids).all()
    assert (loaded.symbols, loaded.pieces, loaded.strategy, loaded.seed) == (
        mapping.symbols, mapping.pieces, strategy, seed,
    )  # fmt: skip


def test_the_file_holds_what_a_reader_needs(tmp_path):
    make_mapping(Alphabet(("A", "Ü"), "letter"), SMALL, strategy="frequent", seed=4).save(tmp_path / "m.json")
    text = (tmp_path / "m.json").read_text("utf-8")
    told = json.loads(text)
    sha256 = told.pop("sha256")
    assert len(sha256) == 64
    assert told == {
        "schema": 1, "strategy": "frequent", "seed": 4, "vocabulary_sha256": SMALL.sha256,
        "symbols": ["A", "Ü"], "ids": [34, 35], "pieces": ["the", "of"],
    }  # fmt: skip
    assert "Ü" in text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ids", [1, 2, 3, 4, 5]),
        ("symbols", list("CAGTN")),
        ("pieces", list("abcde")),
        ("strategy", "permute"),
        ("seed", 1),
        ("vocabulary_sha256", "0" * 64),
        ("sha256", "0" * 64),
    ],
)
def test_an_edited_file_is_noticed(tmp_path, key, value):
    path = tmp_path / "mapping.json"
    make_mapping(DNA, SMALL).save(path)
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {key: value}), "utf-8")
    with pytest.raises(DataError, match="was edited after it was written") as caught:
        TokenMapping.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 2}, "has schema 2"),
        ({"ids": [7, 7, 8, 9, 10]}, "a row of its own"),
        ({"ids": [-1, 7, 8, 9, 10]}, "a row of its own"),
        ({"ids": [7, 8]}, "5 symbols, 2 rows and 5 pieces"),
        ({"ids": [2**40, 7, 8, 9, 10]}, "is no mapping"),
        ({"ids": "ACGTN"}, "is no mapping"),
        ({"seed": None}, "edited"),
    ],
)
def test_a_file_with_impossible_values(tmp_path, change, said):
    path = tmp_path / "mapping.json"
    make_mapping(DNA, SMALL).save(path)
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | change), "utf-8")
    with pytest.raises(DataError, match=said):
        TokenMapping.load(path)


@pytest.mark.parametrize(
    ("text", "said"), [("", "is no mapping"), ("[]", "is no mapping"), ("{}", "it has no 'schema'"), ("\xff", "is no")]
)
def test_a_file_that_is_no_mapping(tmp_path, text, said):
    (tmp_path / "m.json").write_bytes(text.encode("latin1"))
    with pytest.raises(DataError, match=said):
        TokenMapping.load(tmp_path / "m.json")


def test_mappings_cannot_be_changed_and_compare_by_what_they_say():
    mapping = make_mapping(DNA, SMALL)
    with pytest.raises(ValueError, match="read-only"):
        mapping.ids[0] = 7
    assert mapping == make_mapping(DNA, SMALL)
    assert mapping != make_mapping(DNA, SMALL, seed=1)
    assert mapping != make_mapping(DNA, Vocabulary((*SMALL.pieces, "more"), SMALL.special))
    with pytest.raises(ValueError, match="a row of its own"):
        TokenMapping(("A", "C"), np.array([1, 1], np.int32), ("x", "x"), "given", 0, "")


# Vocabularies.


def test_the_vocabulary_of_a_tokenizer_with_gaps_and_added_tokens():
    core = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1, "the": 2, "of": 5, "[unused7]": 6}, "[UNK]"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, pad_token="[PAD]", unk_token="[UNK]")
    added: Any = AddedToken("of")
    tokenizer.add_tokens(added)
    vocabulary = Vocabulary.of(tokenizer)
    assert vocabulary.pieces == ("[PAD]", "[UNK]", "the", "", "", "of", "[unused7]")
    assert vocabulary.special == {0, 1, 5}
    assert vocabulary.ordinary.tolist() == [2]
    assert vocabulary.rows == {"[PAD]": 0, "[UNK]": 1, "the": 2, "of": 5, "[unused7]": 6}


def test_the_vocabulary_s_digest_is_that_of_its_file_without_the_last_newline():
    # printf '[PAD]\nthe' | sha256sum
    golden = "949ddfba8919b256770aa46621f7254da0f7ae4770cc9559faaae8d35e2a01d8"
    assert Vocabulary(("[PAD]", "the"), frozenset({0})).sha256 == golden
    assert Vocabulary(("the", "[PAD]"), frozenset({1})).sha256 != golden


# Searches and learned mappings.


@pytest.mark.parametrize("strategy", ["learned", "learned:sparse", "search", "search:8"])
def test_a_chosen_or_learned_mapping_has_the_rows_of_the_random_one(strategy):
    assert rows(strategy, seed=5) == rows("random", seed=5)
    assert is_drawn(strategy)


def test_the_seeds_of_a_search():
    assert search_seeds("search:3", 0) == (0, 1000, 2000)
    assert search_seeds("search:2", 7) == (7, 1007)
    assert len(search_seeds("search", 0)) == 16
    assert search_seeds("learned:sparse", 4) == search_seeds("block:100", 4) == (4,)


@pytest.mark.parametrize("strategy", ["search:1", "search:0", "search:", "search:1000", "search:x", "search:-2"])
def test_a_search_that_cannot_be(strategy):
    assert "N from 2 to 999" in refusal(strategy=strategy)


def test_a_learned_mapping_is_soft_or_sparse():
    assert [learned_kind(s) for s in ("learned", "learned:sparse", "random", "search:4")] == [
        "soft",
        "sparse",
        None,
        None,
    ]
    assert "learned, or learned:sparse" in refusal(strategy="learned:dense")


def test_which_mappings_hang_on_their_seed():
    drawn = {s for s in WITHOUT_TABLE if rows(s, vocabulary=SMALL, seed=0) != rows(s, vocabulary=SMALL, seed=1)}
    assert drawn - {"identity"} == {s for s in STRATEGIES if is_drawn(s)}


def test_a_strategy_that_nothing_makes_is_an_error(monkeypatch):
    monkeypatch.setattr("xdomain.model.token_mapping.STRATEGIES", (*STRATEGIES, "newest"))
    with pytest.raises(NotImplementedError, match="newest"):
        rows("newest")
