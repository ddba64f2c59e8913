"""Comparisons: what stands beside what, and how sure a difference is."""

import json

import pytest

from xdomain.errors import RecipeError
from xdomain.run import load_result
from xdomain.study.compare import compare
from xdomain.training.heldout import load_judged, resampled
from xdomain.training.resampling import Interval

ARMS = ("pretrained", "scratch", "kmer")
SMALL = ("split.limit.train=48", "split.limit.valid=16", "split.limit.test=24", "train.max_steps=4",
         "train.precision=fp32")  # fmt: skip


@pytest.fixture(scope="module", params=["classification", "regression", "tagging", "pair"])
def compared(request, tiny_bert, tmp_path_factory, quiet):
    out = tmp_path_factory.mktemp("compare") / request.param
    return compare(f"toy/dna-{request.param}", ARMS, overrides=SMALL, backbone=str(tiny_bert), out=out, say=quiet)


def test_values_are_those_of_the_runs(compared):
    assert [row.arm for row in compared.rows] == ["pretrained", "scratch", "kmer"]
    for row in compared.rows:
        assert row.value.value == pytest.approx(load_result(row.folder).metric(compared.metric), abs=1e-6)
        assert row.value.low <= row.value.value <= row.value.high


def test_differences_are_paired_and_to_the_first(compared):
    first, *others = compared.rows
    assert first.difference is None
    for row in others:
        assert row.difference.value == pytest.approx(row.value.value - first.value.value, abs=1e-9)
    one, two = (resampled(compared.metric, load_judged(row.folder)) for row in (first, others[-1]))
    assert (one - one).interval() == Interval(0, 0, 0)
    assert (two - one).draws.tolist() == (two.draws - one.draws).tolist()


def test_the_table_and_the_plot_are_written(compared):
    told = json.loads((compared.folder / "comparison.json").read_text())
    assert [row["arm"] for row in told["rows"]] == ["pretrained", "scratch", "kmer"]
    assert told["n_test"] == 24
    assert (compared.folder / "comparison.png").stat().st_size > 5_000


def test_arms_share_splits_mapping_and_test_records(compared):
    runs = [load_result(row.folder).values for row in compared.rows]
    assert runs[0]["mapping"] == runs[1]["mapping"]
    labels = [load_judged(row.folder).labels.tolist() for row in compared.rows]
    assert labels[0] == labels[1] == labels[2]


def test_a_finished_comparison_is_taken_up_without_running_again(compared, tiny_bert, quiet):
    before = [(row.folder / "result.json").stat().st_mtime_ns for row in compared.rows]
    again = compare(
        compared.task, ARMS, overrides=SMALL, backbone=str(tiny_bert), out=compared.folder, resume=True, say=quiet
    )
    assert again == compared
    assert [(row.folder / "result.json").stat().st_mtime_ns for row in compared.rows] == before


def test_an_arm_twice_is_refused(tmp_path, quiet):
    with pytest.raises(RecipeError, match="each once"):
        compare("toy/dna-pair", ("kmer", "kmer"), out=tmp_path / "x", say=quiet)


def test_areas_under_curves_of_tags_are_refused(compared):
    found = load_judged(compared.rows[0].folder)
    if found.problem == "tagging":
        with pytest.raises(RecipeError, match="roc_auc of tagging cannot be compared"):
            resampled("roc_auc", found)
