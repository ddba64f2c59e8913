"""Text in a backbone's own pieces, whatever its tokenizer file says beside."""

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from xdomain.core.errors import DataError, RecipeError
from xdomain.core.plugins import make_adapter
from xdomain.core.sequences import Adapter

SENTENCES = ["the babe, he", "", "Do we", "[MASK] she [SEP]", "日本 bobub"]
WORDS = st.lists(st.sampled_from(["the", "we", "Babe", "qu", "[SEP]", "[UNK]", "日", "é", ",", "\n"]), max_size=8)


@pytest.fixture(scope="module")
def text(tiny_bert):
    return make_adapter("text", {"tokenizer": str(tiny_bert)})


@pytest.fixture(scope="module")
def roberta(tmp_path_factory):
    """A byte-level BPE, without an unknown token of the model's own, and with an added word."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    core.train_from_iterator(["the babe and the bee"] * 9, trainer)
    folder = tmp_path_factory.mktemp("roberta")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>", pad_token="<pad>", bos_token="<s>")
    added: Any = AddedToken("gattaca", normalized=False)
    tokenizer.add_tokens(added)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def byte_level(roberta):
    return make_adapter("text", tokenizer=str(roberta))


def pieces(adapter, payload):
    return [adapter.alphabet.symbols[i] for i in adapter.encode([payload])[0]]


def agrees(adapter, payload):
    vocabulary = {symbol: 5 + 2 * i for i, symbol in enumerate(adapter.alphabet.symbols)}
    tokenizer = adapter.stock_tokenizer(vocabulary, adapter.alphabet.unknown)
    told = tokenizer.encode(payload, add_special_tokens=False).ids
    return told == [vocabulary[adapter.alphabet.symbols[i]] for i in adapter.encode([payload])[0]]


def test_the_alphabet_is_the_vocabulary_less_its_special_tokens(text, tiny_bert):
    assert isinstance(text, Adapter)
    vocabulary = AutoTokenizer.from_pretrained(tiny_bert).get_vocab()
    ordered = sorted(vocabulary, key=lambda piece: vocabulary[piece])
    assert text.alphabet.symbols == (*ordered[5:], "[UNK]")
    assert (text.name, text.alphabet.unit, text.alphabet.unknown) == ("text", "wordpiece", "[UNK]")


def test_by_hand(text):
    assert pieces(text, "The bab, he") == ["the", "bab", "[UNK]", "he"]  # lower case; no comma among the pieces
    found = text.encode(["we you", "", "; she"])
    assert found.lengths.tolist() == [2, 0, 2]
    assert found.counts == {"unknown": 1}


@pytest.mark.parametrize("sentence", [s for s in SENTENCES if "[" not in s])
def test_pieces_are_those_of_the_backbone(text, tiny_bert, sentence):
    assert pieces(text, sentence) == AutoTokenizer.from_pretrained(tiny_bert).tokenize(sentence)


def test_special_tokens_in_a_text_are_text(text):
    assert pieces(text, "we [SEP] he") == ["we", "[UNK]", "[UNK]", "[UNK]", "he"]


@given(st.one_of(WORDS.map(" ".join), WORDS.map("".join), st.text(max_size=20)))
def test_the_plain_tokenizer_agrees(text, sentence):
    assert agrees(text, sentence)


def test_strings_bytes_and_arrow_columns_are_the_same(text):
    told = [ids.tolist() for ids in text.encode(SENTENCES)]
    for same in (pa.array(SENTENCES), [s.encode() for s in SENTENCES]):
        assert [ids.tolist() for ids in text.encode(same)] == told


@given(st.lists(st.sampled_from(["the", "we", "you", "he", "she"]), max_size=6))
def test_decode_undoes_encode(text, words):
    sentence = " ".join(words)
    assert text.decode(text.encode([sentence])[0]) == sentence


def test_a_tokenizer_file_that_cuts_and_pads_does_neither_here(tiny_bert, tmp_path):
    """Sentence encoders ship such files; texts would all come out as long as it says, in silence."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    tokenizer.backend_tokenizer.enable_truncation(4)
    tokenizer.backend_tokenizer.enable_padding(length=4)
    tokenizer.save_pretrained(tmp_path)
    path = tmp_path / "tokenizer.json"
    told = json.loads(path.read_text()) | {"truncation": {"max_length": 4, "strategy": "LongestFirst", "stride": 0}}
    path.write_text(json.dumps(told))
    adapter = make_adapter("text", tokenizer=str(tmp_path))
    assert adapter.encode(["we", "", "the " * 9]).lengths.tolist() == [1, 0, 9]
    assert agrees(adapter, "the " * 9)


def test_a_byte_level_bpe(roberta):
    adapter = make_adapter("text", tokenizer=str(roberta))
    source = AutoTokenizer.from_pretrained(roberta)
    for sentence in ("the babe", "the gattaca bee", "日本 é", ""):
        assert pieces(adapter, sentence) == source.tokenize(sentence)
        assert agrees(adapter, sentence)
        assert adapter.decode(adapter.encode([sentence])[0]) == sentence
    assert "gattaca" in pieces(adapter, "the gattaca bee")
    assert adapter.encode(["日本"]).counts == {"unknown": 0}
    assert adapter.alphabet.symbols[-1] == "<unk>"
    assert agrees(adapter, "<s> the")


# The first piece of each word.


def starts(adapter, *texts):
    return [words.tolist() for words in adapter.word_starts(texts)]


def test_first_pieces_by_hand(text):
    assert pieces(text, "The wewe zz") == ["the", "we", "##we", "[UNK]"]
    assert starts(text, "The wewe zz", "", "he") == [[0, 1, 3], [], [0]]
    # punctuation is a piece of its own, but no word unless blanks part it
    assert pieces(text, "he, we , the") == ["he", "[UNK]", "we", "[UNK]", "the"]
    assert starts(text, "he, we , the") == [[0, 2, 3, 4]]
    assert starts(text, "  we \n\t the ") == [[0, 1]]
    # nothing is left of the word in the middle: no place, but the number of pieces
    assert pieces(text, "we \x00 the") == ["we", "the"]
    assert starts(text, "we \x00 the", "\x00") == [[0, 2, 1], [0]]


def test_first_pieces_of_a_byte_level_bpe_by_hand(byte_level):
    """Its pieces begin with the blank before a word, or are nothing but a blank."""
    assert pieces(byte_level, "the babe") == ["the", "Ġbabe"]
    assert starts(byte_level, "the babe") == [[0, 1]]
    assert pieces(byte_level, "the  qa é") == ["the", "Ġ", "Ġ", "q", "a", "Ġ", "Ã", "©"]
    # where the blank is a piece of its own it belongs to the word before, or to none
    assert starts(byte_level, "the  qa é", " q") == [[0, 3, 6], [1]]
    assert pieces(byte_level, "gattaca bee") == ["gattaca", "Ġbee"]
    assert starts(byte_level, "gattaca bee", "") == [[0, 1], []]


@given(st.one_of(WORDS.map(" ".join), st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20)))
def test_first_pieces_as_a_slow_loop_finds_them(text, sentence):
    (symbols,), place, slow = text.encode([sentence]), 0, []
    for word in sentence.split():
        many = len(text.encode([word])[0])
        slow.append(place if many else len(symbols))
        place += many
    assert starts(text, sentence) == [slow]


@given(st.lists(st.sampled_from(["the", "babe", "qu", "gattaca", "n't", "<s>", "日本", "é,", "5"]), max_size=8))
def test_first_pieces_of_a_bpe_as_a_slow_loop_finds_them(byte_level, words):
    place, slow = 0, []
    for number, word in enumerate(words):
        own = pieces(byte_level, " " + word if number else word)
        slow.append(place + (own[0] == "Ġ"))
        place += len(own)
    assert starts(byte_level, " ".join(words)) == [slow]


def test_first_pieces_of_strings_bytes_and_arrow_columns_are_the_same(text):
    told = starts(text, *SENTENCES)
    for same in (pa.array(SENTENCES), [s.encode() for s in SENTENCES]):
        assert [words.tolist() for words in text.word_starts(same)] == told
    with pytest.raises(DataError, match="record 2: byte 0xe9, its number 3, is not UTF-8"):
        text.word_starts([b"we", b"a \xe9"])


# What is refused.


def test_without_a_tokenizer():
    with pytest.raises(RecipeError, match="the text adapter needs a tokenizer") as caught:
        make_adapter("text").encode(["we"])
    assert caught.value.fix == "--set adapter.options.tokenizer=DIR"


def test_a_folder_without_a_tokenizer(tmp_path):
    with pytest.raises(RecipeError, match=f"no tokenizer can be loaded from {tmp_path}"):
        _ = make_adapter("text", tokenizer=str(tmp_path)).alphabet


def test_a_tokenizer_whose_pieces_cannot_move(tmp_path):
    core = Tokenizer(models.Unigram([("<unk>", 0.0), ("a", -1.0)], unk_id=0))
    PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>").save_pretrained(tmp_path)
    with pytest.raises(RecipeError, match="has a Unigram tokenizer\n  expected: WordPiece, BPE, WordLevel"):
        _ = make_adapter("text", tokenizer=str(tmp_path)).alphabet


def test_a_tokenizer_of_made_up_integers(tmp_path):
    pieces = ["[PAD]", "[UNK]", *map(str, range(20))]
    model = models.WordLevel({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]")
    PreTrainedTokenizerFast(tokenizer_object=Tokenizer(model), unk_token="[UNK]", pad_token="[PAD]").save_pretrained(
        tmp_path
    )
    with pytest.raises(RecipeError, match="knows no letters") as caught:
        make_adapter("text", {"tokenizer": str(tmp_path)}).encode(["some words"])
    assert "--set adapter.options.tokenizer=NAME" in caught.value.block()


def test_bytes_that_are_no_utf8(text):
    with pytest.raises(DataError, match="record 2: byte 0xe9, its number 3, is not UTF-8"):
        text.encode([b"we", b"a \xe9"])
