"""Raw attention: that of plain transformers."""

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

import xdomain
from xdomain.core.errors import DataError, OutputError, RecipeError


def plain(folder, *texts):
    model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    given = tokenizer(*texts, return_tensors="pt")
    with torch.inference_mode():
        weights = torch.cat(model(**given, output_attentions=True).attentions)
    return weights.numpy(), tokenizer.convert_ids_to_tokens(given["input_ids"][0])


def test_attention_is_that_of_plain_transformers(run, records):
    encoder = xdomain.open_encoder(run)
    found = encoder.attention(records[:58])
    assert [one.id for one in found] == [str(i + 1) for i in range(58)]
    for one, record in zip(found, records, strict=False):
        weights, tokens = plain(run / "model", record)
        assert one.weights.shape == (2, 2, len(record) + 2, len(record) + 2)
        assert one.weights.dtype == np.float32
        np.testing.assert_allclose(one.weights, weights, atol=1e-6)
        np.testing.assert_allclose(one.weights.sum(-1), 1, atol=1e-5)
        assert list(one.positions) == tokens
    (last,) = xdomain.load(run).attention(records[:1], layer=-1)
    np.testing.assert_array_equal(last.weights, found[0].weights[1:])
    (first,) = encoder.attention(records[:1], layer=1)
    np.testing.assert_array_equal(first.weights, found[0].weights[:1])
    before = encoder.embed(records).vectors  # attention is read with another kernel, which is put back
    np.testing.assert_array_equal(xdomain.embed(run, records).vectors, before)


def test_both_sequences_of_a_pair_are_there(tiny_bert, tmp_path):
    rng = np.random.default_rng(1)
    pairs = [tuple("".join(rng.choice(list("ACGT"), n)) for n in rng.integers(5, 12, 2)) for _ in range(60)]
    lines = ["sequence,sequence_b,label", *(f"{a},{b},{'yes' if a[0] == b[0] else 'no'}" for a, b in pairs)]
    (tmp_path / "pairs.csv").write_text("\n".join(lines))
    model = xdomain.run(data=tmp_path / "pairs.csv", domain="dna", backbone=str(tiny_bert),
                        overrides=("train.max_steps=1",), out=tmp_path / "run").model()  # fmt: skip
    (found,) = model.attention([("ACG", "TTGC")])
    assert found.positions == ("[CLS]", *"ACG", "[SEP]", *"TTGC", "[SEP]")
    np.testing.assert_allclose(found.weights, plain(tmp_path / "run" / "model", "ACG", "TTGC")[0], atol=1e-6)


def test_attention_in_a_file(run, records, tmp_path):
    (tmp_path / "some.fa").write_text(f">one\n{records[0]}\n>a/b.npy\n{records[1]}\n")
    encoder = xdomain.open_encoder(run)
    encoder.write_attention(tmp_path / "x.npz", tmp_path / "some.fa")
    with np.load(tmp_path / "x.npz") as file:
        assert sorted(file) == sorted(
            f"{kind}/{name}" for kind in ("attention", "positions") for name in ("one", "a/b.npy")
        )
        for name, record in (("one", records[0]), ("a/b.npy", records[1])):
            (expected,) = encoder.attention([record])
            np.testing.assert_array_equal(file[f"attention/{name}"], expected.weights)
            assert tuple(file[f"positions/{name}"]) == expected.positions


def test_what_has_no_attention_is_refused(run, records, fasta, tmp_path):
    encoder = xdomain.open_encoder(run)
    with pytest.raises(DataError, match=r"'r58' has 70 symbols, which are read in 2 windows \(2 such records\)"):
        encoder.write_attention(tmp_path / "x.npz", fasta)
    with pytest.raises(OutputError, match=r"ends in \.npy"):
        encoder.write_attention(tmp_path / "x.npy", fasta)
    for layer in (0, 3, -3):
        with pytest.raises(RecipeError, match="1 to 2"):
            encoder.attention(records[:1], layer=layer)
