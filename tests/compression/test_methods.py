"""The methods by themselves: losses worked by hand, units that matter, problems other than classes."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import xdomain
from xdomain.compression.distillation import hidden_states_of, soft_loss, state_loss
from xdomain.compression.measure import lost, sizes
from xdomain.compression.original import open_original
from xdomain.compression.pruning import fix_masks, mask_small_weights, remove_units
from xdomain.compression.students import layers_between
from xdomain.inference.saved_model import load_saved
from xdomain.model.tuning import feed_forward_blocks

FAST = ("train.max_steps=4", "train.evaluations=1", "train.precision=fp32")


def loaded(folder) -> Any:
    return load_saved(folder)


@pytest.mark.parametrize(
    ("held", "wanted", "chosen"),
    [(12, 6, [2, 4, 6, 8, 10, 12]), (4, 1, [4]), (4, 3, [1, 3, 4]), (12, 4, [3, 6, 9, 12])],
)
def test_layers_are_spread_evenly_and_hold_the_last(held, wanted, chosen):
    assert layers_between(held, wanted) == chosen


def test_soft_targets_of_two_classes_by_hand():
    """At temperature 2 the logits (2, 0) are (1, 0): p = e / (e + 1); against (0, 0), ln 2 - H(p), times 4."""
    p = np.e / (np.e + 1)
    expected = 4 * (np.log(2) + p * np.log(p) + (1 - p) * np.log(1 - p))
    taught, found = torch.tensor([[2.0, 0.0]]), torch.zeros(1, 2)
    assert soft_loss("classification", found, taught, {}, 2.0).item() == pytest.approx(expected, rel=1e-5)
    assert soft_loss("multilabel", found[:, :1], taught[:, :1], {}, 2.0).item() == pytest.approx(expected, rel=1e-5)
    assert soft_loss("regression", torch.tensor([[1.0], [3.0]]), torch.tensor([[2.0], [5.0]]), {}, 2.0).item() == 2.5


@pytest.mark.parametrize("problem", ["classification", "multilabel", "multioutput", "tagging", "profile", "span"])
def test_a_loss_is_0_where_both_agree_and_ignores_what_is_not_owned(problem):
    logits = torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(0))
    owned = torch.tensor([[0, 1, 1, 0, 0], [0, 1, 0, 0, 0], [0, 1, 1, 1, 0]], dtype=torch.bool)
    if problem not in ("tagging", "profile", "span"):
        assert soft_loss(problem, logits[:, 0], logits[:, 0], {}, 2.0).item() == pytest.approx(0, abs=1e-6)
        return
    other = logits.clone()
    other[:, -1] += 5
    assert soft_loss(problem, logits, other, {"owned": owned}, 2.0).item() == pytest.approx(0, abs=1e-6)
    other[0, 1] += torch.tensor([1.0, -2.0])
    assert soft_loss(problem, logits, other, {"owned": owned}, 2.0).item() > 0.01


def test_the_loss_of_states_takes_the_layers_between_and_no_padding():
    taught = [torch.full((1, 2, 3), float(layer)) for layer in range(5)]  # embeddings and 4 layers
    found = [torch.zeros(1, 2, 3), torch.full((1, 2, 3), 3.0), torch.full((1, 2, 3), 4.0)]
    mask = torch.tensor([[1, 0]])
    assert state_loss(None, found, taught, mask).item() == pytest.approx(1 / 3)  # layer 1 for layer 2: (3 - 2)²
    found[0][0, 1] = 99
    assert state_loss(None, found, taught, mask).item() == pytest.approx(1 / 3)


def write(folder, problem):
    rng = np.random.default_rng(0)
    rows = []
    for i in range(60):
        one = "".join(rng.choice(list("ACGT"), rng.integers(8, 30)))
        label = 1000 + 50 * one.count("A") if problem == "regression" else " ".join("xy"[c in "AC"] for c in one)
        rows.append(f"s{i},{one},{label}")
    column = "label" if problem == "regression" else "tags"
    (folder / "mine.csv").write_text("\n".join([f"id,sequence,{column}", *rows]))
    return folder / "mine.csv"


@pytest.fixture(scope="module")
def regression(tiny_bert, tmp_path_factory):
    folder = tmp_path_factory.mktemp("regression")
    return xdomain.run(data=write(folder, "regression"), domain="dna", problem="regression", backbone=str(tiny_bert),
                       overrides=FAST, out=folder / "run").folder  # fmt: skip


@pytest.mark.parametrize("how", ["distil", "units", "prune", "vocabulary"])
def test_a_smaller_regression_predicts_in_the_unit_of_its_targets(regression, tmp_path, how):
    result = xdomain.compress(regression, how=how, out=tmp_path / "small")
    values = result.predictions()
    found = np.asarray(values["score"], float)
    assert 1000 < found.min() <= found.max() < 2500
    mse = result.values["compression"]["metrics"]["mse"]
    assert mse["lost"]["value"] == pytest.approx(mse["after"] - mse["before"])  # lower is better


def test_a_tagging_run_is_distilled(tiny_bert, tmp_path):
    run = xdomain.run(data=write(tmp_path, "tagging"), domain="dna", problem="tagging", backbone=str(tiny_bert),
                      overrides=FAST, out=tmp_path / "run").folder  # fmt: skip
    result = xdomain.compress(run, how="distil", out=tmp_path / "small", overrides=("train.max_steps=20",))
    assert set(result.values["compression"]["metrics"]) == {"accuracy", "f1"}
    assert loaded(tmp_path / "small").model.config.num_hidden_layers == 1


def test_units_without_a_say_are_the_ones_removed(regression):
    """Half of the units of each block are cut off from what follows: removing them changes no score."""
    original = open_original(regression)
    model = original.saved.model
    rng = np.random.default_rng(3)
    for *_, last in feed_forward_blocks(model):
        last.weight.data[:, rng.permutation(64)[:32]] = 0
    records = np.arange(len(original.examples))
    expected = original.saved.scores(original.examples, records)
    remove_units(model, original, 0.5)
    assert model.config.intermediate_size == 32
    np.testing.assert_allclose(original.saved.scores(original.examples, records), expected, rtol=1e-5)


def linear_weights(model):
    layers = [layer for layer in model.base_model.modules() if isinstance(layer, nn.Linear)]
    return torch.cat([layer.weight.detach().abs().flatten() for layer in layers])


def test_the_smallest_weights_become_0_and_stay_so(regression):
    model = loaded(regression).model
    before = torch.cat(
        [m.weight.detach().abs().flatten() for m in model.base_model.modules() if isinstance(m, nn.Linear)]
    )
    embeddings = model.get_input_embeddings().weight.detach().clone()
    mask_small_weights(model, 0.3)
    fix_masks(model)
    after = torch.cat(
        [m.weight.detach().abs().flatten() for m in model.base_model.modules() if isinstance(m, nn.Linear)]
    )
    assert (after == 0).sum() == round(0.3 * len(before))
    assert after[after > 0].min() >= before[after == 0].max()
    assert torch.equal(model.get_input_embeddings().weight, embeddings)
    assert not [name for name, _ in model.named_buffers() if "mask" in name]


def test_hidden_states_are_kept_within_the_context_alone(regression):
    model = loaded(regression).model
    ids = {"input_ids": torch.tensor([[2, 10, 11, 3]])}
    with hidden_states_of(model) as states, torch.no_grad():
        model(**ids)
        expected = model.base_model(**ids, output_hidden_states=True).hidden_states
    assert all(torch.equal(one, other) for one, other in zip(states, expected, strict=True))
    states.clear()
    model(**ids)
    assert states == []


def test_zeros_take_room_on_disk_but_hardly_any_deflated(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(bytes(100_000))
    (tmp_path / "tokenizer.json").write_bytes(bytes(100_000))
    told = sizes(tmp_path)
    assert told["bytes"] == 100_000
    assert told["deflated"] < 1000


def test_no_difference_on_some_records_is_none_on_all_only_where_the_model_is_the_same(tiny_bert, tmp_path):
    rng = np.random.default_rng(0)
    rows = [f"s{i},{''.join(rng.choice(list('ACGT'), 12))},{'ab'[i % 2]}" for i in range(60)]
    (tmp_path / "mine.csv").write_text("\n".join(["id,sequence,label", *rows]))
    run = xdomain.run(data=tmp_path / "mine.csv", domain="dna", backbone=str(tiny_bert), overrides=FAST,
                      out=tmp_path / "run").folder  # fmt: skip
    original = open_original(run)
    n = len(original.held_out)
    hidden = 1 - 0.025 ** (1 / n)
    told = lost(original, original.held_out)["accuracy"]["lost"]
    assert told == pytest.approx({"value": 0, "low": -hidden, "high": hidden})
    assert lost(original, original.held_out, exact=True)["accuracy"]["lost"] == {"value": 0, "low": 0, "high": 0}
