"""Runs on 475 records of one class and 25 of another, with and without class weights."""

import json
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_class_weight
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

import xdomain
from xdomain.baselines.kmer import STRENGTHS, features, fit_kmer
from xdomain.core.errors import RecipeError
from xdomain.core.sequences import Ragged
from xdomain.metrics.metrics import compute_metrics

SMALL = ("train.max_steps=40", "train.precision=fp32", "train.learning_rate=5e-3", "train.evaluations=1")


@pytest.fixture(scope="module")
def rare(tmp_path_factory):
    rng = np.random.default_rng(0)
    rows = []
    for i in range(500):
        label = "rare" if i < 25 else "common"
        letters = "ACGTTT" if label == "rare" else "ACGT"
        rows.append(f"{''.join(rng.choice(list(letters), 24))},{label}")
    path = tmp_path_factory.mktemp("rare") / "rare.csv"
    path.write_text("sequence,label\n" + "\n".join(rows))
    return path


def recall(result):
    row = next(row for row in result.values["per_class"]["test"] if row["class"] == "rare")
    return row["recall"]


@pytest.mark.parametrize("baseline", ["kmer", "cnn"])
def test_baselines_find_the_rare_class(rare, baseline, tmp_path):
    results = {
        balance: xdomain.run(
            data=str(rare), domain="dna", baseline=baseline, overrides=(f"class_balance={balance}",),
            out=tmp_path / balance,
        )
        for balance in ("none", "weights", "batches")
    }  # fmt: skip
    assert recall(results["weights"]) > recall(results["none"])
    assert recall(results["batches"]) > recall(results["none"])
    assert "class_weights" not in results["none"].values
    told = json.loads((tmp_path / "weights" / "result.json").read_text())
    assert told["class_balance"] == "weights"
    assert told["class_weights"] == pytest.approx({"common": 400 / 760, "rare": 400 / 40})


def test_weighted_kmers_are_those_of_scikit_learn():
    rng = np.random.default_rng(1)
    symbols = Ragged.from_lists([rng.integers(0, 4, 20) for _ in range(300)])
    labels = (rng.random(300) < 0.08).astype(np.int64)
    labels[:4] = [0, 1, 0, 1]
    split = np.array((["train"] * 2 + ["valid"]) * 100)
    fitted = fit_kmer(symbols, None, labels, split, 4, "classification", 2, 0, "matthews_correlation", "weights")
    seen = features(symbols, None, "classification", 4)
    train, valid = split == "train", split == "valid"
    twins = [
        LogisticRegression(C=c, max_iter=200, class_weight="balanced", random_state=0).fit(seen[train], labels[train])
        for c in STRENGTHS
    ]

    def judged(twin):
        scores = twin.predict_proba(seen[valid])
        return compute_metrics(["matthews_correlation"], labels[valid], scores, "classification")[
            "matthews_correlation"
        ]["value"]

    best = max(twins, key=judged)
    np.testing.assert_array_equal(fitted.scores(symbols).argmax(-1), best.predict(seen))


def test_an_encoder_finds_the_rare_class(rare, tiny_bert, tmp_path):
    found: dict[str, float] = {}
    for balance in ("none", "weights", "batches"):
        result = xdomain.run(
            data=str(rare), domain="dna", backbone=str(tiny_bert), out=tmp_path / balance,
            overrides=(*SMALL, f"class_balance={balance}"),
        )  # fmt: skip
        found[balance] = recall(result)
    assert found["weights"] > found["none"]
    assert found["batches"] > found["none"]


def test_values_have_no_classes_to_balance(tmp_path):
    with pytest.raises(
        RecipeError, match="class_balance: weights is for classification, pair, tagging or multilabel, not regression"
    ):
        xdomain.run("toy/dna-regression", overrides=("class_balance=weights",), out=tmp_path / "run")
    with pytest.raises(RecipeError, match="batches is for classification or pair, not tagging"):
        xdomain.run("toy/dna-tagging", overrides=("class_balance=batches",), out=tmp_path / "run")


def test_weights_are_those_of_a_plain_trainer(tiny_bert, tmp_path):
    """990 records of one class and 10 of the other: the run ends at the weights of a Trainer written by hand."""
    rng = np.random.default_rng(0)
    rows = [("".join(rng.choice(list("ACGT"), 12)), ["common", "rare"][i % 100 == 0]) for i in range(1000)]
    (tmp_path / "data.csv").write_text("sequence,label\n" + "\n".join(",".join(row) for row in rows))

    def learned(name, rate, balance="weights"):
        whole = ("train.max_steps=4", f"train.learning_rate={rate}", "train.warmup=0", "train.batch_size=800")
        plain = ("train.hidden_dropout=0", "train.precision=fp32", "train.evaluations=1", f"class_balance={balance}")
        return xdomain.run(data=tmp_path / "data.csv", domain="dna", backbone=str(tiny_bert), out=tmp_path / name,
                           overrides=(*whole, *plain))  # fmt: skip

    start, ours, unweighted = learned("start", 1e-12), learned("ours", 1e-3), learned("plain", 1e-3, "none")
    told = json.loads((ours.folder / "result.json").read_text())
    assert told["n"]["train"] == 800  # one batch, so that its order does not matter
    kept = set(pq.read_table(ours.folder / "predictions.parquet").column("id").to_pylist())  # of valid and test
    train = [row for number, row in enumerate(rows, 1) if str(number) not in kept]

    tokenizer = AutoTokenizer.from_pretrained(start.folder / "model")
    model = AutoModelForSequenceClassification.from_pretrained(start.folder / "model", dtype=torch.float32)
    model.config.hidden_dropout_prob = 0.0
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    labels = [label == "rare" for _, label in train]
    weights = torch.tensor(
        compute_class_weight("balanced", classes=np.array([False, True]), y=labels), dtype=torch.float
    )

    class Weighted(Trainer):
        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            outputs = model(**{name: value for name, value in inputs.items() if name != "labels"})
            loss = torch.nn.functional.cross_entropy(outputs.logits, inputs["labels"], weight=weights)
            return (loss, outputs) if return_outputs else loss

    read = tokenizer([sequence for sequence, _ in train])
    dataset: Any = [{**{key: read[key][i] for key in read}, "labels": int(labels[i])} for i in range(len(train))]
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "twin"), per_device_train_batch_size=800, max_steps=4, learning_rate=1e-3,
        weight_decay=0, use_cpu=True, report_to="none", save_strategy="no", disable_tqdm=True,
    )  # fmt: skip
    Weighted(model, arguments, DataCollatorWithPadding(tokenizer), dataset).train()
    mine, other = (load_file(one.folder / "model" / "model.safetensors") for one in (ours, unweighted))
    twin = {name: value.detach() for name, value in model.state_dict().items()}
    moved = max(float((mine[name] - other[name]).abs().max()) for name in mine)
    apart = max(float((mine[name] - twin[name]).abs().max()) for name in mine)
    assert apart < 1e-5 < 1e-3 < moved
