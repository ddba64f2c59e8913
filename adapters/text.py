"""Text in the backbone's own wordpieces: the control that everything else is compared with."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from xdomain.core.errors import RecipeError, UserError
from xdomain.core.safe_loading import load
from xdomain.core.sequences import Alphabet, Ids, Payload, Ragged, narrow, path_option

from .unicode_texts import texts_of

MAPPABLE = ("WordPiece", "BPE", "WordLevel")
"""Models whose pieces may have any ids; in a Unigram, an id is the place in its list."""


@dataclass(frozen=True)
class Text:
    """One symbol a wordpiece of `tokenizer`, counted as ``unknown`` where that is its unknown token.

    With the mapping ``identity`` the model reads text as it was pre-trained to; with ``random`` each piece gets the
    row of another.

    Parameters
    ----------
    tokenizer
        A folder with a tokenizer, a hub id or a shipped checkpoint. A run that names none gets the backbone's. Special
        tokens are not recognised in texts: "[MASK]" is read as a bracket, a word and a bracket.
    """

    reads_lines: ClassVar[bool] = True
    tokenizer: str = path_option()

    @property
    def name(self) -> str:
        """The domain."""
        return "text"

    @cached_property
    def _source(self) -> PreTrainedTokenizerFast:
        fix = "--set adapter.options.tokenizer=DIR"
        if not self.tokenizer:
            raise RecipeError("the text adapter needs a tokenizer", fix=fix)
        try:
            source = load("AutoTokenizer", self.tokenizer)
        except UserError:
            raise
        except Exception as error:  # OSError, ValueError, and the Rust library's own bare Exception
            why = str(error).strip().splitlines()
            raise RecipeError(
                f"no tokenizer can be loaded from {self.tokenizer} ({why[0] if why else type(error).__name__})",
                expected="a folder with tokenizer.json, or vocab.txt and config.json",
                fix=fix,
            ) from None
        model = json.loads(source.backend_tokenizer.to_str())["model"]["type"] if source.is_fast else "slow"
        if model not in MAPPABLE or not source.unk_token:
            raise RecipeError(
                f"{self.tokenizer} has a {model} tokenizer" + ("" if source.unk_token else " without unknown token"),
                expected=f"{', '.join(MAPPABLE)}, with an unknown token",
                fix=fix,
            )
        if not any(character.isalpha() for piece in set(source.get_vocab()) - set(source.all_special_tokens)
                   for character in piece):  # fmt: skip
            raise RecipeError(
                f"the tokenizer of {self.tokenizer} knows no letters: that model was trained on made-up integers",
                expected="the tokenizer of a text model, whose wordpieces are then mapped onto the integers",
                fix="--mapping random --set adapter.options.tokenizer=NAME, one of `xdomain ls backbones` or a folder",
            )
        return source

    @cached_property
    def _settings(self) -> dict[str, Any]:
        """The tokenizer's JSON without post-processor, truncation, padding and special tokens.

        A file may truncate or pad all texts to one length, which must not happen here.
        """
        settings = json.loads(self._source.backend_tokenizer.to_str())
        added = [token for token in settings["added_tokens"] if token["content"] not in self._special]
        return {**settings, "truncation": None, "padding": None, "post_processor": None, "added_tokens": added}

    @cached_property
    def _special(self) -> set[str]:
        return {str(token) for token in self._source.all_special_tokens}

    @cached_property
    def _core(self) -> Tokenizer:
        return Tokenizer.from_str(json.dumps(self._settings))

    @cached_property
    def _vocabulary(self) -> Mapping[str, int]:
        return self._source.get_vocab()

    @cached_property
    def alphabet(self) -> Alphabet:
        """All pieces except special tokens, in the order of their ids; then the unknown token."""
        vocabulary, unknown = self._vocabulary, str(self._source.unk_token)
        pieces = [p for p in sorted(vocabulary, key=lambda p: vocabulary[p]) if p not in self._special]
        return Alphabet((*pieces, unknown), "wordpiece", unknown)

    @cached_property
    def _symbol_of(self) -> Ids:
        """Shape (vocabulary,): the symbol of each id; a special token counts as unknown."""
        table = np.full(max(self._vocabulary.values()) + 1, len(self.alphabet) - 1, np.int64)
        table[self._ids] = np.arange(len(self.alphabet))
        return narrow(table)

    @cached_property
    def _ids(self) -> NDArray[np.int64]:
        """Shape (alphabet,): the tokenizer's own id of each symbol."""
        return np.array([self._vocabulary[piece] for piece in self.alphabet.symbols])

    def encode(self, payloads: Sequence[Payload] | pa.Array) -> Ragged:
        """Encode the texts `payloads` as wordpieces, with a count of unknown tokens.

        Raises
        ------
        DataError
            A record is not UTF-8; the message counts records from 1.
        """
        strings = texts_of(payloads)
        encoded = self._core.encode_batch_fast(strings, add_special_tokens=False)
        ragged = Ragged.from_lists([e.ids for e in encoded])
        symbols = self._symbol_of[ragged.values]
        return Ragged(symbols, ragged.offsets, {"unknown": int((symbols == len(self.alphabet) - 1).sum())})

    def word_starts(self, payloads: Sequence[Payload] | pa.Array) -> Ragged:
        """Find the first piece of every word: where a tag for each word is learned and read.

        Words are separated by white space, as ``str.split`` does it.

        Returns
        -------
        Ragged
            For each text an entry a word: the place of its first piece among the text's pieces; the number of those
            pieces where the tokenizer leaves nothing of the word.
        """
        strings = texts_of(payloads)
        encoded = self._core.encode_batch(strings, add_special_tokens=False)
        return Ragged.from_lists(
            [_first_pieces(text, [end for _, end in e.offsets]) for text, e in zip(strings, encoded, strict=True)]
        )

    def spans(self, payloads: Sequence[Payload] | pa.Array) -> NDArray[np.float64]:
        """Shape (total pieces, 2): the characters that each piece covers, half-open."""
        strings = texts_of(payloads)
        encoded = self._core.encode_batch(strings, add_special_tokens=False)
        return np.array([edge for e in encoded for edge in e.offsets], np.float64).reshape(-1, 2)

    def export_assets(self, folder: Path) -> None:
        """Save the tokenizer."""
        self._source.save_pretrained(folder / "tokenizer")

    def decode(self, ids: Ids) -> str:
        """The text of the wordpieces `ids`, as the tokenizer joins them."""
        return str(self._source.decode(self._ids[ids].tolist(), clean_up_tokenization_spaces=False))

    def stock_tokenizer(self, vocabulary: Mapping[str, int], unk_token: str) -> Tokenizer:
        """The same tokenizer, with every piece at its row in `vocabulary` and `unk_token` for the unknown."""
        model = {**self._settings["model"], "vocab": dict(vocabulary)}
        if model["unk_token"] is not None:  # a byte-level BPE knows every byte and has none
            model["unk_token"] = unk_token
        added = [{**token, "id": vocabulary[token["content"]]} for token in self._settings["added_tokens"]]
        return Tokenizer.from_str(json.dumps({**self._settings, "model": model, "added_tokens": added}))


def _first_pieces(text: str, ends: Sequence[int]) -> NDArray[np.int64]:
    """Shape (words,): the first piece of each word, where piece i ends before character ``ends[i]``.

    Pieces are assigned by their ends, because those of a byte-level BPE begin with the blank before a word.
    """
    starts = np.array([word.start() for word in re.finditer(r"\S+", text)], np.int64)
    word_of = np.searchsorted(starts, np.asarray(ends, np.int64)) - 1
    words = np.arange(len(starts))
    first = np.searchsorted(word_of, words)
    none = np.append(word_of, -1)[first] != words
    return np.where(none, len(ends), first)
