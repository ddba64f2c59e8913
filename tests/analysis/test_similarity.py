"""Measures of alike representations: their invariances, slow twins, and what is drawn of two runs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xdomain.analysis import layers
from xdomain.analysis.layers import held, held_by_all, same_symbols, symbol_vectors
from xdomain.analysis.loaded_run import open_runs
from xdomain.analysis.result import Options, write_finding
from xdomain.analysis.similarity import ANALYSIS, hsic, layer_of, linear_cka, pwcca
from xdomain.core.errors import RecipeError

SEEDS = st.integers(0, 2**32 - 1)
WIDE = settings(max_examples=25)


def normal(seed, n, d):
    return np.random.default_rng(seed).standard_normal((n, d))


def turn(seed, d):
    return np.linalg.qr(normal(seed, d, d))[0]


def bent(seed, d):
    """Invertible, and far from a rotation."""
    return turn(seed, d) @ np.diag(np.linspace(0.3, 3, d)) @ turn(seed + 1, d)


def whole(x):
    return layer_of(x, variance=1.0)


def slow_hsic(x, y):
    """Song et al. 2012, equation 5, on n × n kernels that were not centred."""
    n = len(x)
    k, m = x @ x.T, y @ y.T
    np.fill_diagonal(k, 0)
    np.fill_diagonal(m, 0)
    one = np.ones(n)
    first, second = np.trace(k @ m), one @ k @ one * (one @ m @ one) / ((n - 1) * (n - 2))
    return (first + second - 2 / (n - 2) * (one @ k @ m @ one)) / (n * (n - 3))


def slow_pwcca(x, y):
    """Morcos et al. 2018 by whitening with inverse square roots; all directions kept."""
    x, y = x - x.mean(0), y - y.mean(0)

    def white(c):
        values, vectors = np.linalg.eigh(c)
        return vectors @ np.diag(values**-0.5) @ vectors.T

    left, correlations, _ = np.linalg.svd(white(x.T @ x) @ x.T @ y @ white(y.T @ y), full_matrices=False)
    canonical = x @ white(x.T @ x) @ left
    weights = [sum(abs(canonical[:, i] @ x[:, j]) for j in range(x.shape[1])) for i in range(len(correlations))]
    return float(np.dot(weights, correlations) / np.sum(weights))


@WIDE
@given(SEEDS, st.integers(4, 30), st.integers(1, 6), st.integers(1, 6))
def test_hsic_is_its_slow_twin(seed, n, d, e):
    x, y = normal(seed, n, d) + 2, normal(seed + 1, n, e) - 1
    assert hsic(layer_of(x), layer_of(y)) == pytest.approx(slow_hsic(x, y), abs=1e-9)


@WIDE
@given(SEEDS, st.integers(1, 6), st.integers(1, 6))
def test_pwcca_is_its_slow_twin(seed, d, e):
    x, y = normal(seed, 80, d), normal(seed + 1, 80, e)
    y[:, 0] += x[:, 0]
    assert pwcca(whole(x), whole(y)) == pytest.approx(slow_pwcca(x, y), abs=1e-8)


@WIDE
@given(SEEDS, st.floats(0.01, 100), st.integers(2, 6))
def test_cka_does_not_see_rotation_scale_and_shift(seed, scale, d):
    x, y = normal(seed, 40, d), normal(seed + 1, 40, 3)
    y[:, 0] += x[:, 0]
    moved = layer_of(scale * x @ turn(seed + 2, d) + 5)
    assert linear_cka(moved, layer_of(y)) == pytest.approx(linear_cka(layer_of(x), layer_of(y)), abs=1e-9)
    assert linear_cka(moved, layer_of(x)) == pytest.approx(1)


@WIDE
@given(SEEDS, st.integers(2, 6))
def test_pwcca_does_not_see_a_linear_map_of_the_second(seed, d):
    x, y = normal(seed, 80, 4), normal(seed + 1, 80, d)
    y[:, 0] += x[:, 0]
    assert pwcca(whole(x), whole(y @ bent(seed, d) + 3)) == pytest.approx(pwcca(whole(x), whole(y)), abs=1e-8)
    assert pwcca(whole(7 * x), whole(y)) == pytest.approx(pwcca(whole(x), whole(y)), abs=1e-8)


@WIDE
@given(SEEDS, st.integers(2, 6))
def test_a_linear_map_leaves_pwcca_at_one_and_cka_below(seed, d):
    x = normal(seed, 80, d)
    mapped = x @ bent(seed, d)
    assert pwcca(whole(x), whole(mapped)) == pytest.approx(1)
    assert pwcca(whole(mapped), whole(x)) == pytest.approx(1)
    assert linear_cka(whole(x), whole(mapped)) < 0.999


def test_unrelated_representations():
    x, y = layer_of(normal(0, 2000, 20)), layer_of(normal(1, 2000, 20))
    assert abs(linear_cka(x, y)) < 0.01
    assert pwcca(x, y) < 0.2
    few = [linear_cka(layer_of(normal(i, 12, 20)), layer_of(normal(i + 999, 12, 20))) for i in range(200)]
    assert abs(np.mean(few)) < 0.05  # the plain estimator is at .7 here


def test_cka_by_hand():
    x = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    y = np.array([[1.0], [1.0], [-1.0], [-1.0]])
    # kernels without their diagonals: +-1; traces 12 and -4; sums -4; products 1'KL1 = 4
    assert hsic(layer_of(x), layer_of(x)) == pytest.approx((12 + 16 / 6 - 4) / 4)
    assert linear_cka(layer_of(x), layer_of(y)) == pytest.approx((-4 + 16 / 6 - 4) / (12 + 16 / 6 - 4))


def test_too_few_positions_and_nothing_that_varies():
    assert np.isnan(pwcca(whole(normal(0, 59, 6)), whole(normal(1, 59, 2))))
    assert np.isfinite(pwcca(whole(normal(0, 60, 6)), whole(normal(1, 60, 2))))
    still = layer_of(np.ones((30, 3)))
    assert np.isnan(linear_cka(still, layer_of(normal(0, 30, 3))))
    assert np.isnan(pwcca(still, layer_of(normal(0, 30, 3))))


def test_directions_hold_99_percent():
    x = normal(0, 500, 3) * [10, 10, 0.1]
    assert layer_of(x).basis.shape == (500, 2)
    assert whole(x).basis.shape == (500, 3)


@pytest.fixture(scope="module")
def runs(looked_at):
    return open_runs(looked_at)


def test_symbol_vectors_are_those_of_each_record_alone(runs):
    run = runs[0]
    records = run.some("valid", 5)
    reach = held(run, records)
    assert (reach[:, 0] == run.examples.symbols.lengths[records]).all()
    rows = run.saved.mapping.ids.astype(np.int64)
    for record, vectors in zip(records, symbol_vectors(run, run.model, records, reach), strict=True):
        ids = [*run.saved.layout.start, *rows[run.examples.symbols[record]], *run.saved.layout.end]
        with torch.no_grad():
            told = run.model.base_model(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states
        alone = np.stack([layer[0, 1:-1].numpy() for layer in told])
        np.testing.assert_allclose(vectors, alone, atol=1e-5)


@pytest.mark.parametrize("task", ["toy/dna-pair", "toy/dna-span"])
def test_symbols_of_both_sequences(task, tiny_run, monkeypatch):
    run = open_runs([tiny_run(task)])[0]
    monkeypatch.setattr(layers, "hidden_states", lambda model, batch: batch["input_ids"][None, ..., None])
    records = run.some("valid", 5)
    reach = held(run, records)
    rows = run.saved.mapping.ids
    for record, few, read in zip(records, reach, symbol_vectors(run, run.model, records, reach), strict=True):
        a, b = run.examples.symbols[record][: few[0]], run.examples.symbols_b[record][: few[1]]
        assert min(len(a), len(b)) > 1
        assert read[0, :, 0].tolist() == [*rows[a], *rows[b]]
    fewer = next(symbol_vectors(run, run.model, records[:1], reach[:1] - 1))
    assert fewer[0, :, 0].tolist() == [
        *rows[run.examples.symbols[records[0]][: reach[0, 0] - 1]],
        *rows[run.examples.symbols_b[records[0]][: reach[0, 1] - 1]],
    ]


def test_only_the_first_window_of_a_long_record(runs):
    short = replace(runs[1], recipe=windowed(runs[1].recipe, 20))
    records = short.some("valid", 4)
    assert held(short, records).tolist() == [[18, 0]] * 4
    assert held_by_all([runs[0], short], records).tolist() == [[18, 0]] * 4
    assert [v.shape[1] for v in symbol_vectors(short, short.model, records, held(short, records))] == [18] * 4


def windowed(recipe, length):
    return recipe.model_copy(update={"train": recipe.train.model_copy(update={"max_length": length})})


@pytest.mark.usefixtures("drawn")
def test_two_runs(runs, tmp_path):
    findings = ANALYSIS.find(runs, Options(records=20))
    assert [f.name for f in findings] == ["similarity-cka", "similarity-pwcca"]
    rows = findings[0].table.to_pylist()
    assert len(rows) == 4 * 9
    one, two = (run.label for run in runs)
    assert {(r["run_a"], r["state_a"], r["run_b"], r["state_b"]) for r in rows} == {
        (one, "start", one, "tuned"), (two, "start", two, "tuned"),
        (one, "start", two, "start"), (one, "tuned", two, "tuned"),
    }  # fmt: skip
    assert {r["positions"] for r in rows} == {1200}
    last = rows[8]
    assert (last["layer_a"], last["layer_b"], last["run_b"]) == (2, 2, "pretrained m0 s0")
    assert f"last layer {last['cka']:.2f}" in findings[0].caption
    write_finding(findings[0], tmp_path)
    assert (tmp_path / "similarity-cka.png").stat().st_size > 10_000
    assert findings[0].table.equals(ANALYSIS.find(runs, Options(records=20))[0].table)


def test_one_run_and_too_few_records_for_pwcca(runs):
    findings = ANALYSIS.find(runs[:1], Options(records=2))
    assert [f.name for f in findings] == ["similarity-cka"]
    assert "PWCCA is left out for 9 of 9 pairs of layers: 120 positions" in findings[0].caption
    assert {r["pwcca"] for r in findings[0].table.to_pylist()} == {None}


def test_what_is_refused(runs, tiny_run):
    other = open_runs([tiny_run("toy/dna-regression")])
    assert same_symbols([runs[0], *other]).startswith("the runs are of different tasks")
    symbols = runs[1].examples.symbols
    changed = replace(runs[1].examples, symbols=replace(symbols, values=symbols.values[::-1]))
    assert "read other symbols of the same records" in str(same_symbols([runs[0], replace(runs[1], examples=changed)]))
    assert ANALYSIS.refuses(runs, Options()) is None
    tiny = replace(runs[0], recipe=windowed(runs[0].recipe, 3))
    with pytest.raises(RecipeError, match="2 symbols in the records that are read"):
        ANALYSIS.find([replace(tiny, recipe=many_windows(tiny.recipe))], Options(records=2))


def many_windows(recipe):
    return recipe.model_copy(update={"train": recipe.train.model_copy(update={"max_windows": 99})})
