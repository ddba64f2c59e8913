"""Attention is the quicker one while a model trains, and the stock one afterwards; both give the same."""

import pytest
import torch
from transformers import BertConfig, BertModel

from xdomain.training.device import SHORT, Device, quick_attention

CPU = Device("cpu", True, "")


def tiny(kind="sdpa"):
    config = BertConfig(vocab_size=9, hidden_size=16, num_attention_heads=2, num_hidden_layers=2, intermediate_size=16)
    return BertModel._from_config(config, attn_implementation=kind).eval()


@pytest.mark.parametrize(
    ("kind", "device", "positions", "used"),
    [
        ("sdpa", CPU, 62, "eager"),
        ("sdpa", CPU, SHORT + 1, "sdpa"),
        ("sdpa", Device("cpu", False, ""), 62, "sdpa"),
        ("sdpa", Device("cuda", True, ""), 62, "sdpa"),
        ("eager", CPU, 512, "eager"),
    ],
)
def test_the_plain_products_are_for_short_sequences_in_bfloat16_on_a_cpu(kind, device, positions, used):
    model = tiny(kind)
    with pytest.raises(KeyError), quick_attention(model, device, positions):
        assert model.config._attn_implementation == used
        raise KeyError
    assert model.config._attn_implementation == kind


def test_both_give_the_same():
    model, ids = tiny(), torch.randint(0, 9, (3, 20))
    mask = torch.ones_like(ids)
    mask[0, 7:] = 0
    usual = model(ids, attention_mask=mask).last_hidden_state
    with quick_attention(model, CPU, 20):
        torch.testing.assert_close(model(ids, attention_mask=mask).last_hidden_state, usual, rtol=1e-4, atol=1e-5)
