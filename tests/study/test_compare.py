"""Comparisons: what stands beside what, and how sure a difference is."""

import csv
import json
import math
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from families import NOT_MEASURED

from xdomain.core.errors import OutputError, RecipeError, UserError
from xdomain.core.plugins import find_recipe
from xdomain.core.recipe import dump_recipe
from xdomain.metrics.heldout import load_held_out, resampled_metric
from xdomain.runs.result import load_result
from xdomain.study.compare import _Runs, compare
from xdomain.study.comparison import ArmRuns, comparison_of, read_comparison
from xdomain.study.config import RunSeeds
from xdomain.study.typed_arms import check_backbones, typed_arm

ARMS = ("pretrained", "scratch", "kmer")
SMALL = ("split.limit.train=48", "split.limit.valid=16", "split.limit.test=24", "train.max_steps=4",
         "train.precision=fp32")  # fmt: skip
PAIRS = [RunSeeds(seed, seed) for seed in range(3)]


@pytest.fixture(
    scope="module", params=["classification", "regression", "tagging", pytest.param("pair", marks=pytest.mark.slow)]
)
def compared(request, tiny_bert, pictures, tmp_path_factory):
    out = tmp_path_factory.mktemp("compare") / request.param
    with pictures() if request.param == "classification" else nullcontext():
        return compare(f"toy/dna-{request.param}", ARMS, seeds=2, overrides=SMALL, backbone=str(tiny_bert), out=out)


def runs_of(compared, arm):
    return [load_result(folder) for folder in sorted(compared.folder.glob(f"{arm}-m*"))]


def test_values_are_means_over_the_runs(compared):
    assert [row.arm for row in compared.rows] == ["pretrained", "scratch", "kmer"]
    assert [row.seeds for row in compared.rows] == [2, 2, 1]  # no seed changes k-mer counts
    for row in compared.rows:
        values = [run.metric(compared.metric) for run in runs_of(compared, row.arm)]
        assert len(values) == row.seeds
        assert row.value.value == pytest.approx(np.mean(values), abs=1e-9)
        assert not row.value.low > row.value.value  # NaN where nothing varies
        assert not row.value.high < row.value.value


def test_differences_are_paired_over_seeds_and_to_the_first(compared):
    first, *others = compared.rows
    assert first.difference is None
    reference = [run.metric(compared.metric) for run in runs_of(compared, "pretrained")]
    for row in others:
        values = [run.metric(compared.metric) for run in runs_of(compared, row.arm)] * (2 // row.seeds)
        assert row.difference.value == pytest.approx(np.mean(np.subtract(values, reference)), abs=1e-9)


def test_every_difference_is_told_in_a_sentence(compared):
    told = " ".join(compared.conclusions)
    assert "Does text pre-training help here?" in told
    assert "kmer" in told


def test_the_table_and_the_plot_are_written(compared):
    told = json.loads((compared.folder / "comparison.json").read_text())
    assert [row["arm"] for row in told["rows"]] == ["pretrained", "scratch", "kmer"]
    assert told["n_test"] == 24
    png, svg, pdf = (compared.folder / f"comparison.{ending}" for ending in ("png", "svg", "pdf"))
    assert png.is_file() and svg.is_file() and pdf.is_file()
    if compared.task == "toy/dna-classification":  # the others are not rendered
        assert png.stat().st_size > 5_000
        assert b"<svg" in svg.read_bytes()
        assert pdf.read_bytes().startswith(b"%PDF")
    with (compared.folder / "comparison.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row, one in zip(rows, compared.rows, strict=True):
        assert row["arm"] == one.arm
        assert float(row["test"]) == one.value.value
        assert (row["difference_to_first"] == "") == (one.difference is None)
    tex = (compared.folder / "comparison.tex").read_text()
    assert tex.count(r" \\") == 4  # the header and three arms
    assert compared.task in tex


def test_arms_share_splits_mapping_and_test_records(compared):
    runs = [load_result(row.folder).values for row in compared.rows]
    assert runs[0]["mapping"] == runs[1]["mapping"]
    mappings = [run.values["mapping"]["seed"] for run in runs_of(compared, "scratch")]
    assert mappings == [0, 1]  # each seed has a mapping of its own
    labels = [load_held_out(row.folder).labels.tolist() for row in compared.rows]
    assert labels[0] == labels[1] == labels[2]


def test_a_finished_comparison_is_taken_up_without_running_again(compared, tiny_bert):
    before = [(row.folder / "result.json").stat().st_mtime_ns for row in compared.rows]
    again = compare(
        compared.task, ARMS, seeds=2, overrides=SMALL, backbone=str(tiny_bert), out=compared.folder, resume=True,
    )  # fmt: skip
    assert json.dumps(again.as_dict()) == json.dumps(compared.as_dict())
    assert [(row.folder / "result.json").stat().st_mtime_ns for row in compared.rows] == before


def test_a_comparison_is_read_back(compared):
    assert repr(read_comparison(compared.folder)) == repr(compared)  # NaN is equal to NaN there
    assert read_comparison(compared.folder).rows[1].folder.is_dir()


def test_a_damaged_comparison_is_named(compared, tmp_path):
    with pytest.raises(UserError, match=r"comparison\.json is missing"):
        read_comparison(tmp_path)
    told = json.loads((compared.folder / "comparison.json").read_text())
    told["rows"][0]["run"] = "../elsewhere"
    (tmp_path / "comparison.json").write_text(json.dumps(told))
    with pytest.raises(UserError, match=r"rows\.0\.run"):
        read_comparison(tmp_path)


def test_other_options_get_a_folder_of_their_own(tmp_path, monkeypatch, tiny_bert):
    monkeypatch.chdir(tmp_path)
    given: dict[str, Any] = {"arms": ("kmer",), "seeds": 1, "backbone": str(tiny_bert)}
    other = [*SMALL, "split.seed=1"]
    places = [
        compare("toy/dna-classification", overrides=SMALL, **given).folder.as_posix(),
        compare("toy/dna-classification", overrides=other, **given).folder.as_posix(),
        compare("toy/dna-classification", overrides=other, resume=True, **given).folder.as_posix(),
    ]
    first = "runs/toy/dna-classification/compare"
    assert places == [first, f"{first}-2", f"{first}-2"]
    with pytest.raises(OutputError, match="compare/kmer-m0-s0 holds a finished run"):
        compare("toy/dna-classification", overrides=SMALL, **given)


def test_a_scratch_of_another_shape_is_told(tmp_path, tiny_bert, said):
    recipe = find_recipe("toy/dna-classification")
    arms = [typed_arm(recipe, arm, {}).recipe for arm in (f"pretrained backbone={tiny_bert}", "scratch")]
    check_backbones(arms)
    assert any("only scratch has the shape of english-4x256" in line for line in said)


def test_an_arm_twice_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="each once"):
        compare("toy/dna-pair", ("kmer", "kmer"), out=tmp_path / "x")


def test_areas_under_curves_of_tags_are_refused(compared):
    found = load_held_out(compared.rows[0].folder)
    if found.problem == "tagging":
        with pytest.raises(RecipeError, match="roc_auc of tagging cannot be compared"):
            resampled_metric("roc_auc", found)


def test_one_seed_is_no_evidence(tiny_bert, tmp_path):
    found = compare(
        "toy/dna-classification", ("pretrained", "scratch"), seeds=1, overrides=SMALL, backbone=str(tiny_bert),
        out=tmp_path,
    )  # fmt: skip
    (last,) = [sentence for sentence in found.conclusions if "Does text pre-training help here?" in sentence]
    assert "Cannot be told" in last
    assert not any(word in last for word in ("Yes", "better"))


def test_cheap_seeds_are_added_without_being_asked_for(tiny_bert, tmp_path, said):
    found = compare(
        "toy/dna-classification", ("pretrained", "kmer"), overrides=SMALL, backbone=str(tiny_bert), out=tmp_path,
    )  # fmt: skip
    assert found.seeds == 3
    assert any(line.startswith("2 more seeds of each arm, about ") for line in said)


def test_dear_seeds_are_not_added_and_it_is_said(tiny_bert, tmp_path, monkeypatch, said):
    monkeypatch.setattr("xdomain.study.compare.CHEAP_SECONDS", 0)
    found = compare(
        "toy/dna-classification", ("pretrained",), overrides=SMALL, backbone=str(tiny_bert), out=tmp_path,
    )  # fmt: skip
    assert found.seeds == 1
    assert any("--seeds 3 asks for them" in line for line in said)


def finished(folder, seed, predicted, labels, *, learned=True):
    """Write the folder of a run with given predictions on test, of the classes a and b."""
    folder.mkdir(parents=True)
    chances = [[0.1, 0.9] if one == "b" else [0.9, 0.1] for one in predicted]
    table = pa.table({
        "id": [str(i) for i in range(len(labels))], "split": ["test"] * len(labels), "label": labels,
        "prediction": predicted, "score": [0.9] * len(labels),
        "probabilities": pa.array(chances, pa.list_(pa.float64(), 2)),
    })  # fmt: skip
    pq.write_table(table, folder / "predictions.parquet")
    recipe = find_recipe("toy/dna-classification")
    (folder / "recipe.yaml").write_text(dump_recipe(recipe))
    accuracy = float(np.mean([a == b for a, b in zip(predicted, labels, strict=True)]))
    judged = {split: {"accuracy": {"value": accuracy}} for split in ("valid", "test")}
    values = {**NOT_MEASURED, "metrics": judged, "classes": ["a", "b"], "paired": False, "seconds": 1.0,
              "train_loss": 0.5, "learned": learned}  # fmt: skip
    (folder / "result.json").write_text(json.dumps(values))
    (folder / "history.jsonl").write_text("".join(json.dumps({"step": i, "loss": 0.7}) + "\n" for i in range(20)))
    return load_result(folder)


def arm_of(name, folder, labels, flips, *, learned=True):
    """An arm whose i-th seed has every `flips[i]`-th test record wrong."""
    other = {"a": "b", "b": "a"}
    runs = {
        RunSeeds(seed, seed): finished(
            folder / f"{name}-{seed}", seed,
            [other[label] if i % flip == 0 else label for i, label in enumerate(labels)], labels, learned=learned,
        )
        for seed, flip in enumerate(flips)
    }  # fmt: skip
    return ArmRuns(name, runs, fixed=False)


def test_a_clear_difference_answers_the_question(tmp_path):
    labels = ["a", "b"] * 100
    arms = [
        arm_of("pretrained", tmp_path, labels, (20, 25, 20)),
        arm_of("scratch", tmp_path, labels, (3, 3, 4)),
    ]
    found = comparison_of("t", "accuracy", arms, PAIRS, tmp_path)
    (sentence,) = found.conclusions
    assert sentence.startswith("Does text pre-training help here? Yes: pretrained is better than scratch by 0.2")
    assert sentence.endswith("in test accuracy, over 3 seeds.")
    few = [arms[0], arm_of("scratch", tmp_path / "few", labels, (3, 3, 4), learned=False)]
    *_, doubted = comparison_of("t", "accuracy", few, PAIRS, tmp_path).conclusions
    assert doubted == f"{sentence} But scratch may only need more steps."
    turned = comparison_of("t", "accuracy", arms[::-1], PAIRS, tmp_path)
    assert "Yes: pretrained is better than scratch" in turned.conclusions[0]


def test_the_answer_says_where_counts_do_as_well(tmp_path):
    labels = ["a", "b"] * 100
    arms = [arm_of("pretrained", tmp_path, labels, (20, 25, 20)), arm_of("scratch", tmp_path, labels, (3, 3, 4))]

    def conclusions(flip):
        kmer = replace(arm_of("kmer", tmp_path / str(flip), labels, (flip,)), fixed=True)
        return comparison_of("t", "accuracy", [*arms, kmer], PAIRS, tmp_path).conclusions

    beaten, one, both = conclusions(2), conclusions(10), conclusions(100)
    assert beaten[0].endswith("over 3 seeds.")
    assert one[0].endswith(" Counted k-mers (0.9000) are not beaten by scratch.")
    assert both[0].endswith(" Counted k-mers (0.9900) are not beaten by either.")
    assert not any("Counted" in sentence for sentence in (beaten[1], one[1], both[1]))  # the question's answer alone


def test_runs_that_did_not_learn_are_counted(tmp_path):
    arms = [arm_of("pretrained", tmp_path, ["a", "b"] * 100, (20, 25, 20)),
            arm_of("scratch", tmp_path, ["a", "b"] * 100, (3, 3, 4))]  # fmt: skip
    for run in [*arms[1].runs.values()][:2]:
        run.values["learned"] = False
    found = comparison_of("t", "accuracy", arms, PAIRS, tmp_path)
    assert found.conclusions[0] == "2 of the 3 runs of scratch have not shown that they learned."


def test_minutes_that_leave_few_steps_are_warned_of(tmp_path, monkeypatch, caplog):
    recipe = find_recipe("toy/dna-classification")
    runs = _Runs([typed_arm(recipe, "pretrained", {})], tmp_path, resume=False, overwrite=False)
    few = recipe.train.model_copy(update={"max_steps": 26})
    monkeypatch.setattr(runs, "_run", lambda *_, **__: None)
    monkeypatch.setattr("xdomain.study.compare.with_written_size", lambda one, _: one.model_copy(update={"train": few}))
    assert runs.choose_size(RunSeeds(0, 0), 5, [3, 2]) == 3
    assert "26 steps are few: some arms may not begin to learn; --minutes 20 or --seeds 1 gives more" in caplog.text


@pytest.mark.parametrize(
    "told", [{"backbone": {"domain": "synthetic"}}, {"mapping": {"strategy": "own"}, "backbone": {"domain": None}}]
)
def test_a_backbone_that_has_read_no_text_is_not_said_to_have(tmp_path, told):
    arms = [arm_of(name, tmp_path, ["a", "b"] * 100, flips) for name, flips in
            (("pretrained", (20, 25, 20)), ("scratch", (3, 3, 4)))]  # fmt: skip
    for run in arms[0].runs.values():
        run.values.update(told)
    (sentence,) = comparison_of("t", "accuracy", arms, PAIRS, tmp_path).conclusions
    assert sentence.startswith("Does pre-training help here? Yes: pretrained is better")


def test_runs_of_different_records_are_not_compared(tmp_path):
    labels = ["a", "b"] * 20
    arms = [arm_of("pretrained", tmp_path, labels, (5,)), arm_of("scratch", tmp_path, labels[2:], (5,))]
    with pytest.raises(RecipeError, match="different test records"):
        comparison_of("t", "accuracy", arms, PAIRS[:1], tmp_path)


def test_two_arms_that_answer_one_class_cannot_be_told(tmp_path):
    labels = ["a", "b"] * 50
    constant = {RunSeeds(seed, seed): finished(tmp_path / f"c{seed}", seed, ["a"] * 100, labels, learned=False)
                for seed in range(3)}  # fmt: skip
    arms = [ArmRuns("pretrained", constant, fixed=False), ArmRuns("scratch", constant, fixed=False)]
    found = comparison_of("t", "accuracy", arms, PAIRS, tmp_path)
    assert found.conclusions[0].startswith("No arm has shown that it learned this task.")
    assert "Cannot be told" in found.conclusions[1]
    assert math.isnan(found.rows[1].difference.low)


def test_equal_seeds_of_arms_that_learned_are_no_certainty(tmp_path):
    labels = ["a", "b"] * 50
    same = {RunSeeds(seed, seed): finished(tmp_path / f"e{seed}", seed, labels, labels) for seed in range(3)}
    arms = [ArmRuns("pretrained", same, fixed=False), ArmRuns("scratch", same, fixed=False)]
    (sentence,) = comparison_of("t", "accuracy", arms, PAIRS, tmp_path).conclusions
    assert "Cannot be told between scratch and pretrained" in sentence


def test_seeds_without_a_value_are_left_out_and_the_others_count(tmp_path):
    labels = ["a", "b"] * 100
    arms = [
        arm_of("pretrained", tmp_path, labels, (20, 25, 20, 25)),
        arm_of("scratch", tmp_path, labels, (3, 3, 4, 3)),
    ]
    arms[1].runs[RunSeeds(3, 3)].values["metrics"]["test"]["accuracy"]["value"] = None
    found = comparison_of("t", "accuracy", arms, [*PAIRS, RunSeeds(3, 3)], tmp_path)
    assert found.rows[1].difference.high < -0.1
    assert found.conclusions[0].endswith("over 3 seeds.")
    for run in arms[1].runs.values():
        run.values["metrics"]["test"]["accuracy"]["value"] = None
    (sentence,) = comparison_of("t", "accuracy", arms, [*PAIRS, RunSeeds(3, 3)], tmp_path).conclusions
    assert "accuracy is not defined for their answers" in sentence


def test_a_difference_that_only_many_of_them_put_in_doubt_says_so(tmp_path):
    labels = ["a", "b"] * 100
    others = [(7, 6, 6), (6, 7, 7), (7, 7, 6), (6, 6, 7), (5, 7, 7)]
    arms = [arm_of("pretrained", tmp_path, labels, (6, 7, 6)), arm_of("scratch", tmp_path, labels, (4, 4, 4)),
            *(arm_of(f"other{i}", tmp_path, labels, flips) for i, flips in enumerate(others))]  # fmt: skip
    pairs = PAIRS
    alone = comparison_of("t", "accuracy", arms[:2], pairs, tmp_path).rows[1].difference
    assert alone.low < alone.high < 0
    several = comparison_of("t", "accuracy", arms, pairs, tmp_path)
    assert several.rows[1].difference == alone
    assert "No difference seen" in several.conclusions[0]
    assert several.conclusions[0].endswith("Alone it would pass; as one of several differences it does not.")
