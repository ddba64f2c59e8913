"""A head on a frozen body that was read once is the head on a body that is read at every step, without its dropout."""

from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from families import CONFIGS, POSITIONS, save_backbone
from torch import nn

import xdomain
from xdomain.core.run_dir import read_history
from xdomain.model.families import auto_class_for
from xdomain.model.frozen_body import body_is_frozen, states_as_inputs, states_of, without_dropout_in_body
from xdomain.model.tuning import freeze_for

FAST = ("train.max_steps=9", "split.limit.train=40", "split.limit.valid=16", "split.limit.test=16",
        "train.precision=fp32", "train.learning_rate=1e-2", "train.evaluations=3")  # fmt: skip
FAMILIES = ("albert", "bert", "distilbert", "electra", "modernbert", "roberta")


@pytest.fixture
def slow(monkeypatch):
    """Read the body at every step; the list grows with each run."""
    asked = []

    def never(model, recipe):
        asked.append(body_is_frozen(model))
        return False

    return lambda: monkeypatch.setattr("xdomain.training.frozen_states.can_be_read_once", never) or asked


def read_once(lines):
    return any("read once" in line for line in lines)


def same(quick, stock):
    courses = [list(read_history(run.folder)) for run in (quick, stock)]
    assert [row["step"] for row in courses[0]] == [row["step"] for row in courses[1]]
    losses = [[row["loss"] for row in course if row.get("loss")] for course in courses]
    assert len(losses[0]) > 2
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    tables = [pq.read_table(run.folder / "predictions.parquet") for run in (quick, stock)]
    assert tables[0].column_names == tables[1].column_names
    for name in tables[0].column_names:
        one, other = (table[name].to_numpy() for table in tables)
        if one.dtype.kind == "f":
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
        else:
            assert one.tolist() == other.tolist()


@pytest.mark.parametrize(
    ("task", "options", "more"),
    [
        ("toy/dna-classification", {"tune": "head"}, ["train.max_length=12", "train.gradient_accumulation_steps=2"]),
        ("toy/dna-classification", {"tune": "mix"}, ["class_balance=batches", "train.patience=1"]),
        ("toy/dna-regression", {"tune": "mix"}, ["train.max_length=12"]),
        ("toy/dna-pair", {"tune": "head", "init": "scratch"}, ["class_balance=weights"]),
    ],
)
def test_a_run_is_the_same_whether_its_body_is_read_once_or_always(
    task, options, more, tiny_bert, tmp_path, slow, listen
):
    options |= {"overrides": [*FAST, *more], "backbone": str(tiny_bert)}
    lines: list[str] = []
    with listen(lines.append):
        quick = xdomain.run(task, out=tmp_path / "quick", **options)
    assert read_once(lines)
    assert not (quick.folder / "checkpoints").exists()
    asked = slow()
    stock = xdomain.run(task, out=tmp_path / "stock", **options)
    assert asked == [True]
    same(quick, stock)


def test_many_states_lie_in_a_file_of_the_run_while_it_trains(tiny_bert, tmp_path, monkeypatch, listen):
    options: Any = {"overrides": FAST, "backbone": str(tiny_bert), "tune": "head"}
    small = xdomain.run("toy/dna-classification", out=tmp_path / "small", **options)
    monkeypatch.setattr("xdomain.training.frozen_states.IN_MEMORY", 0)
    sizes = []

    def look(line):
        if line.startswith("step 3/"):
            sizes.append((tmp_path / "large" / "checkpoints" / "states-0.npy").stat().st_size)

    with listen(look):
        large = xdomain.run("toy/dna-classification", out=tmp_path / "large", **options)
    assert sizes == [128 + 4 * (40 + 16) * 32]  # a header of 128 bytes; train and valid, 32 numbers each
    assert not (large.folder / "checkpoints").exists()
    same(small, large)


def test_an_interrupted_run_ends_the_same(tiny_bert, tmp_path, listen):
    options: Any = {"overrides": FAST, "backbone": str(tiny_bert), "tune": "head"}
    whole = xdomain.run("toy/dna-classification", out=tmp_path / "whole", **options)

    def stop(line):
        if line.startswith("step 6/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), listen(stop):
        xdomain.run("toy/dna-classification", out=tmp_path / "cut", **options)
    again = xdomain.run("toy/dna-classification", out=tmp_path / "cut", resume=True, **options)
    assert pq.read_table(again.folder / "predictions.parquet").equals(
        pq.read_table(whole.folder / "predictions.parquet")
    )


@pytest.mark.parametrize(
    ("task", "options", "more"),
    [
        ("toy/dna-tagging", {"tune": "head"}, []),
        ("toy/dna-classification", {"tune": "head"}, ["train.augment=reverse_complement"]),
        ("toy/dna-classification", {"tune": "head", "mapping": "learned"}, []),
        ("toy/dna-classification", {"tune": "norms"}, []),
    ],
)
def test_what_may_change_is_read_at_every_step(task, options, more, tiny_bert, tmp_path, listen):
    lines: list[str] = []
    with listen(lines.append):
        xdomain.run(task, out=tmp_path / "run", overrides=[*FAST, *more], backbone=str(tiny_bert), **options)
    assert not read_once(lines)


@pytest.mark.parametrize("tune", ["head", "mix"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_head_on_states_is_the_model_on_its_inputs(family, tune):
    torch.manual_seed(0)
    given = CONFIGS[family].to_dict() | {"num_labels": 3, "classifier_pooling": "cls"}
    model = auto_class_for("classification").from_config(type(CONFIGS[family]).from_dict(given))
    freeze_for(model, tune)
    ids = torch.randint(5, 80, (4, POSITIONS))
    stock = model.eval()(input_ids=ids).logits
    states = states_of(model, {"input_ids": ids}).clone()
    assert states.shape == (4, 3 if tune == "mix" else 1, 32)
    with states_as_inputs(model):
        logits = model(inputs_embeds=states).logits
        logits.square().sum().backward()
    torch.testing.assert_close(logits, stock, rtol=1e-4, atol=1e-6)
    got = {name for name, value in model.named_parameters() if value.grad is not None}
    assert got == {name for name, value in model.named_parameters() if value.requires_grad}
    torch.testing.assert_close(model(input_ids=ids).logits, stock)


def test_only_the_body_is_without_dropout(tmp_path):
    backbone = save_backbone("bert", tmp_path)
    model = auto_class_for("classification").from_config(backbone.config)
    freeze_for(model, "head")
    ids = torch.randint(5, 80, (4, POSITIONS))
    drops = {"body": [], "head": []}
    for name, part in model.named_modules():
        if isinstance(part, nn.Dropout):
            drops["body" if name.startswith("bert.") else "head"].append(part)
    with without_dropout_in_body(model):
        model.train()(input_ids=ids)
        assert not any(part.training for part in drops["body"])
        assert all(part.training for part in drops["head"])
    model.train()(input_ids=ids)
    assert all(part.training for parts in drops.values() for part in parts)


def test_a_body_is_frozen_where_nothing_below_the_head_is_trained(tmp_path):
    backbone = save_backbone("bert", tmp_path)
    frozen = {}
    for tune in ("full", "head", "mix", "norms", "bottleneck"):
        model = auto_class_for("classification").from_config(backbone.config)
        frozen[tune] = body_is_frozen(freeze_for(model, tune))  # pyright: ignore[reportArgumentType]
    assert frozen == {"full": False, "head": True, "mix": True, "norms": False, "bottleneck": False}
