"""Learned mappings: what is mixed, that it learns, and that plain rows come out."""

from typing import Any

import numpy as np
import pytest
import torch
from test_initialise import CONFIGS

from xdomain.core.choices import Problem
from xdomain.core.errors import RecipeError
from xdomain.core.sequences import Alphabet
from xdomain.model.families import auto_class_for
from xdomain.model.make_mapping import make_mapping
from xdomain.model.reprogramming import Mixture, check_size, describe_mixture, fold_mixture, insert_mixture, sparsemax
from xdomain.model.tuning import freeze_for, merge_adapters
from xdomain.model.vocabulary import Vocabulary, restore_vocabulary, slice_vocabulary

DNA = Alphabet(("A", "C", "G", "T", "[MASK]"), "letter", "[MASK]")
PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"word{i}" for i in range(55)))
WORDS = Vocabulary(PIECES, frozenset(range(5)))


def test_a_sparsemax_by_hand():
    # (0.9, 0.4, -2): two stay; what is above 1 of 1.3 is taken off both: 0.75, 0.25
    torch.testing.assert_close(sparsemax(torch.tensor([[0.9, 0.4, -2.0]])), torch.tensor([[0.75, 0.25, 0.0]]))
    assert sparsemax(torch.tensor([[3.0, 1.0, 0.0]])).tolist() == [[1.0, 0.0, 0.0]]
    assert sparsemax(torch.zeros(1, 4)).tolist() == [[0.25] * 4]


def test_a_sparsemax_is_the_nearest_point_of_the_simplex():
    logits = torch.randn(20, 7, generator=torch.Generator().manual_seed(0))
    found = sparsemax(logits)
    torch.testing.assert_close(found.sum(-1), torch.ones(20))
    assert (found >= 0).all()
    distance = (found - logits).square().sum(-1)
    for other in torch.rand(500, 7, generator=torch.Generator().manual_seed(1)):
        nearby = found + 0.05 * (other / other.sum() - found)  # a step towards another point of the simplex
        assert ((nearby - logits).square().sum(-1) >= distance - 1e-5).all()


@pytest.mark.parametrize("sparse", [False, True])
def test_a_mixture_starts_near_its_wordpiece(sparse):
    weights = Mixture([3, 0], 101, sparse=sparse).weights().detach()
    torch.testing.assert_close(weights.sum(-1), torch.ones(2))
    assert weights[0, 3].item() == pytest.approx(0.9, abs=0.002)
    assert weights[0, 4].item() == pytest.approx(0.001, abs=2e-5)
    assert weights[1].argmax() == 0


def learned(
    family, tune, *, sparse=False, sliced=True, problem: Problem = "classification", steps=6
) -> tuple[Any, ...]:
    """A model that learned a mapping for a few steps; its outputs before and after it was folded; its start."""
    torch.manual_seed(0)
    model = auto_class_for(problem).from_config(CONFIGS[family]).eval()
    mapping = make_mapping(DNA, WORDS, strategy="learned", seed=3)
    start = model.get_input_embeddings().weight.detach().clone()
    words = model.get_input_embeddings().weight
    frame = [2, 3, 0] if family != "roberta" else [2, 3, 1]
    cut = slice_vocabulary(model, [*mapping.ids.tolist(), *frame]) if sliced else None
    insert_mixture(model, mapping, WORDS, words, cut.compact if cut else None, sparse=sparse)
    learner = freeze_for(model, tune)
    optimizer = torch.optim.Adam([p for p in learner.parameters() if p.requires_grad], 1e-2)
    ids = torch.from_numpy(mapping.ids.astype(np.int64))[torch.randint(5, (4, 8))]
    ids[:, 0], ids[:, -1] = 2, 3
    own = torch.from_numpy(cut.compact)[ids] if cut else ids
    wanted = torch.randint(2, (4, 8) if problem == "tagging" else (4,))
    losses = []
    for _ in range(steps):
        loss = learner(input_ids=own, labels=wanted).loss
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert min(losses[1:]) < losses[0]
    before = learner(input_ids=own).logits
    stock = merge_adapters(learner)
    told = describe_mixture(stock, mapping, WORDS)
    fold_mixture(stock)
    if cut:
        restore_vocabulary(stock, cut)
    return mapping, start, stock, before, stock(input_ids=ids).logits, told


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("tune", ["full", "head", "norms", "lora", "bottleneck"])
def test_only_the_symbols_rows_change_and_they_are_mixtures_of_words(tune, sparse, tmp_path):
    mapping, start, stock, before, after, told = learned("bert", tune, sparse=sparse, sliced=tune != "lora")
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-4)
    table = stock.get_input_embeddings().weight.detach()
    ordinary = [int(row) for row in mapping.ids if row >= 5]
    assert len(ordinary) == 4
    same = [row for row in range(60) if row not in ordinary]
    if tune in ("full", "norms"):  # which train the separators' rows, too
        same = [row for row in same if row not in (2, 3, 4)]
    assert torch.equal(table[same], start[same])
    low, high = start[5:].min(0).values, start[5:].max(0).values
    assert ((table[ordinary] >= low - 1e-6) & (table[ordinary] <= high + 1e-6)).all()
    assert not torch.allclose(table[ordinary], start[ordinary])
    assert list(told) == ["A", "C", "G", "T"]
    assert all(len(one["pieces"]) <= 5 and one["spread"] <= 55 for one in told.values())
    stock.save_pretrained(tmp_path)
    again = type(stock).from_pretrained(tmp_path).eval()
    assert torch.equal(again.get_input_embeddings().weight, table)
    assert not any("mixture" in name for name, _ in again.named_parameters())


@pytest.mark.parametrize("tune", ["full", "head", "lora"])
@pytest.mark.parametrize("family", CONFIGS)
def test_every_family_learns_a_mapping(family, tune):
    *_, before, after, told = learned(family, tune, sliced=tune != "lora", problem="tagging")
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-4)
    assert told


@pytest.mark.parametrize("sparse", [False, True])
def test_a_mixture_that_is_there_is_found(sparse):
    words = torch.eye(50)
    wanted = 0.7 * words[3] + 0.3 * words[9]
    mixture = Mixture([0], 50, sparse=sparse)
    optimizer = torch.optim.Adam(mixture.parameters(), 1e-3)
    for _ in range(400):
        loss = (mixture(words) - wanted).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    weights = mixture.weights().detach()[0]
    assert weights[[3, 9]].tolist() == pytest.approx([0.7, 0.3], abs=0.03)
    assert (weights == 0).sum() == (48 if sparse else 0)


def test_too_large_an_alphabet_is_refused():
    check_size(1000, 30_000)
    with pytest.raises(RecipeError, match="124 million weights") as told:
        check_size(4096, 30_216)
    assert "search:16" in str(told.value)
