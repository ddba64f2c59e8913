"""The DOME page: what the run knows is there, what it does not know is asked for."""

import re
from typing import Any

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


def test_calibration_weights_and_negatives_are_told(runs, tmp_path):
    rows = [
        f"{'ACGT' * 3}{'ACGT'[i % 4]}{'ACGT'[i // 4 % 4]}{'ACGT'[i // 16]},{'ab'[i % 3 // 2]},{i % 5}"
        for i in range(64)
    ]
    (tmp_path / "w.csv").write_text("\n".join(["sequence,label,trust", *rows]))
    own: dict[str, Any] = {"domain": "dna", "baseline": "kmer"}
    run = xdomain.run(data=tmp_path / "w.csv", columns={"weight": "trust"}, overrides=("calibration=temperature",),
                      out=tmp_path / "w", **own)  # fmt: skip
    found, told = parts(dome(run.folder)), run.values["calibration"]
    after, before = (f"{told['test'][when]['error']:.4f}" for when in ("after", "before"))
    sentence = "In training, a record counts as much as the column `trust` says; in the metrics all count alike."
    nothing = run.values["counts"]["records_of_weight_0"]
    assert nothing > 0
    assert f"{sentence} {nothing} training records weigh nothing." in found["Algorithm"]
    assert f"the temperature {told['temperature']:.4f}, fitted on validation" in found["Performance measures"]
    assert f"error on test is {after}, before it was {before}." in " ".join(found["Performance measures"].split())
    assert sentence in (run.folder / "model" / "README.md").read_text()
    plain = parts(dome(runs / "kmer"))["Performance measures"]
    assert "Probabilities are not calibrated; their expected calibration error on test is " in plain
    assert "weigh" not in parts(dome(runs / "kmer"))["Algorithm"]
    (tmp_path / "one.fa").write_text("".join(f">{i}\n{row.split(',')[0]}AC\n" for i, row in enumerate(rows)))
    made = xdomain.run(data=tmp_path / "one.fa", overrides=("negatives.how=shuffled",), out=tmp_path / "made", **own)
    assert (
        "The negatives are no measurements: they are the other records, shuffled (seed 0)."
        in (parts(dome(made.folder))["Provenance"])
    )


def test_a_temperature_at_the_edge_is_told_by_the_run_its_card_and_the_page(tmp_path, monkeypatch, said):
    monkeypatch.setattr("xdomain.runs.finish_run.fit_temperature", lambda logits, labels: 99.9971)
    rows = [f"{'ACGT' * 3}{'ACGT'[i % 4]}{'ACGT'[i // 4 % 4]}{'ACGT'[i // 16]},{'ab'[i % 3 // 2]}" for i in range(64)]
    (tmp_path / "e.csv").write_text("\n".join(["sequence,label", *rows]))
    run = xdomain.run(data=tmp_path / "e.csv", domain="dna", baseline="kmer", overrides=("calibration=temperature",),
                      out=tmp_path / "run")  # fmt: skip
    note = "The temperature is at the edge of those looked for, 0.01 to 100: on validation nearly equal"
    (line,) = (one for one in said if one.startswith("calibration: temperature 99.9971; "))
    for text in (line, (run.folder / "model" / "README.md").read_text(), dome(run.folder)):
        assert note in text


def test_thresholds_of_labels_are_told(tmp_path):
    rows = [
        f"{'ACGT'[i % 4] * 6}{'ACGT'[i // 4 % 4] * 5}{'ACGT'[i // 16]},{('x', 'y', 'x;y')[i % 3]}" for i in range(64)
    ]
    (tmp_path / "m.csv").write_text("\n".join(["sequence,label", *rows]))
    for how in ("validation", "half"):
        run = xdomain.run(data=tmp_path / "m.csv", domain="dna", baseline="kmer", problem="multilabel",
                          overrides=(f"thresholds={how}",), out=tmp_path / how)  # fmt: skip
        told = parts(dome(run.folder))["Output"]
        chosen = ", ".join(f"`{name}` {value:.4f}" for name, value in run.values["thresholds"].items())
        assert told.strip().endswith(
            f"at least its threshold, chosen on validation by the F1 of the label: {chosen}." if how == "validation"
            else "at least its threshold, 0.5."
        )  # fmt: skip


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
