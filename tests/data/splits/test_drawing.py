import itertools

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedShuffleSplit

from xdomain.data.splits.drawing import apportion

SIZES = st.lists(st.integers(1, 60), min_size=1, max_size=8)


def test_by_hand():
    assert apportion([990, 10], [100, 100]).tolist() == [[99, 99], [1, 1]]
    assert apportion([9900, 100], [2000, 2000]).tolist() == [[1980, 1980], [20, 20]]
    assert apportion([14, 13, 13], [4]).tolist() == [[2], [1], [1]]
    assert apportion([5, 5], [0, 0]).tolist() == [[0, 0], [0, 0]]


def test_what_is_lost_by_classes_of_one_is_given_by_the_others_in_proportion():
    assert apportion([40, 20, 1, 1, 1], [7]).tolist() == [[5], [2], [0], [0], [0]]  # 4.67 and 2.33


@given(sizes=SIZES, shares=st.tuples(st.floats(0, 0.45), st.floats(0, 0.45)))
def test_sums_are_exact_and_no_class_is_one_away_from_its_share(sizes, shares):
    n = sum(sizes)
    totals = [round(share * n) for share in shares]
    assume(n - sum(totals) >= len(sizes))
    counts = apportion(sizes, totals)
    kept = np.array(sizes) - counts.sum(axis=1)
    assert counts.sum(axis=0).tolist() == totals
    assert (counts >= 0).all() and (kept >= 1).all()
    exact = np.outer(sizes, [n - sum(totals), *totals]) / n
    if (exact[:, 0] >= 1).all():
        assert (np.abs(np.column_stack([kept, counts]) - exact) < 1).all()


@given(sizes=st.lists(st.integers(2, 9), min_size=1, max_size=4), total=st.integers(1, 6), other=st.integers(0, 4))
def test_nothing_is_nearer(sizes, total, other):
    """Against all tables within 1 of the exact shares."""
    n = sum(sizes)
    assume(n - total - other >= len(sizes))
    exact = np.outer(sizes, [n - total - other, total, other]) / n
    assume((exact[:, 0] >= 1).all())
    best = np.inf
    cells = [itertools.product((np.floor(t), np.ceil(t)), (np.floor(o), np.ceil(o))) for _, t, o in exact]
    for chosen in itertools.product(*map(list, cells)):
        given_away = np.array(chosen)
        whole = np.column_stack([np.array(sizes) - given_away.sum(axis=1), given_away])
        if (whole.sum(axis=0)[1:] == (total, other)).all() and (np.abs(whole - exact) < 1).all():
            best = min(best, ((whole - exact) ** 2).sum())
    counts = apportion(sizes, [total, other])
    ours = np.column_stack([np.array(sizes) - counts.sum(axis=1), counts])
    assert ((ours - exact) ** 2).sum() <= best + 1e-9


@given(sizes=st.lists(st.integers(8, 300), min_size=2, max_size=5), seed=st.integers(0, 9))
def test_as_scikit_learn(sizes, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    train, test, valid = len(labels), round(len(labels) * 0.2), round(len(labels) * 0.15)
    splitter = StratifiedShuffleSplit(1, test_size=test, train_size=train - test, random_state=seed)
    rest, taken = next(splitter.split(labels, labels))
    ours = apportion(sizes, [test, valid])
    theirs = np.bincount(labels[taken], minlength=len(sizes))
    assert (np.abs(ours[:, 0] - theirs) <= 1).all()
    splitter = StratifiedShuffleSplit(1, test_size=valid, train_size=len(rest) - valid, random_state=seed)
    _, taken = next(splitter.split(labels[rest], labels[rest]))
    assert (np.abs(ours[:, 1] - np.bincount(labels[rest][taken], minlength=len(sizes))) <= 1).all()


@given(sizes=SIZES, seed=st.integers(0, 3))
def test_the_order_of_classes_decides_ties_alone(sizes, seed):
    n = sum(sizes)
    totals = [n // 5, n // 7]
    assume(n - sum(totals) >= len(sizes))
    order = np.random.default_rng(seed).permutation(len(sizes))
    one, other = apportion(sizes, totals)[order], apportion([sizes[i] for i in order], totals)
    assert (np.abs(one - other) <= 1).all()
