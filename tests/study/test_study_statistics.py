"""The study's numbers: intervals, p values, detectable effects, permutation tests, variance components."""

import itertools
import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from xdomain.study.stats.components import components
from xdomain.study.stats.estimate import area, detectable, mean_with_interval
from xdomain.study.stats.factors import layout
from xdomain.study.stats.significance import benjamini_hochberg, mcnemar, sign_flip
from xdomain.study.stats.standard_error import StandardError, mean_squares, standard_error

NAN = float("nan")
TINY = np.array([[1.0, 2.0, 3.0], [2.0, 3.0, 7.0]])  # by hand: rows 2 and 4, columns 1.5, 2.5, 5, mean 3
HOLED = np.array([[1.0, NAN, 3.0], [2.0, 4.0, 6.0], [0.0, 1.0, NAN]])


def paired(cells):
    values = np.full((len(cells), len(cells)), NAN)
    np.fill_diagonal(values, cells)
    return values


def draws(seed=0):
    return np.random.default_rng(seed)


# --- estimate


@pytest.mark.parametrize("shape", ["row", "column", "paired", "empty rows"])
def test_independent_cells_are_students_t(shape):
    cells = np.array([0.2, 0.5, -0.1, 0.4])
    values = {
        "row": cells[None],
        "column": cells[:, None],
        "paired": paired(cells)[[2, 0, 3, 1]],
        "empty rows": np.vstack([np.full(4, NAN), cells, np.full(4, NAN)]),
    }[shape]
    found, known = mean_with_interval(values), stats.ttest_1samp(cells, 0.0)
    low, high = known.confidence_interval(0.95)
    assert (found.interval.value, found.interval.low, found.interval.high) == pytest.approx((0.25, low, high))
    assert found.p == pytest.approx(known[1])
    assert found.standard_error == pytest.approx(stats.sem(cells))
    assert found.cells == 4


def test_examples_add_their_square():
    cells = np.array([0.2, 0.5, -0.1, 0.4])
    half = math.sqrt((stats.t.ppf(0.975, 3) * stats.sem(cells)) ** 2 + (stats.norm.ppf(0.975) * 0.3) ** 2)
    found = mean_with_interval(cells[None], 0.3)
    assert (found.interval.low, found.interval.high) == pytest.approx((0.25 - half, 0.25 + half))
    assert found.standard_error == pytest.approx(math.hypot(stats.sem(cells), 0.3))


def test_a_single_cell_is_no_test():
    found = mean_with_interval(np.array([[NAN, 0.5], [NAN, NAN]]), 0.2)
    assert found.interval.low == pytest.approx(0.5 - 1.959964 * 0.2)  # over its examples alone
    assert math.isnan(found.p)
    assert math.isnan(found.detectable)
    assert found.cells == 1


def test_two_cells_that_happen_to_be_equal_are_no_test():
    assert math.isnan(mean_with_interval(np.array([[0.5, 0.5]]), 0.2).p)
    assert mean_with_interval(np.array([[0.5, 0.5, 0.5]]), 0.2).p == pytest.approx(2 * stats.norm.sf(2.5))


def test_a_single_cell_that_no_seed_could_change_is_a_test_over_its_examples():
    found = mean_with_interval(np.array([[NAN, 0.5], [NAN, NAN]]), 0.2, fixed=True)
    assert found.interval.low == pytest.approx(0.5 - 1.959964 * 0.2)
    assert found.p == pytest.approx(2 * stats.norm.sf(2.5))
    assert found.detectable == pytest.approx(0.2 * (1.959964 + 0.841621), rel=1e-5)
    assert found.cells == 1


def test_mean_squares_by_hand():
    squares = mean_squares(TINY)  # residuals ±.5, ±.5, ±1: sum of squares 3
    assert (*squares.factors, squares.residual) == pytest.approx((6.0, 6.5, 1.5))


def test_crossed_cells_by_hand():
    # V = (6 + 6.5 - 1.5) / 6; Satterthwaite 11² / (6²/1 + 6.5²/2 + 1.5²/2) = 2.08, rounded down
    assert astuple(standard_error(TINY)) == pytest.approx((math.sqrt(11 / 6), 2))


def test_crossed_cells_whose_rows_and_columns_are_alike_have_their_residual():
    values = np.array([[1.0, 2.0], [2.0, 1.0]])  # mean square 1 in the residual alone
    assert astuple(standard_error(values)) == pytest.approx((math.sqrt(1 / 4), 1))


@pytest.mark.parametrize("nearly", [0, 1e-9, 1e-6, 1e-3])
def test_the_standard_error_does_not_jump_where_rows_become_alike(nearly):
    """σ² estimated by the residual alone: 4 / 1 over 4 cells."""
    assert standard_error(np.array([[1, -1 + nearly], [-1, 1]])).standard_error == pytest.approx(1, abs=2e-3)


def test_holes_by_hand():
    found = standard_error(HOLED)  # mean 17 / 7; sums by row less their share of it
    mean = 17 / 7
    rows = [4 - 2 * mean, 12 - 3 * mean, 1 - 2 * mean]
    columns = [3 - 3 * mean, 5 - 2 * mean, 9 - 2 * mean]
    squares = sum(one**2 for one in [*rows, *columns]) * 3 / 2
    assert astuple(found) == pytest.approx((math.sqrt(squares) / 7, 2))


def test_a_hole_makes_the_interval_wider():
    values = draws(3).normal(size=(5, 1)) + draws(4).normal(size=(5, 5))
    holed = values.copy()
    holed[1, 2] = NAN
    width = [one.interval.high - one.interval.low for one in (mean_with_interval(values), mean_with_interval(holed))]
    assert width[0] < width[1] < 3 * width[0]


@pytest.mark.parametrize("values", [np.full((3, 3), 0.1), paired([0.7] * 3), np.array([[0.3]]), np.full((1, 5), 0.1)])
def test_no_spread_at_all_says_nothing(values):
    found = mean_with_interval(values)
    assert found.interval.value == pytest.approx(np.nanmean(values))
    assert all(math.isnan(x) for x in (found.interval.low, found.interval.high, found.p, found.detectable))
    assert found.standard_error == 0


@pytest.mark.parametrize("values", [np.zeros((3, 3)), np.zeros((1, 1)), paired([0.0] * 4), np.full((2, 2), 0.45)])
@pytest.mark.parametrize("rounding", [0.0, 3e-17])
def test_arms_that_never_differ_cannot_be_told_apart(values, rounding):
    found = mean_with_interval(values, rounding * np.nanmax(values))
    assert math.isnan(found.interval.low)
    assert math.isnan(found.interval.high)
    assert math.isnan(found.p)
    assert math.isnan(found.detectable)


@pytest.mark.parametrize("units", [3, 10, 40])
def test_few_groups_have_students_t(units):
    cells = np.full((1, 4), 0.5)
    found = mean_with_interval(cells, 0.2, units=units)
    t = stats.t.ppf(0.975, units - 1)
    assert (found.interval.low, found.interval.high) == pytest.approx((0.5 - 0.2 * t, 0.5 + 0.2 * t))
    assert found.p == pytest.approx(2 * stats.t.sf(2.5, units - 1))
    assert found.detectable > mean_with_interval(cells, 0.2).detectable


def test_a_single_group_says_nothing_of_others():
    found = mean_with_interval(np.array([[0.4, 0.5, 0.6]]), 0.2, units=1)
    assert math.isnan(found.interval.low)
    assert math.isnan(found.p)


def test_no_cell_is_nan():
    found = mean_with_interval(np.full((2, 3), NAN), 0.1)
    assert found.cells == 0
    assert math.isnan(found.interval.value)
    assert math.isnan(found.p)


def test_unknown_examples_say_nothing():
    found = mean_with_interval(TINY, NAN)
    assert found.interval.value == 3
    assert math.isnan(found.interval.low)
    assert math.isnan(found.p)


def test_an_enormous_effect_has_a_p_of_almost_0():
    assert mean_with_interval(np.array([[1.0, 1.0 + 1e-9, 1.0]])).p < 1e-15
    assert mean_with_interval(np.array([[1e6]]), 1.0, fixed=True).p == 0


values_of = arrays(
    np.float64,
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    elements=st.one_of(st.just(NAN), st.integers(-50, 50).map(float), st.integers(-50, 50).map(float)),
)
examples_of = st.sampled_from([0.0, 0.5, 20.0])


@given(values_of, examples_of, st.integers(-100, 100), st.sampled_from([0.01, 3.0, -2.0]))
@settings(max_examples=150)
def test_shifting_and_scaling_values_does_so_to_the_interval(values, examples, shift, scale):
    one = mean_with_interval(values, examples)
    other = mean_with_interval(values * scale + shift, examples * abs(scale))
    ends = sorted((one.interval.low * scale + shift, one.interval.high * scale + shift))
    if one.standard_error > 0:
        found = (other.interval.value, other.interval.low, other.interval.high)
        assert found == pytest.approx((one.interval.value * scale + shift, *ends), abs=1e-6)
        assert other.detectable == pytest.approx(one.detectable * abs(scale), rel=1e-6, nan_ok=True)


@given(values_of, examples_of, st.randoms(use_true_random=False))
@settings(max_examples=150)
def test_the_order_of_seeds_and_mappings_does_not_matter(values, examples, random):
    rows, columns = (random.sample(range(n), n) for n in values.shape)
    for other in (values[rows][:, columns], values.T):
        one, two = mean_with_interval(values, examples), mean_with_interval(other, examples)
        assert (one.p, one.standard_error) == pytest.approx((two.p, two.standard_error), nan_ok=True, abs=1e-9)
        assert sign_flip(values) == pytest.approx(sign_flip(other), nan_ok=True)


@given(values_of, examples_of)
@settings(max_examples=200)
def test_p_is_small_where_and_only_where_the_interval_leaves_0_out(values, examples):
    found = mean_with_interval(values, examples)
    if math.isfinite(found.p):
        assert (found.p < 0.05) == (found.interval.low > 0 or found.interval.high < 0)
        assert 0 <= found.p <= 1


@given(values_of)
@settings(max_examples=100)
def test_more_doubt_over_examples_is_more_doubt(values):
    found = [mean_with_interval(values, examples) for examples in (0.5, 1.0, 2.0)]
    if found[0].cells:
        assert found[0].standard_error < found[1].standard_error < found[2].standard_error
    if math.isfinite(found[0].p):
        assert found[0].detectable < found[1].detectable < found[2].detectable
        assert found[0].p <= found[1].p <= found[2].p


@pytest.mark.parametrize("design", ["paired", "crossed", "residual", "examples"])
def test_intervals_cover(design):
    rng, hits, repeats = draws(11), 0, 600
    for _ in range(repeats):
        noise = rng.normal(size=(5, 5))
        values, examples = {
            "paired": (paired(rng.normal(size=5)), 0.0),
            "crossed": (rng.normal(size=(5, 1)) + rng.normal(size=5) + noise, 0.3),
            "residual": (noise, 0.0),
            "examples": (0.1 * noise, 1.0),
        }[design]
        interval = mean_with_interval(values + examples * rng.normal(), examples).interval
        hits += interval.low <= 0 <= interval.high
    assert hits / repeats >= 0.94 - 0.018  # less two standard errors


def test_the_detectable_effect_is_found_four_times_in_five():
    rng, found, examples = draws(12), [], 0.4
    effect = detectable(StandardError(1 / math.sqrt(5), 4), examples)
    for _ in range(1500):
        values = rng.normal(size=(1, 5)) + examples * rng.normal() + effect
        found.append(mean_with_interval(values, examples).p < 0.05)
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("df", [1, 2, 4, 9, 50])
def test_detectable_is_the_power_of_the_t_test(df):
    t = stats.t.ppf(0.975, df)
    effect = detectable(StandardError(1.0, df))
    both_tails = stats.nct.sf(t, df, effect) + stats.nct.sf(t, df, -effect)  # scipy's cdf(-t, …) may be nan
    assert both_tails == pytest.approx(0.8, abs=1e-3)


# --- sign flips


def flipped_by_hand(cells):
    """The p of flipping whole rows, the slow way."""
    seen = []
    for signs in itertools.product((1, -1), repeat=len(cells)):
        flipped = cells * np.array(signs)[:, None]
        squares = (flipped.sum(axis=1) ** 2).sum() + (flipped.sum(axis=0) ** 2).sum()
        seen.append(flipped.sum() ** 2 / squares if squares else 0.0)
    return np.mean([one >= seen[0] - 1e-9 * abs(seen[0]) for one in seen])


@given(arrays(np.float64, st.tuples(st.integers(2, 6), st.integers(2, 6)), elements=st.integers(-9, 9).map(float)))
@settings(max_examples=60)
def test_sign_flips_of_crossed_cells_are_those_counted_one_by_one(values):
    least = 2 / 2 ** min(values.shape)
    assert sign_flip(values) == (pytest.approx(max(flipped_by_hand(values), flipped_by_hand(values.T))), least)


@pytest.mark.parametrize("shape", ["row", "column", "paired"])
def test_sign_flips_of_one_factor_are_those_of_the_plain_mean(shape):
    cells = np.array([3.0, 1.0, -0.5, 2.0, 2.5, 0.25])
    values = {"row": cells[None], "column": cells[:, None], "paired": paired(cells)[::-1]}[shape]
    sums = [abs(np.dot(signs, cells)) for signs in itertools.product((1, -1), repeat=6)]
    assert sign_flip(values) == (pytest.approx(np.mean(np.array(sums) >= cells.sum() - 1e-9)), 2 / 64)


def test_the_least_p_of_a_sign_flip_is_reached():
    assert sign_flip(np.ones((1, 5))) == (0.0625, 0.0625)
    assert sign_flip(np.ones((3, 5))) == (0.25, 0.25)
    assert sign_flip(np.ones((20, 1))) == (1 / 10_001, 1 / 10_001)
    assert sign_flip(np.zeros((4, 4)))[0] == 1


def test_many_units_are_drawn_and_alike_each_time():
    cells = draws(5).normal(0.4, 1, (1, 18))
    assert sign_flip(cells) == sign_flip(cells)
    assert sign_flip(cells)[0] == pytest.approx(stats.ttest_1samp(cells[0], 0)[1], abs=0.02)


@pytest.mark.parametrize("values", [np.array([[0.4]]), np.full((2, 2), NAN), paired([1.0, NAN])])
def test_one_unit_has_no_sign_flip(values):
    assert all(math.isnan(one) for one in sign_flip(values))


def test_sign_flips_with_both_mapping_and_seed_find_nothing_where_nothing_is():
    rng = draws(8)
    values = [rng.normal(size=(8, 1)) + rng.normal(size=(1, 8)) + rng.normal(size=(8, 8)) for _ in range(800)]
    assert np.mean([sign_flip(one)[0] < 0.05 for one in values]) <= 0.06


# --- many tests


def test_benjamini_hochberg_by_hand():
    # sorted .01 .02 .03 .5: times 4/1, 4/2, 4/3, 4/4, then the least from above
    assert benjamini_hochberg([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.04, 0.04, 0.5, 0.04])


def test_what_was_not_tested_counts_for_nothing():
    assert benjamini_hochberg([NAN, 0.01, NAN, 0.04]) == pytest.approx([NAN, 0.02, NAN, 0.04], nan_ok=True)
    assert benjamini_hochberg([]) == []
    assert all(math.isnan(q) for q in benjamini_hochberg([NAN, NAN]))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_benjamini_hochberg_is_the_least_bound_above(p):
    ranked = sorted(p)
    slow = [min(1.0, min(q * len(p) / (i + 1) for i, q in enumerate(ranked) if q >= one)) for one in p]
    assert benjamini_hochberg(p) == pytest.approx(slow)


# --- McNemar


@pytest.mark.parametrize(("ours", "theirs"), [(9, 2), (3, 3), (0, 5), (1, 0), (15, 10)])
def test_few_discordant_examples_are_the_exact_binomial_test(ours, theirs):
    differences = np.array([[1] * ours + [-1] * theirs + [0] * 40])
    assert mcnemar(differences) == pytest.approx(stats.binomtest(ours, ours + theirs).pvalue)


def test_many_discordant_examples_are_the_chi_square_without_correction():
    differences = np.array([[1] * 40 + [-1] * 22 + [0] * 100])
    assert mcnemar(differences) == pytest.approx(stats.chi2.sf((40 - 22) ** 2 / 62, 1))


def test_examples_are_the_units_however_many_cells_there_are():
    one = draws(2).integers(-1, 2, (1, 200))
    assert mcnemar(np.repeat(one, 7, axis=0)) == pytest.approx(mcnemar(one))
    assert mcnemar(np.repeat(one[:, :20], 3, axis=0)) == pytest.approx(mcnemar(one[:, :20]))


@given(arrays(np.int64, st.tuples(st.integers(1, 4), st.integers(1, 9)), elements=st.integers(-1, 1)))
@settings(max_examples=60)
def test_few_clustered_examples_are_all_their_signs(differences):
    sums = differences.sum(axis=0)
    reached = [abs(np.dot(signs, sums)) for signs in itertools.product((1, -1), repeat=len(sums))]
    assert mcnemar(differences) == pytest.approx(np.mean(np.array(reached) >= abs(sums.sum())))
    assert mcnemar(-differences) == pytest.approx(mcnemar(differences))


def test_arms_that_are_never_apart_do_not_differ():
    assert mcnemar(np.zeros((3, 50), np.int64)) == 1
    assert mcnemar(np.array([[1] * 50, [-1] * 50])) == 1


def test_mcnemar_of_several_cells_finds_nothing_where_nothing_is():
    rng, found = draws(9), []
    for _ in range(600):
        chances = 1 / (1 + np.exp(-rng.normal(1, 2, 300)))
        right = rng.random((2, 4, 300)) < chances
        found.append(mcnemar(right[0].astype(int) - right[1]) < 0.05)
    assert np.mean(found) <= 0.07


def test_an_interval_ends_where_a_metric_does():
    values = np.diag([0.99, 0.9, 1.0])
    values[values == 0] = NAN
    free, held = mean_with_interval(values), mean_with_interval(values, possible=(0.0, 1.0))
    assert free.interval.high > 1
    assert (held.interval.low, held.interval.high) == (free.interval.low, 1.0)
    assert (held.p, held.detectable) == (free.p, free.detectable)


# --- the sample-efficiency curve


def test_area_by_hand():
    values = np.array([[[0.2]], [[0.4]], [[0.8]]])  # at 1/8, 1/4, 1: (.3 + 2 · .6) / 3
    assert area([0.125, 0.25, 1.0], values) == pytest.approx(np.array([[0.5]]))


def test_area_of_one_share_is_its_value_and_of_a_flat_curve_its_height():
    values = np.array([[0.3, 0.6], [NAN, 0.1]])
    np.testing.assert_array_equal(area([0.5], values[None]), values)
    np.testing.assert_allclose(area([0.01, 0.3, 1.0], np.stack([values] * 3)), values)


def test_area_is_linear_and_takes_resamples():
    one, two = draws(1).normal(size=(2, 3, 50))
    shares = [0.1, 0.5, 1.0]
    np.testing.assert_allclose(area(shares, one) - area(shares, two), area(shares, one - two))


@pytest.mark.parametrize("shares", [[], [0.5, 0.5], [1.0, 0.5], [0.0, 1.0], [0.5, 2.0], [0.1, 0.5, 1.0], [NAN, 1.0]])
def test_area_of_other_shares_is_refused(shares):
    with pytest.raises(ValueError, match="ascending"):
        area(shares, np.zeros((2, 1, 1)))


# --- variance components


def test_components_by_hand():
    found = components(TINY)  # mean squares 6, 6.5, 1.5
    mapping, seed = found.factors
    assert (mapping.factor, seed.factor) == ("mapping", "seed")
    assert mapping.variance.value == pytest.approx((6 - 1.5) / 3)
    assert seed.variance.value == pytest.approx((6.5 - 1.5) / 2)
    assert found.residual.value == pytest.approx(1.5)
    assert mapping.share.value == pytest.approx(1.5 / (1.5 + 2.5 + 1.5))
    assert mapping.p == pytest.approx(stats.f.sf(6 / 1.5, 1, 2))
    low, high = 2 * 1.5 / stats.chi2.ppf([0.975, 0.025], 2)
    assert (found.residual.low, found.residual.high) == pytest.approx((low, high))


def test_without_a_residual_the_mapping_has_the_chi_square_interval():
    effects = np.array([1.0, 2.0, 4.0, 4.5])
    found = components(np.repeat(effects[:, None], 3, axis=1))
    mapping, seed = found.factors
    low, high = 3 * effects.var(ddof=1) / stats.chi2.ppf([0.975, 0.025], 3)
    assert (mapping.variance.low, mapping.variance.high) == pytest.approx((low, high))
    assert mapping.share.value == mapping.share.low == mapping.share.high == 1
    assert found.residual.high == seed.variance.high == 0
    assert math.isnan(mapping.p)  # as accuracies have only so many values, it happens by chance


def test_the_interval_of_the_mapping_reaches_0_where_the_f_test_does_not_find_it():
    for seed in range(200):  # the method's own property at its lower end
        rng = draws(seed)
        values = rng.normal(size=(4, 5)) + rng.uniform(0, 2) * rng.normal(size=(4, 1))
        mapping = components(values).factors[0]
        assert (mapping.variance.low > 0) == (mapping.p < 0.025)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.0])
def test_equal_cells_have_no_variance(value):
    found = components(np.full((3, 4), value))
    assert found.residual.high == 0
    for one in found.factors:
        assert one.variance.high == 0
        assert (one.share.value, one.share.low, one.share.high) == (0, 0, 1)
        assert math.isnan(one.p)


@pytest.mark.parametrize("values", [np.zeros((1, 3)), np.zeros((3, 1)), np.array([[1.0, NAN], [1.0, 2.0]])])
def test_components_of_cells_that_are_not_crossed_are_refused(values):
    with pytest.raises(ValueError, match="two factors or more"):
        components(values)


@given(
    arrays(np.float64, st.tuples(st.integers(2, 5), st.integers(2, 5)), elements=st.integers(-9, 9).map(float)),
    st.sampled_from([-4.0, 0.5]),
    st.randoms(use_true_random=False),
)
@settings(max_examples=100)
def test_components_hold_their_estimates_and_follow_scale_and_order(values, scale, random):
    one = components(values)
    rows, columns = (random.sample(range(n), n) for n in values.shape)
    two = components(values[rows][:, columns] * scale + 7)
    for first, second, power in (
        *((a.variance, b.variance, 2) for a, b in zip(one.factors, two.factors, strict=True)),
        *((a.share, b.share, 0) for a, b in zip(one.factors, two.factors, strict=True)),
        (one.residual, two.residual, 2),
    ):
        assert 0 <= first.low <= first.value <= first.high
        ends = [end * scale**power for end in (first.value, first.low, first.high)]
        assert [second.value, second.low, second.high] == pytest.approx(ends, rel=1e-6, abs=1e-9)
    for a, b in zip(one.factors, two.factors, strict=True):
        assert a.share.high <= 1
        assert a.p == pytest.approx(b.p, abs=1e-9, nan_ok=True)
    turned, mapping = components(values.T).factors[1].variance, one.factors[0].variance
    assert [turned.value, turned.low, turned.high] == pytest.approx([mapping.value, mapping.low, mapping.high])


def test_components_cover():
    rng, truth, found = draws(21), (0.5, 1.0, 0.7), []
    for _ in range(600):
        rows, columns, rest = rng.normal(size=(5, 1)), rng.normal(size=(1, 4)), rng.normal(size=(5, 4))
        one = components(math.sqrt(truth[0]) * rows + math.sqrt(truth[1]) * columns + math.sqrt(truth[2]) * rest)
        intervals = (*(part.variance for part in one.factors), one.residual, one.factors[0].share)
        found.append([i.low <= t <= i.high for i, t in zip(intervals, (*truth, truth[0] / sum(truth)), strict=True)])
    assert (np.mean(found, axis=0) >= 0.94 - 0.018).all()


def test_a_mapping_that_adds_nothing_is_seldom_found():
    rng = draws(22)
    p = [components(rng.normal(size=(1, 5)) + rng.normal(size=(4, 5))).factors[0].p for _ in range(600)]
    assert np.mean(np.array(p) < 0.05) <= 0.07


# --- splits drawn anew


def test_factors_that_vary_together_are_one():
    values = np.full((2, 3, 3), NAN)
    for seed in range(3):
        values[:, seed, seed] = TINY[:, seed]
    arranged = layout(values)
    assert arranged.names == ("mapping", "seed and split")
    np.testing.assert_array_equal(arranged.values, TINY)
    assert components(values).factors[1].factor == "seed and split"
    assert standard_error(values) == standard_error(TINY)
    assert sign_flip(values) == sign_flip(TINY)


def test_three_factors_by_hand():
    """Effects ±1 of the mapping, ±2 of the seed, ±3 of the split, and ±.5 of all three together."""
    signs = np.array([-1.0, 1.0])
    m, s, p = signs[:, None, None], signs[None, :, None], signs[None, None, :]
    values = 1 * m + 2 * s + 3 * p + 0.5 * m * s * p
    squares = mean_squares(values)  # 8 cells: 8 × effect² with 1 degree each; the residual 8 × .25 with 4
    assert (*squares.factors, squares.residual) == pytest.approx((8.0, 32.0, 72.0, 0.5))
    found = components(values)
    assert [one.factor for one in found.factors] == ["mapping", "seed", "split"]
    assert [one.variance.value for one in found.factors] == pytest.approx([7.5 / 4, 31.5 / 4, 71.5 / 4])
    assert found.factors[2].p == pytest.approx(stats.f.sf(72 / 0.5, 1, 4))
    # V = (8 + 32 + 72 - 2 × .5) / 8; Satterthwaite 111² / (8² + 32² + 72² + 1² / 4) = 1.96, rounded down
    assert astuple(standard_error(values)) == pytest.approx((math.sqrt(111 / 8), 1))


def test_splits_of_the_same_records_are_not_independent():
    """The corrected resampled t test of Nadeau & Bengio (2003): s² (1 / n + n_test / n_train)."""
    cells = np.array([0.2, 0.5, -0.1, 0.4])
    found = mean_with_interval(cells[None, None], overlap=0.25)
    error = math.sqrt(cells.var(ddof=1) * (1 / 4 + 0.25))
    assert found.standard_error == pytest.approx(error)
    assert found.p == pytest.approx(2 * stats.t.sf(0.25 / error, 3))
    together = np.full((1, 4, 4), NAN)
    together[0, range(4), range(4)] = cells
    assert mean_with_interval(together, overlap=0.25) == found
    assert mean_with_interval(cells[None, :, None], overlap=0.25) == mean_with_interval(cells[None])  # one split


def test_in_a_crossed_study_only_the_split_counts_as_overlapping():
    rng = draws(5)
    values = rng.normal(size=(1, 4, 3)) + 3 * rng.normal(size=(1, 4, 1)) + 3 * rng.normal(size=(1, 1, 3))
    squares, (_, seeds, splits) = mean_squares(values[0]), values.shape
    seed, split = squares.factors
    expected = (seed + split * (1 + 0.2 * splits) - squares.residual) / (seeds * splits)
    assert standard_error(values, 0.2).standard_error == pytest.approx(math.sqrt(expected))
    holed = values.copy()
    holed[0, 1, 1] = NAN
    assert standard_error(holed, 0.2).standard_error > standard_error(holed).standard_error
