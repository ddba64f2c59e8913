"""A vocabulary of nothing but special tokens and the symbols of a domain, as a plain tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from tokenizers import Tokenizer, processors
from transformers import PreTrainedTokenizerFast

from xdomain.core.errors import RecipeError
from xdomain.core.sequences import Alphabet
from xdomain.data.corpus import SPECIALS


class HasAlphabet(Protocol):
    """The part of an adapter that names symbols and makes a tokenizer for them."""

    @property
    def alphabet(self) -> Alphabet:
        """The symbols, in the order of their ids."""
        ...

    def stock_tokenizer(self, vocabulary: Mapping[str, int], unk_token: str) -> Tokenizer:
        """See `xdomain.core.sequences.Adapter`, which says what `vocabulary` and `unk_token` are."""
        ...


def symbol_tokenizer(source: HasAlphabet) -> PreTrainedTokenizerFast:
    """Make a tokenizer that splits as `source` does, with special tokens in the first rows and then its symbols.

    Raises
    ------
    RecipeError
        A symbol is called as a special token is.
    """
    pieces = [*SPECIALS.values(), *source.alphabet.symbols]
    rows = {piece: row for row, piece in enumerate(pieces)}
    if len(rows) < len(pieces):
        twice = next(piece for row, piece in enumerate(pieces) if rows[piece] != row)
        raise RecipeError(f"the alphabet has a symbol {twice}", expected="symbols that are no special tokens",
                          fix="for text: xdomain pretrain text FILES")  # fmt: skip
    tokenizer = source.stock_tokenizer(rows, SPECIALS["unk_token"])
    tokenizer.post_processor = processors.BertProcessing(
        *((SPECIALS[role], rows[SPECIALS[role]]) for role in ("sep_token", "cls_token"))
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **SPECIALS,
    )
