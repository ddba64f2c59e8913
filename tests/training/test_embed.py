"""Embeddings: those of a forward pass in plain transformers, each symbol once however many windows hold it."""

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

import xdomain
from xdomain.core.errors import RecipeError

QUICK = ("train.max_steps=2", "train.precision=fp32", "train.window_overlap=4")


@pytest.fixture(scope="module")
def records():
    rng = np.random.default_rng(0)
    return ["".join(rng.choice(list("ACGT"), n)) for n in (*rng.integers(5, 14, 58), 40, 77)]


@pytest.fixture(scope="module")
def model(records, tiny_bert, tmp_path_factory):
    labels = ["even" if len(r) % 2 == 0 else "odd" for r in records]
    return xdomain.run(data=(records, labels), domain="dna", backbone=str(tiny_bert), overrides=QUICK,
                       out=tmp_path_factory.mktemp("embed") / "run").model()  # fmt: skip


@pytest.mark.parametrize("layer", [0, 1, -1])
def test_embeddings_are_those_of_plain_transformers(model, layer):
    plain = AutoModel.from_pretrained(model.folder / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(model.folder / "model")
    given = ["ACGTTGCA", "GATTACA"]
    pooled = {"mean": lambda x: x[1:-1].mean(0), "max": lambda x: x[1:-1].amax(0), "cls": lambda x: x[0],
              "none": lambda x: x[1:-1]}  # fmt: skip
    for pooling, of in pooled.items():
        found = model.embed(given, layer=layer, pooling=pooling)
        assert found.dtype == (object if pooling == "none" else np.float32)
        for sequence, vector in zip(given, found, strict=True):
            with torch.inference_mode():
                states = plain(**tokenizer(sequence, return_tensors="pt"), output_hidden_states=True).hidden_states
            np.testing.assert_allclose(vector, of(states[layer][0]).numpy(), atol=1e-5)


def test_a_long_record_has_each_symbol_once(model, records):
    whole = model.embed(records, pooling="none")
    assert [matrix.shape for matrix in whole] == [(len(r), 32) for r in records]
    np.testing.assert_allclose(model.embed(records), [matrix.mean(0) for matrix in whole], atol=1e-6)
    np.testing.assert_array_equal(model.embed(records, pooling="max"), [matrix.max(0) for matrix in whole])
    layer_zero = model.embed([records[-1]], layer=0, pooling="none")[0]
    positions = {}  # before the layers a vector knows its symbol and its place in the window alone
    for symbol, vector in zip(records[-1][:20], layer_zero[:20], strict=True):
        positions.setdefault(symbol, []).append(vector)
    assert all(len(np.unique(np.array(v), axis=0)) == len(v) for v in positions.values())


def test_a_record_of_many_windows_is_read_in_parts(model, monkeypatch):
    rng = np.random.default_rng(2)
    long = ["".join(rng.choice(list("ACGT"), 500))]
    whole = model.embed(long, pooling="none")[0]
    monkeypatch.setattr("xdomain.training.saved_encoder.scored_at_once", lambda _: 3)
    np.testing.assert_allclose(model.embed(long, pooling="none")[0], whole, atol=1e-6)


def test_both_sequences_of_a_pair_are_read(tiny_bert, tmp_path):
    rng = np.random.default_rng(1)
    lines = ["sequence,sequence_b,label"]
    for _ in range(60):
        one, two = ("".join(rng.choice(list("ACGT"), n)) for n in rng.integers(5, 12, 2))
        lines.append(f"{one},{two},{'yes' if one[0] == two[0] else 'no'}")
    (tmp_path / "pairs.csv").write_text("\n".join(lines))
    done = xdomain.run(data=tmp_path / "pairs.csv", domain="dna", backbone=str(tiny_bert), overrides=QUICK,
                       out=tmp_path / "run")  # fmt: skip
    pair = ("ACGT", "TTGCA")
    (states,) = done.model().embed([pair], pooling="none")
    assert states.shape == (9, 32)
    plain = AutoModel.from_pretrained(done.folder / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(done.folder / "model")
    with torch.inference_mode():
        (expected,) = plain(**tokenizer(*pair, return_tensors="pt")).last_hidden_state
    np.testing.assert_allclose(states, expected[[1, 2, 3, 4, 6, 7, 8, 9, 10]].numpy(), atol=1e-5)


def test_what_there_is_not_is_refused(model, records, tmp_path):
    with pytest.raises(RecipeError, match="0 to 2"):
        model.embed(records[:1], layer=3)
    with pytest.raises(RecipeError, match="did you mean: mean"):
        model.embed(records[:1], pooling="maen")
    counts = xdomain.run(data=(records, ["a", "b"] * 30), domain="dna", baseline="kmer", out=tmp_path / "run")
    with pytest.raises(RecipeError, match="embed of a kmer baseline"):
        counts.model().embed(records[:1])
    with pytest.raises(RecipeError, match="attention of a kmer baseline"):
        counts.model().attention(records[:1])
