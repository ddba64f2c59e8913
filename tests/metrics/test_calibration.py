"""Calibration: eight records by hand, a twin for the temperature, and what must hold for any."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from xdomain.metrics.calibration import calibration_of, edge_note, fit_temperature
from xdomain.metrics.metrics import probabilities

# The probability of the first class, and whether that class is the label.
EIGHT = [(0.95, 1), (0.85, 1), (0.85, 0), (0.65, 1), (0.65, 1), (0.35, 0), (0.15, 1), (0.05, 0)]


def eight():
    first = np.array([chance for chance, _ in EIGHT])
    return np.array([0 if right else 1 for _, right in EIGHT]), np.column_stack([first, 1 - first])


def test_the_error_of_eight_records_by_hand():
    labels, chances = eight()
    # Five bins of .2: (.6, .8] holds .65 .65 .65, all right; (.8, 1] holds .95 .85 .85 .85 .95, three of them right.
    found = calibration_of(labels, chances, bins=5)
    wanted = 3 / 8 * abs(1 - 0.65) + 5 / 8 * abs(3 / 5 - (0.95 + 3 * 0.85 + 0.95) / 5)
    assert found["error"] == pytest.approx(wanted)
    assert [(row["n"], row["accuracy"]) for row in found["bins"]] == [(3, 1), (5, pytest.approx(0.6))]
    assert found["bins"][1]["probability"] == pytest.approx(0.89)
    # Two bins of four records: .65 .65 .65 .85 and .85 .85 .95 .95, in the order of the file where equal.
    assert calibration_of(labels, chances, bins=2)["adaptive_error"] == pytest.approx(
        0.5 * abs(1 - 0.7) + 0.5 * abs(2 / 4 - 0.9)
    )


def test_a_probability_on_an_edge_is_in_the_lower_bin_and_certainty_in_the_last():
    found = calibration_of(np.array([0, 0]), np.array([[0.8, 0.2], [1.0, 0.0]]), bins=5)
    assert [(row["high"], row["n"]) for row in found["bins"]] == [(0.8, 1), (1.0, 1)]


def drawn(temperature, n=3000):
    """Labels drawn from the softmax of logits / temperature."""
    rng = np.random.Generator(np.random.PCG64(0))
    logits = rng.normal(size=(n, 3)) * 3
    chances = probabilities(logits / temperature)
    return logits, np.array([rng.choice(3, p=row) for row in chances])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_is_found_and_is_that_of_a_twin(temperature):
    logits, labels = drawn(temperature)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(temperature, rel=0.1)
    rows = np.arange(len(labels))
    twin = minimize(lambda t: -np.log(probabilities(logits / np.exp(t[0]))[rows, labels]).mean(), [0.0], tol=1e-10)
    assert found == pytest.approx(np.exp(twin.x[0]), rel=1e-3)
    before, after = (calibration_of(labels, probabilities(logits / t))["error"] for t in (1.0, found))
    assert after < before or temperature == 1


def test_two_classes_are_a_logistic_regression_without_intercept():
    logits, labels = drawn(2.0)
    kept = labels < 2
    logits, labels = logits[kept][:, :2], labels[kept]
    lead = (logits[:, 1] - logits[:, 0])[:, None]
    twin = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-8).fit(lead, labels)
    assert 1 / fit_temperature(logits, labels) == pytest.approx(float(twin.coef_[0, 0]), rel=1e-3)


def test_what_is_all_right_or_empty_stays_as_it_is():
    logits, _ = drawn(1.0, n=10)
    assert fit_temperature(logits, logits.argmax(-1)) == 1
    assert fit_temperature(logits[:0], np.array([], int)) == 1
    assert np.isnan(calibration_of(np.array([], int), np.empty((0, 2)))["error"])


def test_a_temperature_at_the_edge_is_told():
    rng = np.random.default_rng(0)
    labels, noise = rng.integers(0, 2, 400), rng.normal(size=(400, 2)) * 1e4
    hot = fit_temperature(noise, labels)
    assert hot > 99
    assert edge_note(hot) == (
        "The temperature is at the edge of those looked for, 0.01 to 100: on validation nearly equal probabilities "
        "fit best."
    )
    right = np.eye(2)[labels] * 1e-5
    right[0] = [1e-9, 0] if labels[0] else [0, 1e-9]  # one is wrong, and hardly
    cold = fit_temperature(right, labels)
    assert cold < 0.0101
    assert "probabilities of nearly 0 and 1" in edge_note(cold)
    assert [edge_note(one) for one in (0.02, 1.0, 1.7, 98.0)] == [""] * 4
