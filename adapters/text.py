"""Text in the backbone's own wordpieces: the control that everything else is compared with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from xdomain.data.sequences import Alphabet, Ids, Payload, Ragged
from xdomain.errors import RecipeError


@dataclass(frozen=True)
class Text:
    """One symbol a wordpiece of `tokenizer`, a folder; by default the backbone's.

    With the mapping ``identity`` the model reads text as it was pre-trained to; with ``random`` the same
    pieces at the rows of others.
    """

    tokenizer: str = ""

    @property
    def name(self) -> str:
        """The domain."""
        return "text"

    @cached_property
    def _source(self) -> PreTrainedTokenizerFast:
        if not self.tokenizer:
            raise RecipeError("the text adapter needs a tokenizer", mend="--set adapter.options.tokenizer=DIR")
        return AutoTokenizer.from_pretrained(self.tokenizer)

    @cached_property
    def alphabet(self) -> Alphabet:
        """All pieces but special tokens in the order of their ids, then the unknown token."""
        vocabulary = self._source.get_vocab()
        special = set(self._source.all_special_tokens)
        pieces = [p for p in sorted(vocabulary, key=lambda piece: vocabulary[piece]) if p not in special]
        return Alphabet((*pieces, str(self._source.unk_token)), "wordpiece", str(self._source.unk_token))

    @cached_property
    def _symbol_of(self) -> Ids:
        """Shape (vocabulary,): the symbol of each id; special tokens other than the unknown are unknown."""
        vocabulary = self._source.get_vocab()
        table = np.full(max(vocabulary.values()) + 1, len(self.alphabet) - 1, np.int64)
        for symbol, piece in enumerate(self.alphabet.symbols):
            table[vocabulary[piece]] = symbol
        return table

    def encode(self, payloads: Sequence[Payload] | pa.Array) -> Ragged:
        """Wordpieces of many texts, in bulk."""
        texts: list[Payload] = list(payloads.to_pylist() if isinstance(payloads, pa.Array) else payloads)  # pyright: ignore
        strings = [t.decode() if isinstance(t, bytes) else t for t in texts]
        encoded = self._source.backend_tokenizer.encode_batch_fast(strings, add_special_tokens=False)
        ragged = Ragged.from_lists([self._symbol_of[e.ids] for e in encoded])
        return Ragged(ragged.values, ragged.offsets, {"unknown": int((ragged.values == len(self.alphabet) - 1).sum())})

    def decode(self, ids: Ids) -> str:
        """The text of wordpieces, as the tokenizer joins them."""
        vocabulary = self._source.get_vocab()
        return str(self._source.decode([vocabulary[self.alphabet.symbols[i]] for i in ids]))

    def stock_tokenizer(self, vocabulary: Mapping[str, int], unk_token: str) -> Tokenizer:
        """The same tokenizer with every piece at its mapped row."""
        told = json.loads(self._source.backend_tokenizer.to_str())
        if told["model"]["type"] != "WordPiece":
            raise RecipeError(f"a {told['model']['type']} tokenizer cannot be mapped piece by piece",
                              expected="a WordPiece tokenizer, as BERT's")  # fmt: skip
        told["model"]["vocab"] = dict(vocabulary)
        told["model"]["unk_token"] = unk_token
        told["added_tokens"] = []
        told["post_processor"] = None
        return Tokenizer.from_str(json.dumps(told))
