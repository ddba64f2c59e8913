import logging

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdomain.core.errors import DataError
from xdomain.core.recipe import recipe_from
from xdomain.core.recipe_sections import Columns, Split
from xdomain.data.own_data import own_recipe
from xdomain.data.splits.assign import assign
from xdomain.training.preparation import adapter_of, prepare


def table(pairs, labels=None):
    first, second = zip(*pairs, strict=True)
    n = len(pairs)
    return pa.table({
        "id": [str(i) for i in range(n)], "sequence": [f"M{i}" for i in first], "sequence_b": [f"m{i}" for i in second],
        "label": labels or ["x", "y"] * (n // 2) + ["x"] * (n % 2),
    })  # fmt: skip


def members(pairs, names, split):
    return {member for pair, name in zip(pairs, names, strict=True) if name == split for member in pair}


def random_pairs(seed, n=600, among=80):
    return [(int(a), int(b)) for a, b in np.random.default_rng(seed).integers(among, size=(n, 2))]


@settings(max_examples=20)
@given(seed=st.integers(0, 999), valid=st.floats(0.05, 0.2), test=st.floats(0.05, 0.2))
def test_both_sides_are_new(seed, valid, test):
    pairs = random_pairs(seed)
    names = assign(table(pairs), Split(rule="entity", seed=seed, valid=valid, test=test), "pair")
    for one, other in (("train", "test"), ("train", "valid"), ("valid", "test")):
        assert not members(pairs, names, one) & members(pairs, names, other)
    kept = (names != "").sum()
    assert kept > 150
    assert abs((names == "test").sum() / kept - test) < 0.06
    assert abs((names == "valid").sum() / kept - valid) < 0.06


@settings(max_examples=20)
@given(seed=st.integers(0, 999), valid=st.floats(0.05, 0.2), test=st.floats(0.05, 0.2))
def test_one_side_is_new_and_nothing_is_left_out(seed, valid, test):
    pairs = random_pairs(seed)
    names = assign(table(pairs), Split(rule="entity", sides="one", seed=seed, valid=valid, test=test), "pair")
    known = {
        "test": members(pairs, names, "train") | members(pairs, names, "valid"),
        "valid": members(pairs, names, "train"),
    }
    for split, met in known.items():
        assert all(set(pair) - met for pair, name in zip(pairs, names, strict=True) if name == split)
    assert "" not in names
    assert abs((names == "test").mean() - test) < 0.05
    assert abs((names == "valid").mean() - valid) < 0.05


def test_two_kinds_of_members_are_both_new():
    """Ten receptors on one side, many peptides on the other: some of the receptors must be new, too."""
    rng = np.random.default_rng(0)
    pairs = [
        (int(a), 100 + int(b)) for a, b in zip(rng.integers(10, size=900), rng.integers(300, size=900), strict=True)
    ]
    names = assign(table(pairs), Split(rule="entity", valid=0.1, test=0.1), "pair")
    assert not members(pairs, names, "train") & members(pairs, names, "test")
    assert any(member < 100 for member in members(pairs, names, "test"))


def test_pairs_in_parts_are_all_kept(caplog):
    pairs = [(2 * i, 2 * i + 1) for i in range(50)] + [(2 * i + 1, 2 * i) for i in range(50)]
    with caplog.at_level(logging.INFO, "xdomain"):
        names = assign(table(pairs), Split(rule="entity"), "pair")
    assert sorted((names == name).sum() for name in ("train", "valid", "test")) == [10, 10, 80]
    assert not members(pairs, names, "train") & members(pairs, names, "test")
    assert "100 pairs fall into 50 parts without common members" in caplog.text


def test_what_is_left_out_is_told(caplog):
    pairs = random_pairs(3)
    with caplog.at_level(logging.INFO, "xdomain"):
        names = assign(table(pairs), Split(rule="entity"), "pair")
    assert f"{(names == '').sum()} of 600 pairs are left out" in caplog.text
    assert "80 members of 600 pairs" in caplog.text


def test_train_has_every_class():
    pairs = random_pairs(1)
    labels = ["rare" if i % 60 == 0 else "often" for i in range(600)]
    for seed in range(5):
        names = assign(table(pairs, labels), Split(rule="entity", seed=seed), "pair")
        assert "rare" in np.asarray(labels)[names == "train"]


def test_single_sequences_are_refused():
    with pytest.raises(DataError, match="the records are single sequences"):
        assign(table([(1, 2)] * 10).drop_columns("sequence_b"), Split(rule="entity"), "classification")


def test_one_member_in_all_pairs_cannot_be_parted():
    with pytest.raises(DataError, match="no record is in"):
        assign(table([(0, i) for i in range(1, 40)]), Split(rule="entity"), "pair")


def test_what_is_left_out_is_counted(tmp_path):
    rng = np.random.default_rng(0)
    members = ["".join(rng.choice(list("ACGT"), 12)) for _ in range(20)]
    rows = [f"{members[a]},{members[b]},{i % 2}\n" for i, (a, b) in enumerate(random_pairs(0, n=120, among=20))]
    file = tmp_path / "pairs.csv"
    file.write_text("one,other,label\n" + "".join(rows))
    recipe = own_recipe(file, "dna", columns=Columns(sequence="one", sequence_b="other"), problem="pair")
    recipe = recipe_from(recipe.model_dump(), where="pairs", overrides=["split.rule=entity"])
    examples, counts = prepare(recipe, adapter_of(recipe))
    assert counts["left_out"] == 120 - len(examples) > 0
