"""A number for each symbol, from a file to predictions, against scikit-learn and plain transformers."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from scipy import stats
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_squared_error
from typer.testing import CliRunner

import xdomain
from xdomain.baselines.kmer import surroundings
from xdomain.cli.main import app
from xdomain.core.errors import DataError
from xdomain.core.plugins import make_adapter
from xdomain.data.loading import load_table
from xdomain.data.own_data import own_recipe
from xdomain.metrics.bootstrap import Rows, resample

SCALE = dict(zip("ACDEFGHIKLMNPQRSTVWY", np.linspace(10, 90, 20), strict=True))
SMALL = ("train.max_steps=80", "train.precision=fp32", "train.learning_rate=5e-3", "train.evaluations=2")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """120 peptides, each residue with the mean of a scale over itself and the next one; every eighth is unknown."""
    rng = np.random.default_rng(0)
    lines = []
    for _ in range(120):
        text = "".join(rng.choice(list(SCALE), rng.integers(8, 30)))
        own = [SCALE[a] for a in text]
        values = [(a + b) / 2 for a, b in zip(own, own[1:] + own[-1:], strict=True)]
        cells = [("nan", "NA", "-")[i % 3] if rng.random() < 1 / 8 else f"{v:.2f}" for i, v in enumerate(values)]
        lines.append(f"{text},{' '.join(cells)}")
    path = tmp_path_factory.mktemp("profile") / "profile.csv"
    path.write_text("sequence,plddt\n" + "\n".join(lines))
    return path


@pytest.fixture(scope="module")
def kmers(file, tmp_path_factory):
    return xdomain.run(data=str(file), domain="protein", baseline="kmer", out=tmp_path_factory.mktemp("runs") / "kmer")


@pytest.fixture(scope="module")
def encoder(file, tiny_bert, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "encoder"
    return xdomain.run(data=str(file), domain="protein", backbone=str(tiny_bert), overrides=SMALL, out=folder)


def flat(result, split):
    """All known targets of a split, their predictions, and the record of each."""
    table = result.predictions()
    table = table[table["split"] == split]
    labels, predicted = (np.concatenate([np.asarray(row, float) for row in table[name]])
                         for name in ("label", "prediction"))  # fmt: skip
    record = np.repeat(np.arange(len(table)), table["label"].map(len))
    known = np.isfinite(labels)
    return labels[known], predicted[known], record[known]


@pytest.mark.parametrize("run", ["kmers", "encoder"])
def test_the_metrics_are_those_of_the_known_symbols(run, request):
    result = request.getfixturevalue(run)
    for split in ("valid", "test"):
        labels, predicted, record = flat(result, split)
        assert result.metric("mse", split) == pytest.approx(mean_squared_error(labels, predicted), rel=1e-5)
        for name in ("spearmanr", "pearsonr"):
            twin: Any = getattr(stats, name)
            assert result.metric(name, split) == pytest.approx(twin(labels, predicted).statistic, abs=1e-6)
    rows = Rows("profile", labels, predicted, record, int(record.max()) + 1)  # whole records are resampled
    assert result.values["metrics"]["test"]["mse"]["low"] == pytest.approx(
        resample("mse", rows).interval().low, rel=1e-5
    )


def test_the_guess_and_the_unknown(file, caplog):
    caplog.set_level("INFO", "xdomain")
    recipe = own_recipe(file, "protein")
    assert recipe.problem == "profile"
    assert "problem: profile, as 'plddt' holds a number for each symbol" in caplog.text
    table = load_table(recipe)
    assert table.schema.field("tags").type == pa.list_(pa.float64())
    counted = xdomain.check(recipe)["target"]
    cells = " ".join(pd.read_csv(file, keep_default_na=False)["plddt"]).split()
    assert sum(part["unknown"] for part in counted.values()) == sum(cell in ("nan", "NA", "-") for cell in cells)


def test_windows_of_symbols_are_scikit_learns_ridge(file, kmers):
    sequences = pd.read_csv(file)["sequence"].tolist()
    adapter = make_adapter("protein", {})
    symbols = adapter.encode(sequences)
    seen = surroundings(symbols, len(adapter.alphabet))
    cells = [float(c) if c not in ("nan", "NA", "-") else np.nan
             for row in pd.read_csv(file, keep_default_na=False)["plddt"] for c in row.split()]  # fmt: skip
    values = np.array(cells)
    held = kmers.predictions()["id"].astype(int).to_numpy() - 1
    train = ~np.isin(np.repeat(np.arange(len(symbols)), symbols.lengths), held) & np.isfinite(values)
    strength = json.loads((kmers.folder / "model" / "baseline.json").read_text())["chosen"]["strength"]
    twin = Ridge(alpha=1 / strength).fit(seen[train], values[train])
    found = np.concatenate(xdomain.load(kmers.folder).predict(sequences))
    np.testing.assert_allclose(found, twin.predict(seen), atol=0.05)
    assert kmers.metric("pearsonr") > 0.9


def test_the_checkpoint_is_read_by_plain_transformers(file, encoder):
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    model = AutoModelForTokenClassification.from_pretrained(encoder.folder / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(encoder.folder / "model")
    assert model.config.num_labels == 1
    sequences = pd.read_csv(file)["sequence"].tolist()[:10]
    found = xdomain.load(encoder.folder).predict(sequences)
    for text, values in zip(sequences, found, strict=True):
        with torch.no_grad():
            plain = model(**tokenizer(" ".join(text), return_tensors="pt")).logits[0, 1:-1, 0].numpy()
        assert len(values) == len(text)
        np.testing.assert_allclose(values, plain, atol=1e-3)


def test_it_learns(encoder):
    assert encoder.metric("pearsonr") > 0.5
    assert encoder.metric("mse") < encoder.values["majority"]["test"]["mse"]


def test_the_cnn(file, tmp_path):
    assert xdomain.run(data=str(file), domain="protein", baseline="cnn", out=tmp_path / "cnn").metric("pearsonr") > 0.9


def test_predictions_as_a_file_and_of_several_runs(file, kmers, encoder, tmp_path):
    out = tmp_path / "p.csv"
    outcome = CliRunner().invoke(app, ["predict", str(kmers.folder), str(encoder.folder), str(file), "--out", str(out)])
    assert outcome.exit_code == 0
    table = pd.read_csv(out)
    first = [float(cell) for cell in table["prediction"].tolist()[0].split()]
    text = pd.read_csv(file)["sequence"].tolist()[0]
    both = [xdomain.load(run.folder).predict([text])[0] for run in (kmers, encoder)]
    np.testing.assert_allclose(first, np.mean(both, axis=0), rtol=1e-4)
    np.testing.assert_allclose(
        [float(c) for c in table["std"].tolist()[0].split()], np.std(both, axis=0, ddof=1), rtol=1e-3
    )
    assert xdomain.evaluate(kmers.folder, file).metrics["pearsonr"].value > 0.9


def test_windows_change_nothing_where_the_reach_is_short(file, tiny_bert, tmp_path):
    """A sequence longer than a window is covered whole, each residue once."""
    long = tmp_path / "long.csv"
    rows = pd.read_csv(file, keep_default_na=False)
    text, cells = "".join(rows["sequence"][:6]), " ".join(rows["plddt"][:6])
    with file.open() as lines:
        long.write_text(lines.read() + f"\n{text},{cells}\n")
    changes = ("train.max_steps=2", "train.max_length=24", "train.window_overlap=8")
    result = xdomain.run(
        data=str(long), domain="protein", backbone=str(tiny_bert), overrides=changes, out=tmp_path / "r"
    )
    values = xdomain.load(result.folder).predict([text])[0]
    assert len(values) == len(text) and np.isfinite(values).all()


def test_what_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    rows = ["ACDE,0.1 0.2 0.35 0.4", "ACDF,0.3 0.x 0.1 0.2", "ACCC,0.2 0.25 0.31 0.4"]
    path.write_text("sequence,values\n" + "\n".join(rows))
    with pytest.raises(DataError, match=r"row 2: '0\.x' among its numbers"):
        load_table(own_recipe(path, "protein", problem="profile"))
    path.write_text("sequence,values\nACDE,0.1 0.2 0.35\nACDF,0.3 0.1 0.1 0.2\n")
    with pytest.raises(DataError, match="row 1: 3 tags for a sequence of 4 symbols"):
        load_table(own_recipe(path, "protein", problem="profile"))
