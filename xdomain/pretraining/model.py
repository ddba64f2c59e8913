"""The two shapes of a small encoder that is pre-trained: a BERT, or with rotary positions a ModernBERT."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForPreTraining,
    ModernBertConfig,
    ModernBertForMaskedLM,
    PreTrainedTokenizerFast,
)

from xdomain.pretraining.config import Pretraining

Model = BertForMaskedLM | BertForPreTraining | ModernBertForMaskedLM


def new_model(options: Pretraining, tokenizer: PreTrainedTokenizerFast) -> Model:
    """An encoder with its head, drawn anew.

    With learned positions a BERT. With rotary ones a ModernBERT whose layers all see the whole sequence; its gated
    feed-forward blocks have three matrices in place of two, and so two thirds of the hidden units.
    """
    rows = {role: tokenizer.get_vocab()[str(getattr(tokenizer, f"{role}_token"))] for role in ("pad", "cls", "sep")}
    size: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": options.width,
        "num_hidden_layers": options.layers,
        "num_attention_heads": options.heads,
        "max_position_embeddings": max(options.lengths),
        "pad_token_id": rows["pad"],
    }
    if options.positions == "rotary":
        config = ModernBertConfig(
            **size,
            intermediate_size=8 * round(options.width / 3),
            layer_types=["full_attention"] * options.layers,
            cls_token_id=rows["cls"],
            bos_token_id=rows["cls"],
            sep_token_id=rows["sep"],
            eos_token_id=rows["sep"],
        )
        return ModernBertForMaskedLM(config)
    config = BertConfig(**size, intermediate_size=4 * options.width)
    return BertForMaskedLM(config) if options.objective == "mlm" else BertForPreTraining(config)


def inputs(model: Model) -> list[str]:
    """What a tokenizer has to give the model."""
    types = [] if isinstance(model, ModernBertForMaskedLM) else ["token_type_ids"]
    return ["input_ids", *types, "attention_mask"]


def tile_positions(model: Model, old: int, new: int) -> None:
    """Begin the position rows from `old` to `new` as copies of the trained ones, that of [CLS] left out.

    So each position knows its neighbours at once (Beltagy et al. 2020, §5, for Longformer); left as they were drawn,
    new rows tell nothing, and what lies there is on the plateau of a model that begins with long sequences. Rotary
    positions have no rows.
    """
    if isinstance(model, ModernBertForMaskedLM):
        return
    with torch.no_grad():
        rows = model.bert.embeddings.position_embeddings.weight
        rows[old:new] = rows[1 + torch.arange(new - old, device=rows.device) % (old - 1)]


def states(model: Model, ids: Tensor, types: Tensor | None) -> Tensor:
    """The last layer's states of `ids`, shape (b, s, d)."""
    given = {} if types is None else {"token_type_ids": types}
    return cast(Any, model).base_model(ids, **given).last_hidden_state


def mlm_logits(model: Model, states: Tensor) -> Tensor:
    """What may stand at places of which `states`, shape (m, d), are the states: logits of shape (m, v)."""
    parts = cast(Any, model)
    if isinstance(model, ModernBertForMaskedLM):
        return parts.decoder(parts.head(states))
    return parts.cls.predictions(states)


def order(model: Model, states: Tensor) -> Tensor:
    """Whether the second segment goes on from the first: logits of shape (b, 2)."""
    parts = cast(Any, model)
    return parts.cls.seq_relationship(parts.bert.pooler(states))
