"""Embeddings as files: those of plain transformers, in file order, whatever batch a record stands in."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

import xdomain
from xdomain.core.errors import BackboneError, DataError, OutputError, RecipeError
from xdomain.core.progress import Silent, reporting
from xdomain.data.formats.blocks import text_blocks
from xdomain.inference.embedding import encoder as encoder_module

ROOM, OVERLAP = 62, 4  # symbols of a window beside [CLS] and [SEP]; symbols that two windows share
POOLED = {"mean": lambda x: x.mean(0), "max": lambda x: x.max(0)}


def by_hand(folder, ids, tokens=()):
    """The last layer's states of symbols whose rows are `ids`: each from the window in which it is farthest from an
    edge, so that half of an overlap belongs to either window. And the states of the first tokens."""
    plain = AutoModel.from_pretrained(folder).eval()
    states, firsts = [], []
    starts = range(0, max(1, len(ids) - OVERLAP), ROOM - OVERLAP)
    for start in starts:
        window = ids[start : start + ROOM]
        with torch.inference_mode():
            found = plain(torch.tensor([[2, *window, 3]])).last_hidden_state[0].numpy()
        low = 0 if start == 0 else OVERLAP // 2
        high = len(window) if start == starts[-1] else ROOM - OVERLAP + OVERLAP // 2
        states.append(found[1 + low : 1 + high])
        firsts.append(found[0])
    return np.concatenate(states), np.mean(firsts, axis=0)


@pytest.fixture(scope="module")
def expected(run, records):
    tokenizer = AutoTokenizer.from_pretrained(run / "model")
    rows = {symbol: tokenizer.convert_tokens_to_ids(symbol) for symbol in "ACGT"}
    return [by_hand(run / "model", [rows[symbol] for symbol in record]) for record in records]


@pytest.mark.parametrize("ending", [".npy", ".parquet"])
@pytest.mark.parametrize("pooling", ["mean", "max", "cls"])
def test_a_vector_for_each_record(run, fasta, records, expected, tmp_path, pooling, ending, monkeypatch):
    monkeypatch.setattr(encoder_module, "AT_ONCE", 32 * 40)  # 40 symbols: a few records, or one long one, at once
    out = tmp_path / f"x{ending}"
    xdomain.open_encoder(run).write_embeddings(out, fasta, pooling=pooling)
    if ending == ".npy":
        vectors = np.load(out)
        names = (tmp_path / "x.ids.txt").read_text().splitlines()
    else:
        table = pq.read_table(out)
        vectors = np.array(table["embedding"].to_pylist(), np.float32)
        names = table["id"].to_pylist()
        assert pq.ParquetFile(out).num_row_groups > 5
    assert names == [f"r{i}" for i in range(len(records))]
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(records), 32)
    wanted = [first if pooling == "cls" else POOLED[pooling](states) for states, first in expected]
    np.testing.assert_allclose(vectors, wanted, atol=1e-5)
    assert not list(tmp_path.glob("*.part"))


def test_a_file_is_read_and_written_in_parts(run, fasta, expected, tmp_path, monkeypatch):
    """As a file that is larger than memory would be."""
    monkeypatch.setattr("xdomain.data.pieces.text_blocks", lambda *a, **options: text_blocks(*a, **options, size=300))
    xdomain.open_encoder(run).write_embeddings(tmp_path / "x.npy", fasta)
    vectors = np.load(tmp_path / "x.npy", mmap_mode="r")
    np.testing.assert_allclose(vectors, [states.mean(0) for states, _ in expected], atol=1e-5)
    assert (tmp_path / "x.ids.txt").read_text().split() == [f"r{i}" for i in range(len(expected))]


def test_a_vector_for_each_symbol(run, fasta, records, expected, tmp_path):
    xdomain.open_encoder(run).write_embeddings(tmp_path / "x.parquet", fasta, pooling="none")
    rows = pq.read_table(tmp_path / "x.parquet")["embedding"].to_pylist()
    for found, record, (states, _) in zip(rows, records, expected, strict=True):
        assert np.shape(found) == (len(record), 32)
        np.testing.assert_allclose(found, states, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "max", "cls"])
def test_a_vector_does_not_change_with_the_batch(run, records, pooling):
    encoder = xdomain.open_encoder(run)
    together = encoder.embed(records, pooling=pooling).vectors
    alone = [encoder.embed([record], pooling=pooling).vectors[0] for record in records]
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5)
    assert np.ptp(together, axis=0).max() > 0.01


def test_the_same_in_python_from_memory_and_from_a_file(run, fasta, records):
    from_file = xdomain.embed(run, fasta, layer=1)
    assert from_file.ids[:2] == ("r0", "r1")
    from_memory = xdomain.embed(run, records, layer=1)
    assert from_memory.ids[:2] == ("1", "2")
    np.testing.assert_array_equal(from_file.vectors, from_memory.vectors)
    np.testing.assert_array_equal(xdomain.load(run).embed(records, layer=1), from_memory.vectors)


def test_a_backbone_has_the_mapping_that_a_run_of_the_same_seed_has(tiny_bert, records, tmp_path, said):
    labels = ["a", "b"] * 30
    frozen = xdomain.run(data=(records, labels), domain="dna", backbone=str(tiny_bert), tune="head", mapping_seed=7,
                         overrides=("train.max_steps=1", "train.window_overlap=4"), out=tmp_path / "run")  # fmt: skip
    found = xdomain.embed(str(tiny_bert), records, domain="dna", mapping_seed=7, overrides=("train.window_overlap=4",))
    np.testing.assert_allclose(found.vectors, frozen.model().embed(records), atol=1e-6)  # a frozen encoder stays
    told = "as it is, not fine-tuned; mapping random with mapping seed 7, as a run has it"
    assert any(line.endswith(told) for line in said)
    other = xdomain.embed(str(tiny_bert), records, domain="dna")
    assert np.abs(other.vectors - found.vectors).max() > 0.1
    table = {"A": "we", "C": "you", "G": "he", "T": "she"}
    given = xdomain.embed(str(tiny_bert), ["ACGT"], domain="dna", mapping="given", mapping_table=table, pooling="none")
    words = xdomain.embed(str(tiny_bert), ["we you he she"], domain="text", mapping="identity", pooling="none")
    np.testing.assert_allclose(given.vectors[0], words.vectors[0], atol=1e-6)


class Counting(Silent):
    def __init__(self):
        self.seen = []

    def started(self, name, total, done=0, *, unit="steps"):
        self.seen.append((name, total))

    def advanced(self, step, loss=None):
        self.seen.append(step)


def test_progress_is_told_in_records(run, records, monkeypatch):
    monkeypatch.setattr(encoder_module, "MAX_RECORDS", 25)
    counting = Counting()
    with reporting(counting):
        xdomain.embed(run, records)
    assert counting.seen == [("embedding", 60), 25, 50, 60]


def test_what_cannot_be_written_or_read_is_refused(run, tiny_bert, fasta, tmp_path):
    encoder = xdomain.open_encoder(run)
    with pytest.raises(OutputError, match=r"ends in \.csv"):
        encoder.write_embeddings(tmp_path / "x.csv", fasta)
    with pytest.raises(OutputError, match="as many vectors as symbols"):
        encoder.write_embeddings(tmp_path / "x.npy", fasta, pooling="none")
    with pytest.raises(OutputError, match="there is no folder"):
        encoder.write_embeddings(tmp_path / "no" / "x.npy", fasta)
    with pytest.raises(RecipeError, match="layer 9"):
        encoder.write_embeddings(tmp_path / "x.npy", fasta, layer=9)
    (tmp_path / "bad.csv").write_text('id,sequence\n"a\nb",ACGT\n')
    with pytest.raises(DataError, match="line break"):
        encoder.write_embeddings(tmp_path / "x.npy", tmp_path / "bad.csv")
    assert not {"x.npy", "x.ids.txt", "x.csv"} & {path.name for path in tmp_path.iterdir()}
    with pytest.raises(RecipeError, match="domain for the run"):
        xdomain.open_encoder(run, domain="dna")
    with pytest.raises(BackboneError, match="is the model of a run"):
        xdomain.open_encoder(run / "model", domain="dna")
    with pytest.raises(RecipeError, match="what are the records"):
        xdomain.open_encoder(str(tiny_bert))
    with pytest.raises(RecipeError, match="did you mean: dna"):
        xdomain.open_encoder(str(tiny_bert), domain="dnaa")
    with pytest.raises(RecipeError, match="mapping learned for a backbone"):
        xdomain.open_encoder(str(tiny_bert), domain="dna", mapping="learned")
    with pytest.raises(BackboneError, match="does not exist"):
        xdomain.open_encoder(tmp_path / "nothing", domain="dna")
