"""The DOME page: what the run knows is there, what it does not know is asked for."""

import re

import pytest

import xdomain
from xdomain.core.errors import OutputError, RecipeError
from xdomain.core.run_dir import read_result
from xdomain.export.dome import dome, write_dome

ITEMS = {
    "Data": ["Provenance", "Dataset splits", "Redundancy between data splits", "Availability of data"],
    "Optimization": ["Algorithm", "Meta-predictions", "Data encoding", "Parameters", "Features", "Fitting",
                     "Regularization", "Availability of configuration"],
    "Model": ["Interpretability", "Output", "Execution duration", "Availability of software"],
    "Evaluation": ["Evaluation method", "Performance measures", "Comparison", "Confidence",
                   "Availability of evaluation"],
}  # fmt: skip


@pytest.fixture(scope="module")
def runs(tiny_bert, tmp_path_factory):
    """Of a shipped task, and of one's own data: an encoder, a baseline, and folds."""
    folder = tmp_path_factory.mktemp("dome")
    rows = [f"{'ACGT' * 3}{'ACGT'[i % 4]}{'ACGT'[i // 4 % 4]}{'ACGT'[i // 16]},{'ab'[i % 2]}" for i in range(60)]
    (folder / "mine.csv").write_text("\n".join(["sequence,label", *rows]))
    quick = ("train.max_steps=1", "split.limit.train=40", "split.limit.valid=10", "split.limit.test=10")
    xdomain.run("toy/dna-classification", backbone=str(tiny_bert), overrides=quick, out=folder / "encoder")
    own = {"data": folder / "mine.csv", "domain": "dna", "baseline": "kmer"}
    xdomain.run(**own, out=folder / "kmer")
    xdomain.run(**own, overrides=("split.rule=fold", "split.folds=3"), out=folder / "folds")
    return folder


def parts(page):
    """The text of every item of a page."""
    return dict(re.findall(r"^\*\*(.+?)\.\*\*\s*(.*?)(?=^\*\*|^## |\Z)", page, re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("name", ["encoder", "kmer", "folds"])
def test_every_recommendation_is_there_and_nothing_is_empty(runs, name):
    page = dome(runs / name)
    assert re.findall(r"^## (.+)", page, re.MULTILINE) == list(ITEMS)
    found = parts(page)
    assert list(found) == [item for items in ITEMS.values() for item in items]
    assert all(found.values()), found
    assert not re.search(r"None|Undefined|nan\b|\{\{|\n\n\n", page)
    assert "/tmp" not in page  # no folder of this machine


def test_what_the_run_knows_is_filled_in(runs):
    values = read_result(runs / "encoder").values
    found = parts(dome(runs / "encoder"))
    assert "There are 40 records for training, 10 for validation and 10 for test." in found["Dataset splits"]
    assert f"{values['parameters']['trained']:,} of {values['parameters']['all']:,}" in found["Parameters"]
    assert values["mapping"]["sha256"] in found["Data encoding"]
    assert values["backbone"]["sha256"] in found["Algorithm"]
    accuracy = values["metrics"]["test"]["accuracy"]
    shown = f"accuracy {accuracy['value']:.4f} [{accuracy['low']:.4f}, {accuracy['high']:.4f}]"
    assert shown in found["Performance measures"]
    assert f"torch {values['versions']['torch']}" in found["Availability of software"]


def test_what_it_does_not_know_is_asked_for(runs):
    own = parts(dome(runs / "kmer"))
    for item in ("Provenance", "Availability of data", "Parameters", "Comparison"):
        assert "To be filled in by the authors" in own[item], item
    assert "3 folds" in parts(dome(runs / "folds"))["Dataset splits"]


def test_a_page_that_authors_have_filled_in_is_kept(runs, tmp_path):
    write_dome(runs / "kmer", tmp_path / "dome.md")
    (tmp_path / "dome.md").write_text("filled in")
    with pytest.raises(OutputError, match="is there already"):
        write_dome(runs / "kmer", tmp_path / "dome.md")
    assert (tmp_path / "dome.md").read_text() == "filled in"
    write_dome(runs / "kmer", tmp_path / "dome.md", overwrite=True)
    assert (tmp_path / "dome.md").read_text() == dome(runs / "kmer")
    with pytest.raises(RecipeError, match="no finished run"):
        dome(tmp_path)
