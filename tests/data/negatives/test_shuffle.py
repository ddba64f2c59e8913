"""Shuffles: counts kept, by hand and as properties; every shuffle that there can be comes as often as any other."""

from collections import Counter
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdomain.data.negatives.shuffle import shuffled_letters, shuffled_pairs


def rng(*seed):
    return np.random.Generator(np.random.PCG64(list(seed)))


@given(st.text("ACGTN", max_size=60), st.integers(0, 99))
def test_each_pair_of_neighbours_comes_as_often_as_before(text, seed):
    made = shuffled_pairs(text, rng(seed))
    assert Counter(pairwise(made)) == Counter(pairwise(text))
    assert len(made) == len(text)
    assert (made[:1], made[-1:]) == (text[:1], text[-1:])
    assert made == shuffled_pairs(text, rng(seed))


@given(st.text("ACDEFGHIKLM", max_size=40), st.integers(0, 99))
def test_residues_and_a_first_m_are_kept(text, seed):
    made = shuffled_letters(text, rng(seed))
    assert Counter(made) == Counter(text)
    assert made.startswith("M") or not text.startswith("M")
    assert made == shuffled_letters(text, rng(seed))


@pytest.mark.parametrize("text", ["ACACGTA", "AACAGAC", "ACGTACGCA"])
def test_all_that_there_can_be_are_as_likely(text):
    pairs = Counter(pairwise(text))
    possible = {
        "".join(order) for order in set(permutations(text))
        if Counter(pairwise(order)) == pairs and order[0] == text[0] and order[-1] == text[-1]
    }  # fmt: skip
    assert len(possible) > 1
    draws = 300 * len(possible)
    made = Counter(shuffled_pairs(text, rng(7, draw)) for draw in range(draws))
    assert set(made) == possible
    expected = draws / len(possible)
    squares = sum((count - expected) ** 2 for count in made.values()) / expected
    assert squares < len(possible) - 1 + 5 * np.sqrt(2 * len(possible))  # chi-squared, five standard deviations


def test_one_seed_gives_one_shuffle_on_any_machine():
    assert shuffled_pairs("ACGTACGGTCATGCAATCGA", rng(0, 0)) == GOLDEN_PAIRS
    assert shuffled_letters("MKVLAAGGIW", rng(0, 0)) == GOLDEN_LETTERS


GOLDEN_PAIRS = "ATCGGCACGTGATCGTACAA"
GOLDEN_LETTERS = "MAGLGAWIKV"
