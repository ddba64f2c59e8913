"""Every family writes: a decoder alone, an encoder with a fresh decoder and, where there is one, with a warm one."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from families import CONFIGS, DECODERS, LIKE_OTHERS, save_backbone

from xdomain.core.plugins import make_adapter
from xdomain.core.recipe import recipe_from
from xdomain.core.safe_loading import load
from xdomain.data.dataset import encode_examples
from xdomain.data.outputs import joint_alphabet
from xdomain.model.families import architecture_of, auto_class_for
from xdomain.model.initialise import EncoderArm, build_model, transferred
from xdomain.model.make_mapping import make_mapping
from xdomain.model.sequence_model import CROSS_ATTENTION
from xdomain.model.tokenizer import layout_of
from xdomain.model.vocabulary import Vocabulary
from xdomain.training.device import Device
from xdomain.training.losses import count_labels, summed_loss
from xdomain.training.predict import forward, predict_scores
from xdomain.training.sequence_learner import fit_outputs, learn_to_write

CPU = Device("cpu", False, "asked for")
DNA, PROTEIN = make_adapter("dna", {}), make_adapter("protein", {})
TABLE = pa.table({"id": list("abcde"), "sequence": ["A", "CG", "TTTTT", "ACGT", "GGGGGGGG"],
                  "label": ["KLM", "K", "NNNN", "LK", "M"]})  # fmt: skip
CASES = [(family, "fresh") for family in CONFIGS] + [(family, "warm") for family in CROSS_ATTENTION]


def marked(case):
    slow = case[0] in LIKE_OTHERS or (case[0] not in ("bert", "roberta", "gpt2", "llama", "modernbert"))
    return pytest.param(case, id="-".join(case), marks=[pytest.mark.slow] if slow else [])


def recipe_with(decoder, beams=1):
    return recipe_from(
        {
            "name": "dna/x", "title": "x", "source": {"files": {"data": "x.csv"}}, "adapter": {"name": "dna"},
            "target": {"name": "protein"}, "problem": "sequence", "train": {"decoder": decoder, "beams": beams},
        },
        where="a test",
    )  # fmt: skip


def made(backbone, decoder, beams=1, init="pretrained"):
    recipe = recipe_with(decoder, beams)
    examples = encode_examples(TABLE, DNA, "sequence", np.full(5, "train"), target=PROTEIN)
    layout = layout_of(backbone.tokenizer)
    mapping = make_mapping(joint_alphabet(DNA, PROTEIN)[0], Vocabulary.of(backbone.tokenizer))
    model: Any = build_model(backbone, EncoderArm(init), problem="sequence", classes=(), seed=0, decoder=decoder)
    windows = fit_outputs(recipe, backbone, examples, layout, 24)
    collate, _ = learn_to_write(recipe, backbone, model, examples, mapping.ids.astype(np.int64), layout, windows)
    return model, collate


@pytest.mark.parametrize("case", [marked(case) for case in CASES])
def test_a_family_learns_to_write_and_is_read_back(case, tmp_path):
    family, decoder = case
    backbone = save_backbone(family, tmp_path / "backbone")
    model, collate = made(backbone, decoder)
    counted = transferred(backbone, EncoderArm(), model, decoder=decoder)["tensors_from_checkpoint"]
    assert (counted > len(backbone.tensors)) == (decoder == "warm")
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses: list[float] = []
    for _ in range(12):
        batch = collate(range(5))
        loss = summed_loss("sequence", forward(model, batch), batch) / count_labels(batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.3
    records = np.arange(5)
    together = predict_scores(model, collate, records, device=CPU, batch_size=5)
    apart = predict_scores(model, collate, records, device=CPU, batch_size=1)
    np.testing.assert_allclose(together, apart, atol=2e-4)
    model.save_pretrained(tmp_path / "model")
    again = load(
        auto_class_for("sequence", "decoder" if family in DECODERS else "encoder").__name__, tmp_path / "model"
    )
    read = predict_scores(again, collate, records, device=CPU, batch_size=5)
    np.testing.assert_allclose(read, together, atol=2e-4)


@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_the_chance_of_an_output_is_that_of_teacher_forcing(family, tmp_path):
    """What is written is fed again, and the chances of its symbols among all that may come out are multiplied."""
    model, collate = made(save_backbone(family, tmp_path / "backbone"), "fresh")
    scores = predict_scores(model, collate, np.arange(5), device=CPU, batch_size=5)
    written = [row[row >= 0].astype(int) for row in scores[:, 1:]]
    texts = [PROTEIN.decode(one) for one in written]
    fed = TABLE.set_column(2, "label", pa.array([text or "K" for text in texts]))
    examples = encode_examples(fed, DNA, "sequence", np.full(5, "train"), target=PROTEIN)
    collate = type(collate)(examples, None, collate.rows, collate.layout, collate.windows, prefix=collate.prefix)
    batch = collate(range(5))
    with torch.no_grad():
        logits = forward(model, batch)
    kept = torch.tensor([*collate.target_rows.tolist(), model.generation_config.eos_token_id])
    most = model.generation_config.max_new_tokens - 1
    for record, text in enumerate(texts):
        labels = batch["labels"][record]
        places = (labels != -100).nonzero()[:, 0][:most]  # the end after the longest output is no choice
        chances = logits[record, places][:, kept].log_softmax(-1)
        wanted = [int((kept == row).nonzero()[0]) for row in labels[places]]
        if text:
            expected = sum(chances[i, place].item() for i, place in enumerate(wanted))
            assert scores[record, 0] == pytest.approx(expected, abs=1e-4)


def test_beams_find_outputs_that_are_as_probable_or_more(tmp_path):
    backbone = save_backbone("bert", tmp_path / "backbone")
    greedy, beamed = (
        predict_scores(*made(backbone, "fresh", beams), np.arange(5), device=CPU, batch_size=5) for beams in (1, 4)
    )
    length = [(row[1:] >= 0).sum() + 1 for row in (*greedy, *beamed)]
    per_symbol = np.concatenate([greedy[:, 0], beamed[:, 0]]) / length
    assert (per_symbol[5:] >= per_symbol[:5] - 1e-4).all()  # a search compares by the mean of a symbol


@pytest.mark.parametrize("decoder", ["fresh", "warm"])
def test_arms_differ_in_what_comes_from_the_checkpoint(decoder, tmp_path):
    backbone = save_backbone("bert", tmp_path / "backbone")
    models = {init: made(backbone, decoder, init=init)[0] for init in ("pretrained", "scratch", "shuffled", "reembed")}
    name = "embeddings.word_embeddings.weight"
    tables = {init: model.encoder.state_dict()[name] for init, model in models.items()}
    assert torch.equal(tables["pretrained"], backbone.tensors[name])
    assert torch.equal(tables["scratch"], tables["reembed"])
    assert torch.equal(tables["shuffled"].flatten().sort().values, tables["pretrained"].flatten().sort().values)
    assert not torch.equal(tables["shuffled"], tables["pretrained"])
    decoders = {init: model.decoder.base_model.state_dict()[name] for init, model in models.items()}
    assert torch.equal(decoders["pretrained"], decoders["scratch"]) == (decoder == "fresh")
    added = [key for key in models["scratch"].state_dict() if "crossattention" in key]
    for model in models.values():
        assert all(torch.equal(model.state_dict()[key], models["scratch"].state_dict()[key]) for key in added)


def test_decoders_are_all_families_that_are_no_encoders():
    assert {family for family in CONFIGS if architecture_of(CONFIGS[family]) == "decoder"} == set(DECODERS)
