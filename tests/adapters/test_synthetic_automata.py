"""Cellular automata: a slow twin, rules that can be read off each sequence, and a band of compressibility."""

import zlib
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from xdomain.adapters.synthetic import Synthetic
from xdomain.adapters.synthetic.automata import BAND, CELLS, SIDE, _ring_after, _torus_after, complexity
from xdomain.adapters.synthetic.kinds import FORMS
from xdomain.core.errors import RecipeError

CALM = settings(deadline=None, max_examples=15)


def corpus(kind, **options):
    return Synthetic(kind=kind, **{"symbols": 100, "lengths": (96, 120), **options})


def neighbourhoods(kind, sequence):
    """For each cell from the second state on: what it sees, in a form that the rule depends on alone; and the cell."""
    if kind == "automaton":
        states = [sequence[i : i + CELLS] for i in range(0, len(sequence), CELLS)]
        for before, after in pairwise(states):
            for i, cell in enumerate(after):
                yield (before[i - 1], before[i], before[(i + 1) % CELLS]), cell
        return
    size = SIDE * SIDE
    states = [sequence[i : i + size] for i in range(0, len(sequence), size)]
    for before, after in pairwise(states):
        for place, cell in enumerate(after):
            y, x = divmod(place, SIDE)
            around = [before[(y + dy) % SIDE * SIDE + (x + dx) % SIDE]
                      for dy, dx in product((-1, 0, 1), repeat=2) if (dy, dx) != (0, 0)]  # fmt: skip
            yield (before[place], tuple(sorted(around))), cell


@CALM
@given(st.sampled_from(["automaton", "automaton2d"]), st.integers(2, 8), st.integers(0, 2**40), st.integers(0, 10**9))
def test_each_sequence_obeys_one_rule(kind, states, seed, first):
    for sequence in map(list, corpus(f"{kind}:{states}", seed=seed).sequences(first, 6)):
        assert len(set(sequence)) <= states
        rule = {}
        for seen, cell in neighbourhoods(kind, sequence):
            assert rule.setdefault(seen, cell) == cell


@pytest.mark.parametrize("kind", ["automaton", "automaton2d"])
def test_rules_and_names_differ_from_sequence_to_sequence_but_not_with_the_batch(kind):
    made = list(map(list, corpus(kind).sequences(0, 40)))
    assert len({tuple(sorted(set(one))) for one in made}) > 30
    alone = [corpus(kind).sequences(i, 1)[0].tolist() for i in (0, 7, 39)]
    assert alone == [made[0], made[7], made[39]]
    assert corpus(kind, seed=1).sequences(0, 1)[0].tolist() != made[0]


def test_the_first_sequences_are_these_on_any_machine():
    first = [corpus(kind, symbols=30, lengths=(32, 32)).sequences(0, 1)[0].tolist() for kind in
             ("automaton:2", "automaton2d:3")]  # fmt: skip
    assert first == GOLDEN


GOLDEN = [
    [
        23,
        10,
        23,
        10,
        23,
        23,
        23,
        23,
        23,
        10,
        10,
        10,
        10,
        10,
        10,
        10,
        10,
        10,
        23,
        23,
        23,
        23,
        23,
        23,
        10,
        23,
        10,
        10,
        10,
        10,
        10,
        23,
    ],
    [
        20,
        20,
        20,
        2,
        2,
        11,
        11,
        20,
        11,
        20,
        20,
        20,
        2,
        20,
        2,
        2,
        20,
        2,
        2,
        2,
        2,
        11,
        11,
        20,
        11,
        11,
        20,
        2,
        11,
        2,
        11,
        2,
    ],
]


def test_the_rules_of_wolfram_and_conway():
    rule90 = np.array([[0, 1, 0, 1, 1, 0, 1, 0]])  # left xor right, by left, itself, right
    cells = np.array([[0, 0, 0, 1, 0, 0, 0, 0]])
    after = [_ring_after(rule90, cells, 2)]
    after.append(_ring_after(rule90, after[0], 2))
    assert [row[0].tolist() for row in after] == [[0, 0, 1, 0, 1, 0, 0, 0], [0, 1, 0, 0, 0, 1, 0, 0]]
    dead, alive = [0, 0, 0, 1, 0, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0, 0, 0, 0]  # by the sum of neighbours
    life = np.array([[*dead, *alive]])
    upright = np.zeros((1, 16), np.int64)
    upright[0, [1, 5, 9]] = 1
    lying = _torus_after(life, upright, 2)
    assert np.flatnonzero(lying).tolist() == [4, 5, 6]
    assert (_torus_after(life, lying, 2) == upright).all()


@pytest.mark.parametrize(("kind", "states"), [("automaton", 2), ("automaton", 4), ("automaton2d", 4)])
def test_histories_lie_within_the_band(kind, states):
    rows = []
    for one in corpus(f"{kind}:{states}").sequences(0, 200, length=512):
        names = {name: number for number, name in enumerate(dict.fromkeys(one.tolist()))}
        rows.append([names[name] for name in one.tolist()])
    found = complexity(np.array(rows), states)
    assert ((found >= BAND[0]) & (found <= BAND[1])).mean() > 0.8


def test_complexity_is_that_of_random_cells_at_most_and_orders_rules_as_zlib_does():
    rng = np.random.default_rng(0)
    assert complexity(rng.integers(4, size=(50, 512)), 4).mean() == pytest.approx(1, abs=0.02)
    assert complexity(np.zeros((1, 512), int), 2)[0] == pytest.approx(1 / (512 * (1 - np.exp(-504 / 512))))
    assert complexity(np.array([[0, 1, 0, 1]]), 2)[0] == pytest.approx(2 / (4 * (1 - np.exp(-3 / 4))))  # 01, 10
    periods = [np.tile(rng.integers(2, size=period), 512)[:512] for period in range(2, 400, 7)]
    sizes = [len(zlib.compress(row.astype(np.uint8).tobytes(), 9)) for row in periods]
    order: Any = spearmanr(complexity(np.array(periods), 2), sizes)
    assert order.statistic > 0.9


def test_what_does_not_fit_is_refused():
    with pytest.raises(RecipeError, match=r"(?s)automaton:9.*2 to 8"):
        corpus("automaton:9")
    with pytest.raises(RecipeError, match="needs 4 integers"):
        corpus("automaton", symbols=3)
    with pytest.raises(RecipeError, match="sequences of 15 tokens"):
        corpus("automaton").sequences(0, 1, length=15)
    with pytest.raises(RecipeError, match="2 integers, too few for the states of automaton:4"):
        corpus("automaton", symbols=5, law="table", counts=(1, 0, 2, 0, 0))
    assert set(map(len, corpus("automaton", law="zipf:1").sequences(0, 50))) <= set(range(96, 121))


def test_all_kinds_are_listed_where_one_is_unknown():
    with pytest.raises(RecipeError) as error:
        corpus("automatn")
    assert all(kind in str(error.value) for kind in FORMS)
    assert "did you mean: automaton" in str(error.value)
