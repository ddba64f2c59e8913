"""A learned mix of layers: what the head reads, that it learns, and that it comes back from disk."""

import json

import pytest
import torch
from test_initialise import CONFIGS

from xdomain.core.choices import Problem
from xdomain.model.families import auto_class_for
from xdomain.model.layer_mix import attach_layer_mix, insert_mix, remove_mix, save_mix
from xdomain.model.tuning import freeze_for, merge_adapters

PROBLEMS = ("classification", "regression", "tagging", "span")
IDS = torch.tensor([[2, 5, 3, 3, 17, 40, 3], [2, 6, 3, 3, 33, 12, 3]])  # Longformer wants its separators for spans


def fresh(family, problem: Problem = "classification"):
    torch.manual_seed(0)
    config = type(CONFIGS[family]).from_dict({**CONFIGS[family].to_dict(), "num_labels": 2})
    return auto_class_for(problem).from_config(config).eval()


def answers(model, ids=IDS):
    told = model(input_ids=ids)
    return torch.cat((told.start_logits, told.end_logits)) if "start_logits" in told else told.logits


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("family", CONFIGS)
def test_the_last_layer_alone_is_the_stock_model(family, problem):
    model = fresh(family, problem)
    stock = answers(model)
    insert_mix(model)
    assert not torch.allclose(answers(model), stock, atol=1e-6)  # all layers alike
    with torch.no_grad():
        model.layer_mix.scores.fill_(-100.0)[-1] = 0.0
    torch.testing.assert_close(answers(model), stock, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", CONFIGS)
def test_the_mix_by_hand(family):
    model = fresh(family, "tagging")
    states = model.base_model(input_ids=IDS, output_hidden_states=True).hidden_states
    assert len(states) == 3
    insert_mix(model)
    with torch.no_grad():
        model.layer_mix.scores.copy_(torch.tensor([2.0, 1.0, 1.0]).log())
        model.layer_mix.gamma.fill_(3.0)
    mixed = 3 * (0.5 * states[0] + 0.25 * states[1] + 0.25 * states[2])
    torch.testing.assert_close(model.base_model(input_ids=IDS).last_hidden_state, mixed, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", CONFIGS)
def test_only_mix_and_head_are_trained_and_the_mix_comes_back_from_disk(family, tmp_path):
    model = freeze_for(fresh(family), "mix")
    stock = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-2)
    losses = []
    for _ in range(8):
        loss = model(input_ids=IDS, labels=torch.tensor([1, 1])).loss
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert min(losses[1:]) < losses[0]
    inner = f"{model.base_model_prefix}."
    for name, value in model.state_dict().items():
        moves = not name.startswith(inner) or name.startswith(inner + "pooler")
        assert moves or torch.equal(value, stock[name]), name
    before = answers(model)
    again = merge_adapters(model)
    mix = remove_mix(again)
    assert mix is not None
    assert sum(row["weight"] for row in mix["layers"]) == pytest.approx(1)
    assert [row["layer"] for row in mix["layers"]] == [0, 1, 2]
    assert mix["gamma"] != 1
    again.save_pretrained(tmp_path)
    loaded = type(again).from_pretrained(tmp_path).eval()
    assert not attach_layer_mix(loaded, tmp_path)  # nothing lies there yet
    assert torch.equal(answers(loaded), answers(again))
    assert not torch.allclose(answers(loaded), before, atol=1e-4)
    save_mix(mix, tmp_path)
    assert attach_layer_mix(loaded, tmp_path)
    torch.testing.assert_close(answers(loaded), before, atol=1e-6, rtol=1e-5)
    assert loaded.state_dict().keys() == again.state_dict().keys()
    told = json.loads((tmp_path / "layer_mix.json").read_text())
    assert told == mix


def test_a_stock_model_has_no_mix():
    assert remove_mix(fresh("bert")) is None
