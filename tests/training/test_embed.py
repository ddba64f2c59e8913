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
    for pooling, row in (("mean", slice(1, -1)), ("cls", slice(0, 1))):
        found = model.embed(given, layer=layer, pooling=pooling)
        assert found.dtype == np.float32
        for sequence, vector in zip(given, found, strict=True):
            with torch.inference_mode():
                states = plain(**tokenizer(sequence, return_tensors="pt"), output_hidden_states=True).hidden_states
            np.testing.assert_allclose(vector, states[layer][0, row].mean(0).numpy(), atol=1e-5)


def test_a_long_record_has_each_symbol_once(model, records):
    whole = model.embed(records, pooling="none")
    assert [matrix.shape for matrix in whole] == [(len(r), 32) for r in records]
    np.testing.assert_allclose(model.embed(records), [matrix.mean(0) for matrix in whole], atol=1e-6)
    layer_zero = model.embed([records[-1]], layer=0, pooling="none")[0]
    positions = {}  # before the layers a vector knows its symbol and its place in the window alone
    for symbol, vector in zip(records[-1][:20], layer_zero[:20], strict=True):
        positions.setdefault(symbol, []).append(vector)
    assert all(len(np.unique(np.array(v), axis=0)) == len(v) for v in positions.values())


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
