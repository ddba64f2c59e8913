"""Pieces of DNA learned by byte-pair encoding."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
from tokenizers import Tokenizer, models, trainers

from xdomain.core.disk import writing
from xdomain.core.errors import DataError, RecipeError
from xdomain.core.json_text import parse_json
from xdomain.core.sequences import Alphabet, Ids, Payload, Ragged
from xdomain.data.char_encoder import ByteTable

from .nucleotides import BASES, nucleotide_table

MAX_PIECE_LENGTH = 16
"""Nucleotides of the longest piece. Without this limit, low-complexity repeats would fill the table."""


def train_bpe(sequences: Sequence[Payload] | pa.Array, size: int, path: str | Path) -> Path:
    """Learn pieces of DNA and write them to `path`, a tokenizer file for the option ``merges``.

    Parameters
    ----------
    sequences
        DNA or RNA. Case, U, IUPAC letters and gaps are treated by the adapter's defaults; any other character
        becomes N.
    size
        How many pieces to learn: 5 (the letters A C G T N alone) or more. Short sequences may yield fewer.
    path
        The tokenizer file to write.

    Raises
    ------
    RecipeError
        `size` is below 5.
    OutputError
        `path` cannot be written.
    """
    if size < len(BASES) + 1:
        raise RecipeError(f"a BPE of {size} pieces", expected="5 or more: A C G T N are pieces")
    letters = nucleotide_table(unknown="count")
    tokenizer = Tokenizer(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=[*BASES, "N"], show_progress=False, max_token_length=MAX_PIECE_LENGTH
    )
    tokenizer.train_from_iterator(letters.texts(letters.encode(sequences)), trainer)
    with writing(Path(path), fix="another path"):
        Path(path).write_text(tokenizer.to_str(), "utf-8")
    return Path(path)


@dataclass(frozen=True)
class BPE:
    """The pieces of a file that `train_bpe` wrote.

    Parameters
    ----------
    path
        The tokenizer file.
    letters
        Reads and writes the nucleotides that pieces are made of.
    """

    path: str
    letters: ByteTable

    @cached_property
    def _content(self) -> dict[str, Any]:
        expected = "a file that xdomain.adapters.bpe.train_bpe wrote"
        try:
            content = parse_json(Path(self.path).read_text("utf-8"))
            model, pieces = content["model"]["type"], set(content["model"]["vocab"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{self.path} holds no BPE ({error})", expected=expected) from None
        if model != "BPE" or not pieces.issuperset(BASES + "N"):
            what = "pieces of other letters than DNA's" if model == "BPE" else f"a {model} tokenizer"
            raise DataError(f"{self.path} holds {what}", expected=expected)
        return content

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return Tokenizer.from_str(json.dumps(self._content))

    @cached_property
    def alphabet(self) -> Alphabet:
        """The pieces in the order of their ids."""
        vocabulary: dict[str, int] = self._content["model"]["vocab"]
        return Alphabet(tuple(sorted(vocabulary, key=lambda p: vocabulary[p])), "piece", self.letters.alphabet.unknown)

    def encode(self, nucleotides: Ragged) -> Ragged:
        """Join the symbols of `nucleotides`, ids as `letters` gives them, into pieces."""
        encoded = self._tokenizer.encode_batch_fast(self.letters.texts(nucleotides), add_special_tokens=False)
        return Ragged.from_lists([e.ids for e in encoded], counts=nucleotides.counts)

    def decode(self, ids: Ids) -> str:
        """The nucleotides of the pieces `ids`."""
        return "".join(self.alphabet.symbols[i] for i in ids)

    def stock_tokenizer(self, vocabulary: Mapping[str, int], unk_token: str) -> Tokenizer:
        """The same merges, with every piece at its row in `vocabulary`; any other character becomes `unk_token`."""
        model = {**self._content["model"], "vocab": dict(vocabulary), "unk_token": unk_token}
        tokenizer = Tokenizer.from_str(json.dumps({**self._content, "model": model}))
        tokenizer.normalizer = self.letters.normalizer()
        return tokenizer
