"""A backbone's vocabulary: which rows are words, and how to train with the used rows alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from xdomain.model.families import POSITIONS_AFTER_PAD

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
    unknown
        Id of the token for what has no piece; None: there is none.
    """

    pieces: tuple[str, ...]
    special: frozenset[int]
    unknown: int | None = None

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> Vocabulary:
        """The vocabulary of `tokenizer`."""
        ids: dict[str, int] = tokenizer.get_vocab()
        pieces = [""] * (max(ids.values()) + 1)
        for piece, i in ids.items():
            pieces[i] = piece
        special = frozenset(tokenizer.all_special_ids) | frozenset(tokenizer.added_tokens_decoder)
        unknown: Any = tokenizer.unk_token_id
        return cls(tuple(pieces), special, unknown)

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
    padding
        Of the table: ``padding_idx``, a row or None.
    named
        The rows that stay and that the configuration names, as they were: see `named_rows`.
    """

    rows: NDArray[np.int64]
    compact: NDArray[np.int64]
    table: Tensor
    padding: int | None
    named: Mapping[str, int]


def named_rows(config: Any, rows: int) -> dict[str, int]:
    """The rows that `config` names, such as ``pad_token_id``, of those that a table of `rows` rows has.

    Models look for some of them: decoders for padding, to find the last token, Longformer for the end of a question.
    """
    named = {name: value for name, value in config.to_dict().items() if name.endswith("_token_id")}
    return {name: value for name, value in named.items() if isinstance(value, int) and 0 <= value < rows}


def slice_vocabulary(model: PreTrainedModel, rows: Iterable[int]) -> Slice:
    """Cut the word embeddings of `model` down to the rows `rows`, in place, and return what `restore_vocabulary` needs.

    Exact for classification, tagging and regression: a row that never occurs gets no gradient. The row of the padding
    stays too, and with the families of `POSITIONS_AFTER_PAD` all rows up to it, since they count positions from its id.
    Slicing saves memory, for optimizer states too; training is hardly faster.
    """
    full = model.get_input_embeddings()
    if not isinstance(full, nn.Embedding):
        raise TypeError(f"{type(full).__name__} is no table of rows")
    config: Any = model.config
    pad: int = full.padding_idx if full.padding_idx is not None else (config.pad_token_id or 0)
    below = np.arange(pad + 1) if config.model_type in POSITIONS_AFTER_PAD else np.array([pad])
    kept = np.unique(np.concatenate((np.fromiter(rows, np.int64), below)))
    compact = np.full(full.num_embeddings, -1, np.int64)
    compact[kept] = np.arange(len(kept))
    padding = None if full.padding_idx is None else int(compact[full.padding_idx])
    small = nn.Embedding(len(kept), full.embedding_dim, padding_idx=padding, dtype=full.weight.dtype)
    with torch.no_grad():
        small.weight.copy_(full.weight[torch.from_numpy(kept)])
    small.weight.requires_grad_(full.weight.requires_grad)
    model.set_input_embeddings(small)
    config.vocab_size = len(kept)
    named = {name: row for name, row in named_rows(config, len(compact)).items() if compact[row] >= 0}
    for name, row in named.items():
        setattr(config, name, int(compact[row]))
    return Slice(kept, compact, full.weight.detach().clone(), full.padding_idx, named)


def restore_vocabulary(model: PreTrainedModel, cut: Slice) -> None:
    """Undo `slice_vocabulary`, which returned `cut`: put the full table, with its trained rows, back into `model`."""
    small = model.get_input_embeddings()
    if not isinstance(small, nn.Embedding):
        raise TypeError(f"{type(small).__name__} is no table of rows")
    table = cut.table.clone()
    table[torch.from_numpy(cut.rows)] = small.weight.detach().to(table)
    full = nn.Embedding(len(table), table.shape[1], padding_idx=cut.padding, _weight=table)
    full.weight.requires_grad_(small.weight.requires_grad)
    model.set_input_embeddings(full)
    model.config.vocab_size = len(table)
    for name, row in cut.named.items():
        setattr(model.config, name, row)
