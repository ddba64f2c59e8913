"""The learned mix of layers, end to end: the scores of a run are those of the model with its mix on."""

import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import xdomain
from xdomain.core.recipe import load_recipe
from xdomain.model.layer_mix import attach_layer_mix
from xdomain.training.preparation import adapter_of, prepare

FAST = ("train.max_steps=6", "split.limit.train=48", "split.limit.valid=16", "split.limit.test=16",
        "train.precision=fp32", "train.learning_rate=1e-2", "train.evaluations=2")  # fmt: skip
PROBLEMS = ("classification", "regression", "tagging", "pair", "span")


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_problem_reads_a_mix(problem, tiny_bert, tmp_path):
    result = xdomain.run(
        f"toy/dna-{problem}", overrides=FAST, backbone=str(tiny_bert), tune="mix", out=tmp_path / "run"
    )
    mix = result.values["layer_mix"]
    assert [row["layer"] for row in mix["layers"]] == [0, 1, 2]
    assert sum(row["weight"] for row in mix["layers"]) == pytest.approx(1)
    assert json.loads((result.folder / "model" / "layer_mix.json").read_text()) == mix
    assert (result.folder / "model" / "layer-mix.png").is_file()
    assert result.values["arm"]["label"] == "pretrained+mix"
    lines = map(json.loads, (result.folder / "history.jsonl").read_text().splitlines())
    first = next(iter(result.values["metrics"]["valid"]))
    best = max(line["valid"][first] for line in lines if "valid" in line)
    # the scale is folded into the saved model, so near-ties may change their ranks
    assert result.metric(first, "valid") == pytest.approx(best, abs=2e-2)


@pytest.mark.usefixtures("drawn")
def test_the_predictions_are_those_of_the_model_with_its_mix_on(tiny_bert, tmp_path, monkeypatch):
    result = xdomain.run(
        "toy/dna-classification", overrides=FAST, backbone=str(tiny_bert), tune="mix", out=tmp_path / "run"
    )
    assert (result.folder / "model" / "layer-mix.png").stat().st_size > 5000
    rows = pq.read_table(result.folder / "predictions.parquet").to_pylist()
    model = AutoModelForSequenceClassification.from_pretrained(result.folder / "model").eval()
    recipe = load_recipe(result.folder / "recipe.yaml")
    adapter = adapter_of(recipe)
    examples, _ = prepare(recipe, adapter)
    tokenizer = AutoTokenizer.from_pretrained(result.folder / "model")
    where = {name: i for i, name in enumerate(examples.ids)}
    row = rows[0]
    told = tokenizer(adapter.decode(examples.symbols[where[row["id"]]]), return_tensors="pt", truncation=True)
    with torch.inference_mode():
        without = model(**told).logits.softmax(-1)[0].numpy()
        assert attach_layer_mix(model, result.folder / "model")
        within = model(**told).logits.softmax(-1)[0].numpy()
    np.testing.assert_allclose(within, [row[name] for name in row if name.startswith("p(")], atol=1e-5)
    assert not np.allclose(without, within, atol=1e-4)
    monkeypatch.chdir(result.folder)  # the model card says how to get there
    made = {}
    for snippet in re.findall(r"```python\n(.*?)```", (result.folder / "model" / "README.md").read_text(), re.DOTALL):
        exec(snippet, made)
    with torch.inference_mode():
        as_the_card_says = made["model"].eval()(**told).logits.softmax(-1)[0].numpy()
    np.testing.assert_allclose(as_the_card_says, within, atol=1e-6)


def test_a_mix_that_was_interrupted_ends_the_same(tiny_bert, tmp_path, listen):
    whole = xdomain.run("toy/dna-classification", overrides=FAST, backbone=str(tiny_bert), tune="mix",
                        mapping="learned", out=tmp_path / "whole")  # fmt: skip

    def stop(line):
        if line.startswith("step 6/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), listen(stop):
        xdomain.run("toy/dna-classification", overrides=FAST, backbone=str(tiny_bert), tune="mix",
                    mapping="learned", out=tmp_path / "cut")  # fmt: skip
    again = xdomain.run("toy/dna-classification", overrides=FAST, backbone=str(tiny_bert), tune="mix",
                        mapping="learned", out=tmp_path / "cut", resume=True)  # fmt: skip
    assert again.values["layer_mix"] == whole.values["layer_mix"]
    assert again.values["learned_mapping"] == whole.values["learned_mapping"]
    one, two = (pq.read_table(r.folder / "predictions.parquet") for r in (whole, again))
    assert one.equals(two)
