"""A run of each fold, judged together."""

import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest

import xdomain
from xdomain.cli.main import main
from xdomain.core.errors import BackboneError, OutputError, RecipeError
from xdomain.core.recipe import load_recipe

CHANGES = ["train.max_steps=3"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("folds")
    lines = ["sequence,label,part"]
    for i in range(60):
        p = [0.4, 0.1, 0.1, 0.4] if i % 2 else [0.1, 0.4, 0.4, 0.1]
        lines.append(f"{''.join(rng.choice(list('ACGT'), 30, p=p))},{i % 2},{'abc'[i % 3]}")
    path = folder / "mine.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def validated(table, tmp_path_factory):
    return xdomain.run(
        data=table, domain="dna", columns={"fold": "part"}, baseline="kmer", out=tmp_path_factory.mktemp("cv") / "run"
    )


def test_each_record_is_tested_once_by_a_model_that_did_not_see_it(validated, table):
    rows = pq.read_table(validated.folder / "predictions.parquet").to_pydict()
    assert sorted(rows["id"], key=int) == [str(i + 1) for i in range(60)]
    assert set(rows["split"]) == {"test"}
    names = dict(zip(rows["id"], rows["fold"], strict=True))
    assert all(names[str(i + 1)] == "abc"[i % 3] for i in range(60))
    assert validated.values["n"] == {"folds": 3, "test": 60}


def test_metrics_are_of_all_test_records_together(validated):
    rows = pq.read_table(validated.folder / "predictions.parquet").to_pydict()
    right = np.mean([label == said for label, said in zip(rows["label"], rows["prediction"], strict=True)])
    entry = validated.values["metrics"]["test"]["accuracy"]
    assert entry["value"] == pytest.approx(right)
    assert entry["low"] < right <= entry["high"]
    folds = validated.values["folds"]
    assert list(folds) == ["a", "b", "c"]
    assert np.mean([one["accuracy"] for one in folds.values()]) == pytest.approx(right)  # folds of one size
    assert validated.values["between_folds"]["accuracy"] == pytest.approx(
        np.std([one["accuracy"] for one in folds.values()], ddof=1)
    )
    parts = [json.loads((validated.folder / f"fold-{i}" / "result.json").read_text()) for i in range(3)]
    assert folds["b"]["accuracy"] == parts[1]["metrics"]["test"]["accuracy"]["value"]


def test_simple_rules_stand_beside_the_model(tiny_bert, table, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(["run", "--data", str(table), "--domain", "dna", "--column", "fold=part", "--backbone", str(tiny_bert),
              "--out", str(tmp_path / "cv"), "--set", *CHANGES])  # fmt: skip
    assert end.value.code == 0
    folds = [json.loads((tmp_path / "cv" / f"fold-{i}" / "result.json").read_text()) for i in range(3)]
    values = json.loads((tmp_path / "cv" / "result.json").read_text())
    for part in (lambda one: one["majority"]["test"], lambda one: one["simple_rules"]["test"]["kmer"]):
        assert part(values)["accuracy"] == pytest.approx(np.mean([part(fold)["accuracy"] for fold in folds]))
    out = capsys.readouterr().out
    assert "majority" in out and "k-mers" in out
    assert "test is over the records of all folds, every other column a mean over folds" in out
    model = np.mean([fold["metrics"]["test"]["accuracy"]["value"] for fold in folds])
    rules = max(rule["accuracy"] for rule in values["simple_rules"]["test"].values())
    assert model <= rules  # after three steps
    assert f"on average over folds pretrained has a test accuracy of {model:.4f}, not above the {rules:.4f}" in str(
        values["notes"]
    )


def test_a_model_is_of_one_fold(validated):
    with pytest.raises(BackboneError, match="holds 3 folds, with a model each"):
        validated.model()
    assert len(xdomain.load(validated.folder / "fold-1").predict(["ACGTACGT"])) == 1


def test_an_interrupted_cross_validation_goes_on(tiny_bert, table, tmp_path, said):
    given = {"data": table, "domain": "dna", "overrides": [*CHANGES, "split.rule=fold", "split.folds=2"],
             "backbone": str(tiny_bert), "out": tmp_path / "run"}  # fmt: skip
    whole = xdomain.run(**given)
    (tmp_path / "run" / "result.json").unlink()
    (tmp_path / "run" / "fold-1" / "result.json").unlink()
    with pytest.raises(OutputError, match="an interrupted run"):
        xdomain.run(**given)
    said.clear()
    again = xdomain.run(**given, resume=True)
    assert again.metrics == whole.metrics
    assert any("fold-0 is finished already" in line for line in said)
    assert xdomain.run(**given, resume=True).metrics == whole.metrics


def test_one_fold_alone(tiny_bert, table, tmp_path):
    changes = [*CHANGES, "split.rule=fold", "split.folds=3", "split.fold=2"]
    result = xdomain.run(data=table, domain="dna", overrides=changes, backbone=str(tiny_bert), out=tmp_path / "one")
    assert result.values["n"]["test"] == 20


def test_minutes_are_for_all_folds_of_one_size(tiny_bert, table, tmp_path, said):
    changes = ["train.precision=fp32", "train.batch_size=8", "split.rule=fold", "split.folds=3"]
    given = {"data": table, "domain": "dna", "overrides": changes, "backbone": str(tiny_bert), "out": tmp_path / "run"}
    with pytest.raises(RecipeError, match=r"0\.001 minutes are too few") as told:
        xdomain.run(**given, minutes=0.001)
    enough = 3 * float(re.search(r"expected: ([\d.]+) minutes", str(told.value))[1])
    xdomain.run(**given, minutes=enough, resume=(tmp_path / "run" / "recipe.yaml").is_file())
    steps = [load_recipe(tmp_path / "run" / f"fold-{i}" / "recipe.yaml").train.max_steps for i in range(3)]
    assert steps[0] >= 5
    assert len(set(steps)) == 1
    assert sum("a step takes" in line for line in said) == 1


def test_minutes_of_a_comparison_are_not_for_folds(table, tmp_path):
    with pytest.raises(RecipeError, match="minutes for a comparison over folds"):
        xdomain.compare(data=table, domain="dna", overrides=["split.rule=fold"], out=tmp_path / "c", minutes=1)


def test_arms_are_compared_over_folds(tiny_bert, table, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(["compare", "--data", str(table), "--domain", "dna", "--column", "fold=part", "--arms", "scratch,kmer",
              "--seeds", "1", "--backbone", str(tiny_bert), "--out", str(tmp_path / "c"),
              "--set", *CHANGES])  # fmt: skip
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert "scratch" in out
    rows = json.loads((tmp_path / "c" / "comparison.json").read_text())
    assert "60" in json.dumps(rows)


def test_a_metric_that_is_undefined_for_a_fold_is_averaged_over_the_others(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["sequence,label,part"]
    for i in range(60):
        sequence = "".join(rng.choice(list("ACGT"), 20))
        value = 1.0 if i % 3 == 2 else sequence.count("A") + i / 100  # all labels of a fold are the same
        lines.append(f"{sequence},{value},{'abc'[i % 3]}")
    (tmp_path / "mine.csv").write_text("\n".join(lines) + "\n")
    found = xdomain.run(data=tmp_path / "mine.csv", domain="dna", columns={"fold": "part"}, problem="regression",
                        baseline="kmer", out=tmp_path / "run")  # fmt: skip
    values = json.loads((found.folder / "result.json").read_text())
    each = [fold["spearmanr"] for fold in values["folds"].values()]
    assert each[2] is None
    assert values["between_folds"]["spearmanr"] == pytest.approx(np.std(each[:2], ddof=1))
    assert np.isfinite(found.metric("spearmanr"))  # over all records together
