"""Several numbers a record, from a file to predictions, against scikit-learn and plain transformers."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_squared_error

import xdomain
from xdomain.baselines.kmer import features
from xdomain.core.errors import DataError
from xdomain.core.plugins import make_adapter
from xdomain.core.recipe_sections import Columns
from xdomain.data.loading import load_table
from xdomain.data.own_data import own_recipe
from xdomain.metrics.bootstrap import STATISTICS, Rows, resample
from xdomain.metrics.metrics import METRICS, compute_metrics

NAMES = ["activity", "stability"]
SMALL = ("train.max_steps=80", "train.precision=fp32", "train.learning_rate=5e-3", "train.evaluations=2")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """200 sequences, with the share of two letters in units of their own; every tenth is unknown."""
    rng = np.random.default_rng(0)
    lines = []
    for i in range(200):
        text = "".join(rng.choice(list("ACGT"), 24, p=rng.dirichlet([3] * 4)))
        one, other = 100 * text.count("A") / 24 + 500, text.count("GC") / 24 - 3
        lines.append(f"{text},{'' if i % 10 == 0 else f'{one:.2f}'},{'NA' if i % 10 == 1 else f'{other:.4f}'}")
    path = tmp_path_factory.mktemp("targets") / "targets.csv"
    path.write_text("sequence,activity,stability\n" + "\n".join(lines))
    return path


def run(file, folder, **options):
    return xdomain.run(data=str(file), domain="dna", label=NAMES, out=folder, **options)


@pytest.fixture(scope="module")
def kmers(file, tmp_path_factory):
    return run(file, tmp_path_factory.mktemp("runs") / "kmer", baseline="kmer")


@pytest.fixture(scope="module")
def encoder(file, tiny_bert, tmp_path_factory):
    return run(file, tmp_path_factory.mktemp("runs") / "encoder", backbone=str(tiny_bert), overrides=SMALL)


def of(result, split):
    """Labels (n, 2), NaN where unknown, and predictions (n, 2)."""
    table = result.predictions()
    table = table[table["split"] == split]
    labels = np.array([[np.nan if row[name] is None else row[name] for name in NAMES] for row in table["label"]], float)
    return labels, table[[f"prediction({name})" for name in NAMES]].to_numpy()


@pytest.mark.parametrize("which", ["kmers", "encoder"])
def test_the_metrics_are_means_over_targets(which, request):
    result = request.getfixturevalue(which)
    for split in ("valid", "test"):
        labels, predicted = of(result, split)
        each: dict[str, list[float]] = {"mse": [], "spearmanr": []}
        spearmanr: Any = stats.spearmanr
        for own, given in zip(labels.T, predicted.T, strict=True):
            known = np.isfinite(own)
            each["mse"].append(float(mean_squared_error(own[known], given[known])))
            each["spearmanr"].append(spearmanr(own[known], given[known]).statistic)
        for name, values in each.items():
            assert result.metric(name, split) == pytest.approx(np.mean(values), rel=1e-4)
            told = [result.values["per_target"][split][target][name] for target in NAMES]
            np.testing.assert_allclose(told, values, rtol=1e-4)


def test_kmers_are_scikit_learns_ridge(file, kmers):
    table = pd.read_csv(file)
    seen = features(make_adapter("dna", {}).encode(table["sequence"].tolist()), None, "multioutput", 5)
    held = kmers.predictions()["id"].astype(int).to_numpy() - 1
    train = np.setdiff1d(np.arange(len(table)), held)
    strength = json.loads((kmers.folder / "model" / "baseline.json").read_text())["chosen"]["strength"]
    found = xdomain.load(kmers.folder).predict(table["sequence"].tolist())
    assert found.shape == (200, 2)
    for place, name in enumerate(NAMES):
        known = train[table[name].notna().to_numpy()[train]]
        twin = Ridge(alpha=1 / strength).fit(seen[known], table[name].to_numpy()[known])
        np.testing.assert_allclose(found[:, place], twin.predict(seen), rtol=1e-3)
    assert kmers.metric("pearsonr") > 0.9


def test_the_checkpoint_is_read_by_plain_transformers(file, encoder):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(encoder.folder / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(encoder.folder / "model")
    assert (model.config.problem_type, list(model.config.id2label.values())) == ("regression", NAMES)
    sequences = pd.read_csv(file)["sequence"].tolist()[:10]
    with torch.no_grad():
        plain = model(**tokenizer(sequences, return_tensors="pt", padding=True)).logits.numpy()
    np.testing.assert_allclose(xdomain.load(encoder.folder).predict(sequences), plain, rtol=1e-4)
    assert encoder.metric("pearsonr") > 0.4
    assert encoder.metric("mse") < encoder.values["majority"]["test"]["mse"]


def test_the_cnn_and_several_runs(file, kmers, tmp_path):
    cnn = run(file, tmp_path / "cnn", baseline="cnn")
    assert cnn.metric("pearsonr") > 0.5
    table = xdomain.predict([kmers.folder, cnn.folder], file)
    one, other = (xdomain.predict(each.folder, file) for each in (kmers, cnn))
    for name in NAMES:
        column = f"prediction({name})"
        mean = (one[column].to_numpy() + other[column].to_numpy()) / 2
        np.testing.assert_allclose(table[column].to_numpy(), mean)
    assert len(table["std"]) == 200


@pytest.mark.usefixtures("in_process")
def test_a_study_of_ones_own_table(file, tmp_path):
    own = {"data": str(file), "domain": "dna", "columns": {"label": NAMES}}
    study = xdomain.Study([own], ["kmer"], seeds=1, out=tmp_path).run()
    assert study.results().iloc[0]["metric"] == "spearmanr"


def test_evaluate_and_check(file, kmers, caplog):
    assert xdomain.evaluate(kmers.folder, file).metrics["pearsonr"].value > 0.9
    caplog.set_level("INFO", "xdomain")
    recipe = own_recipe(file, "dna", columns=Columns(label=NAMES))
    assert "problem: multioutput, as there are several columns of numbers" in caplog.text
    target = xdomain.check(recipe)["target"]
    assert sum(target[split]["activity"]["unknown"] for split in target) == 20


@pytest.mark.parametrize("metric", [name for name, one in METRICS.items() if "multioutput" in one.problems])
def test_the_bootstrap_is_the_metric_of_each_resample(metric):
    rng = np.random.default_rng(3)
    labels = rng.normal(size=(40, 3))
    labels[::6, 1] = np.nan
    scores = np.nan_to_num(labels) + rng.normal(size=(40, 3))
    rows = Rows("multioutput", labels, scores, np.arange(40), 40)
    draws = np.random.Generator(np.random.PCG64(0))
    expected = []
    for _ in range(20):
        chosen = draws.integers(40, size=40)
        found = compute_metrics([metric], labels[chosen], scores[chosen], "multioutput")
        expected.append(found[metric]["value"])
    np.testing.assert_allclose(resample(metric, rows, draws=20).draws, expected, atol=1e-9)
    assert metric in STATISTICS


def test_what_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("sequence,a,b\nACGTACGT,1.5,2\nACGTACGA,many,3\nACGTACCC,2.5,4\n")
    with pytest.raises(DataError, match=r"row 2: 'many' in the target 'a'"):
        load_table(own_recipe(path, "dna", columns=Columns(label=["a", "b"]), problem="multioutput"))
    path.write_text("sequence,a,b\nACGTACGT,1.5,2\nACGTACGA,2.5,2\nACGTACCC,3.5,2\n")
    with pytest.raises(DataError, match="the target 'b' has fewer than two different values"):
        load_table(own_recipe(path, "dna", columns=Columns(label=["a", "b"]), problem="regression"))
