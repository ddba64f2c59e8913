"""The last layer at the first position alone: the stock model's logits and gradients, nothing else changed."""

import copy
from contextlib import nullcontext
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from test_initialise import CONFIGS
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from transformers import EsmConfig, EsmForSequenceClassification

import xdomain
from xdomain.core.run_dir import read_history
from xdomain.model.families import auto_class_for
from xdomain.model.last_layer import last_layer_at_first_position, reads_first_position
from xdomain.model.layer_mix import insert_mix
from xdomain.model.tuning import freeze_for

FAMILIES = ("albert", "bert", "distilbert", "electra", "modernbert", "roberta")
EXACT = ("train.max_steps=6", "split.limit.train=48", "split.limit.valid=16", "split.limit.test=16",
         "train.precision=fp32", "train.evaluations=2", "train.hidden_dropout=0")  # fmt: skip
PARTED = (*EXACT, "train.max_length=12", "train.gradient_accumulation_steps=2")


def fresh(family, problem: Any = "classification", kernel=None, layers=3, scale=6, **options):
    """Without dropout, with large weights, so that what a position reads of the others matters, in double precision."""
    torch.manual_seed(0)
    given = CONFIGS[family].to_dict() | {"num_labels": 3, "classifier_pooling": "cls", "num_hidden_layers": layers}
    given |= {"distilbert": {"n_layers": layers}, "longformer": {"attention_window": [4] * layers}}.get(family, {})
    given.pop("layer_types", None)
    config = type(CONFIGS[family]).from_dict(given | options)
    model = auto_class_for(problem).from_config(config, attn_implementation=kernel)
    for value in model.parameters():
        value.data *= scale if value.ndim > 1 else 1
    for part in model.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    return model.double().eval()


def batch(lengths=(11, 3, 7)):
    ids = torch.randint(5, 60, (len(lengths), max(lengths)), generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    ids[:, 0] = 2
    return {"input_ids": ids, "attention_mask": mask}


def near(quick, stock, family):
    rounding = 1e-4 if family == "modernbert" else 1e-8  # which rotates in single precision
    torch.testing.assert_close(quick, stock, rtol=rounding, atol=rounding * (1e-3 + float(stock.abs().max())))


def positions(model):
    return model.base_model(**batch()).last_hidden_state.shape[1]


@pytest.mark.parametrize("kernel", ["eager", "sdpa"])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("family", FAMILIES)
def test_logits_and_gradients_are_those_of_the_stock_model(family, layers, kernel):
    model = fresh(family, kernel=kernel, layers=layers)
    for lengths in ((11, 3, 7), (6, 6)):  # with padding and without, where there is no mask
        found = []
        for context in (nullcontext, last_layer_at_first_position):
            model.zero_grad()
            with context(model):
                logits = model(**batch(lengths)).logits
                (logits**2).sum().backward()
            found.append([logits.detach(), *(p.grad for p in model.parameters() if p.grad is not None)])
        assert found[0][0].std(0).max() > 0.01  # records do differ
        assert len(found[0]) == len(found[1])
        for stock, quick in zip(*found, strict=True):
            near(quick, stock, family)


@pytest.mark.parametrize("family", FAMILIES)
def test_training_takes_the_same_course(family):
    courses = []
    for context in (nullcontext, last_layer_at_first_position):
        model = fresh(family, scale=2).float().train()
        optimizer, losses = torch.optim.SGD(model.parameters(), 1e-3), []
        with context(model):
            for step in range(5):
                loss = model(**batch((11, 3, 7 + step)), labels=torch.tensor([0, 1, 2])).loss
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                losses.append(loss.item())
        courses.append(losses)
    assert len(set(courses[0])) == 5
    np.testing.assert_allclose(courses[1], courses[0], rtol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_within_the_context_alone_one_position_is_computed(family):
    model = fresh(family)
    names = list(model.state_dict())
    assert reads_first_position(model)
    with pytest.raises(KeyError), last_layer_at_first_position(model):
        assert positions(model) == 1
        assert list(model.state_dict()) == names
        raise KeyError
    assert positions(model) == 11
    assert len(model.base_model(**batch(), output_hidden_states=True).hidden_states) == 4


@pytest.mark.parametrize("family", FAMILIES)
def test_every_dropout_of_the_last_layer_still_drops(family):
    model = fresh(family, layers=1).train()
    drops = [m for m in (model.base_model.encoder if hasattr(model.base_model, "encoder") else model).modules()
             if isinstance(m, nn.Dropout)]  # fmt: skip
    with last_layer_at_first_position(model), torch.no_grad():
        assert torch.equal(model(**batch()).logits, model(**batch()).logits)
        for drop in drops:
            drop.p = 0.5
            if family == "albert" and drop is model.base_model.encoder.albert_layer_groups[0].albert_layers[0].dropout:
                continue  # which the stock model does not use either
            assert not torch.equal(model(**batch()).logits, model(**batch()).logits)
            drop.p = 0.0


@pytest.mark.parametrize(
    ("family", "problem", "options"),
    [
        *((family, "tagging", {}) for family in FAMILIES),
        ("bert", "span", {}),
        ("longformer", "classification", {}),
        ("modernbert", "classification", {"classifier_pooling": "mean"}),
        ("bert", "classification", {"is_decoder": True}),
    ],
)
def test_models_that_read_more_are_left_as_they_are(family, problem, options):
    model = fresh(family, problem, **options)
    assert not reads_first_position(model)
    with last_layer_at_first_position(model):
        assert positions(model) > 1


def test_a_mix_of_layers_and_unknown_families_are_left_as_they_are():
    mixed = fresh("bert").float()
    insert_mix(mixed)
    config = EsmConfig(vocab_size=60, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
                       position_embedding_type="rotary", pad_token_id=1, mask_token_id=4)  # fmt: skip
    for model in (mixed, EsmForSequenceClassification(config)):
        with last_layer_at_first_position(model):
            assert positions(model) == 11


@pytest.mark.parametrize("tune", ["norms", "bottleneck", "lora"])
@pytest.mark.parametrize("family", ["albert", "bert", "distilbert"])
def test_what_tuning_puts_into_layers_is_read(family, tune):
    stock = fresh(family)
    learner = freeze_for(stock, tune, seed=0).double()
    for name, value in learner.named_parameters():
        if value.requires_grad and value.ndim > 1 and "lora" in name:
            nn.init.normal_(value, generator=torch.Generator().manual_seed(len(name)))
    found = []
    for context in (nullcontext, last_layer_at_first_position):
        learner.zero_grad()
        with context(stock):
            assert positions(stock) == (11 if context is nullcontext else 1)
            learner(**batch()).logits.square().sum().backward()
        found.append({name: p.grad.clone() for name, p in learner.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys()
    for name, gradient in found[0].items():
        near(found[1][name], gradient, family)


def test_processes_that_share_a_batch_get_a_gradient_of_every_parameter(tmp_path):
    stock = fresh("bert")
    alone = copy.deepcopy(stock)
    alone(**batch()).logits.square().sum().backward()
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    try:
        shared = DistributedDataParallel(stock)
        for _ in range(2):  # a parameter without a gradient would stop the second
            stock.zero_grad()
            with last_layer_at_first_position(stock):
                shared(**batch()).logits.square().sum().backward()
    finally:
        torch.distributed.destroy_process_group()
    for one, other in zip(stock.parameters(), alone.parameters(), strict=True):
        near(one.grad, other.grad, "bert")


@pytest.mark.parametrize(
    ("task", "options"),
    [
        (
            "toy/dna-classification",
            {"overrides": PARTED},
        ),
        ("toy/dna-classification", {"tune": "lora"}),
        ("toy/dna-regression", {"mapping": "learned", "tune": "norms"}),
        ("toy/dna-pair", {"overrides": (*EXACT, "train.slice_vocabulary=false")}),
    ],
)
def test_a_run_is_the_same_with_it_and_without(task, options, tiny_bert, tmp_path, monkeypatch):
    if options.get("tune") == "lora":
        pytest.importorskip("peft")
    options = {"overrides": EXACT, "backbone": str(tiny_bert)} | options
    quick = xdomain.run(task, out=tmp_path / "quick", **options)
    used = []
    for place in ("train_encoder", "saved_encoder"):
        monkeypatch.setattr(f"xdomain.training.{place}.last_layer_at_first_position",
                            lambda model: used.append(model) or nullcontext())  # fmt: skip
    stock = xdomain.run(task, out=tmp_path / "stock", **options)
    assert used
    losses = [
        [row["loss"] for row in read_history(run.folder) if row.get("loss") is not None] for run in (quick, stock)
    ]
    assert losses[0]
    np.testing.assert_allclose(losses[0], losses[1], rtol=2e-6)
    tables = [pq.read_table(run.folder / "predictions.parquet") for run in (quick, stock)]
    for name in tables[0].column_names:
        one, other = (table[name].to_numpy() for table in tables)
        if one.dtype.kind == "f":
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
        else:
            assert one.tolist() == other.tolist()
    names = [{p.name for p in (run.folder / "model").iterdir()} for run in (quick, stock)]
    assert names[0] == names[1]


def test_embeddings_of_a_model_that_has_scored_are_those_of_all_positions(tiny_bert, tmp_path):
    run = xdomain.run("toy/dna-classification", overrides=EXACT, backbone=str(tiny_bert), out=tmp_path / "run")
    model: Any = run.model()
    before = model.embed(["ACGTACGT", "TTGA"])
    model.predict(["ACGTACGT", "TTGA"])
    np.testing.assert_array_equal(model.embed(["ACGTACGT", "TTGA"]), before)
