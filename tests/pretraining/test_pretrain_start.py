"""Going on from a checkpoint: what comes over, what is drawn and said, and that runs find the trained rows."""

import json
import shlex
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from families import POSITIONS, ROWS, save_backbone
from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer, BertForMaskedLM

import xdomain
from xdomain.core.errors import BackboneError, OutputError, RecipeError
from xdomain.core.plugins import make_adapter
from xdomain.model.backbone import load_backbone
from xdomain.model.vocabulary import Vocabulary
from xdomain.pretraining.api import pretrain_synthetic, pretrain_text
from xdomain.pretraining.config import Pretraining
from xdomain.pretraining.model import HEADS, mlm_logits, states
from xdomain.pretraining.own_vocabulary import symbol_tokenizer
from xdomain.pretraining.sequences import pretrain_sequences
from xdomain.pretraining.start import shaped, started_model

SHORT = Pretraining(lengths=(8, 16), shares=(1, 1), tokens=1024, batch_tokens=128, save_every=4)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Runs that draw no picture and are scored on a few records."""
    monkeypatch.setattr("xdomain.pretraining.train.plot_pretraining", lambda *_, path, **__: path.touch())
    monkeypatch.setattr("xdomain.pretraining.engine.VALIDATION_TOKENS", 128)


@pytest.fixture
def dna(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "d.fasta"
    path.write_text("".join(f">r{i}\n{''.join(rng.choice(list('ACGT'), 40))}\n" for i in range(100)))
    return path


def started(folder, tokenizer=None, **options) -> tuple[Any, Pretraining]:
    start: Any = load_backbone(str(folder))
    plan = shaped(replace(SHORT, start=str(folder), **options), start)
    torch.manual_seed(plan.seed)
    return started_model(plan, start, tokenizer or start.tokenizer), plan


def test_with_the_same_vocabulary_every_weight_comes_over(tiny_bert, said):
    model, plan = started(tiny_bert)
    whole = BertForMaskedLM.from_pretrained(tiny_bert).state_dict()
    assert all(torch.equal(value, whole[name]) for name, value in model.state_dict().items())
    assert (plan.layers, plan.width, plan.heads, plan.positions) == (2, 32, 2, "learned")
    assert said[-1] == f"going on from {tiny_bert} (2 layers × 32, 2 heads); its word rows are kept"


def test_with_another_vocabulary_the_body_comes_over_and_word_rows_are_drawn(tiny_bert, said):
    tokenizer = symbol_tokenizer(make_adapter("protein"))
    model, _ = started(tiny_bert, tokenizer, lengths=(8, 160), batch_tokens=160)
    old, new = BertForMaskedLM.from_pretrained(tiny_bert).state_dict(), model.state_dict()
    assert len(model.get_input_embeddings().weight) == model.config.vocab_size == len(tokenizer) == 27
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    positions = "bert.embeddings.position_embeddings.weight"
    assert torch.equal(new[positions][:64], old[positions])
    rows = {"bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight", "cls.predictions.decoder.bias",
            "cls.predictions.bias", positions}  # fmt: skip
    assert all(torch.equal(value, old[name]) for name, value in new.items() if name not in rows)
    assert not torch.equal(new["bert.embeddings.word_embeddings.weight"][:27],
                           old["bert.embeddings.word_embeddings.weight"][:27])  # fmt: skip
    assert "word rows are drawn anew" in said[-1]
    assert "96 position rows are added" in said[-1]


def test_the_first_stage_has_no_position_as_it_was_drawn(tiny_bert):
    model, _ = started(tiny_bert, lengths=(80, 160), batch_tokens=160)
    rows = model.bert.embeddings.position_embeddings.weight
    assert torch.equal(rows[64:80], rows[1:17])
    fresh, _ = started(tiny_bert, lengths=(80, 160), batch_tokens=160, grow="fresh")
    assert not torch.equal(fresh.bert.embeddings.position_embeddings.weight[64:80], rows[64:80])


def test_the_order_of_segments_may_be_learned_from_a_masked_lm(tiny_bert, said):
    model, _ = started(tiny_bert, objective="mlm+sop")
    assert model.cls.seq_relationship.weight.shape == (2, 32)
    old = BertForMaskedLM.from_pretrained(tiny_bert).state_dict()
    assert all(torch.equal(model.state_dict()[name], value) for name, value in old.items())
    assert "tensors of the head that it lacks are drawn (4, such as bert.pooler.dense.bias)" in said[-1]


@pytest.mark.parametrize("family", sorted(HEADS))
def test_the_head_of_every_family_is_computed_at_chosen_positions_alone(family, tmp_path, said):
    save_backbone(family, tmp_path)
    model, plan = started(tmp_path)
    assert plan.positions == ("rotary" if family == "modernbert" else "learned")
    assert "tensors of the head that it lacks are drawn" in said[-1]
    base = AutoModel.from_pretrained(tmp_path).state_dict()
    body = model.base_model.state_dict()
    assert all(torch.equal(value, base[name]) for name, value in body.items())
    ids = torch.from_numpy(np.random.default_rng(0).integers(5, ROWS, (3, POSITIONS)))
    model.eval()
    with torch.no_grad():
        expected = model(input_ids=ids).logits[:, [2, 7]]
        computed = mlm_logits(model, states(model, ids, None)[:, [2, 7]].flatten(0, 1))
    torch.testing.assert_close(computed.view(3, 2, ROWS), expected)
    again, _ = started(tmp_path)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())


def test_the_rows_that_were_trained_are_those_of_a_run_with_the_same_mapping(tiny_bert, dna, tmp_path):
    out = pretrain_sequences([dna], tmp_path / "bert", domain="dna", mapping_seed=3,
                             options=replace(SHORT, start=str(tiny_bert), learning_rate=1e-2))  # fmt: skip
    made = json.loads((out / "pretraining.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(out)
    assert tokenizer.get_vocab() == AutoTokenizer.from_pretrained(tiny_bert).get_vocab()
    mapping = json.loads((out / "mapping.json").read_text())
    assert made["mapping"] == {"strategy": "random", "seed": 3, "sha256": mapping["sha256"]}
    assert made["vocabulary_sha256"] == mapping["vocabulary_sha256"] == Vocabulary.of(tokenizer).sha256
    card = (out / "README.md").read_text()
    assert f"went on from {tiny_bert}" in card
    assert "--backbone THIS-FOLDER --mapping random --mapping-seed 3" in card
    assert f"--from {shlex.quote(str(tiny_bert))}" in card
    assert "--layers" not in card

    masked = torch.tensor([[2, *mapping["ids"], 4, 3]])
    places = [AutoModelForMaskedLM.from_pretrained(folder)(masked).logits[0, -2].topk(5).indices.tolist()
              for folder in (tiny_bert, out)]  # fmt: skip
    letters = set(mapping["ids"][:4])  # there is no N in the records
    assert not letters <= set(places[0])
    assert letters <= set(places[1])

    records = [record for record in dna.read_text().split("\n") if record and record[0] != ">"]
    result = xdomain.run(data=(records, [r[0] for r in records]), domain="dna", backbone=str(out), mapping_seed=3,
                         out=tmp_path / "r", overrides=["train.max_steps=2"])  # fmt: skip
    assert json.loads((result.folder / "mapping.json").read_text())["ids"] == mapping["ids"]


def test_made_up_first_then_text(tmp_path, said):
    options = replace(SHORT, layers=1, width=16, heads=2)
    made_up = pretrain_synthetic("flat:4", tmp_path / "made-up", options=options, symbols=50)
    book = tmp_path / "book.txt"
    words = np.random.default_rng(0).choice([a + b for a in "bcdfghjklm" for b in "aeiou"], 4000)
    book.write_text(" ".join(words))
    plan = replace(SHORT, start=str(made_up), vocabulary=60, lengths=(8, 32), save_every=4)
    out = pretrain_text([book], tmp_path / "text", options=plan)
    made = json.loads((out / "pretraining.json").read_text())
    assert (made["layers"], made["width"], made["vocabulary"], made["start"]) == (1, 16, 60, str(made_up))
    model = AutoModelForMaskedLM.from_pretrained(out)
    assert (model.config.vocab_size, model.config.max_position_embeddings) == (60, 32)
    assert any("word rows are drawn anew" in line and "16 position rows are added" in line for line in said)

    plan = replace(plan, start=str(out), tokenizer=str(out))
    pretrain_text([book], tmp_path / "more", options=plan)
    assert any("its word rows are kept" in line for line in said)


def test_an_interrupted_run_goes_on_from_the_same_checkpoint_alone(tiny_bert, dna, tmp_path, said, listen):
    class StopError(Exception):
        pass

    def stop(line):
        if line.startswith("validation at"):
            raise StopError

    plan = replace(SHORT, start=str(tiny_bert))
    with pytest.raises(StopError), listen(stop):
        pretrain_sequences([dna], tmp_path / "cut", domain="dna", options=plan)
    save_backbone("bert", tmp_path / "other")
    with pytest.raises(OutputError, match="start: "):
        pretrain_sequences([dna], tmp_path / "cut", domain="dna", options=replace(plan, start=str(tmp_path / "other")))
    with pytest.raises(OutputError, match="encoding: "):
        pretrain_sequences([dna], tmp_path / "cut", domain="dna", options=plan, mapping_seed=1)
    cut = pretrain_sequences([dna], tmp_path / "cut", domain="dna", options=plan)
    assert any("from step 4" in line for line in said)
    whole = pretrain_sequences([dna], tmp_path / "whole", domain="dna", options=plan)
    assert (cut / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_what_cannot_go_on_is_refused_before_anything_is_written(tiny_bert, dna, tmp_path):
    plan, out = replace(SHORT, start=str(tiny_bert)), tmp_path / "out"

    def pretrain(options=plan, **more):
        return pretrain_sequences([dna], out, domain="dna", options=options, **more)

    with pytest.raises(RecipeError, match=r"layers=3, but the checkpoint to go on from has layers 2"):
        pretrain(replace(plan, layers=3))
    with pytest.raises(RecipeError, match='positions="rotary", but'):
        pretrain(replace(plan, positions="rotary"))
    with pytest.raises(RecipeError, match="mapping learned for pre-training"):
        pretrain(mapping="learned")
    with pytest.raises(RecipeError, match="the row of a special token"):
        pretrain(mapping="block:0")
    with pytest.raises(RecipeError, match="mapping, but no checkpoint"):
        pretrain(SHORT, mapping="random")
    with pytest.raises(BackboneError, match="nowhere does not exist"):
        pretrain(replace(plan, start="./nowhere"))
    save_backbone("longformer", tmp_path / "long")
    with pytest.raises(BackboneError, match="is a longformer model"):
        pretrain(replace(plan, start=str(tmp_path / "long")))
    save_backbone("roberta", tmp_path / "roberta")
    with pytest.raises(RecipeError, match="sequences of 32 positions from a roberta model of 24"):
        pretrain(replace(plan, start=str(tmp_path / "roberta"), lengths=(8, 32)), fit_lengths=False)
    with pytest.raises(RecipeError, match=r"the objective mlm\+sop from a roberta model"):
        pretrain(replace(plan, start=str(tmp_path / "roberta"), objective="mlm+sop"))
    assert not out.exists()


def test_stages_that_a_family_has_no_positions_for_are_left_out(dna, tmp_path):
    save_backbone("roberta", tmp_path / "roberta")
    plan = replace(SHORT, start=str(tmp_path / "roberta"), lengths=(8, 16, 32), shares=(1, 1, 1), tokens=2048)
    out = pretrain_sequences([dna], tmp_path / "out", domain="dna", options=plan)
    made = json.loads((out / "pretraining.json").read_text())
    assert (made["lengths"], made["family"]) == ([8, 16], "roberta")
    assert AutoTokenizer.from_pretrained(out).model_input_names == ["input_ids", "attention_mask"]
