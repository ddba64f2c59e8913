"""The encoders that are pre-trained, a BERT or with rotary positions a ModernBERT, and the heads of their relatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForPreTraining,
    ModernBertConfig,
    ModernBertForMaskedLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from xdomain.pretraining.config import Pretraining

Model = PreTrainedModel
HEADS: Mapping[str, Callable[[Any, Tensor], Tensor]] = {
    "albert": lambda model, states: model.predictions(states),
    "bert": lambda model, states: model.cls.predictions(states),
    "distilbert": lambda model, states: model.vocab_projector(
        model.vocab_layer_norm(model.activation(model.vocab_transform(states)))
    ),
    "electra": lambda model, states: model.generator_lm_head(model.generator_predictions(states)),
    "modernbert": lambda model, states: model.decoder(model.head(states)),
    "roberta": lambda model, states: model.lm_head(states),
}
"""By family, the masked-LM head of its model, applied to states of shape (m, d): logits of shape (m, v)."""
WITH_TYPES = ("albert", "bert", "electra")
"""Families whose tokenizers make token types."""


def special_rows(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """The rows of the special tokens of `tokenizer`, by the names that configurations give them."""
    rows = {role: tokenizer.get_vocab()[str(getattr(tokenizer, f"{role}_token"))] for role in ("pad", "cls", "sep")}
    return {
        "pad_token_id": rows["pad"],
        "cls_token_id": rows["cls"],
        "bos_token_id": rows["cls"],
        "sep_token_id": rows["sep"],
        "eos_token_id": rows["sep"],
    }


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
    rows = special_rows(tokenizer)
    size: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": options.width,
        "num_hidden_layers": options.layers,
        "num_attention_heads": options.heads,
        "max_position_embeddings": max(options.lengths),
    }
    if options.positions == "rotary":
        config = ModernBertConfig(
            **size,
            **rows,
            intermediate_size=8 * round(options.width / 3),
            layer_types=["full_attention"] * options.layers,
        )
        return ModernBertForMaskedLM(config)
    config = BertConfig(**size, pad_token_id=rows["pad_token_id"], intermediate_size=4 * options.width)
    return BertForMaskedLM(config) if options.objective == "mlm" else BertForPreTraining(config)


def inputs(model: Model) -> list[str]:
    """The names of the inputs that a tokenizer has to make for `model`."""
    types = ["token_type_ids"] if model.config.model_type in WITH_TYPES else []
    return ["input_ids", *types, "attention_mask"]


def tile_positions(model: Model, old: int, new: int) -> None:
    """Fill the position rows from `old` to `new` of `model` with copies of the trained ones, in place.

    The row of [CLS], the first, is not copied. Copied rows tell a position from its neighbours at once (Beltagy et al.
    2020, §5, for Longformer). Rows left as they were drawn tell nothing, and tokens at those positions would be on the
    plateau of a model that begins with long sequences. Rotary positions have no rows: nothing is done.
    """
    if model.config.model_type != "bert":
        return
    with torch.no_grad():
        rows = cast(Any, model).bert.embeddings.position_embeddings.weight
        rows[old:new] = rows[1 + torch.arange(new - old, device=rows.device) % (old - 1)]


def states(model: Model, ids: Tensor, types: Tensor | None) -> Tensor:
    """The states, shape (b, s, d), of the last layer of `model` for `ids` and token `types`, shape (b, s) each.

    `types` is None where there is one segment, or the model knows no types.
    """
    given = {} if types is None else {"token_type_ids": types}
    return cast(Any, model).base_model(ids, **given).last_hidden_state


def mlm_logits(model: Model, states: Tensor) -> Tensor:
    """Predict the tokens at m positions: logits, shape (m, v), by the head of `model` from `states`, shape (m, d)."""
    return HEADS[model.config.model_type](model, states)


def order(model: Model, states: Tensor) -> Tensor:
    """Predict whether segments are in order: logits, shape (b, 2), by `model` from `states`, shape (b, s, d).

    Class 0: the second segment follows the first; see `xdomain.pretraining.objective.Batch`.
    """
    parts = cast(Any, model)
    return parts.cls.seq_relationship(parts.bert.pooler(states))
