"""Python, as people type it: records in memory, results that show themselves, models that predict."""

import inspect
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import xdomain
from xdomain.core.errors import DataError, RecipeError

QUICK = ("train.max_steps=4", "train.precision=fp32")


def records(n=60):
    rng = np.random.Generator(np.random.PCG64(3))
    sequences = ["".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), 20)) for _ in range(n)]
    return sequences, ["yes" if sequence.count("A") else "no" for sequence in sequences]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDOMAIN_DATA", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def result(tiny_bert, tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    patch = pytest.MonkeyPatch()
    patch.setenv("XDOMAIN_DATA", str(folder / "cache"))
    sequences, labels = records()
    table = pa.table({"peptide": sequences, "activity": labels, "sequence": sequences})
    with patch.context():
        yield xdomain.run(
            data=table, domain="protein", label="activity", columns={"sequence": "peptide"}, backbone=str(tiny_bert),
            overrides=QUICK, out=folder / "run",
        )  # fmt: skip
    patch.undo()


def test_every_option_stands_in_the_signature():
    parameters = inspect.signature(xdomain.run).parameters
    assert {"data", "domain", "label", "init", "tune", "mapping_seed", "seed", "minutes", "out"} < set(parameters)
    assert not any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    assert inspect.ismodule(xdomain.run) is False


def test_a_column_that_is_given_as_an_option_is_told_where_to_stand():
    role: dict[str, Any] = {"id": "Name"}
    with pytest.raises(RecipeError, match=r"unknown option of run 'id'") as told:
        xdomain.run("toy/dna-classification", **role)
    assert told.value.fix == 'columns={"id": "NAME"}'


def test_a_misspelt_option_names_the_nearest():
    misspelt: dict[str, Any] = {"sedd": 1}
    with pytest.raises(RecipeError, match=r"unknown option of run 'sedd'[\s\S]*seed"):
        xdomain.run("toy/dna-classification", **misspelt)
    elsewhere: dict[str, Any] = {"set": {"train.epochs": 1}}
    with pytest.raises(RecipeError, match="did you mean: overrides"):
        xdomain.run("toy/dna-classification", **elsewhere)


@pytest.mark.parametrize(
    ("name", "key"),
    [("epochs", "train.epochs"), ("metrics", "metrics"), ("rule", "split.rule")],
)
def test_an_option_of_the_recipe_is_told_where_to_stand(name, key):
    given: dict[str, Any] = {name: 1}
    with pytest.raises(RecipeError, match=f"unknown option of run '{name}'") as told:
        xdomain.run("toy/dna-classification", **given)
    assert told.value.fix == f'overrides={{"{key}": VALUE}}'


def test_metrics_are_numbers_and_say_what_there_is(result):
    assert list(result.metrics) == ["accuracy", "f1", "matthews_correlation"]
    assert result.metric() == result.metrics["accuracy"]
    assert isinstance(result.metric("f1", "valid"), float)
    with pytest.raises(RecipeError, match=r"unknown metric 'acuracy'[\s\S]*accuracy"):
        result.metric("acuracy")
    result.values["metrics"]["valid"]["f1"]["value"] = None
    assert math.isnan(result.metric("f1", "valid"))


def test_predictions_are_a_table_with_a_column_a_class(result):
    table = result.predictions()
    columns = list(table.columns) if hasattr(table, "iloc") else table.column_names
    assert columns == ["id", "split", "label", "prediction", "score", "p(no)", "p(yes)"]
    assert len(table) == result.values["n"]["valid"] + result.values["n"]["test"]


def test_a_notebook_shows_the_result_and_its_plot(result):
    assert repr(result).startswith(f"Result('{result.folder}': test accuracy {result.metric():.4f}, ")
    shown = result._repr_html_()
    assert "<td>accuracy</td>" in shown
    assert "protein/table-" in shown
    assert result.plot()._repr_png_().startswith(b"\x89PNG")


def test_a_model_predicts_what_the_run_predicted(result):
    model = result.model()
    again = xdomain.load(result.folder)
    sequences, _ = records()
    assert model.classes == again.classes == ("no", "yes")
    chances = model.predict_proba(sequences)
    assert chances.shape == (60, 2)
    np.testing.assert_allclose(chances.sum(1), 1, atol=1e-6)
    named = model.predict(sequences)
    assert named.tolist() == [model.classes[i] for i in chances.argmax(1)]
    table = result.predictions()
    told = table["p(yes)"].tolist() if hasattr(table, "iloc") else table["p(yes)"].to_pylist()
    places = [int(i) - 1 for i in (table["id"].tolist() if hasattr(table, "iloc") else table["id"].to_pylist())]
    np.testing.assert_allclose(chances[places, 1], told, atol=1e-6)


def test_what_was_found_in_the_data_stands_in_the_result(result):
    counts = result.values["counts"]
    assert set(counts["leakage"]) == {"train/test", "train/valid", "valid/test"}
    assert counts["pair_members"] == {}
    assert counts["contradictions"]["reachable"] == {"accuracy": 1.0}
    assert counts["duplicates"] == {"sequences": 0, "records": 0}
    assert set(counts["shortcuts"]) == {"length of sequence"}


def test_a_protein_model_says_when_it_is_given_nucleotides(result, said):
    result.model().predict(["ACGGTCATTCAGGATACA"] * 2)
    assert [line for line in said if line.startswith("warning: 2 of 2 sequences have no letters but A, C, G, T")]
    said.clear()
    result.model().predict(records()[0])
    assert [line for line in said if "did not learn" not in line] == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("ACDE", "a single string"),
        ([], "no sequences"),
        ([("ACDE", "ACDE")], "record 1: tuple"),
        (["ACDE", "AC1E"], "1"),
    ],
)
def test_what_a_model_cannot_read_is_refused(result, given, told):
    with pytest.raises(DataError, match=told):
        result.model().predict(given)


@pytest.mark.parametrize("kind", ["lists", "pandas", "file"])
def test_records_come_from_lists_a_frame_or_a_file(kind, tiny_bert, tmp_path):
    sequences, labels = records(40)
    if kind == "lists":
        data = (sequences, labels)
    elif kind == "pandas":
        data = pytest.importorskip("pandas").DataFrame({"sequence": sequences, "label": labels}, index=labels)
    else:
        data = tmp_path / "mine.csv"
        data.write_text("\n".join(["sequence,label", *map(",".join, zip(sequences, labels, strict=True))]))
    found = xdomain.run(data=data, domain="protein", baseline="kmer", out=tmp_path / "run")
    assert sum(found.values["n"].values()) == 40
    assert found.values["classes"] == ["no", "yes"]
    repeated = xdomain.run(found.folder / "recipe.yaml", out=tmp_path / "again")
    assert repeated.metrics == found.metrics


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "neither a task nor data"),
        ({"task": "toy/dna-pair", "data": "x.csv"}, "a task and data"),
        ({"task": "toy/dna-pair", "label": "x"}, "for the task toy/dna-pair"),
        ({"data": (["ACDE"], ["a", "b"]), "domain": "protein"}, "1 sequences and 2 labels"),
        ({"data": 7, "domain": "protein"}, "data of type int"),
        ({"data": (["ACDE"], ["a"])}, "what does the data hold"),
        ({"data": (["ACDE"], ["a"]), "domain": "protein", "columns": {"lable": "x"}}, "unknown kind of column 'lable'"),
    ],
)
def test_what_cannot_be_run_is_said(given, told):
    with pytest.raises((RecipeError, DataError), match=told):
        xdomain.run(**given)


def test_data_of_ones_own_are_compared_as_they_are_run(tmp_path, monkeypatch):
    monkeypatch.setenv("XDOMAIN_DATA", str(tmp_path / "home"))
    rng = np.random.default_rng(0)
    sequences = ["".join(rng.choice(list("ACGT"), 20)) for _ in range(60)]
    rows = "".join(f"{one},{i % 2},{i % 3}\n" for i, one in enumerate(sequences))
    (tmp_path / "mine.csv").write_text("dna,kind,batch\n" + rows)
    told = {"domain": "dna", "label": "kind", "seeds": 1}
    of_file = xdomain.compare(tmp_path / "mine.csv", ["kmer", "cnn"], out=tmp_path / "a", **told)
    of_pair = xdomain.compare(data=(sequences, [str(i % 2) for i in range(60)]), arms=["kmer"], domain="dna", seeds=1,
                              out=tmp_path / "b")  # fmt: skip
    assert [row.arm for row in of_file.rows] == ["kmer", "cnn"]
    assert of_pair.rows[0].value == of_file.rows[0].value
    misspelt: dict[str, Any] = {"lable": "kind"}
    with pytest.raises(RecipeError, match="did you mean: label"):
        xdomain.compare(tmp_path / "mine.csv", ["kmer"], domain="dna", **misspelt)
