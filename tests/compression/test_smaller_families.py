"""Every family of models, made smaller: what is saved loads again as it was, and scores as before where it should."""

import shutil
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from families import CLASSES, CONFIGS, LIKE_OTHERS, records, save_backbone, save_run, table_of
from transformers import PreTrainedTokenizerFast

from xdomain.compression.original import Original
from xdomain.compression.pruning import remove_units
from xdomain.compression.recovery import save_smaller
from xdomain.compression.students import with_fewer_layers
from xdomain.compression.vocabulary import cut_vocabulary
from xdomain.core.errors import BackboneError, RecipeError
from xdomain.core.run_dir import MODEL, RECIPE
from xdomain.data.dataset import encode_examples
from xdomain.inference.saved_model import load_saved, saved_adapter

NO_PREDICTIONS: Any = None
WHOLE = ("esm", "gemma")
WITHOUT_UNITS = ("gemma", "gpt2", "gpt_neox", "llama", "mistral", "modernbert", "qwen2", "qwen3", "smollm3")


def loaded(folder) -> Any:
    return load_saved(folder)


def opened(family, problem, folder):
    """A run of a `family` that nobody trained, and what the methods need of it."""
    run = save_run(save_backbone(family, folder / "backbone"), problem, folder / "run")
    saved, given = loaded(run), records(problem)
    adapter = saved_adapter(run, saved.recipe)
    table = table_of(problem, given).append_column("label", pa.array([CLASSES[i % 3] for i in range(len(given))]))
    examples = encode_examples(table, adapter, problem, np.full(len(given), "train"), classes=CLASSES)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(run / MODEL)
    return Original(run, saved.recipe, saved, tokenizer, adapter, examples, {}, {}, NO_PREDICTIONS)


def kept(smaller, original, folder):
    """The scores of a smaller model as it is, and as it was saved to `folder` and loaded."""
    folder.mkdir()
    shutil.copy(original.folder / RECIPE, folder / RECIPE)
    before = {name: value.clone() for name, value in smaller.model.state_dict().items()}
    save_smaller(smaller, original, folder)
    after = loaded(folder)
    assert before.keys() == after.model.state_dict().keys()
    rows = np.arange(len(original.examples))
    own = replace(after, model=smaller.model.eval())
    return own.scores(original.examples, rows), after.scores(original.examples, rows), after


def families(*left_out):
    return [
        pytest.param(family, marks=pytest.mark.slow if family in LIKE_OTHERS else ())
        for family in CONFIGS
        if family not in left_out
    ]


@pytest.mark.parametrize("family", families(*WHOLE))
def test_a_cut_vocabulary_scores_the_same(family, tmp_path):
    """For pairs, whose separators Longformer looks for and RoBERTa counts positions beside."""
    original = opened(family, "pair", tmp_path)
    _, found, after = kept(cut_vocabulary(original), original, tmp_path / "small")
    assert after.model.config.vocab_size < 12
    expected = original.saved.scores(original.examples, np.arange(len(original.examples)))
    np.testing.assert_array_equal(found, expected)
    assert np.ptp(found) > 0.1
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tmp_path / "small" / MODEL)
    again = Original(
        tmp_path / "small", after.recipe, after, tokenizer, original.adapter, original.examples, {}, {}, NO_PREDICTIONS
    )
    with pytest.raises(RecipeError, match="rows of the vocabulary are in use"):
        cut_vocabulary(again)


@pytest.mark.parametrize("family", families())
def test_fewer_layers_load_as_they_were_saved(family, tmp_path):
    original = opened(family, "classification", tmp_path)
    own, found, after = kept(with_fewer_layers(original, 1), original, tmp_path / "small")
    assert after.model.config.num_hidden_layers == 1
    np.testing.assert_array_equal(found, own)


@pytest.mark.parametrize("family", families(*WITHOUT_UNITS))
def test_fewer_units_load_as_they_were_saved(family, tmp_path):
    original = opened(family, "classification", tmp_path)
    smaller = original.copy()
    remove_units(smaller.model, original, 0.25)
    own, found, after = kept(smaller, original, tmp_path / "small")
    config = after.model.config
    names = {"distilbert": "hidden_dim", "opt": "ffn_dim"}
    assert getattr(config, names.get(family, "intermediate_size")) == 36
    np.testing.assert_array_equal(found, own)


@pytest.mark.parametrize("family", WHOLE)
def test_a_vocabulary_that_must_stay_whole_is_refused(family, tmp_path):
    with pytest.raises(RecipeError, match=f"the vocabulary of models of the family {family} must stay whole"):
        cut_vocabulary(opened(family, "classification", tmp_path))


@pytest.mark.parametrize("family", WITHOUT_UNITS)
def test_gated_units_are_refused(family, tmp_path):
    original = opened(family, "classification", tmp_path)
    with pytest.raises(BackboneError, match="no plain feed-forward blocks"):
        remove_units(original.copy().model, original, 0.25)
