import logging

import numpy as np
import pyarrow as pa
import pytest

from xdomain.core.errors import DataError
from xdomain.core.plugins import make_adapter
from xdomain.core.recipe_sections import Columns, Split
from xdomain.data.loading import load_file
from xdomain.data.own_data import own_recipe
from xdomain.data.splits.assign import assign

LABELS = ["a", "b", "b", "b"] * 25


def table(labels=LABELS, **columns):
    n = len(labels)
    return pa.table({"id": [str(i) for i in range(n)], "sequence": ["A"] * n, "label": labels, **columns})


def records_in_test(split, **columns):
    return np.flatnonzero(assign(table(**columns), split, "classification") == "test").tolist()


@pytest.mark.parametrize("values", [list("01234"), list("12345"), list("ABCDE"), ["f8", "f9", "f10", "f11", "f100"]])
def test_given_folds_count_in_natural_order(values):
    told = [values[i % 5] for i in range(100)]
    for fold in range(5):
        assert records_in_test(Split(rule="fold", fold=fold), fold=told) == list(range(fold, 100, 5))


def test_valid_is_a_share_of_the_rest():
    told = [str(i % 5) for i in range(100)]
    names = assign(table(fold=told), Split(rule="fold", valid=0.1), "classification")
    assert {name: int((names == name).sum()) for name in set(names)} == {"train": 72, "valid": 8, "test": 20}
    assert (np.asarray(LABELS)[names == "valid"] == "a").sum() == 2
    none = assign(table(fold=told), Split(rule="fold", valid=0, test=0.9), "classification")
    assert set(none) == {"train", "test"}


def test_drawn_folds_part_the_records_and_keep_the_classes():
    folds = [records_in_test(Split(rule="fold", folds=5, fold=i)) for i in range(5)]
    assert sorted(record for fold in folds for record in fold) == list(range(100))
    assert [sum(LABELS[i] == "a" for i in fold) for fold in folds] == [5] * 5
    assert folds[0] != records_in_test(Split(rule="fold", folds=5, seed=1))


def test_drawn_folds_keep_groups_together():
    groups = [str(i // 4) for i in range(100)]
    names = [assign(table(group=groups), Split(rule="fold", folds=5, fold=i), "classification") for i in range(5)]
    for drawn in names:
        assert len(set(zip(groups, drawn, strict=True))) == 25
    assert sum((drawn == "test").sum() for drawn in names) == 100


def test_numbers_are_folded_too():
    values = [float(i) for i in range(10)]
    sizes = [
        (assign(table(values), Split(rule="fold", folds=5, fold=i), "regression") == "test").sum() for i in range(5)
    ]
    assert sizes == [2] * 5


def test_a_class_of_one_is_no_reason_to_warn():
    assign(table(["a"] * 10 + ["b"] * 10 + ["c"] * 2), Split(rule="fold", folds=3, seed=1), "classification")


def test_groups_in_several_given_folds_are_told(caplog):
    columns = {"fold": ["1", "2"] * 50, "group": [str(i // 4) for i in range(100)]}
    with caplog.at_level(logging.INFO, "xdomain"):
        assign(table(**columns), Split(rule="fold", fold=1), "classification")
    assert "2 is test; the folds of the column are 1, 2" in caplog.text
    assert "25 of 25 groups are in several of the given folds" in caplog.text


@pytest.mark.parametrize(
    ("split", "columns", "said"),
    [
        (Split(rule="fold"), {}, "no column 'fold'"),
        (Split(rule="fold", fold=5), {"fold": list("12345") * 20}, "split.fold is 5, but there are 5 folds"),
        (Split(rule="fold"), {"fold": ["1"] * 100}, "1 different value in 100 records"),
        (Split(rule="fold"), {"fold": [str(i) for i in range(100)]}, "100 different values in 100 records"),
        (Split(rule="fold", folds=101), {}, "100 records for 101 folds"),
        (Split(rule="fold", folds=5), {"group": ["x", "y"] * 50}, "2 groups for 5 folds"),
        (Split(rule="fold", folds=80), {}, "80 folds, but no class has more than 75 records"),
    ],
)
def test_refusals(split, columns, said):
    with pytest.raises(DataError, match=said):
        assign(table(**columns), split, "classification")


def test_a_column_of_folds_makes_the_rule(tmp_path):
    file = tmp_path / "my.csv"
    file.write_text("sequence,label,part\n" + "".join(f"ACGT{'AC'[i % 2]},{i % 2},{i % 5}\n" for i in range(20)))
    recipe = own_recipe(file, "dna", columns=Columns(fold="part"))
    assert recipe.split.rule == "fold"
    assert own_recipe(file, "dna").split.rule == "random"


def test_other_records_need_neither_split_nor_fold(tmp_path):
    file, other = tmp_path / "my.csv", tmp_path / "other.csv"
    rows = "".join(f"ACGT{'AC'[i % 2]},{i % 2},{['train', 'test'][i % 2]},{i % 5}\n" for i in range(20))
    file.write_text("sequence,label,split,part\n" + rows)
    other.write_text("sequence,label\nACGT,0\n")
    recipe = own_recipe(file, "dna", columns=Columns(fold="part"))
    assert load_file(other, recipe, make_adapter("dna", {}), labelled=True).num_rows == 1
