"""Mappings that are chosen: by training records alone, the same again, and worth their name."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

import xdomain
from xdomain.core.errors import RecipeError
from xdomain.model.token_mapping import TokenMapping

FAST = ("train.max_steps=4", "split.limit.train=60", "split.limit.valid=16", "split.limit.test=16",
        "train.precision=fp32", "train.learning_rate=1e-3", "train.evaluations=2")  # fmt: skip


def searched(task, backbone, out, *extra, mapping="search:4", **arm):
    return xdomain.run(task, overrides=(*FAST, *extra), backbone=str(backbone), mapping=mapping, out=out, **arm)


@pytest.mark.parametrize(
    "task",
    [
        "toy/dna-tagging",
        *(pytest.param(f"toy/dna-{problem}", marks=pytest.mark.slow) for problem in ("regression", "pair")),
    ],
)
def test_the_best_draw_is_taken_and_all_are_told(task, tiny_bert, tmp_path, said):
    result = searched(task, tiny_bert, tmp_path / "run", mapping_seed=2)
    found = result.values["search"]
    assert [one["seed"] for one in found["candidates"]] == [2, 1002, 2002, 3002]
    best = max(found["candidates"], key=lambda one: one["score"])
    assert found["chosen"] == best["seed"]
    assert found["records"] == 60
    assert found["metric"] == next(iter(result.values["metrics"]["test"]))
    assert [line for line in said if f"draw {best['seed']} is the best of 4" in line]
    mapping = TokenMapping.load(result.folder / "mapping.json")
    assert (mapping.strategy, mapping.seed) == ("search:4", best["seed"])
    recipe = result.folder / "recipe.yaml"
    drawn = xdomain.run(recipe, mapping="random", mapping_seed=best["seed"], out=tmp_path / "drawn")
    plain = TokenMapping.load(drawn.folder / "mapping.json")
    assert plain.ids.tolist() == mapping.ids.tolist()
    assert drawn.values["metrics"] == result.values["metrics"]


def test_a_search_is_the_same_again_and_looks_at_training_records_alone(tiny_bert, tmp_path):
    one = searched("toy/dna-classification", tiny_bert, tmp_path / "one")
    same = searched("toy/dna-classification", tiny_bert, tmp_path / "same")
    fewer = searched(
        "toy/dna-classification", tiny_bert, tmp_path / "fewer", "split.limit.valid=8", "split.limit.test=4"
    )
    told = [run.values["search"]["candidates"] for run in (one, same, fewer)]
    assert told[0] == told[1] == told[2]


def test_a_body_of_long_sequences_is_read_in_windows(tiny_bert, tmp_path):
    result = searched("toy/dna-classification", tiny_bert, tmp_path / "run", "train.max_length=32", mapping="search:2")
    assert result.values["counts"]["sequences_in_several_windows"]
    assert all(np.isfinite(one["score"]) for one in result.values["search"]["candidates"])


@pytest.mark.parametrize(
    ("arm", "extra", "match"),
    [
        ({"init": "scratch"}, (), "draws its word rows at random"),
        ({"init": "rescaled"}, (), "draws its word rows at random"),
        ({"init": "shuffled"}, (), "draws its word rows at random"),
        ({"init": "reembed"}, (), "one mapping is as good as another"),
        ({"transfer": ["attention", "ffn"]}, (), "draws its word rows at random"),
        ({"mapping": "search:1"}, (), "N from 2 to 999"),
        ({}, ("split.limit.train=8",), "8 training records are too few"),
    ],
)
def test_a_search_that_cannot_be_leaves_nothing_behind(arm, extra, match, tiny_bert, tmp_path):
    with pytest.raises(xdomain.core.errors.UserError, match=match):
        searched("toy/dna-classification", tiny_bert, tmp_path / "run", *extra, **arm)
    assert not (tmp_path / "run").exists()


def test_spans_are_not_searched(tiny_bert, tmp_path):
    with pytest.raises(RecipeError, match="finds no answers in passages"):
        searched("toy/dna-span", tiny_bert, tmp_path / "run")


@pytest.mark.parametrize(
    ("mapping", "tune"),
    [("learned", "full"), ("learned:sparse", "lora"), pytest.param("learned", "norms", marks=pytest.mark.slow)],
)
def test_a_learned_mapping_from_the_command_to_the_prediction(mapping, tune, tiny_bert, tmp_path):
    result = searched("toy/dna-tagging", tiny_bert, tmp_path / "run", mapping=mapping, tune=tune)
    told = result.values["learned_mapping"]
    assert set(told) >= set("ACGT")
    assert all(one["pieces"][0][1] >= one["pieces"][-1][1] > 0 for one in told.values())
    drawn = searched("toy/dna-tagging", tiny_bert, tmp_path / "drawn", mapping="random", tune=tune)
    ids = [json.loads((run.folder / "mapping.json").read_text())["ids"] for run in (result, drawn)]
    assert ids[0] == ids[1]
    sizes = [
        json.loads((place / "config.json").read_text())["vocab_size"] for place in (result.folder / "model", tiny_bert)
    ]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize(
    ("mapping", "tune"),
    [
        ("learned", "lora"),
        pytest.param("learned:sparse", "full", marks=pytest.mark.slow),
        pytest.param("search:2", "head", marks=pytest.mark.slow),
    ],
)
def test_interrupted_and_resumed_is_the_same_run(mapping, tune, tiny_bert, tmp_path, said, listen):
    options = {"overrides": FAST, "backbone": str(tiny_bert), "mapping": mapping, "tune": tune}
    whole = xdomain.run("toy/dna-classification", **options, out=tmp_path / "whole")

    def stop(line):
        if line.startswith("step 4/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), listen(stop):
        xdomain.run("toy/dna-classification", **options, out=tmp_path / "cut")
    again = xdomain.run("toy/dna-classification", **options, out=tmp_path / "cut", resume=True)
    assert "going on from step 2" in said
    for part in ("learned_mapping", "metrics", "train_loss"):
        assert again.values.get(part) == whole.values.get(part)
    one, two = (pq.read_table(run.folder / "predictions.parquet") for run in (whole, again))
    assert one.equals(two)
