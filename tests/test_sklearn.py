"""The classifier as scikit-learn uses it."""

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks

from xdomain.core.errors import DataError
from xdomain.sklearn import XDomainClassifier


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDOMAIN_DATA", str(tmp_path))


@pytest.fixture(scope="module")
def records():
    rng = np.random.Generator(np.random.PCG64(5))
    sequences = np.array(["".join(rng.choice(list("ACGT"), 24)) for _ in range(80)])
    labels = np.arange(80) % 2
    return np.array([f"{'GATTACA' if y else 'CCCCC'}{x}" for x, y in zip(sequences, labels, strict=True)]), labels


@pytest.mark.parametrize(
    "check",
    [
        "check_no_attributes_set_in_init", "check_parameters_default_constructible", "check_get_params_invariance",
        "check_set_params", "check_estimator_repr", "check_estimator_cloneable",
    ],
)  # fmt: skip
def test_it_passes_scikit_learns_own_checks(check):
    getattr(estimator_checks, check)("XDomainClassifier", XDomainClassifier())


def test_it_is_cross_validated_in_a_pipeline(records):
    sequences, labels = records
    lower = make_pipeline(FunctionTransformer(np.char.lower), XDomainClassifier("dna", baseline="kmer"))
    assert cross_val_score(lower, sequences, labels, cv=3).mean() > 0.9


def test_held_out_records_are_no_leak_to_warn_of(records, caplog):
    XDomainClassifier("dna", baseline="kmer").fit(*records)
    assert not [message for message in caplog.messages if "valid and test" in message]


def test_options_are_searched(records):
    found = GridSearchCV(XDomainClassifier("dna", baseline="kmer"), {"seed": [0, 1]}, cv=2).fit(*records)
    assert found.best_score_ > 0.9


def test_an_encoder_learns_and_keeps_the_labels_as_they_were(records, tiny_bert):
    sequences, labels = records
    model = XDomainClassifier(
        "dna", backbone=str(tiny_bert), overrides=["train.max_steps=3", "train.precision=fp32"]
    ).fit(sequences, labels * 10)
    assert model.classes_.tolist() == [0, 10]
    assert set(model.predict(sequences)) <= {0, 10}
    np.testing.assert_allclose(model.predict_proba(sequences).sum(1), 1, atol=1e-6)
    again = pickle.loads(pickle.dumps(model))
    assert again.predict(sequences[:5]).tolist() == model.predict(sequences[:5]).tolist()


def test_what_is_not_fitted_or_no_string_is_refused(records):
    with pytest.raises(NotFittedError):
        XDomainClassifier().predict(["ACGT"])
    with pytest.raises(DataError, match="strings"):
        numbers: Any = np.zeros((4, 2))
        XDomainClassifier().fit(numbers, [0, 1, 0, 1])
    with pytest.raises(DataError, match="one class"):
        XDomainClassifier().fit(["ACGT"] * 4, [1] * 4)
