"""A run says what its test values are worth, and stops where training diverges."""

import json

import pytest

import xdomain
from xdomain.core.errors import TrainingError

QUICK = ("train.max_length=64", "split.limit.train=60", "split.limit.valid=20", "split.limit.test=40")


def quick_run(task, backbone, out, *extra, **options):
    return xdomain.run(task, overrides=(*QUICK, *extra), backbone=str(backbone), out=out, **options)


@pytest.mark.parametrize("task", ["toy/dna-classification", "toy/dna-regression", "toy/dna-tagging"])
def test_a_loss_that_is_no_number_stops_the_run(task, tiny_bert, tmp_path):
    with pytest.raises(TrainingError) as caught:
        quick_run(task, tiny_bert, tmp_path / "run", "train.max_steps=20", "train.learning_rate=1e30")
    told = str(caught.value)
    assert "diverged" in told
    assert " of 20" in told
    assert "learning rate of 1e+30" in told
    assert "train.learning_rate=0.0005" in told
    assert not (tmp_path / "run" / "result.json").exists()


def test_a_run_that_did_not_learn_says_so_first(tiny_bert, tmp_path, said):
    result = quick_run(
        "toy/dna-classification", tiny_bert, tmp_path / "run", "train.max_steps=1", "train.learning_rate=1e-9",
    )  # fmt: skip
    assert result.values["learned"] is False
    (first, *_) = result.values["notes"]
    assert first.startswith("pretrained did not learn: it ")
    assert f"warning: {first}" in said
    assert said[-1].startswith("test accuracy")
    assert f"- {first}" in (result.folder / "model" / "README.md").read_text()


def test_counts_that_did_not_learn_are_not_told_to_take_more_steps(tiny_bert, tmp_path):
    result = quick_run("toy/dna-classification", tiny_bert, tmp_path / "run", baseline="kmer")
    assert result.values["learned"] is False
    first, advice = result.values["notes"]
    assert first.startswith("kmer did not learn")
    assert "cnn" in advice
    assert "steps" not in advice


def test_what_needs_no_encoder_stands_beside_every_metric(tiny_bert, tmp_path):
    result = quick_run("toy/dna-classification", tiny_bert, tmp_path / "run", "train.max_steps=1")
    values = json.loads((result.folder / "result.json").read_text())
    for name, entry in values["metrics"]["test"].items():
        assert entry["low"] <= entry["value"] <= entry["high"], name
        assert set(values["simple_rules"]["test"]) == {"kmer", "composition"}
        assert isinstance(values["simple_rules"]["test"]["kmer"][name], float)
    support = {row["class"]: row["support"] for row in values["per_class"]["test"]}
    assert values["majority"]["test"]["accuracy"] == support["N"] / 40  # the most frequent class of the toy


def test_length_alone_is_a_rule_that_a_run_names(tiny_bert, tmp_path):
    rows = ["sequence,label"]
    for i in range(120):
        rows.append(f"{'ACGT' * (3 + i % 3) if i % 2 else 'ACGT' * (8 + i % 3)},{'long' if i % 2 == 0 else 'short'}")
    (tmp_path / "lengths.csv").write_text("\n".join(rows))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "name: lengths\ntitle: Lengths\nsource: {files: {all: " + str(tmp_path / "lengths.csv") + "}, licence: x, "
        "citation: x}\nadapter: {name: dna}\nproblem: classification\nmetrics: [accuracy]\n"
    )
    overrides = ("train.max_steps=1", "train.learning_rate=1e-9")
    result = xdomain.run(recipe, overrides=overrides, backbone=str(tiny_bert), out=tmp_path / "run")
    assert result.values["simple_rules"]["test"]["composition"]["accuracy"] == 1.0
    assert any("1.0000 of " in note for note in result.values["notes"])
