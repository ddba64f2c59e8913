"""Which part of a model a parameter belongs to, by its name: word rows, positions, attention, feed-forward, norms."""

from __future__ import annotations

import re

PATTERNS = (  # the first that matches a parameter's name decides
    ("norms", r"norm|layer_norm|\bln_"),
    ("words", r"word_embeddings|tok_embeddings|embed_tokens|embed_in\b|\bwte\b|embeddings_project|mapping_in"),
    ("positions", r"position_embeddings|token_type_embeddings|embed_positions|\bwpe\b|rel_embeddings|attention_bias"),
    ("attention", r"attention|attn"),
)
REST = "ffn"


def parameter_group(name: str) -> str:
    """The part that the base-model parameter called `name` belongs to.

    words: the token table and its projection; positions: position and segment rows, or biases by distance; norms:
    every layer norm; attention: query, key, value and output; ffn: all that is left, such as other dense layers.
    """
    return next((part for part, pattern in PATTERNS if re.search(pattern, name, re.IGNORECASE)), REST)
