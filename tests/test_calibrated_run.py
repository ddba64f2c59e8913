"""Probabilities that fit validation, and the positive one of two classes, in a run and whatever follows it."""

import json
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

import xdomain
from xdomain.cli.console import print_result
from xdomain.core.errors import RecipeError
from xdomain.core.recipe import parse_recipe
from xdomain.metrics.scoring import by_class, chances_of
from xdomain.runs.result import load_result
from xdomain.study.cells import LATER_KEYS


def data(n=240):
    rng = np.random.Generator(np.random.PCG64(5))
    sequences = ["".join(rng.choice(list("ACGT"), 12)) for _ in range(n)]
    noise = rng.normal(size=n)
    return sequences, [
        "no" if one.count("A") + shift < 3 else "yes" for one, shift in zip(sequences, noise, strict=True)
    ]


@pytest.fixture(scope="module")
def runs(pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibrated")
    metrics = ("metrics=[accuracy,f1_binary,average_precision]",)
    given = {"plain": (), "tempered": ("calibration=temperature",), "no": ("positive=no",)}
    options: dict[str, Any] = {"domain": "dna", "baseline": "kmer"}
    with pictures():
        return {
            name: xdomain.run(data=data(), out=folder / name, overrides=metrics + changes, **options)
            for name, changes in given.items()
        }


def table_of(result, split="test"):
    import pyarrow.parquet as pq

    table = pq.read_table(result.folder / "predictions.parquet", filters=[("split", "==", split)])
    return table, chances_of(table, result.values["classes"])


def test_a_temperature_changes_probabilities_and_no_prediction(runs):
    (plain, before), (tempered, after) = table_of(runs["plain"]), table_of(runs["tempered"])
    assert plain["prediction"].to_pylist() == tempered["prediction"].to_pylist()
    told = json.loads((runs["tempered"].folder / "calibration.json").read_text())["temperature"]
    assert told != 1
    np.testing.assert_allclose(np.log(before[:, 1] / before[:, 0]) / told, np.log(after[:, 1] / after[:, 0]), rtol=1e-6)
    calibration = runs["tempered"].values["calibration"]
    assert calibration["temperature"] == told
    assert (
        calibration["valid"]["after"]["negative_log_likelihood"]
        < calibration["valid"]["before"]["negative_log_likelihood"]
    )
    assert calibration["test"]["before"] == runs["plain"].values["calibration"]["test"]["before"]
    assert "after" not in runs["plain"].values["calibration"]["test"]
    assert not (runs["plain"].folder / "calibration.json").exists()


def test_predict_and_evaluate_use_it_too(runs):
    result = runs["tempered"]
    table, chances = table_of(result)
    sequences, _ = data()
    chosen = [sequences[int(name) - 1] for name in table["id"].to_pylist()]
    np.testing.assert_allclose(xdomain.load(result.folder).predict_proba(chosen), chances, rtol=1e-9)
    again = xdomain.evaluate(result.folder)
    assert by_class(again.predictions, result.values["classes"])["p(yes)"].to_pylist() == pytest.approx(
        chances[:, 1].tolist()
    )
    assert again.calibration_error == pytest.approx(result.values["calibration"]["test"]["after"]["error"])


def test_every_run_with_classes_is_drawn_and_told(runs, capsys):
    for result in runs.values():
        assert (result.folder / "reliability.png").read_bytes().startswith(b"\x89PNG")
    print_result(load_result(runs["tempered"].folder))
    out = capsys.readouterr().out
    assert "expected calibration error on test, after calibration: " in out
    assert "positive class of f1_binary, average_precision: yes" in out


def test_the_positive_class_may_be_chosen(runs):
    table, chances = table_of(runs["no"])
    assert runs["no"].values["classes"] == ["yes", "no"]
    assert runs["no"].values["positive_class"] == "no"
    truth = [label == "no" for label in table["label"].to_pylist()]
    wanted = {
        "f1_binary": f1_score(truth, [one == "no" for one in table["prediction"].to_pylist()]),
        "average_precision": average_precision_score(truth, chances[:, 1]),
    }
    for name, value in wanted.items():
        assert runs["no"].metric(name) == pytest.approx(value)
        assert runs["no"].metric(name) != pytest.approx(runs["plain"].metric(name))
    assert runs["no"].metric("accuracy") == runs["plain"].metric("accuracy")
    with pytest.raises(RecipeError, match="positive: 'maybe' among the 2 classes no, yes"):
        xdomain.run(data=data(), domain="dna", baseline="kmer", overrides=("positive=maybe",), out="never")


def test_a_temperature_is_for_classes_and_nothing_new_is_what_it_was():
    head = "name: x\ntitle: x\nsource: {}\nadapter: {name: dna}\nproblem: "
    with pytest.raises(RecipeError, match="calibration: temperature is for classification and pair"):
        parse_recipe(head + "regression", where="x", overrides=("calibration=temperature",))
    recipe = parse_recipe(head + "classification", where="x")
    tree = recipe.model_dump(mode="json")
    assert {name: tree[name] for name in LATER_KEYS} == LATER_KEYS
