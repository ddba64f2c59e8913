"""The model card: metadata that the hub reads, numbers of the run itself, and what is not known said so."""

import json
import re
import shutil

import pytest
import yaml

import xdomain
from xdomain.core.run_dir import read_result
from xdomain.runs.model_card import model_card

QUICK = ("train.max_steps=1", "split.limit.train=40", "split.limit.valid=10", "split.limit.test=20")


@pytest.fixture(scope="module")
def compared(tiny_bert, tmp_path_factory):
    """A comparison of two arms over two seeds."""
    folder = tmp_path_factory.mktemp("cards") / "compared"
    return xdomain.compare("toy/dna-classification", ["pretrained", "kmer"], seeds=2, backbone=str(tiny_bert),
                           overrides=QUICK, out=folder)  # fmt: skip


@pytest.fixture
def run(compared, tmp_path):
    """A copy of one of its runs, away from the comparison."""
    return shutil.copytree(compared.folder / "pretrained-m0-s0", tmp_path / "run")


def metadata(card):
    return yaml.safe_load(card.split("---\n")[1])


def test_the_metadata_has_the_measured_values_with_their_intervals(run):
    told = metadata((run / "model" / "README.md").read_text())
    measured = read_result(run).values["metrics"]["test"]
    assert told["library_name"] == "transformers"
    assert told["license"] == "unknown"
    assert told["tags"] == ["xdomain", "dna", "classification", "pretrained"]
    assert "base_model" not in told  # a folder is no name of the hub
    (result,) = told["model-index"][0]["results"]
    assert result["task"]["type"] == "text-classification"
    assert result["dataset"]["type"] == "toy/dna-classification"
    assert {one["type"]: one["value"] for one in result["metrics"]} == {
        name: entry["value"] for name, entry in measured.items() if entry["value"] is not None
    }
    first = measured["accuracy"]
    assert f"accuracy: {first['value']:.4f} [{first['low']:.4f}, {first['high']:.4f}], 95 %, 20 test records" in (
        one["name"] for one in result["metrics"]
    )


def test_what_the_hub_has_is_named_as_the_hub_names_it(run):
    recipe, result = (run / name for name in ("recipe.yaml", "result.json"))
    before, values = yaml.safe_load(recipe.read_text()), json.loads(result.read_text())
    before["run"]["backbone"] = "google/bert_uncased_L-2_H-128_A-2"
    values["data"] = {"data": {"name": "hub:lab/motifs:small", "bytes": 1, "sha256": "0" * 64}}
    result.write_text(json.dumps(values))
    for init, based in (("pretrained", "google/bert_uncased_L-2_H-128_A-2"), ("scratch", None)):
        before["run"]["init"] = init
        recipe.write_text(yaml.safe_dump(before))
        told = metadata(model_card(run, repo="ann/motifs", licence="mit"))
        assert told.get("base_model") == based  # a model from scratch is based on none
        assert (told["datasets"], told["license"]) == (["lab/motifs"], "mit")


def test_the_card_tells_what_the_run_knows_and_what_nobody_does(run):
    values, card = read_result(run).values, (run / "model" / "README.md").read_text()
    for known in (values["mapping"]["sha256"], values["backbone"]["sha256"], "On 20 test records", "training on 40",
                  "split.rule: random", "Licence: Apache-2.0", "`EI`, `IE`, `N`", "seed 0"):  # fmt: skip
        assert known in card, known
    assert "With no other arm: this run alone does not tell" in card
    assert "Licence of this model: not stated." in card
    assert "It has not shown that it learned its task" in card
    assert not re.search(r"None|Undefined|nan\b|\{\{|\n\n\n", card)


def test_the_arms_of_a_comparison_stand_in_the_card_of_each_of_its_runs(compared, run, capsys):
    rows = {row.arm: row for row in compared.rows}
    for name, own in (("pretrained-m0-s0", "pretrained"), ("pretrained-m1-s1", "pretrained"), ("kmer-m0-s0", "kmer")):
        card = xdomain.model_card(compared.folder / name)
        assert f"one run of the arm `{own}`" in card
        kmer, difference = rows["kmer"].value, rows["kmer"].difference
        shown = [f"{one.value:.4f} [{one.low:.4f}, {one.high:.4f}]" for one in (kmer, difference)]
        assert f"| kmer | {shown[0]} | {shown[1]} | 1 |" in card
        assert f"| pretrained | {rows['pretrained'].value.value:.4f} " in card
    assert "With no other arm" in xdomain.model_card(run)  # it was moved away
    told = metadata(xdomain.model_card(compared.folder / "kmer-m0-s0"))
    assert told["library_name"] == "xdomain"


def test_data_files_are_told_by_name_and_checksum(tmp_path):
    rows = [f"ACGT{'ACGT'[i % 4] * 3}{'ACGT'[i // 4 % 4]}{'ACGT'[i // 16]},{'ab'[i % 2]}" for i in range(60)]
    (tmp_path / "mine|b.csv").write_text("\n".join(["sequence,label", *rows]))
    run = xdomain.run(data=tmp_path / "mine|b.csv", domain="dna", baseline="kmer", out=tmp_path / "run")
    (told,) = run.values["data"].values()
    content = (tmp_path / "mine|b.csv").read_bytes()
    assert (told["name"], told["bytes"]) == ("mine|b.csv", len(content))
    card = (run.folder / "model" / "README.md").read_text()
    assert rf"| mine\|b.csv | {len(content)} | `{told['sha256']}` |" in card
    assert str(tmp_path) not in card


def test_records_that_were_cut_are_cut_in_the_snippet_too(tiny_bert, tmp_path):
    cut = ("train.max_length=12", "train.too_long=truncate", "train.max_windows=1")
    result = xdomain.run(
        "toy/dna-classification", backbone=str(tiny_bert), overrides=(*QUICK, *cut), out=tmp_path / "r"
    )
    card = (result.folder / "model" / "README.md").read_text()
    assert 'truncation=True, return_tensors="pt"' in card
    assert "reads the first `tokenizer.model_max_length` tokens of a record." in card
    whole = xdomain.run("toy/dna-classification", backbone=str(tiny_bert), overrides=QUICK, out=tmp_path / "whole")
    assert "truncation" not in (whole.folder / "model" / "README.md").read_text()
