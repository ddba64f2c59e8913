"""The last encoder layer where the head reads the first position alone: the same logits from fewer operations.

A classifier reads the state of the first position ([CLS]) after the last layer. That state depends on the keys and
values of all positions, but only on its own query, attention output and feed-forward block; the other positions need
none. So this layer costs about a fifth of what it costs in full, forwards and backwards, in time and memory. Logits and
gradients of all parameters are those of the stock model, but for the order in which floats are added. With dropout,
other random numbers are drawn, as fewer are.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from xdomain.model.layer_mix import reads_all_layers

KERNELS = ("eager", "sdpa")
"""Attention implementations that take one query beside many keys, with a mask of (w, 1, queries, keys)."""


def reads_first_position(model: PreTrainedModel) -> bool:
    """Whether the head of `model` reads the state of the first position alone, by a body that is known to this module.

    Models that tag, answer in spans, or average over positions do not, nor do those of families that are not known.
    """
    known = _shortcut(model) is not None and not getattr(model.config, "is_decoder", False)
    averages = getattr(model.config, "classifier_pooling", "cls") != "cls"
    return known and type(model).__name__.endswith("ForSequenceClassification") and not averages


@contextmanager
def last_layer_at_first_position(model: PreTrainedModel) -> Generator[None]:
    """A context in which the last layer of `model` computes the first position alone, where nothing else is read.

    Within it, the body's last state has shape (w, 1, d); states and attention weights of all positions must be asked
    for outside of it. Parameters, their names and what is saved stay as they are.

    Parameters
    ----------
    model
        With its head; LoRA or bottlenecks may be in it. It is left as it is where its head reads more than the first
        position (see `reads_first_position`), where it reads a mix of layers, under attention kernels other than
        `KERNELS`, and where it is no model of `transformers`, but a session of onnxruntime.
    """
    able = isinstance(model, PreTrainedModel) and _is_able(model)  # pyright: ignore[reportUnnecessaryIsInstance]
    part, forward = (_shortcut(model) if able else None) or (None, None)
    if part is not None:
        part.forward = forward
    try:
        yield
    finally:
        if part is not None:
            part.__dict__.pop("forward", None)


def _is_able(model: PreTrainedModel) -> bool:
    kernel = model.config._attn_implementation  # pyright: ignore[reportPrivateUsage]
    return reads_first_position(model) and not reads_all_layers(model) and kernel in KERNELS


def _shortcut(model: PreTrainedModel) -> tuple[Any, Callable[..., Any]] | None:
    """The part of the body whose `forward` is to be replaced, and by what; None for families that are not known."""
    base: Any = model.base_model
    match type(base).__name__:
        case "BertModel" | "RobertaModel" | "ElectraModel":
            return (layer := base.encoder.layer[-1]), partial(_bert, layer)
        case "DistilBertModel":
            return (layer := base.transformer.layer[-1]), partial(_distilbert, layer)
        case "ModernBertModel":
            return (layer := base.layers[-1]), partial(_modernbert, layer)
        case "AlbertModel":
            return base.encoder, partial(_albert, base.encoder)
        case _:
            return None


def _bert(layer: Any, states: Tensor, attention_mask: Tensor | None = None, *_: Any, **__: Any) -> Tensor:
    attention, first = layer.attention, states[:, :1]
    inner = attention.self
    heads = (inner.query(first), inner.key(states), inner.value(states))
    seen = attention.output(_attended(inner, heads, attention_mask, inner.dropout.p), first)
    return layer.feed_forward_chunk(seen)


def _distilbert(layer: Any, states: Tensor, attention_mask: Tensor | None = None, **_: Any) -> Tensor:
    attention, first = layer.attention, states[:, :1]
    heads = (attention.q_lin(first), attention.k_lin(states), attention.v_lin(states))
    read = attention.out_lin(_attended(attention, heads, attention_mask, attention.dropout.p))
    seen = layer.sa_layer_norm(read + first)
    return layer.output_layer_norm(layer.ffn(seen) + seen)


def _modernbert(
    layer: Any, states: Tensor, attention_mask: Tensor | None = None, position_embeddings: Any = None, **_: Any
) -> Tensor:
    """One matrix makes queries, keys and values, so the queries of other positions are made and left."""
    attention = layer.attn
    rotate = sys.modules[type(attention).__module__].apply_rotary_pos_emb
    query, key, value = (
        part.unflatten(-1, (-1, attention.head_dim)).transpose(1, 2)
        for part in attention.Wqkv(layer.attn_norm(states)).chunk(3, -1)
    )
    query, key = rotate(query, key, *position_embeddings, unsqueeze_dim=1)
    read = _weighed(attention, query[:, :, :1], key, value, attention_mask, attention.attention_dropout)
    seen = states[:, :1] + attention.out_drop(attention.Wo(read))
    return seen + layer.mlp(layer.mlp_norm(seen))


def _albert(encoder: Any, states: Tensor, attention_mask: Tensor | None = None, **_: Any) -> BaseModelOutput:
    """Layers are shared, so it is the last pass that is replaced, not a layer."""
    *passes, last = _passes(encoder)
    states = encoder.embedding_hidden_mapping_in(states)
    for layer in passes:
        states = layer(states, attention_mask)
    attention, first = last.attention, states[:, :1]
    heads = (attention.query(first), attention.key(states), attention.value(states))
    read = _attended(attention, heads, attention_mask, attention.attention_dropout.p)
    seen = attention.LayerNorm(first + attention.output_dropout(attention.dense(read)))
    return BaseModelOutput(last_hidden_state=last.full_layer_layer_norm(last.ff_chunk(seen) + seen))  # pyright: ignore


def _passes(encoder: Any) -> Iterator[Any]:
    """The layers of an ALBERT in the order in which they are passed."""
    layers, groups = encoder.config.num_hidden_layers, encoder.config.num_hidden_groups
    for i in range(layers):
        yield from encoder.albert_layer_groups[int(i / (layers / groups))].albert_layers


def _attended(attention: Any, heads: tuple[Tensor, ...], mask: Tensor | None, dropout: float) -> Tensor:
    """As `_weighed`, of queries, keys and values (w, positions, d) that are not yet split into heads."""
    query, key, value = (part.unflatten(-1, (-1, attention.attention_head_size)).transpose(1, 2) for part in heads)
    return _weighed(attention, query, key, value, mask, dropout)


def _weighed(attention: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float) -> Tensor:
    """What the first position reads, shape (w, 1, d), by the kernel that the model uses; `mask` is that of all."""
    plain = sys.modules[type(attention).__module__].eager_attention_forward
    kernel = ALL_ATTENTION_FUNCTIONS.get_interface(attention.config._attn_implementation, plain)
    own = None if mask is None else mask[:, :, :1]
    p = dropout if attention.training else 0.0
    read, _ = kernel(attention, query, key, value, own, dropout=p, scaling=query.shape[-1] ** -0.5)
    return read.flatten(2)
