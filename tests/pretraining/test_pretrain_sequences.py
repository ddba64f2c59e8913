"""Pre-training on records of a domain: what is read, how it is joined, and that runs find each symbol's own row."""

import json
import shlex
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForMaskedLM, AutoTokenizer

import xdomain
from xdomain.core.errors import DataError, OutputError, RecipeError
from xdomain.core.plugins import make_adapter
from xdomain.core.sequences import Ragged
from xdomain.model.make_mapping import make_mapping
from xdomain.model.token_mapping import TokenMapping
from xdomain.model.vocabulary import Vocabulary
from xdomain.pretraining.config import Pretraining
from xdomain.pretraining.objective import Batches, Masking
from xdomain.pretraining.records import fitted, hold_out_records, joined
from xdomain.pretraining.sequences import pretrain_sequences

TINY = Pretraining(layers=1, width=16, heads=2, lengths=(8, 16), shares=(1, 1), tokens=4096, batch_tokens=128,
                   save_every=8)  # fmt: skip
WORDS = ("ACDE", "FGHI", "KLMN", "PQRS", "TVWY")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Runs that draw no picture and are scored on a few records."""
    monkeypatch.setattr("xdomain.pretraining.train.plot_pretraining", lambda *_, path, **__: path.touch())
    monkeypatch.setattr("xdomain.pretraining.engine.VALIDATION_TOKENS", 128)


@pytest.fixture(scope="module")
def proteins(tmp_path_factory):
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("fasta") / "p.fasta"
    records = [WORDS[i % 5] * (i // 60) + "".join(rng.permutation(list("ACDEFGHIKLMNPQRSTVWY"))) for i in range(300)]
    path.write_text("".join(f">p{i} protein {i}\n{record}\n" for i, record in enumerate(records)))
    return path


def pretrain(files, out, domain="protein", options=TINY, **more):
    return pretrain_sequences(files, out, domain=domain, options=options, **more)


def told(out):
    return json.loads((out / "pretraining.json").read_text())


def test_records_are_joined_with_separators_that_are_never_masked():
    records = Ragged.from_lists([[0, 1], [2], [0, 0, 2]])
    store = joined(records, np.array([5, 6, 7]), 3, seed=0)
    assert sorted(map(list, store)) == [[5, 5, 7, 3], [5, 6, 3], [7, 3]]
    assert list(map(list, joined(records, np.array([5, 6, 7]), 3, seed=0))) == list(map(list, store))
    many = Ragged.from_lists([[i % 3] * (i % 4 + 1) for i in range(400)])
    train, _ = hold_out_records(joined(many, np.array([5, 6, 7]), 3, 0), 16, specials=2, seed=0, facts={})
    batches = Batches(train, Masking(0.5, 4, np.array([5, 6, 7])), "mlm", 2, 3, 0)
    for step in range(20):
        batch = batches.at(step, rows=8, length=16)
        assert set(batch.wanted.tolist()) <= {5, 6, 7}
        inside = batch.ids[:, 1:-1]
        assert (inside == 3).any()
        assert ((inside[:, 1:] != 3) | (inside[:, :-1] != 3)).all()  # no empty records


def test_whole_records_are_held_out_and_none_is_on_both_sides():
    numbers = Ragged.from_lists([[i] * 10 for i in range(500)])
    train, valid = hold_out_records(joined(numbers, np.arange(500) + 5, 3, 0), 16, specials=2, seed=0, facts={})
    seen = [set(part.values[part.starts[0] : part.ends[0]].tolist()) - {3} for part in (train, valid)]
    assert not seen[0] & seen[1]
    assert len(seen[0]) + len(seen[1]) == 500
    assert len(seen[1]) == 25  # 5 % of a small set
    assert valid.facts["part"] == "25 of 500 records, drawn at random"
    assert (train.facts["documents"], train.facts["tokens"]) == (475, 475 * 11 - 1)


@pytest.mark.parametrize("records", [1, 2, 3])
def test_of_a_genome_the_end_is_held_out(records):
    lengths = [100_000] + [7] * (records - 1)
    store = joined(Ragged.from_lists([[1] * n for n in lengths]), np.arange(5) + 5, 3, 0)
    train, valid = hold_out_records(store, 32, specials=2, seed=0, facts={})
    assert 4000 < valid.tokens < 6000
    assert train.tokens + valid.tokens > 99_000
    assert valid.batch(0, 4, 30).tokens.shape == (4, 30)


@pytest.mark.parametrize("symbols", [1, 20, 58, 59, 60, 61, 62, 100])
def test_either_part_fills_the_longest_sequence_or_it_is_said(symbols):
    store = joined(Ragged.from_lists([[1] * symbols]), np.arange(5) + 5, 3, 0)
    if symbols < 61:
        with pytest.raises(DataError, match="do not fill one sequence of 32 positions"):
            hold_out_records(store, 32, specials=2, seed=0, facts={})
    else:
        for part in hold_out_records(store, 32, specials=2, seed=0, facts={}):
            assert part.batch(0, 2, 30).tokens.shape == (2, 30)


def test_lengths_follow_the_records():
    usual = Pretraining()
    assert fitted(usual, np.array([20] * 9 + [400])).lengths == (16, 32)
    assert fitted(usual, np.array([10] * 5)).lengths == (16,)
    assert fitted(usual, np.array([400] * 5)).lengths == usual.lengths
    assert fitted(usual, np.array([30] * 5)).lengths == (16, 32)
    assert fitted(usual, np.array([31] * 5)).lengths == (16, 32, 64)
    assert fitted(usual, np.array([31] * 5)).shares == usual.shares[:3]


def test_it_becomes_a_backbone_in_which_each_symbol_has_its_own_row(proteins, tmp_path, said):
    out = pretrain([proteins], tmp_path / "bert")
    model, tokenizer = AutoModelForMaskedLM.from_pretrained(out), AutoTokenizer.from_pretrained(out)
    letters = make_adapter("protein").alphabet.symbols
    assert model.config.vocab_size == 5 + len(letters)
    assert tokenizer("ACd")["input_ids"] == [2, 5, 6, 7, 3]
    made = told(out)
    vocabulary = Vocabulary.of(tokenizer)
    assert (made["vocabulary"], made["vocabulary_sha256"]) == (27, vocabulary.sha256)
    assert made["data"]["train"]["documents"] + made["data"]["validation"]["documents"] == 300
    card = (out / "README.md").read_text()
    for fact in ("p.fasta", vocabulary.sha256, "--domain protein --backbone THIS-FOLDER --mapping own",
                 f"xdomain pretrain sequences {shlex.quote(str(proteins))}"):  # fmt: skip
        assert fact in card
    assert any("median" in line and "held out: " in line for line in said)

    rng = np.random.default_rng(1)
    records = ["".join(rng.choice(WORDS, 3)) for _ in range(40)]
    result = xdomain.run(data=(records, [r[0] for r in records]), domain="protein", backbone=str(out),
                         out=tmp_path / "r", mapping="identity", overrides=["train.max_steps=2"])  # fmt: skip
    mapping = json.loads((result.folder / "mapping.json").read_text())
    assert mapping["pieces"] == mapping["symbols"] == list(letters)
    assert TokenMapping.load(out / "mapping.json").ids.tolist() == mapping["ids"]


def test_the_same_bytes_twice_and_after_an_interruption(proteins, tmp_path, said, listen):
    class StopError(Exception):
        pass

    def stop(line):
        if line.startswith("validation at"):
            raise StopError

    with pytest.raises(StopError), listen(stop):
        pretrain([proteins], tmp_path / "cut")
    with pytest.raises(OutputError, match="domain: "):
        pretrain([proteins], tmp_path / "cut", "speech")
    with pytest.raises(OutputError, match="fit lengths: true there, false now"):
        pretrain([proteins], tmp_path / "cut", fit_lengths=False)
    cut = pretrain([proteins], tmp_path / "cut")
    assert any("from step 8" in line for line in said)
    whole = pretrain([proteins], tmp_path / "whole")
    assert (cut / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    other = pretrain([proteins], tmp_path / "other", options=replace(TINY, seed=1))
    weights = [load_file(folder / "model.safetensors") for folder in (cut, other)]
    assert not any(torch.equal(weights[0][name], weights[1][name]) for name in weights[0] if "query.weight" in name)


def test_tables_and_kmers_are_read_and_repeated_records_once(tmp_path, said):
    rng = np.random.default_rng(0)
    rows = ["".join(rng.choice(list("ACGT"), 40)) for _ in range(60)]
    path = tmp_path / "d.csv"
    path.write_text("name,strand,kind\n" + "".join(f"n{i},{row},x\n" for i, row in enumerate([*rows, *rows[:7], "--"])))
    out = pretrain([path], tmp_path / "bert", "dna", overrides=["adapter.options.tokens=kmer", "adapter.options.k=3"],
                   columns={"sequence": "strand"})  # fmt: skip
    made = told(out)
    assert made["vocabulary"] == 5 + 4**3 + 1
    assert made["adapter"] == {"name": "dna", "options": {"tokens": "kmer", "k": 3}}
    assert made["data"]["train"]["counts"]["repeated_records"] == 7
    assert made["data"]["train"]["documents"] + made["data"]["validation"]["documents"] == 60
    assert any("7 of 68 records are left out: repeated records" in line for line in said)
    assert "--set adapter.options.tokens=kmer --set adapter.options.k=3" in (out / "README.md").read_text()
    assert AutoTokenizer.from_pretrained(out)("ACG CGT")["input_ids"] == [2, 5 + 0b000110, 5 + 0b011011, 3]


def test_units_and_midi_are_read(tmp_path):
    pytest.importorskip("symusic", reason="symusic, the extra music, is not installed")
    rng = np.random.default_rng(0)
    units = tmp_path / "u.csv"
    lines = [f"u{i},{' '.join(map(str, rng.integers(20, size=30)))}\n" for i in range(60)]
    units.write_text("id,sequence\n" + "".join(lines))
    out = pretrain([units], tmp_path / "speech", "speech", overrides=["adapter.options.units=20"])
    assert AutoTokenizer.from_pretrained(out)("19 0")["input_ids"] == [2, 24, 5, 3]
    music: Any = make_adapter("music")
    folder = tmp_path / "pieces" / "deep"
    folder.mkdir(parents=True)
    for i in range(30):
        music.to_midi(rng.integers(20, 60, size=20), folder / f"{i}.mid")
    out = pretrain([tmp_path / "pieces"], tmp_path / "music", "music")
    made = told(out)
    assert [file["name"] for file in made["data"]["train"]["files"]] == ["30 files, such as 0.mid"]
    mapping = make_mapping(music.alphabet, Vocabulary.of(AutoTokenizer.from_pretrained(out)), strategy="identity")
    assert mapping.pieces == music.alphabet.symbols


@pytest.mark.parametrize(
    ("content", "error"),
    [("ACDE1", "'1' at position 5"), ("----", "no record of .* has symbols"), ("ACDE", "do not fill one sequence")],
)
def test_bad_records_are_named_and_nothing_is_left(content, error, tmp_path):
    path = tmp_path / "bad.fasta"
    path.write_text(f">a\n{content}\n")
    with pytest.raises(DataError, match=error):
        pretrain([path], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_meant_is_refused_before_anything_is_written(proteins, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(RecipeError, match="unknown domain 'protien'"):
        pretrain([proteins], out, "protien")
    with pytest.raises(RecipeError, match=r"(?s)domain text.*pretrain text"):
        pretrain([proteins], out, "text")
    with pytest.raises(RecipeError, match=r'overrides=\["train\.epochs=3"\]'):
        pretrain([proteins], out, overrides=["train.epochs=3"])
    with pytest.raises(RecipeError, match=r"(?s)p\.fast does not exist.*p\.fasta"):
        pretrain([proteins.with_name("p.fast")], out)
    with pytest.raises(RecipeError, match="is a folder"):
        pretrain([tmp_path], out)
    with pytest.raises(RecipeError, match="no file was named"):
        pretrain([], out)
    with pytest.raises(RecipeError, match="sequences with a tokenizer"):
        pretrain([proteins], out, options=Pretraining(tokenizer="x"))
    assert not out.exists()
