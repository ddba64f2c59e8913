"""Runs on 475 records of one class and 25 of another, with and without class weights."""

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

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
