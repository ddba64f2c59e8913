"""How long a study takes is told before it runs: by its own cells, else by a few steps that are timed."""

import math

import pytest
import torch
from small_study import study

from xdomain.core.formatting import number
from xdomain.runs import estimate
from xdomain.study.engines.progress import Progress, forecast, measured_seconds
from xdomain.study.plan import open_study, plan_study
from xdomain.training.pace import Pace


@pytest.fixture
def paces(monkeypatch):
    """Each measurement takes two seconds a step and half a second a record; the threads that it had."""
    threads = []

    def measured(built, examples, recipe, device):
        threads.append(torch.get_num_threads())
        return Pace(step=2.0, record=0.5)

    monkeypatch.setattr(estimate, "measure_pace", measured)
    return threads


def test_steps_and_scoring_are_counted_once_for_arms_that_take_as_long(tiny_bert, tmp_path, paces):
    asked = study(tiny_bert, tasks=["toy/dna-classification"], set={
        "train.max_steps": 30, "train.evaluations": 2, "split.limit": {"train": 32, "valid": 16, "test": 24},
    })  # fmt: skip
    rows = forecast(plan_study(asked, tmp_path), measured_seconds())
    seconds = 30 * 2 + (2 + 1) * 16 * 0.5 + 24 * 0.5  # validation at each evaluation and at the end, test once
    assert [row["minutes"] for row in rows] == [round(3 * seconds / 60, 1)] * 2 + [None]  # two rates, a second seed
    assert len(paces) == 1


def test_workers_share_the_threads(tiny_bert, tmp_path, paces):
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        forecast(plan_study(study(tiny_bert), tmp_path), measured_seconds(workers=2))
        assert paces == [2, 2]  # a measurement of each task
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)


def test_a_part_of_the_training_records_takes_a_part_of_the_time(tiny_bert, tmp_path, paces):
    plan = plan_study(study(tiny_bert, arms=["scratch"], fractions=[0.5, 1]), tmp_path)
    half, whole, *_ = (row["minutes"] for row in forecast(plan, measured_seconds()))
    assert half == pytest.approx(whole / 2, abs=0.1)


def test_real_steps_are_timed_and_nothing_is_written(tiny_bert, tmp_path):
    plan = plan_study(study(tiny_bert, tasks=["toy/dna-classification"]), tmp_path)
    seconds = measured_seconds()
    pretrained, _, kmer = plan.conditions
    assert 0 < seconds(pretrained) < 60
    assert math.isnan(seconds(kmer))
    assert list(tmp_path.iterdir()) == []


def test_data_that_is_not_there_leaves_the_time_unknown(tiny_bert, tmp_path, caplog):
    (tmp_path / "gone.yaml").write_text(
        "name: gone\ntitle: Gone\nproblem: classification\nadapter: {name: dna}\nsource: {files: {data: no/such.csv}}\n"
    )
    rows = forecast(plan_study(study(tiny_bert, tasks=[str(tmp_path / "gone.yaml")]), tmp_path), measured_seconds())
    assert [row["minutes"] for row in rows] == [None] * 3
    assert "gone, pretrained cannot be run: 1 data file is not on this machine" in caplog.text


def test_a_line_of_progress_tells_validation_and_leaves_test_to_the_report(done, caplog):
    store, _ = done
    plan = open_study(store / "small")
    cell = plan.final(plan.conditions[0])[0]
    with caplog.at_level("INFO", "xdomain"):
        Progress(plan, workers=1).tell(cell.key, "done")
    valid = plan.store.result(cell.key)["metrics"]["valid"]["accuracy"]["value"]
    assert f": valid accuracy {number(valid)}, " in caplog.text
    assert "test" not in caplog.text.partition("seed 0: ")[2]
