"""A backbone's vocabulary: which rows are words, and how to train with the used rows alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

UNUSED = re.compile(r"\[unused\d+\]|<unused\d+>|madeupword\d+|")
WORD_MARKS = ("Ġ", "▁")
"""Prefix of a piece that begins a word, in byte-level BPE (RoBERTa) and SentencePiece (ALBERT). WordPiece has none: it
marks the pieces inside a word, by ##."""


@dataclass(frozen=True)
class Vocabulary:
    """A backbone's wordpieces, and which of its rows are special tokens.

    Parameters
    ----------
    pieces
        In the order of their ids; the empty string where a row has no piece.
    special
        Ids of special and other added tokens.
    """

    pieces: tuple[str, ...]
    special: frozenset[int]

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> Vocabulary:
        """The vocabulary of `tokenizer`."""
        ids: dict[str, int] = tokenizer.get_vocab()
        pieces = [""] * (max(ids.values()) + 1)
        for piece, i in ids.items():
            pieces[i] = piece
        return cls(tuple(pieces), frozenset(tokenizer.all_special_ids) | frozenset(tokenizer.added_tokens_decoder))

    @cached_property
    def sha256(self) -> str:
        """Of the pieces in order, joined by newlines: for a BERT that is its ``vocab.txt`` less the last newline."""
        return hashlib.sha256("\n".join(self.pieces).encode()).hexdigest()

    @cached_property
    def ordinary(self) -> NDArray[np.int64]:
        """Rows that stand for text, ascending: no special token, no ``[unusedN]``, no empty row."""
        usual = (i for i, p in enumerate(self.pieces) if i not in self.special and not UNUSED.fullmatch(p))
        return np.fromiter(usual, np.int64)

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """The row of every piece."""
        return {piece: i for i, piece in enumerate(self.pieces) if piece}

    @cached_property
    def word_mark(self) -> str:
        """The prefix of a piece that begins a word: one of `WORD_MARKS`, or nothing in WordPiece."""
        marks = ("##", *WORD_MARKS)
        most = max(marks, key=lambda mark: sum(p.startswith(mark) for p in self.pieces))
        return "" if most == "##" else most

    def whole_words(self) -> list[int]:
        """Ordinary rows that hold a whole word of two letters or more, ascending."""
        mark = self.word_mark
        return [i for i in map(int, self.ordinary) if _is_word(self.pieces[i], mark)]


def _is_word(piece: str, mark: str) -> bool:
    letters = piece.removeprefix(mark)
    return piece.startswith(mark) and len(letters) >= 2 and letters.isalpha()


@dataclass(frozen=True)
class Slice:
    """What was cut out of a vocabulary of v rows.

    Parameters
    ----------
    rows
        Shape (r,), sorted: the vocabulary rows that stay.
    compact
        Shape (v,): the new place of each row, -1 for those that were cut out.
    table
        Shape (v, d): the full table as it was.
    separator
        The configuration's ``sep_token_id`` as it was; Longformer looks for it to see where a question ends.
    """

    rows: NDArray[np.int64]
    compact: NDArray[np.int64]
    table: Tensor
    separator: int | None = None


def slice_vocabulary(model: PreTrainedModel, rows: Iterable[int]) -> Slice:
    """Cut the word embeddings of `model` down to the rows `rows`, in place, and return what `restore_vocabulary` needs.

    Exact for classification, tagging and regression: a row that never occurs gets no gradient. All rows up to that of
    the padding stay too, since RoBERTa counts positions from the padding's id. Slicing saves memory, for optimizer
    states too; training is hardly faster.
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
    """Undo `slice_vocabulary`, which returned `cut`: put the full table, with its trained rows, back into `model`."""
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
