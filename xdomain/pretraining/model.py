"""The two kinds of small encoder that can be pre-trained: a BERT, or with rotary positions a ModernBERT."""

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
    """Make an encoder with its head, with weights drawn from torch's global random state.

    With learned positions it is a BERT. With rotary ones it is a ModernBERT whose layers all see the whole sequence.
    Its gated feed-forward blocks have three matrices instead of two, and therefore two thirds of the hidden units.

    Parameters
    ----------
    options
        The shape, the kind of positions, and the objective, which decides the head.
    tokenizer
        Its length is that of the vocabulary, and it has the rows of the special tokens.
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
    """The names of the inputs that a tokenizer has to make for `model`."""
    types = [] if isinstance(model, ModernBertForMaskedLM) else ["token_type_ids"]
    return ["input_ids", *types, "attention_mask"]


def tile_positions(model: Model, old: int, new: int) -> None:
    """Fill the position rows from `old` to `new` of `model` with copies of the trained ones, in place.

    The row of [CLS], the first, is not copied. Copied rows tell a position from its neighbours at once (Beltagy et al.
    2020, §5, for Longformer). Rows left as they were drawn tell nothing, and tokens at those positions would be on the
    plateau of a model that begins with long sequences. Rotary positions have no rows: nothing is done.
    """
    if isinstance(model, ModernBertForMaskedLM):
        return
    with torch.no_grad():
        rows = model.bert.embeddings.position_embeddings.weight
        rows[old:new] = rows[1 + torch.arange(new - old, device=rows.device) % (old - 1)]


def states(model: Model, ids: Tensor, types: Tensor | None) -> Tensor:
    """The states, shape (b, s, d), of the last layer of `model` for `ids` and token `types`, shape (b, s) each.

    `types` is None where there is one segment, or the model knows no types.
    """
    given = {} if types is None else {"token_type_ids": types}
    return cast(Any, model).base_model(ids, **given).last_hidden_state


def mlm_logits(model: Model, states: Tensor) -> Tensor:
    """Predict the tokens at m positions: logits, shape (m, v), by the head of `model` from `states`, shape (m, d)."""
    parts = cast(Any, model)
    if isinstance(model, ModernBertForMaskedLM):
        return parts.decoder(parts.head(states))
    return parts.cls.predictions(states)


def order(model: Model, states: Tensor) -> Tensor:
    """Predict whether segments are in order: logits, shape (b, 2), by `model` from `states`, shape (b, s, d).

    Class 0: the second segment follows the first; see `xdomain.pretraining.objective.Batch`.
    """
    parts = cast(Any, model)
    return parts.cls.seq_relationship(parts.bert.pooler(states))
