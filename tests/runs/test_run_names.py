"""The default folder of a run: one name for one set of options."""

from pathlib import Path

import pytest

from xdomain.core.plugins import find_recipe
from xdomain.core.recipe import with_arm
from xdomain.data.own_data import task_of
from xdomain.runs.run_names import default_folder

TASK = "toy/dna-classification"


def folder(*changes, task=TASK, **arm):
    return default_folder(with_arm(find_recipe(task, changes), arm))


def test_a_task_as_it_is_has_a_plain_name():
    assert folder() == Path("runs/toy/dna-classification/pretrained-m0-s0")
    assert folder(seed=3, mapping_seed=2, init="scratch", tune="head").name == "scratch+head-m2-s3"
    assert folder(baseline="kmer").name == "kmer-m0-s0"


def test_all_shipped_tasks_have_plain_names(subtests):
    from xdomain.core.plugins import task_names

    for task in task_names():
        with subtests.test(task):
            assert folder(task=task).name == "pretrained-m0-s0"


def test_options_that_differ_give_another_folder_each():
    names = [
        folder().name,
        folder("train.epochs=3").name,
        folder("train.epochs=4").name,
        folder("split.seed=1").name,
        folder("metrics=[f1]").name,
        folder("reader_options.noise=0.5").name,
        folder("calibration=temperature").name,
        folder(mapping="frequent").name,
        folder(backbone="bert-base-uncased").name,
    ]
    assert len(set(names)) == len(names)
    assert all(name.startswith("pretrained-m0-s0") for name in names)
    assert len(names[1]) == len("pretrained-m0-s0-") + 6


def test_one_set_of_options_gives_one_name_however_it_is_written():
    one = folder("train.epochs=3", "split.seed=1")
    assert one == folder("split.seed=1", "train.epochs=3.0")
    assert one == folder("train.epochs=3", "split.seed=1", "title=Another")
    assert folder("train.warmup=0.1") == folder()  # what it is already


@pytest.mark.parametrize(("problem", "rows"), [
    ("classification", "sequence,label\nACGT,a\nAACC,b\nCCGT,a\n"),
    ("span", "question,context,start,end\nACG,TTACGT,2,5\nCCG,TTCCGT,2,5\nACC,TTACCT,2,5\n"),
])  # fmt: skip
def test_ones_own_data_are_measured_by_the_defaults(problem, rows, tmp_path):
    (tmp_path / "mine.csv").write_text(rows)

    def own(*changes):
        return default_folder(task_of(tmp_path / "mine.csv", domain="dna", problem=problem, overrides=changes))

    assert own() == Path("runs/dna/mine/pretrained-m0-s0")
    assert own("train.epochs=3").name.startswith("pretrained-m0-s0-")
