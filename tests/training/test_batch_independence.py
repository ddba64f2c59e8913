"""What a model says of a record does not depend on the records beside it, which decide how far it is padded."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from families import PROBLEMS, quick, records, save_backbone, save_run, table_of

import xdomain
from xdomain.core.errors import BackboneError
from xdomain.data.dataset import encode_examples
from xdomain.inference.saved_model import load_saved, saved_adapter
from xdomain.model.families import TESTED
from xdomain.training.device import Device

WITHOUT_HEAD = {
    *((family, "span") for family in ("esm", "gemma")),
    *((family, problem) for family in ("opt",) for problem in ("tagging", "profile")),
}
CPU = Device("cpu", False, "a test")


@pytest.fixture(scope="module")
def backbones(tmp_path_factory):
    return cache(lambda family: save_backbone(family, tmp_path_factory.mktemp(family)))


@pytest.mark.parametrize(
    ("family", "problem"),
    [
        pytest.param(family, problem, marks=() if quick(family, problem) else pytest.mark.slow)
        for family in TESTED
        for problem in PROBLEMS
    ],
)
def test_an_answer_is_the_same_alone_and_beside_others(family, problem, backbones, tmp_path):
    backbone = backbones(family)
    if (family, problem) in WITHOUT_HEAD:
        with pytest.raises(BackboneError, match=f"transformers has no {family} for {problem}"):
            save_run(backbone, problem, tmp_path / "run")
        return
    folder, given = save_run(backbone, problem, tmp_path / "run"), records(problem)
    saved = load_saved(folder)
    adapter = saved_adapter(folder, saved.recipe)
    examples = encode_examples(table_of(problem, given), adapter, problem, np.full(len(given), "test"))
    together = saved.scores(examples, np.arange(len(given)), CPU)
    alone = [saved.scores(examples, np.array([i]), CPU) for i in range(len(given))]
    assert np.isfinite(together).all()
    np.testing.assert_allclose(together, np.concatenate(alone), rtol=0, atol=1e-5)
    assert np.ptp(together, axis=0).max() > 0.1  # the answers do differ

    model: Any = xdomain.load(folder)
    whole, each = model.predict(given), [model.predict([one])[0] for one in given]
    if problem == "profile":
        whole, each = np.concatenate(whole), np.concatenate(each)
    if problem in ("regression", "multioutput", "profile"):
        np.testing.assert_allclose(whole, each, rtol=0, atol=1e-5)
    else:
        assert list(whole) == each
    if problem in ("classification", "multilabel", "pair"):
        chances = np.concatenate([model.predict_proba([one]) for one in given])
        np.testing.assert_allclose(model.predict_proba(given), chances, rtol=0, atol=1e-5)
