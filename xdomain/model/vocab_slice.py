"""Fine-tuning with only the embedding rows that are in use, and the full table put back afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel


@dataclass(frozen=True)
class Slice:
    """What was cut out of a vocabulary of v rows.

    Parameters
    ----------
    rows
        Shape (r,), sorted: the vocabulary rows that stay.
    compact
        Shape (v,): the new place of each row, -1 for those that were put aside.
    table
        Shape (v, d): the full table as it was.
    separator
        The configuration's ``sep_token_id`` as it was, by which Longformer finds where a question ends.
    """

    rows: NDArray[np.int64]
    compact: NDArray[np.int64]
    table: Tensor
    separator: int | None = None


def slice_vocabulary(model: PreTrainedModel, rows: Iterable[int]) -> Slice:
    """Keep the word-embedding rows `rows` only, in place.

    Exact for classification, tagging and regression: a row that never occurs gets no gradient. All rows up
    to the padding's stay too, since RoBERTa counts positions from the padding's id.
    It saves memory and optimizer state; time hardly changes.
    """
    full = model.get_input_embeddings()
    if not isinstance(full, nn.Embedding):
        raise TypeError(f"{type(full).__name__} is no table of rows")
    pad = full.padding_idx if full.padding_idx is not None else (model.config.pad_token_id or 0)
    kept = np.unique(np.concatenate((np.fromiter(rows, np.int64), np.arange(pad + 1))))
    compact = np.full(full.num_embeddings, -1, np.int64)
    compact[kept] = np.arange(len(kept))
    small = nn.Embedding(len(kept), full.embedding_dim, padding_idx=full.padding_idx, dtype=full.weight.dtype)
    with torch.no_grad():
        small.weight.copy_(full.weight[torch.from_numpy(kept)])
    small.weight.requires_grad_(full.weight.requires_grad)
    model.set_input_embeddings(small)
    model.config.vocab_size = len(kept)
    separator: int | None = getattr(model.config, "sep_token_id", None)
    if separator is not None and compact[separator] >= 0:
        model.config.sep_token_id = int(compact[separator])
    return Slice(kept, compact, full.weight.detach().clone(), separator)


def restore_vocabulary(model: PreTrainedModel, cut: Slice) -> None:
    """Put the full table back, in place, with the rows in use as they were trained."""
    small = model.get_input_embeddings()
    if not isinstance(small, nn.Embedding):
        raise TypeError(f"{type(small).__name__} is no table of rows")
    table = cut.table.clone()
    table[torch.from_numpy(cut.rows)] = small.weight.detach().to(table)
    full = nn.Embedding(len(table), table.shape[1], padding_idx=small.padding_idx, _weight=table)
    full.weight.requires_grad_(small.weight.requires_grad)
    model.set_input_embeddings(full)
    model.config.vocab_size = len(table)
    if cut.separator is not None:
        model.config.sep_token_id = cut.separator
