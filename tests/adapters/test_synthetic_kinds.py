"""Made-up sequences: what defines each kind, and a slow twin of each."""

import runpy
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdomain.adapters.synthetic import Synthetic

BENCHMARK = runpy.run_path(str(Path(__file__).resolve().parents[2] / "benchmarks" / "synthetic.py"))
CALM = settings(deadline=None)  # others use this machine too
SEEDS = st.integers(0, 2**40)
LENGTHS = st.integers(2, 40).flatmap(lambda low: st.tuples(st.just(low), st.integers(low, low + 30)))
PROCEDURES = ("identity", "reverse", "sort", "set:3", "union:3", "delete:3", "stack:0.6")


def made(kind: str, count: int = 8, first: int = 0, length: int | None = None, **options: Any):
    return [ids.tolist() for ids in Synthetic(kind=kind, **options).sequences(first, count, length=length)]


def slope(tokens, ranks):
    """Of log frequency on log rank."""
    counts = np.bincount(tokens)[ranks]
    return np.polyfit(np.log(ranks + 1), np.log(counts), 1)[0]


# Every kind against its twin, which takes the same random numbers one at a time.


@settings(CALM, max_examples=60)
@given(st.sampled_from(sorted(BENCHMARK["TWINS"])), SEEDS, st.integers(0, 10**7), LENGTHS, st.booleans())
def test_the_twin_makes_the_same(kind, seed, first, lengths, steep):
    law = "zipf:0.8" if kind == "unigram" or (steep and kind != "uniform") else "uniform"
    lengths = (lengths[0] + 4, lengths[1] + 4)  # union needs 6 tokens
    corpus = Synthetic(kind=kind, seed=seed, lengths=lengths, law=law, symbols=3000)
    assert [ids.tolist() for ids in corpus.sequences(first, 3)] == BENCHMARK["twin"](corpus, first, 3)


# Independent draws and laws.


def test_uniform_draws_are_all_alike():
    tokens = np.concatenate(made("uniform", 2000, symbols=50))
    counts = np.bincount(tokens, minlength=50)
    assert len(counts) == 50
    # A sum of squares with 49 degrees of freedom: more than 100 once in 50,000.
    assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() < 100


@pytest.mark.parametrize("exponent", [0.5, 1, 1.5, 2.25])
def test_zipf_slopes_come_out(exponent):
    law = f"zipf:{exponent}"
    for kind in ("unigram", "flat:32", "nesting"):
        tokens = np.concatenate(made(kind, 4000, symbols=500, law=law))
        assert slope(tokens, np.arange(12)) == pytest.approx(-exponent, abs=0.06), kind


def test_under_zipf_shuffled_blocks_fall_off_beyond_the_first():
    tokens = np.concatenate(made("shuffle:4", 8000, symbols=2000, law="zipf:1"))
    assert slope(tokens, np.arange(20, 200)) == pytest.approx(-1, abs=0.1)


def test_an_exponent_of_0_is_uniform():
    assert made("unigram", law="zipf:0") == made("uniform")
    assert made("flat:16", law="zipf:0") == made("flat:16")


def test_a_table_is_followed():
    tokens = np.concatenate(made("unigram", 2000, law="table", counts=(1, 0, 6, 3, 0), symbols=5))
    assert np.bincount(tokens, minlength=5) / len(tokens) == pytest.approx([0.1, 0, 0.6, 0.3, 0], abs=0.005)


def test_different_tokens_are_drawn_without_replacement():
    # Pushes first and pops last: a sequence shows its two tokens in the order of their draw.
    weights = np.array([8, 4, 2, 1]) / 15
    options: dict[str, Any] = {"law": "table", "counts": (8, 4, 2, 1), "symbols": 4, "distinct": True}
    pairs = Counter((a, b) for a, b, *_ in made("nesting:1", 20_000, lengths=(4, 4), **options))
    for a in range(4):
        for b in range(4):
            wanted = 0 if a == b else weights[a] * weights[b] / (1 - weights[a])
            assert pairs[a, b] / 20_000 == pytest.approx(wanted, abs=0.02)


@given(SEEDS)
@settings(CALM, max_examples=20)
def test_rare_tokens_are_found_where_all_must_differ(seed):
    for law in ("zipf:0", "zipf:9"):
        for ids in made("flat:10", seed=seed, symbols=5, lengths=(10, 10), law=law, distinct=True):
            assert sorted(ids) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    steep = made("nesting:1", 200, seed=seed, symbols=6, lengths=(12, 12), law="zipf:14", distinct=True)
    assert sum(ids[:6] == [0, 1, 2, 3, 4, 5] for ids in steep) > 150  # the last, 5 before 6, is 12 to 1


# Structures.


@CALM
@given(SEEDS, LENGTHS, st.integers(1, 20).map(lambda half: 2 * half))
def test_flat_has_every_token_twice_within_its_span(seed, lengths, span):
    for ids in made(f"flat:{span}", seed=seed, lengths=lengths, symbols=90):
        assert lengths[0] - 1 <= len(ids) <= lengths[1]
        assert len(ids) % 2 == 0
        assert set(Counter(ids).values()) == {2}
        for start in range(0, len(ids), span):
            assert set(Counter(ids[start : start + span]).values()) == {2}


@CALM
@given(SEEDS, LENGTHS)
def test_flat_by_another_law_has_every_token_in_pairs(seed, lengths):
    for ids in made("flat:8", seed=seed, lengths=lengths, symbols=50, law="zipf:1.5"):
        for start in range(0, len(ids), 8):
            assert all(count % 2 == 0 for count in Counter(ids[start : start + 8]).values())


def test_flat_pairs_cross():
    assert any(a != b and c in (a, b) and c != b for a, b, c, _ in made("flat:4", lengths=(4, 4)))


def opened(ids):
    """Heights of a stack before each token, and whether the token is pushed; every token comes twice."""
    held = []
    for token in ids:
        push = token not in held
        yield len(held), push
        if push:
            held.append(token)
        else:
            assert held.pop() == token, f"{ids} cross"
    assert not held


@CALM
@given(SEEDS, LENGTHS, st.floats(0, 1))
def test_nesting_is_balanced_and_never_crosses(seed, lengths, share):
    for ids in made(f"nesting:{share}", seed=seed, lengths=lengths, symbols=90):
        assert set(Counter(ids).values()) == {2}
        assert lengths[0] - 1 <= len(list(opened(ids))) <= lengths[1]


@pytest.mark.parametrize("share", [0.2, 0.4, 0.7])
def test_nesting_pushes_as_often_as_it_should(share):
    free = [
        push
        for ids in made(f"nesting:{share}", 400)
        for place, (height, push) in enumerate(opened(ids))
        if 0 < height < len(ids) - place
    ]
    assert np.mean(free) == pytest.approx(share, abs=0.02)


def test_nesting_at_its_ends():
    assert all(ids[::2] == ids[1::2] for ids in made("nesting:0"))
    assert all(ids == ids[::-1] for ids in made("nesting:1"))


@CALM
@given(SEEDS, LENGTHS, st.integers(2, 30))
def test_shuffled_blocks_are_permutations_of_consecutive_integers(seed, lengths, block):
    for ids in made(f"shuffle:{block}", seed=seed, lengths=lengths, symbols=40):
        assert lengths[0] <= len(ids) <= lengths[1]
        for start in range(0, len(ids), block):
            held = sorted(ids[start : start + block])
            assert held == list(range(held[0], held[0] + len(held)))


def test_shuffled_blocks_are_in_every_order_and_start_everywhere():
    ids = np.array(made("shuffle:3", 3000, symbols=6, lengths=(3, 3)))
    starts = ids.min(axis=1)
    orders = Counter(map(tuple, ids - starts[:, None]))
    assert len(orders) == 6
    assert min(orders.values()) > 400
    assert np.bincount(starts) / 3000 == pytest.approx([0.25] * 4, abs=0.04)


@CALM
@given(SEEDS, LENGTHS, st.integers(1, 20))
def test_every_bracket_language_is_balanced_on_its_own(seed, lengths, brackets):
    for ids in made(f"dyck:{brackets}", seed=seed, lengths=lengths, symbols=40):
        assert lengths[0] - 1 <= len(ids) <= lengths[1]
        open_now = Counter()
        for token in ids:
            open_now[token % brackets] += 1 if token < brackets else -1
            assert 0 <= token < 2 * brackets
            assert min(open_now.values()) >= 0
            assert open_now.total() <= 16
        assert not open_now.total()


def test_brackets_cross():
    assert any(ids[2] % 8 == ids[0] and ids[0] != ids[1] < 8 for ids in made("dyck:8", 100, lengths=(4, 4)))


@pytest.mark.parametrize("successors", [1, 3, 16])
def test_a_token_has_so_many_successors(successors):
    after = {}
    for ids in made(f"bigram:{successors}", 500, symbols=200):
        for one, two in pairwise(ids):
            after.setdefault(one, set()).add(two)
    sizes = [len(found) for found in after.values()]
    assert max(sizes) <= successors
    assert np.mean(sizes) > 0.85 * successors  # of 16 draws from 200 some are alike


# Procedures.


def outcome(kind, left, right, mark):
    """What each procedure makes of its input, as its definition says."""
    if kind.startswith("delete"):
        return [token for token in right if token != left[0]]
    if kind == "stack":
        held = []
        for order in right:
            held = held[:-1] if order == mark else [*held, order]
        return held[::-1]
    told = left + right
    return {
        "identity": lambda: told,
        "reverse": lambda: told[::-1],
        "sort": lambda: sorted(told),
        "set": lambda: list(dict.fromkeys(told)),
        "union": lambda: list(dict.fromkeys(told)),
    }[kind]()


@pytest.mark.parametrize("kind", PROCEDURES)
@given(seed=SEEDS, lengths=LENGTHS, symbols=st.integers(3, 30))
@settings(CALM, max_examples=30)
def test_a_procedure_does_what_it_says(kind, seed, lengths, symbols):
    lengths = (lengths[0] + 4, lengths[1] + 4)
    mark, separator = symbols - 2, symbols - 1
    name = kind.partition(":")[0]
    for ids in made(kind, seed=seed, lengths=lengths, symbols=symbols):
        assert lengths[0] - 1 <= len(ids) <= lengths[1]
        assert ids.count(separator) == 1
        told, result = ids[: ids.index(separator)], ids[ids.index(separator) + 1 :]
        assert name == "stack" or told.count(mark) == (name in ("union", "delete"))
        split = told.index(mark) if name in ("union", "delete") else -1
        left, right = (told[:split], told[split + 1 :]) if split >= 0 else ([], told)
        assert result == outcome(name, left, right, mark)
        if name == "union":
            assert len(left) - len(right) in (0, 1)


def test_inputs_of_sets_come_from_a_pool():
    sizes = [len({*ids[: ids.index(998)]}) for ids in made("set:16", 200, symbols=999)]
    assert max(sizes) == 16
    assert min(sizes) > 8


# Rows of one length.


@pytest.mark.parametrize("kind", [*sorted(BENCHMARK["TWINS"]), "flat:4+shuffle:3+set:2"])
def test_rows_of_one_length(kind):
    options: dict[str, Any] = {"law": "zipf:1"} if kind == "unigram" else {}
    for length in (6, 7, 63, 64):
        assert {len(ids) for ids in made(kind, 40, length=length, **options)} == {length}


def test_an_odd_row_is_the_beginning_of_a_longer_sequence():
    for ids in made("flat:8", length=15):
        assert sorted(Counter(ids).values()) == [1, 2, 2, 2, 2, 2, 2, 2]
    for ids in made("nesting", length=15):
        assert sorted(Counter(ids).values()) == [1, 2, 2, 2, 2, 2, 2, 2]
    for odd, even in zip(made("flat:8", length=15), made("flat:8", length=16, lengths=(16, 16)), strict=True):
        assert odd != even[:15]  # of another stream, as every length
    for ids in made("identity", length=8):
        assert ids[:4] + ids[4:5] == [*ids[5:], ids[3], 29_994]


def test_even_rows_are_whole():
    assert all(set(Counter(ids).values()) == {2} for ids in made("flat:8", length=16))
    assert all(set(Counter(ids).values()) == {2} for ids in made("nesting", length=16))
    assert all(ids[:7] == ids[8:] for ids in made("identity", length=15))
