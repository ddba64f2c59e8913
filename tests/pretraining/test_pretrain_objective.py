"""Masking, segments and losses of pre-training, against the full head and against slow twins."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

from xdomain.core.choices import Objective
from xdomain.core.formatting import duration
from xdomain.core.sequences import Ragged
from xdomain.pretraining.config import Pretraining
from xdomain.pretraining.model import new_model, tile_positions
from xdomain.pretraining.objective import Batches, Masking, outcome
from xdomain.pretraining.streams import Pieces, hold_out

CLS, SEP, MASK, FIRST, ROWS = 2, 3, 4, 5, 60
SMALL = BertConfig(
    vocab_size=ROWS, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
    max_position_embeddings=32, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
)  # fmt: skip


class Counting:
    """Row i is document i % documents, its tokens 10 i, 10 i + 1, …, from FIRST on and within the vocabulary."""

    longest, facts = 100, {}

    def __init__(self, documents=10**6):
        self.documents = documents

    def batch(self, step, rows, length):
        tokens = (10 * (step + np.arange(rows))[:, None] + np.arange(length)) % (ROWS - FIRST) + FIRST
        return Pieces(tokens, np.arange(rows) % self.documents)


def batches(stream=None, objective: Objective = "mlm", rate=0.3, seed=0):
    return Batches(stream or Counting(), Masking(rate, MASK, np.arange(FIRST, ROWS)), objective, CLS, SEP, seed)


def whole(batch):
    """The ids before masking."""
    ids = batch.ids.clone()
    ids.view(-1)[batch.places] = batch.wanted
    return ids.numpy()


def test_masking_is_eighty_ten_ten():
    batch = batches().at(1, rows=4000, length=16)
    assert len(batch.places) / (4000 * 14) == pytest.approx(0.3, abs=0.01)
    found = batch.ids.view(-1)[batch.places]
    assert (found == MASK).float().mean() == pytest.approx(0.8, abs=0.01)
    assert (found == batch.wanted).float().mean() == pytest.approx(0.1 + 0.1 / 55, abs=0.01)
    assert found.min() >= MASK  # never another special token


@given(rows=st.integers(1, 9), length=st.integers(8, 20), step=st.integers(0, 10**6),
       objective=st.sampled_from(["mlm", "mlm+nsp", "mlm+sop"]))  # fmt: skip
@settings(max_examples=60)
def test_special_tokens_stand_where_they_should_and_are_never_chosen(rows, length, step, objective):
    batch = batches(objective=objective).at(step, rows=rows, length=length)
    ids = whole(batch)
    assert ids.shape == (rows, length)
    assert (ids[:, 0] == CLS).all()
    assert (ids[:, -1] == SEP).all()
    assert ((ids == SEP).sum(1) == (1 if objective == "mlm" else 2)).all()
    assert len(batch.places) >= 1
    assert (batch.places.diff() > 0).all()
    assert (batch.wanted >= FIRST).all()
    again = batches(objective=objective).at(step, rows=rows, length=length)
    assert torch.equal(again.ids, batch.ids)


def test_another_step_or_seed_is_another_batch():
    one = batches().at(7, rows=4, length=16)
    assert not torch.equal(one.places, batches().at(8, rows=4, length=16).places)
    assert not torch.equal(one.places, batches(seed=1).at(7, rows=4, length=16).places)


def segments(ids):
    """Both segments of a row, by hand."""
    cut = list(ids).index(SEP)
    return list(ids[1:cut]), list(ids[cut + 1 : -1])


def test_a_swapped_order_is_the_piece_with_its_segments_exchanged():
    batch = batches(objective="mlm+sop").at(3, rows=200, length=16)
    pieces = Counting().batch(3, 200, 13).tokens
    assert batch.types is not None
    assert batch.order is not None
    for ids, types, order, piece in zip(whole(batch), batch.types.numpy(), batch.order, pieces, strict=True):
        first, second = segments(ids)
        assert (second + first if order else first + second) == list(piece)
        assert list(types) == [0] * (len(first) + 2) + [1] * (len(second) + 1)
        assert min(len(first), len(second)) >= 3  # a quarter
    assert batch.order.float().mean() == pytest.approx(0.5, abs=0.12)


def test_a_false_next_segment_comes_from_another_document():
    batch = batches(Counting(documents=3), "mlm+nsp").at(3, rows=60, length=16)
    pieces = Counting(documents=3).batch(3, 60, 13)
    assert batch.order is not None
    for row, (ids, order) in enumerate(zip(whole(batch), batch.order, strict=True)):
        first, second = segments(ids)
        source = (row + 1) % 60 if order else row
        assert first + second == [*pieces.tokens[row][: len(first)], *pieces.tokens[source][len(first) :]]
        assert pieces.documents[source] != pieces.documents[row] or not order


SIZE: dict[str, Any] = {"vocabulary": ROWS, "width": 16, "heads": 2, "layers": 1, "lengths": (32,), "shares": (1.0,)}


def tokenizer():
    """Of single letters, as many as there are rows."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    rows = {piece: row for row, piece in enumerate([*special, *map(chr, range(100, 100 + ROWS - FIRST))])}
    roles = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel(rows, "[UNK]")), **roles)


@pytest.mark.parametrize(("objective", "positions"), [("mlm", "learned"), ("mlm", "rotary"), ("mlm+sop", "learned")])
def test_the_head_at_chosen_positions_alone_is_the_full_heads_loss_and_gradient(objective, positions):
    torch.manual_seed(0)
    model = new_model(Pretraining(**SIZE, objective=objective, positions=positions), tokenizer()).eval()
    batch = batches(objective=objective).at(0, rows=8, length=16)
    labels = torch.full_like(batch.ids, -100)
    labels.view(-1)[batch.places] = batch.wanted
    second = {} if objective == "mlm" else {"next_sentence_label": batch.order}
    types = {} if batch.types is None else {"token_type_ids": batch.types}
    model(batch.ids, **types, labels=labels, **second).loss.backward()
    full = {name: p.grad.clone() for name, p in model.named_parameters()}
    loss = model(batch.ids, **types, labels=labels, **second).loss.item()
    model.zero_grad()
    ours = outcome(model, batch)
    assert ours.loss.item() == pytest.approx(loss, abs=1e-5)
    ours.loss.backward()
    for name, p in model.named_parameters():
        assert p.grad is not None
        assert torch.allclose(p.grad, full[name], atol=1e-6), name


def test_new_positions_begin_as_copies_of_the_trained_ones():
    model = BertForMaskedLM(SMALL)
    rows = model.bert.embeddings.position_embeddings.weight
    before = rows.detach().clone()
    tile_positions(model, 8, 24)
    assert torch.equal(rows[:8], before[:8])
    assert torch.equal(rows[24:], before[24:])
    assert torch.equal(rows[8:24], before[[*range(1, 8), *range(1, 8), 1, 2]])


BOOKS = Ragged.from_lists([np.arange(100), np.arange(100, 160), np.arange(200, 230), np.arange(300, 308)])


def test_no_piece_crosses_into_another_document():
    train, _, _ = hold_out(BOOKS, 10, specials=2, seed=0, facts={})
    pieces = train.batch(0, 500, 8)
    assert (np.diff(pieces.tokens, axis=1) == 1).all()  # within a book of this corpus tokens count up
    assert all(token in BOOKS[document] for token, document in zip(pieces.tokens[:, 0], pieces.documents, strict=True))
    starts, counts = np.unique(train.batch(0, 40_000, 28).tokens[:, 0], return_counts=True)
    assert len(starts) == 63 + 33 + 3  # each start that leaves room; the last ten tokens of the first book are held out
    assert counts.std() / counts.mean() < 0.1  # equally often


def test_what_is_held_out_is_not_trained_on():
    for specials, positions in ((2, 10), (3, 20), (2, 32)):
        train, valid, told = hold_out(BOOKS, positions, specials=specials, seed=0, facts={"name": "x"})
        length = positions - specials
        seen = set(train.batch(0, 5000, length).tokens.ravel().tolist())
        assert not seen & set(valid.batch(0, 200, length).tokens.ravel().tolist())
        assert train.tokens + valid.tokens == 198
        assert "document" in told
        assert train.facts["tokens"] == train.tokens


def test_stages_share_the_tokens_and_the_rate_rises_and_falls_to_nothing():
    plan = Pretraining(lengths=(16, 64), shares=(1, 3), tokens=409_600, batch_tokens=1024, warmup=0.1)
    assert [(s.first, s.last, s.length, s.rows) for s in plan.stages] == [(0, 100, 16, 64), (100, 400, 64, 16)]
    assert plan.tokens_before(plan.steps) == 409_600
    assert plan.rows_before(101) == 6416
    assert [plan.stage_at(step).length for step in (0, 99, 100, 399)] == [16, 16, 64, 64]
    rates = [plan.rate_at(step) for step in range(400)]
    assert rates[0] == pytest.approx(1e-3 / 40)
    assert max(rates) == rates[39] == 1e-3
    assert rates[399] == pytest.approx(1e-3 / 360)
    cosine = Pretraining(lengths=(16,), shares=(1,), tokens=409_600, batch_tokens=1024, warmup=0.0, decay="cosine")
    assert cosine.rate_at(200) == pytest.approx(5e-4)


def test_the_command_of_the_card_is_what_was_typed():
    plan = Pretraining(tokens=5000, batch_tokens=1024, lengths=(16, 32), shares=(1.0, 1.0))
    assert plan.command(["text", "my book.txt"], "out") == (
        "xdomain pretrain text 'my book.txt' --out out --lengths 16,32 --shares 1.0,1.0 --tokens 5000 "
        "--batch-tokens 1024"
    )


@pytest.mark.parametrize(("seconds", "told"), [(40, "40 s"), (720, "12 min"), (11_100, "3 h 05 min")])
def test_time_left_is_told_as_a_person_says_it(seconds, told):
    assert duration(seconds) == told
