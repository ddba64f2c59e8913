"""A finished run judged again: on its own test records, read as they were or otherwise, and on a labelled file."""

import json

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import xdomain
from xdomain.cli.main import main
from xdomain.core.errors import DataError, RecipeError
from xdomain.data.own_data import own_recipe

FAST = ("train.precision=fp32", "train.max_steps=30", "train.batch_size=8", "train.learning_rate=3e-3")
ONE = "metrics=[accuracy]"
FEW = ("split.limit.train=32", "split.limit.valid=16", "split.limit.test=16", "train.max_steps=2")


def write(path, records):
    path.write_text("\n".join(["id,sequence,label", *(f"{name},{dna},{kind}" for name, dna, kind in records)]) + "\n")
    return path


@pytest.fixture(scope="module")
def told(tmp_path_factory, tiny_bert):
    """A run that tells what is rich in A and T from what is rich in G and C, its folder's folder, and its records."""
    folder = tmp_path_factory.mktemp("told")
    rng = np.random.default_rng(0)
    kinds = ["AT" if number % 2 else "GC" for number in range(60)]
    rows = [(f"r{number}", "".join(rng.choice(list(kind), 20)), kind) for number, kind in enumerate(kinds)]
    recipe = own_recipe(write(folder / "own.csv", rows), "dna")
    return (
        xdomain.run(recipe, out=folder / "run", overrides=(*FAST, ONE), backbone=str(tiny_bert)),
        folder,
        rows,
    )


@pytest.mark.parametrize("task", ["toy/dna-regression", "toy/dna-span"])
def test_test_again_is_what_the_run_told(task, tiny_bert, tmp_path):
    run = xdomain.run(task, out=tmp_path / "run", overrides=(*FAST, *FEW), backbone=str(tiny_bert))
    again = xdomain.evaluate(run.folder)
    assert {name: value.value for name, value in again.metrics.items()} == {
        name: pytest.approx(found["value"], abs=1e-6, nan_ok=True)
        for name, found in run.values["metrics"]["test"].items()
    }
    before = pq.read_table(run.folder / "predictions.parquet", filters=[("split", "==", "test")])
    assert again.predictions["id"].to_pylist() == before["id"].to_pylist()
    assert again.predictions["label"].to_pylist() == before["label"].to_pylist()
    assert again.oracle == run.values.get("oracle", {}).get("test", {})


def test_a_baseline_is_judged_again(tmp_path):
    run = xdomain.run("toy/dna-classification", baseline="kmer", out=tmp_path / "run", overrides=(*FEW[:3], ONE))
    assert xdomain.evaluate(run.folder).metrics["accuracy"].value == pytest.approx(run.metric())


def test_records_read_otherwise_are_the_same_records(told):
    run, folder, rows = told
    assert run.metric() == 1
    opposite = str.maketrans("ACGT", "CATG")  # what was rich in A and T is now rich in C and G
    write(folder / "noisy.csv", [(name, dna.translate(opposite), kind) for name, dna, kind in rows])
    noisy = xdomain.evaluate(run.folder, overrides=[f"source.files.data={folder / 'noisy.csv'}"])
    assert noisy.metrics["accuracy"].value == 0
    test = pq.read_table(run.folder / "predictions.parquet", filters=[("split", "==", "test")])
    assert noisy.predictions["id"].to_pylist() == test["id"].to_pylist()


def test_only_part_of_the_test_records_is_said_and_none_is_refused(told, said):
    run, folder, rows = told
    test = pq.read_table(run.folder / "predictions.parquet", filters=[("split", "==", "test")])["id"].to_pylist()
    write(folder / "some.csv", [row for row in rows if row[0] not in test[1:]])
    found = xdomain.evaluate(run.folder, overrides=[f"source.files.data={folder / 'some.csv'}"])
    assert len(found) == 1
    assert f"{run.values['n']['test'] - 1} of {run.values['n']['test']} test records are not there" in said
    write(folder / "others.csv", [(f"x{name}", dna, kind) for name, dna, kind in rows])
    with pytest.raises(DataError, match=r"(?s)none of the run's .* records is there.*evaluate RUN FILE"):
        xdomain.evaluate(run.folder, overrides=[f"source.files.data={folder / 'others.csv'}"])


def typed(*words):
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return end.value.code


def test_a_labelled_file_from_the_command_line(told, tmp_path, capsys):
    run, _, rows = told
    other = {"AT": "GC", "GC": "AT"}
    swapped = [(name, dna, other[kind] if i < 15 else kind) for i, (name, dna, kind) in enumerate(rows)]
    path = write(tmp_path / "new.csv", swapped)
    assert typed("evaluate", run.folder, path, "--json", "--out", tmp_path / "p.csv") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["n"], found["metrics"]["accuracy"]["value"]) == (60, 0.75)
    assert 0.6 < found["metrics"]["accuracy"]["low"] < 0.75 < found["metrics"]["accuracy"]["high"] < 0.9
    table = pyarrow.csv.read_csv(tmp_path / "p.csv").to_pylist()
    assert [row["label"] for row in table] == [kind for _, _, kind in swapped]
    assert sum(row["label"] == row["prediction"] for row in table) == 45
    named = tmp_path / "named.csv"
    named.write_text(path.read_text().replace("id,sequence,label", "id,sequence,kind"))
    assert typed("evaluate", run.folder, named, "--column", "label=kind") == 0
    assert "accuracy\t0.7500 [" in capsys.readouterr().out
    alike = write(tmp_path / "alike.csv", [row for row in rows if row[2] == "AT"])
    assert xdomain.evaluate(run.folder, alike).metrics["accuracy"].value == 1


def test_what_cannot_be_judged_is_refused(told, tmp_path):
    run, _, rows = told
    strange = write(tmp_path / "strange.csv", [(name, dna, "TA") for name, dna, _ in rows])
    with pytest.raises(DataError, match=r"(?s)label 'TA' is none that the model knows.*AT, GC"):
        xdomain.evaluate(run.folder, strange)
    with pytest.raises(RecipeError, match=r"(?s)train cannot be another once a model is trained.*reader_options"):
        xdomain.evaluate(run.folder, overrides=["train.epochs=3"])
    with pytest.raises(RecipeError, match="does not exist"):
        xdomain.evaluate(run.folder, tmp_path / "none.csv")


def test_records_of_training_in_the_run_s_own_file_are_counted(told, said, tmp_path):
    run, folder, rows = told
    warning = f"warning: {run.values['n']['train']} of 60 records were in the training data of this run"
    copied = write(tmp_path / "copy.csv", rows)
    for file in (folder / "own.csv", copied):
        said.clear()
        xdomain.evaluate(run.folder, file)
        assert sum(line.startswith(warning) for line in said) == 1
    said.clear()
    xdomain.evaluate(run.folder, write(tmp_path / "new.csv", rows[:10]))
    xdomain.evaluate(run.folder)
    assert not any("training data" in line for line in said)
