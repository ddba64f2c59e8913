"""Runs on records with several labels, from a file to predictions, against scikit-learn and plain transformers."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

import xdomain
from xdomain.baselines.kmer import features
from xdomain.core.errors import RecipeError
from xdomain.core.plugins import make_adapter
from xdomain.metrics.bootstrap import Rows, resample
from xdomain.metrics.multilabel import chances_of_labels, choose_thresholds, decided

MOTIFS = {"alpha": "TTTT", "beta cell": "GCGC", "gamma": "CATC"}
SMALL = ("train.max_steps=60", "train.precision=fp32", "train.learning_rate=5e-3", "train.evaluations=2")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """260 sequences that hold the motif of each of their labels."""
    rng = np.random.default_rng(0)
    lines = []
    for _ in range(260):
        held = [name for name in MOTIFS if rng.random() < 0.4]
        sequence = list(rng.choice(list("ACGT"), 24))
        for place, name in zip(rng.permutation(3), held, strict=False):
            sequence[8 * place + 2 : 8 * place + 6] = MOTIFS[name]
        lines.append(f"{''.join(sequence)},{';'.join(held)}")
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    path.write_text("sequence,label\n" + "\n".join(lines))
    return path


@pytest.fixture(scope="module")
def kmers(file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "kmer"
    return xdomain.run(data=str(file), domain="dna", baseline="kmer", out=folder)


@pytest.fixture(scope="module")
def encoder(file, tiny_bert, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "encoder"
    return xdomain.run(data=str(file), domain="dna", backbone=str(tiny_bert), overrides=SMALL, out=folder)


def of(result, split):
    """Labels (n, k), probabilities (n, k) and what was given, of the stored predictions."""
    table = result.predictions()
    table = table[table["split"] == split]
    names = result.values["classes"]
    labels, given = (np.array([[name in row for name in names] for row in table[column]]).astype(int)
                     for column in ("label", "prediction"))  # fmt: skip
    return labels, table[[f"p({name})" for name in names]].to_numpy(), given


@pytest.mark.parametrize("run", ["kmers", "encoder"])
def test_the_metrics_are_those_of_scikit_learn(run, request):
    result = request.getfixturevalue(run)
    thresholds = np.array([result.values["thresholds"][name] for name in result.values["classes"]])
    for split in ("valid", "test"):
        labels, chances, given = of(result, split)
        np.testing.assert_array_equal(given, chances >= thresholds)
        assert result.metric("f1", split) == pytest.approx(sk.f1_score(labels, given, average="macro"))
        assert result.metric("f1_micro", split) == pytest.approx(sk.f1_score(labels, given, average="micro"))
        assert result.metric("accuracy", split) == pytest.approx(sk.accuracy_score(labels, given))
        expected = sk.average_precision_score(labels, chances, average="macro")
        assert result.metric("average_precision", split) == pytest.approx(expected, abs=1e-6)
    row = result.values["per_class"]["test"][1]
    assert (row["class"], row["support"]) == ("beta cell", labels[:, 1].sum())
    assert row["recall"] == pytest.approx(sk.recall_score(labels[:, 1], given[:, 1]))
    labels, chances, given = of(result, "test")
    rows = Rows("multilabel", labels, np.stack([chances, given], -1), np.arange(len(labels)), len(labels))
    interval = resample("f1", rows).interval()
    assert result.values["metrics"]["test"]["f1"]["low"] == pytest.approx(interval.low)


def test_kmers_are_scikit_learns_one_against_the_rest(file, kmers):
    table, predicted = pd.read_csv(file, keep_default_na=False), kmers.predictions()
    seen = features(make_adapter("dna", {}).encode(table["sequence"].tolist()), None, "multilabel", 5)
    names = kmers.values["classes"]
    labels = np.array([[name in cell.split(";") for name in names] for cell in table["label"]]).astype(int)
    rows = {
        split: predicted[predicted["split"] == split]["id"].astype(int).to_numpy() - 1 for split in ("valid", "test")
    }
    train = np.setdiff1d(np.arange(len(table)), np.concatenate(list(rows.values())))
    strength = json.loads((kmers.folder / "model" / "baseline.json").read_text())["chosen"]["strength"]
    twin = OneVsRestClassifier(LogisticRegression(C=strength, max_iter=200)).fit(seen[train], labels[train])
    for split, own in rows.items():
        np.testing.assert_allclose(of(kmers, split)[1], twin.predict_proba(seen[own]), atol=1e-3)
    assert kmers.metric("average_precision") > 0.9


def test_the_checkpoint_is_read_by_plain_transformers(file, encoder):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(encoder.folder / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(encoder.folder / "model")
    assert model.config.problem_type == "multi_label_classification"
    assert list(model.config.id2label.values()) == list(MOTIFS)
    sequences = pd.read_csv(file)["sequence"].tolist()[:20]
    with torch.no_grad():
        plain = torch.sigmoid(model(**tokenizer(sequences, return_tensors="pt", padding=True)).logits).numpy()
    loaded = xdomain.load(encoder.folder)
    np.testing.assert_allclose(loaded.predict_proba(sequences), plain, atol=1e-5)
    limits = np.array(list(encoder.values["thresholds"].values()))
    names = np.array(list(MOTIFS))
    assert [list(names[row]) for row in plain >= limits] == list(loaded.predict(sequences))


def test_it_learns_and_its_loss_is_that_of_transformers(encoder, tiny_bert):
    from xdomain.training.losses import count_labels, summed_loss

    assert encoder.metric("average_precision") > encoder.values["majority"]["test"]["average_precision"]
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0], [1, 0, 0], [0, 0, 1]])
    expected = torch.nn.BCEWithLogitsLoss()(logits, labels.float())
    batch = {"labels": labels}
    torch.testing.assert_close(summed_loss("multilabel", logits, batch) / count_labels(batch), expected)
    batch = {"labels": torch.where(torch.arange(3) == 1, -100, labels)}
    expected = torch.nn.BCEWithLogitsLoss()(logits[:, [0, 2]], labels[:, [0, 2]].float())
    torch.testing.assert_close(summed_loss("multilabel", logits, batch) / count_labels(batch), expected)


def test_predictions_as_a_file(file, kmers, tmp_path):
    from typer.testing import CliRunner

    from xdomain.cli.main import app

    out = tmp_path / "p.csv"
    assert CliRunner().invoke(app, ["predict", str(kmers.folder), str(file), "--out", str(out)]).exit_code == 0
    table = pd.read_csv(out, keep_default_na=False)
    assert list(table) == ["id", "prediction", "p(alpha)", "p(beta cell)", "p(gamma)"]
    known = pd.read_csv(file, keep_default_na=False)["label"]
    assert (
        np.mean([set(a.split(";")) == set(b.split(";")) for a, b in zip(table["prediction"], known, strict=True)]) > 0.7
    )
    assert xdomain.evaluate(kmers.folder, file).metrics["f1"].value > 0.9


def test_several_runs_as_one_model(file, kmers, encoder):
    table = xdomain.predict([kmers.folder, encoder.folder], file)
    one, other = (xdomain.predict(run.folder, file) for run in (kmers, encoder))
    for name in MOTIFS:
        mean = (one[f"p({name})"].to_numpy() + other[f"p({name})"].to_numpy()) / 2
        np.testing.assert_allclose(table[f"p({name})"].to_numpy(), mean, atol=1e-9)
    agreement = table["agreement"].to_numpy()
    assert set(agreement) <= {0, 0.5, 1}
    same = np.array(
        [a == b for a, b in zip(one["prediction"].to_pylist(), other["prediction"].to_pylist(), strict=True)]
    )
    assert (agreement[same] >= 0.5).mean() > 0.9


@pytest.mark.parametrize("baseline", ["kmer", "cnn"])
def test_thresholds_of_a_half_and_weights(file, baseline, tmp_path):
    result = xdomain.run(
        data=str(file), domain="dna", baseline=baseline, out=tmp_path / "run",
        overrides=("thresholds=half", "class_balance=weights"),
    )  # fmt: skip
    assert set(result.values["thresholds"].values()) == {0.5}
    _, chances, given = of(result, "test")
    np.testing.assert_array_equal(given, chances >= 0.5)
    weights = list(result.values["class_weights"].values())
    shares = [n / 208 for n in _held(file, result)]
    np.testing.assert_allclose(weights, [1 / (2 * share) for share in shares], rtol=0.02)


def _held(file, result):
    """How many training records have each label."""
    cells = pd.read_csv(file, keep_default_na=False)["label"].tolist()
    table = result.predictions()
    train = np.setdiff1d(np.arange(len(cells)), table["id"].astype(int) - 1)
    return [sum(name in cells[row].split(";") for row in train) for name in result.values["classes"]]


def test_a_column_for_each_label_with_unknown_cells(tmp_path):
    rng = np.random.default_rng(1)
    lines = []
    for i in range(150):
        sequence = "".join(rng.choice(list("ACGT"), 20))
        one, two = "TT" in sequence, "GG" in sequence
        lines.append(f"{sequence},{'' if i % 5 == 0 else int(one)},{int(two)}")
    path = tmp_path / "columns.csv"
    path.write_text("sequence,tt,gg\n" + "\n".join(lines))
    result = xdomain.run(data=str(path), domain="dna", baseline="kmer", out=tmp_path / "run")
    counted = xdomain.check(result.folder / "recipe.yaml")["target"]
    assert sum(counted[split].get("(unknown)", 0) for split in counted) == 30
    table = result.predictions()
    unknown = table[table["unknown_labels"].map(len) > 0]
    assert set(unknown["id"].astype(int) % 5) == {1}
    test = table[(table["split"] == "test")]
    known = test[test["unknown_labels"].map(len) == 0]
    scored = [sk.average_precision_score([name in row for row in some["label"]], some[f"p({name})"])
              for name, some in (("tt", known), ("gg", test))]  # fmt: skip
    assert result.metric("average_precision") == pytest.approx(np.mean(scored))


@pytest.mark.usefixtures("in_process")
def test_a_study_of_labels(kmers, tmp_path):
    study = xdomain.Study([str(kmers.folder / "recipe.yaml")], ["kmer", "cnn"], seeds=2, out=tmp_path).run()
    row = study.differences().iloc[0]
    assert row["metric"] == "average_precision"
    assert row["low"] < row["difference"] < row["high"]
    assert "average_precision" in (study.folder / "report.md").read_text()


def test_what_has_no_meaning_is_refused(file, tmp_path):
    for change, text in (
        ("class_balance=batches", "class_balance: batches"),
        ("calibration=temperature", "calibration: temperature"),
        ("positive=alpha", "positive: 'alpha'"),
        ("metrics=[f1_binary]", "f1_binary does not judge multilabel"),
    ):
        with pytest.raises(RecipeError, match=text):
            xdomain.run(data=str(file), domain="dna", baseline="kmer", overrides=(change,), out=tmp_path / "no")
    with pytest.raises(RecipeError, match="f1_micro does not judge classification"):
        xdomain.run("toy/dna-motif-order", baseline="kmer", overrides=("metrics=[f1_micro]",), out=tmp_path / "no")


def test_the_picture_and_the_card(encoder, pictures, file, tmp_path):
    with pictures():
        xdomain.run(data=str(file), domain="dna", baseline="kmer", out=tmp_path / "run")
    assert (tmp_path / "run" / "labels.png").stat().st_size > 5000
    assert not (encoder.folder / "confusion.png").exists()
    card = (encoder.folder / "model" / "README.md").read_text()
    assert "A label is given where the sigmoid of its logit is at least its threshold: alpha 0." in card


def test_thresholds_are_those_of_validation(kmers):
    labels, chances, _ = of(kmers, "valid")
    logits = np.log(chances / (1 - chances))
    found = choose_thresholds(labels, logits)
    np.testing.assert_allclose(list(kmers.values["thresholds"].values()), found, atol=1e-9)
    assert decided(logits, found).shape == (26, 3, 2)
    np.testing.assert_allclose(chances_of_labels(logits), chances)
