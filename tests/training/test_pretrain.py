import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForMaskedLM, AutoTokenizer, BertConfig, BertForMaskedLM

from xdomain.data.corpus import documents, encode_documents, train_wordpieces
from xdomain.errors import DataError, OutputError, RecipeError
from xdomain.training.pretrain import IGNORED, Pretraining, batch_at, masked_lm_loss, pretrain_text

WORDS = ["the", "cat", "dog", "sat", "ran", "on", "a", "mat", "log", "and", "then", "slept", "under", "warm", "sun"]
TINY = {"layers": 1, "width": 32, "heads": 2, "vocabulary": 60, "lengths": (8, 16), "shares": (0.5, 0.5),
        "tokens": 4096, "batch_tokens": 128, "save_every": 8}  # fmt: skip


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("text") / "books.txt"
    book = ["\n".join(" ".join(rng.choice(WORDS, 12)) + "." for _ in range(30)) for _ in range(4)]
    path.write_text("\f".join(book))
    return path


@pytest.fixture(scope="module")
def corpus(books):
    tokenizer = train_wordpieces([books], 60)
    return tokenizer, encode_documents([books], tokenizer)


def test_a_line_is_a_paragraph_and_a_form_feed_ends_a_document(tmp_path):
    path = tmp_path / "two.txt"
    path.write_text("one\n\ntwo\f\nthree\n")
    assert list(documents([path])) == [["one", "two"], ["three"]]


def test_no_piece_crosses_into_another_document(corpus):
    tokenizer, store = corpus
    options = Pretraining(mask_rate=0.01)
    ids, labels = batch_at(store, 0, rows=200, length=16, options=options, tokenizer=tokenizer)
    whole = torch.where(labels != IGNORED, labels, ids)[:, 1:-1].numpy()
    texts = [" ".join(map(str, doc)) for doc in store]
    assert all(any(" ".join(map(str, piece)) in text for text in texts) for piece in whole)
    assert (ids[:, 0] == tokenizer.cls_token_id).all()
    assert (ids[:, -1] == tokenizer.sep_token_id).all()


def test_masking_is_eighty_ten_ten(corpus):
    tokenizer, store = corpus
    ids, labels = batch_at(store, 1, rows=4000, length=16, options=Pretraining(mask_rate=0.3), tokenizer=tokenizer)
    chosen = labels != IGNORED
    assert chosen[:, 1:-1].float().mean() == pytest.approx(0.3, abs=0.01)
    assert not chosen[:, [0, -1]].any()
    masked = (ids[chosen] == tokenizer.mask_token_id).float().mean()
    kept = (ids[chosen] == labels[chosen]).float().mean()
    assert masked == pytest.approx(0.8, abs=0.01)
    assert kept == pytest.approx(0.1 + 0.1 / 55, abs=0.01)


def test_a_batch_is_a_function_of_seed_and_step_alone(corpus):
    tokenizer, store = corpus
    ask = {"rows": 4, "length": 8, "tokenizer": tokenizer}
    one = batch_at(store, 7, options=Pretraining(seed=3), **ask)
    assert all(
        torch.equal(a, b) for a, b in zip(one, batch_at(store, 7, options=Pretraining(seed=3), **ask), strict=True)
    )
    assert not torch.equal(one[0], batch_at(store, 8, options=Pretraining(seed=3), **ask)[0])


def test_the_loss_on_masked_positions_is_the_full_heads(corpus):
    tokenizer, store = corpus
    ids, labels = batch_at(store, 0, rows=8, length=16, options=Pretraining(), tokenizer=tokenizer)
    torch.manual_seed(0)
    model = BertForMaskedLM(
        BertConfig(vocab_size=60, hidden_size=32, num_hidden_layers=1, num_attention_heads=2)
    ).eval()
    ours, _ = masked_lm_loss(model, ids, labels)
    assert ours.item() == pytest.approx(model(ids, labels=labels).loss.item(), abs=1e-5)


def test_it_learns_and_leaves_a_stock_checkpoint(books, tmp_path):
    out = pretrain_text(
        [books], tmp_path / "bert", options=Pretraining(**{**TINY, "tokens": 40_000}), say=lambda _: None
    )
    card = json.loads((out / "pretraining.json").read_text())
    assert card["validation"]["8"]["loss"] < np.log(60)
    model, tokenizer = AutoModelForMaskedLM.from_pretrained(out), AutoTokenizer.from_pretrained(out)
    assert model.config.max_position_embeddings == 16
    assert tokenizer("the cat")["token_type_ids"] == [0] * len(tokenizer("the cat")["input_ids"])
    assert not (out / "unfinished").exists()
    with pytest.raises(OutputError, match="already holds a checkpoint"):
        pretrain_text([books], out, options=Pretraining(**TINY))


KILLED = """
import os, signal, sys
from pathlib import Path
from xdomain.training.pretrain import Pretraining, pretrain_text
def say(line):
    if line.startswith("validation loss") and int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
pretrain_text([Path(sys.argv[1])], Path(sys.argv[2]), options=Pretraining(tokenizer=sys.argv[4], TINY), say=say)
""".replace("TINY", ", ".join(f"{key}={value!r}" for key, value in TINY.items()))


def test_killed_and_resumed_gives_the_same_weights(books, corpus, tmp_path):
    corpus[0].save_pretrained(tmp_path / "tokenizer")

    def go(out, kill):
        command = [sys.executable, "-c", KILLED, books, tmp_path / out, kill, tmp_path / "tokenizer"]
        return subprocess.run(command, capture_output=True).returncode

    assert go("cut", "1") == -9
    assert not (tmp_path / "cut" / "model.safetensors").exists()
    assert go("cut", "0") == 0
    assert go("whole", "0") == 0
    cut, whole = (load_file(tmp_path / name / "model.safetensors") for name in ("cut", "whole"))
    assert all(torch.equal(cut[name], whole[name]) for name in whole)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "no text"),
        (b"caf\xe9 au lait", "byte 3 is not UTF-8"),
        (b"only one document", "wordpieces, fewer than"),
    ],
)
def test_a_bad_corpus_is_named(content, error, tmp_path):
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=error):
        pretrain_text([path], tmp_path / "out", options=Pretraining(**TINY), say=lambda _: None)


def test_impossible_schedules_are_refused():
    with pytest.raises(RecipeError, match="growing"):
        Pretraining(lengths=(32, 16), shares=(0.5, 0.5))
    with pytest.raises(RecipeError, match="2 lengths but 1 shares"):
        Pretraining(lengths=(16, 32), shares=(1.0,))
