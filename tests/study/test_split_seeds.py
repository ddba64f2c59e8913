"""A study that draws the split of the records anew."""

import math

import numpy as np
import pyarrow.parquet as pq
import pytest
from small_study import cells_run_here

import xdomain
from xdomain.study.plan import open_study

SMALL = {"train.max_steps": 3, "train.precision": "fp32", "split.limit": {"train": 64, "valid": 16, "test": 32}}
TASK = "toy/dna-classification"


@pytest.fixture(scope="module")
def crossed(tiny_bert, once):
    def planned(store):
        return xdomain.Study(
            TASK, ["pretrained", "kmer"], seeds=2, split_seeds=[0, 5], backbone=str(tiny_bert), set=SMALL, out=store
        )

    def run(store):
        with cells_run_here():
            planned(store).run()

    return planned(once("split-seeds", run))


def values(study, arm):
    plan = open_study(study.folder)
    condition = next(one for one in plan.conditions if one.arm == arm)
    results = [plan.store.result(cell.key) for cell in plan.final(condition)]
    return np.array([one["metrics"]["test"]["accuracy"]["value"] for one in results])


def test_every_arm_is_run_on_every_split(crossed):
    findings = crossed.findings
    assert [(one.arm, one.done, one.splits) for one in findings.groups] == [("pretrained", 4, 2), ("kmer", 2, 2)]
    assert findings.cells == (6, 0, 0)
    plan = open_study(crossed.folder)
    tested = {
        (cell.condition.arm, cell.seeds.split): pq.read_table(
            plan.store.run_folder(cell.key) / "predictions.parquet", filters=[("split", "==", "test")]
        )["id"].to_pylist()
        for cell in plan.planned_cells()
    }
    assert tested["kmer", 0] == tested["pretrained", 0]
    assert tested["kmer", 5] == tested["pretrained", 5]
    assert set(tested["kmer", 0]) != set(tested["kmer", 5])


def test_differences_are_paired_within_a_split(crossed):
    (difference,) = crossed.findings.differences
    pretrained, kmer = values(crossed, "pretrained"), values(crossed, "kmer")  # seed by seed, split by split
    by_pair = np.tile(kmer, 2) - pretrained
    assert difference.pairs == 4
    assert difference.estimate.interval.value == pytest.approx(by_pair.mean())
    assert difference.sign_flip is difference.mcnemar is None
    assert crossed.findings.unmatched == ()


def test_the_interval_counts_overlapping_splits_as_dependent(crossed):
    group = crossed.findings.groups[1]
    kmer = values(crossed, "kmer")
    assert group.test.standard_error == pytest.approx(kmer.std(ddof=1) * math.sqrt(1 / 2 + 32 / 64))


def test_the_report_says_what_the_variance_is_due_to(crossed):
    text = (crossed.folder / "report.md").read_text("utf-8")
    assert "## Where does the variance come from?" in text
    for factor in ("seed", "split", "residual"):
        assert f"| {TASK} | pretrained | {factor} |" in text
    assert "**Splits**: the records were split anew" in text
    assert "32 records in each of 2 splits" in text


@pytest.mark.usefixtures("in_process")
def test_a_split_for_each_seed_is_one_factor_with_it(crossed, tiny_bert):
    study = xdomain.Study(
        TASK, ["pretrained", "kmer"], name="with-seeds", seeds=[0, 5], split_seeds="seeds", backbone=str(tiny_bert),
        set=SMALL, out=crossed.folder.parent,
    )  # fmt: skip
    assert study.plan.count() == (3, 4)  # but for one cell, what the other study has run
    findings = study.run().findings
    assert [(one.arm, one.done) for one in findings.groups] == [("pretrained", 2), ("kmer", 2)]
    assert findings.variances == ()
    assert findings.differences[0].pairs == 2
