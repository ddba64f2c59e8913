"""A backbone's wordpieces: which rows are words, which are special."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

UNUSED = re.compile(r"\[unused\d+\]|<unused\d+>|madeupword\d+|")
WORD_MARKS = ("Ġ", "▁")
"""What begins a word in byte-level BPE (RoBERTa) and in SentencePiece (ALBERT); WordPiece marks the rest by ##."""


@dataclass(frozen=True)
class Vocabulary:
    """A backbone's wordpieces, and which of its rows are no wordpieces.

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
        """The vocabulary of a tokenizer."""
        ids: dict[str, int] = tokenizer.get_vocab()
        pieces = [""] * (max(ids.values()) + 1)
        for piece, i in ids.items():
            pieces[i] = piece
        return cls(tuple(pieces), frozenset(tokenizer.all_special_ids) | frozenset(tokenizer.added_tokens_decoder))

    @cached_property
    def sha256(self) -> str:
        """Of the pieces in order with newlines between: a BERT's ``vocab.txt`` less its last newline."""
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
        """What a piece that begins a word starts with: nothing in WordPiece."""
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
