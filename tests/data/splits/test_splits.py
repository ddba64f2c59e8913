from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdomain.core.choices import Problem
from xdomain.core.errors import DataError
from xdomain.core.recipe_sections import Split
from xdomain.data.splits.assign import assign
from xdomain.data.splits.clusters import clustered


def table(labels, **columns):
    n = len(labels)
    return pa.table({"id": [str(i) for i in range(n)], "sequence": ["A"] * n, "label": labels, **columns})


def counts(names, labels=None):
    kinds = names if labels is None else zip(names, labels, strict=True)
    return dict(Counter(str(kind) if labels is None else (str(kind[0]), kind[1]) for kind in kinds))


def test_random_shares_are_exact_and_the_same_in_every_class():
    labels = ["a"] * 70 + ["b"] * 30
    names = assign(table(labels), Split(valid=0.1, test=0.2), "classification")
    assert counts(names) == {"train": 70, "valid": 10, "test": 20}
    assert counts(names, labels) == {
        ("train", "a"): 49,
        ("valid", "a"): 7,
        ("test", "a"): 14,
        ("train", "b"): 21,
        ("valid", "b"): 3,
        ("test", "b"): 6,
    }


def test_largest_remainder_by_hand():
    # 0.1 of 14, 13, 13: quotas 1.4, 1.3, 1.3 -> floors 1, 1, 1; the fourth of round(4.0) goes to the first
    labels = ["a"] * 14 + ["b"] * 13 + ["c"] * 13
    names = assign(table(labels), Split(valid=0, test=0.1), "classification")
    assert [counts(names, labels)["test", kind] for kind in "abc"] == [2, 1, 1]


# PCG64(0) permutes 0..9 to 4, 6, 2, 7, 3, 5, 9, 0, 8, 1: the first two are test, the next two valid
GOLDEN = [
    "train",
    "train",
    "valid",
    "train",
    "test",
    "train",
    "test",
    "valid",
    "train",
    "train",
]


def test_golden_and_by_seed():
    names = assign(table([float(i) for i in range(10)]), Split(valid=0.2, test=0.2, seed=0), "regression")
    again = assign(table([float(i) for i in range(10)]), Split(valid=0.2, test=0.2, seed=0), "regression")
    other = assign(table([float(i) for i in range(10)]), Split(valid=0.2, test=0.2, seed=1), "regression")
    assert names.tolist() == again.tolist() == GOLDEN
    assert names.tolist() != other.tolist()


@given(
    labels=st.lists(st.sampled_from("abcd"), min_size=12, max_size=200),
    valid=st.floats(0.01, 0.4),
    test=st.floats(0.01, 0.4),
    seed=st.integers(0, 5),
)
def test_random_splits_of_anything(labels, valid, test, seed):
    names = assign(table(labels), Split(valid=valid, test=test, seed=seed), "classification")
    assert set(np.asarray(labels)[names == "train"]) == set(labels)
    n, rare = len(labels), len(set(labels))
    for name, share in (("valid", valid), ("test", test)):
        assert 1 <= (names == name).sum() <= max(1, share * n + 0.5)
        if (valid + test) * n + 1 <= n - rare:
            assert (names == name).sum() >= share * n - 0.5


def test_a_rare_class_is_not_drained():
    """Each split has its share of a class's whole size, whichever split is drawn first."""
    labels = ["0"] * 990 + ["1"] * 10
    names = assign(table(labels), Split(), "classification")
    assert [counts(names, labels)[name, "1"] for name in ("train", "valid", "test")] == [8, 1, 1]
    assert counts(names) == {"train": 800, "valid": 100, "test": 100}
    labels = ["0"] * 9900 + ["1"] * 100
    names = assign(table(labels), Split(valid=0.2, test=0.2), "classification")
    assert [counts(names, labels)[name, "1"] for name in ("train", "valid", "test")] == [60, 20, 20]


def test_many_classes_of_one_do_not_drain_the_others():
    labels = ["a"] * 900 + ["b"] * 100 + [f"only{i}" for i in range(1000)]
    names = assign(table(labels), Split(), "classification")
    assert counts(names) == {"train": 1600, "valid": 200, "test": 200}
    assert [counts(names, labels)[name, "b"] for name in ("train", "valid", "test")] == [60, 20, 20]


def test_a_rare_class_stays_in_train():
    labels = ["a"] * 20 + ["b"]
    for seed in range(20):
        names = assign(table(labels), Split(seed=seed), "classification")
        assert names[-1] == "train"


def test_a_share_of_nothing_makes_no_split():
    assert set(assign(table(["a", "b"] * 5), Split(valid=0.2, test=0), "classification")) == {"train", "valid"}


def test_given():
    told = ["train", "dev", "Test", "", "training", "val"]
    names = assign(table(list("abbaba"), split=told), Split(rule="given"), "classification")
    assert names.tolist() == ["train", "valid", "test", "", "train", "valid"]


def test_given_without_valid_takes_it_out_of_train_alone():
    labels = ["a", "b"] * 60
    told = ["train"] * 100 + ["test"] * 20
    names = assign(table(labels, split=told), Split(rule="given", valid=0.1), "classification")
    assert counts(names) == {"train": 90, "valid": 10, "test": 20}
    assert (names[100:] == "test").all()
    assert counts(names, labels)["valid", "a"] == 5
    both = assign(table(labels, split=["train"] * 120), Split(rule="given", valid=0.1, test=0.2), "classification")
    assert counts(both) == {"train": 84, "valid": 12, "test": 24}


def test_given_with_groups_keeps_them_together_when_it_draws():
    groups = [str(i // 5) for i in range(100)]
    columns = {"split": ["train"] * 80 + ["test"] * 20, "group": groups}
    names = assign(table([1.0, 2.0] * 50, **columns), Split(rule="given", valid=0.2), "regression")
    assert counts(names) == {"train": 65, "valid": 15, "test": 20}
    valid = {group for group, name in zip(groups, names, strict=True) if name == "valid"}
    assert len(valid) == 3


@given(sizes=st.lists(st.integers(1, 9), min_size=3, max_size=40), seed=st.integers(0, 3))
def test_no_group_is_in_two_splits(sizes, seed):
    groups = [str(i) for i, size in enumerate(sizes) for _ in range(size)]
    names = assign(table([0.0] * len(groups), group=groups), Split(rule="group", seed=seed), "regression")
    assert len(set(zip(groups, names, strict=True))) == len(sizes)
    assert set(names) == {"train", "valid", "test"}


def test_group_shares_are_about_right():
    groups = [str(i % 100) for i in range(1000)]
    names = assign(table(["a", "b"] * 500, group=groups), Split(rule="group"), "classification")
    assert counts(names) == {"train": 800, "valid": 100, "test": 100}


@pytest.mark.parametrize(
    "split",
    [
        Split(seed=1),
        Split(rule="group", seed=1),
        Split(rule="cluster", seed=1),
        Split(rule="entity", seed=1),
        Split(rule="entity", sides="one", seed=1),
        Split(rule="fold", folds=3, seed=1),
    ],
    ids=lambda split: f"{split.rule}-{split.sides}",
)
def test_the_same_seed_gives_the_same_splits_and_every_record_one(split):
    rng = np.random.default_rng(0)
    members = ["".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), 40)) for _ in range(60)]
    first, second = rng.integers(60, size=(2, 300))
    if split.rule == "cluster":  # pairs of their own, or all would hang together
        first = second = np.arange(300) % 60
    columns = {
        "id": [str(i) for i in range(300)],
        "sequence": [members[i] for i in first],
        "sequence_b": [members[i] for i in second],
        "label": ["a", "b"] * 150,
        "group": [str(i % 30) for i in range(300)],
    }
    data = clustered(pa.table(columns), split)
    names = assign(data, split, "pair")
    assert names.tolist() == assign(data, split, "pair").tolist()
    assert {"train", "valid", "test"} <= set(names) <= {"train", "valid", "test", ""}
    assert "" not in names or (split.rule, split.sides) == ("entity", "both")
    assert names.tolist() != assign(data, split.model_copy(update={"seed": 2}), "pair").tolist()


@given(
    labels=st.lists(st.sampled_from("aaaab"), min_size=20, max_size=80),
    shuffled=st.randoms(use_true_random=False),
    valid=st.floats(0.05, 0.3),
)
def test_shuffled_rows_give_the_same_numbers_of_each_class(labels, shuffled, valid):
    """Which records are drawn follows their order; how many of each class does not."""
    split = Split(valid=valid, test=0.2)
    mixed = shuffled.sample(labels, len(labels))
    one, other = (assign(table(order), split, "classification") for order in (labels, mixed))
    assert counts(one, labels) == counts(other, mixed)


def test_groups_are_drawn_so_that_train_has_every_class():
    # class c is in two groups of six only: an unlucky draw puts both outside train
    groups = [str(i) for i in range(6) for _ in range(10)]
    labels = (["a"] * 5 + ["b"] * 5) * 4 + ["c"] * 20
    for seed in range(10):
        names = assign(
            table(labels, group=groups), Split(rule="group", valid=0.2, test=0.2, seed=seed), "classification"
        )
        assert "c" in np.asarray(labels)[names == "train"]


def test_limit_keeps_shares_and_every_class():
    labels = ["a"] * 80 + ["b"] * 18 + ["c"] * 2
    split = Split(valid=0, test=0, limit={"train": 10})
    names = assign(table(labels), split, "classification")
    assert counts(names) == {"train": 10, "": 90}
    assert [counts(names, labels)["train", kind] for kind in "abc"] == [8, 1, 1]
    assert assign(table(labels), split, "classification").tolist() == names.tolist()
    assert counts(assign(table(labels), Split(valid=0, test=0, limit={"train": 1000}), "classification")) == {
        "train": 100
    }


# refusals


def refusal(labels, rule, problem: Problem = "classification", **columns: Any):
    with pytest.raises(DataError) as told:
        assign(table(labels, **columns), rule, problem)
    return str(told.value)


def test_unknown_split_name():
    text = refusal(["a", "b"], Split(rule="given"), split=["train", "tset"])
    assert "row 2: unknown split 'tset'" in text
    assert "did you mean: test" in text


def test_nothing_is_given():
    assert "does not say which record is in which split" in refusal(["a", "b"], Split(rule="given"))


def test_no_groups():
    assert "no column 'group'" in refusal(["a", "b"], Split(rule="group"))
    text = refusal(["a", "b", "a"], Split(rule="group"), group=["x", "y", "y"])
    assert "2 groups for 3 splits" in text


def test_an_empty_split():
    columns = {"split": ["test", "test", "valid", "valid"]}
    assert "no record is in train" in refusal([1.0, 2.0, 3.0, 4.0], Split(rule="given"), "regression", **columns)


def test_too_few_records():
    text = refusal([1.0, 2.0], Split(), "regression")
    assert "too few records: 2 records for 3 splits" in text


def test_a_class_that_train_never_saw():
    names = ["train", "train", "valid", "test", "test"]
    text = refusal(["a", "b", "a", "c", "d"], Split(rule="given"), split=names)
    assert "class 'c' is in test but not in train, and 1 more classes are neither" in text


def test_shares_that_leave_nothing():
    assert "split.valid 0.5 and split.test 0.5 leave nothing" in refusal(["a", "b"], Split(valid=0.5, test=0.5))


def test_limits_do_not_drain_either():
    labels = ["a"] * 900 + ["b"] * 100 + [f"only{i}" for i in range(100)]
    names = assign(table(labels), Split(valid=0, test=0, limit={"train": 200}), "classification")
    assert [counts(names, labels)["train", kind] for kind in "ab"] == [90, 10]


def test_a_limit_below_one_is_a_share():
    labels = ["a"] * 60 + ["b"] * 40
    names = assign(table(labels), Split(valid=0, test=0, limit={"train": 0.25}), "classification")
    assert counts(names) == {"train": 25, "": 75}
    assert (names[:60] == "train").sum() == 15
    tiny = assign(table(labels), Split(valid=0.1, test=0, limit={"valid": 0.001}), "classification")
    assert counts(tiny) == {"train": 90, "valid": 1, "": 9}


def test_a_fraction_is_of_what_the_limit_leaves():
    labels = ["a"] * 60 + ["b"] * 40
    limit: dict[str, float] = {"train": 20, "test": 5}
    whole, half, tenth = (
        assign(table(labels), Split(valid=0, test=0.2, limit=limit, fraction=part), "classification")
        for part in (1, 0.5, 0.1)
    )
    assert [(names == "train").sum() for names in (whole, half, tenth)] == [20, 10, 2]
    assert set(np.flatnonzero(tenth == "train")) < set(np.flatnonzero(half == "train"))
    assert set(np.flatnonzero(half == "train")) < set(np.flatnonzero(whole == "train"))
    for names in (half, tenth):
        assert ((names == "test") == (whole == "test")).all()


def test_a_fraction_alone_is_a_limit():
    labels = ["a"] * 60 + ["b"] * 40
    quarters = Split(valid=0.1, test=0.2, fraction=0.25), Split(valid=0.1, test=0.2, limit={"train": 0.25})
    one, other = (assign(table(labels), split, "classification") for split in quarters)
    assert one.tolist() == other.tolist()


def test_limits_that_make_no_sense():
    assert "did you mean: train" in refusal(["a", "b"], Split(limit={"trian": 3}))
    assert "split.limit.train is 0" in refusal(["a", "b"], Split(limit={"train": 0}))


@pytest.mark.parametrize(("groups", "said"), [(3, "test has records of 1 group only"), (60, "")])
def test_few_groups_in_test_are_told(groups, said, caplog):
    rows = table([0.5] * 120, group=[f"g{row % groups}" for row in range(120)])
    assign(rows, Split(rule="group", valid=0.1, test=0.2), "regression")
    assert (said in caplog.text) if said else "only" not in caplog.text
