"""Plain text to documents, wordpieces and stored tokens."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdomain.core.errors import DataError, RecipeError
from xdomain.data.corpus import (
    corpus_key,
    describe_files,
    documents,
    encode_documents,
    load_tokenizer,
    stored_documents,
    train_wordpieces,
)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "a.txt"
    path.write_text("the cat sat on the mat\nthe dog ran to the log\n" * 20)
    return train_wordpieces([path], 36)


def test_a_line_is_a_paragraph_and_a_form_feed_ends_a_document(tmp_path):
    path = tmp_path / "two.txt"
    path.write_text("one\n\ntwo\f\nthree\n")
    assert list(documents([path, path])) == [["one", "two"], ["three"]] * 2


@given(books=st.lists(st.lists(st.text("catdog sm", min_size=1).filter(str.strip), min_size=1), min_size=1))
@settings(max_examples=30)
def test_documents_are_encoded_as_their_lines_one_by_one(tokenizer, tmp_path_factory, books):
    path = tmp_path_factory.mktemp("books") / "b.txt"
    path.write_text("\f".join("\n".join(book) for book in books))
    store = encode_documents([path], tokenizer)
    slow = [[i for line in book for i in tokenizer(line, add_special_tokens=False)["input_ids"]] for book in books]
    assert [list(document) for document in store] == slow
    assert store.values.dtype == np.uint16


LEARNS = """
import json, sys
from pathlib import Path
from xdomain.data.corpus import train_wordpieces
print(json.dumps(train_wordpieces([Path(sys.argv[1])], 90).get_vocab()))
"""


def test_the_same_text_gives_the_same_ids_in_every_process(tmp_path):
    rare = "".join(chr(0x4E00 + i) for i in range(250))  # more letters than a vocabulary may have, all as rare
    path = tmp_path / "a.txt"
    path.write_text("The quick brown fox jumps over the lazy dog.\nPack my box with five dozen liquor jugs!\n" * 5)
    here = train_wordpieces([path], 90).get_vocab()
    there = subprocess.run([sys.executable, "-c", LEARNS, path], capture_output=True, text=True)
    assert json.loads(there.stdout) == here
    order = sorted(here, key=here.__getitem__)
    assert order[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [piece for piece in order[5:] if len(piece.removeprefix("##")) == 1]
    assert order[5 : 5 + len(letters)] == letters == sorted(letters)
    path.write_text("the cat sat on the mat " * 20 + " ".join(rare))
    kept = {piece for piece in train_wordpieces([path], 215).get_vocab() if piece in rare}
    assert kept == set(rare[: 200 - len(set("thecasonm"))])


def test_special_tokens_in_the_text_are_text_and_nothing_is_cut(tokenizer, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("the [SEP] cat [MASK] " * 50)
    tokenizer.save_pretrained(tmp_path / "t")
    told = json.loads((tmp_path / "t" / "tokenizer.json").read_text())
    told["truncation"] = {"max_length": 8, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    (tmp_path / "t" / "tokenizer.json").write_text(json.dumps(told))
    store = encode_documents([path], load_tokenizer(str(tmp_path / "t")))
    assert len(store.values) > 200
    assert not {tokenizer.sep_token_id, tokenizer.mask_token_id} & set(store.values.tolist())


def test_stored_tokens_are_found_again_for_the_same_text_and_tokenizer_alone(tokenizer, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("the cat\fthe dog")

    def stored():
        key = corpus_key(describe_files([path]), tokenizer)
        return key, stored_documents([path], tokenizer, key, tmp_path)

    key, store = stored()
    (file,) = tmp_path.glob("tokens-*.arrow")
    stamp = file.stat().st_mtime_ns
    assert stored()[0] == key
    assert file.stat().st_mtime_ns == stamp
    assert [list(d) for d in store] == [list(d) for d in encode_documents([path], tokenizer)]
    path.write_text("the cat\fthe log")
    other, store = stored()
    assert other != key
    assert [list(d) for d in store] == [list(d) for d in encode_documents([path], tokenizer)]


def test_files_that_cannot_be_used_are_named(tokenizer, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("the cat")
    assert describe_files([path])[0]["bytes"] == 7
    with pytest.raises(DataError, match="hold the same text"):
        describe_files([path, path])
    with pytest.raises(DataError, match=r"b\.txt cannot be read"):
        describe_files([tmp_path / "b.txt"])
    path.write_bytes(b"")
    with pytest.raises(DataError, match="no text in"):
        encode_documents([path], tokenizer)


@pytest.mark.parametrize(("name", "error"), [("/no/such", "does not exist"), ("./none", "does not exist")])
def test_a_tokenizer_that_is_not_there(name, error):
    with pytest.raises(RecipeError, match=error):
        load_tokenizer(name)


def test_a_tokenizer_is_a_folder_not_its_file(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(RecipeError, match=f"(?s)is a file.*did you mean: {tmp_path}"):
        load_tokenizer(str(tmp_path / "tokenizer.json"))
