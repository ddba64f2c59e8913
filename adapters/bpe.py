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

from xdomain.core.errors import DataError, OutputError, RecipeError
from xdomain.core.sequences import Alphabet, Ids, Payload, Ragged
from xdomain.data.char_encoder import ByteTable

from .nucleotides import BASES, nucleotide_table

LONGEST = 16
"""Nucleotides of the longest piece: low-complexity repeats would otherwise fill the table."""


def train_bpe(sequences: Sequence[Payload] | pa.Array, size: int, path: str | Path) -> Path:
    """Learn pieces of DNA and write them to `path`, a tokenizer file for the option ``merges``.

    Parameters
    ----------
    sequences
        DNA or RNA as the adapter reads it: case, U, IUPAC letters and gaps are treated by its defaults, any other
        character becomes N.
    size
        Pieces to learn, from 5, the letters A C G T N alone. Fewer are found where the sequences hold no more.
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
        vocab_size=size, initial_alphabet=[*BASES, "N"], show_progress=False, max_token_length=LONGEST
    )
    tokenizer.train_from_iterator(letters.texts(letters.encode(sequences)), trainer)
    try:
        Path(path).write_text(tokenizer.to_str(), "utf-8")
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror})", fix="another path") from None
    return Path(path)


@dataclass(frozen=True)
class BPE:
    """The pieces of a file that `train_bpe` wrote.

    Parameters
    ----------
    path
        Of the file.
    letters
        The nucleotides that pieces are made of.
    """

    path: str
    letters: ByteTable

    @cached_property
    def _told(self) -> dict[str, Any]:
        expected = "a file that xdomain.adapters.bpe.train_bpe wrote"
        try:
            told = json.loads(Path(self.path).read_text("utf-8"))
            model, pieces = told["model"]["type"], set(told["model"]["vocab"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{self.path} holds no BPE ({error})", expected=expected) from None
        if model != "BPE" or not pieces.issuperset(BASES + "N"):
            what = "pieces of other letters than DNA's" if model == "BPE" else f"a {model} tokenizer"
            raise DataError(f"{self.path} holds {what}", expected=expected)
        return told

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return Tokenizer.from_str(json.dumps(self._told))

    @cached_property
    def alphabet(self) -> Alphabet:
        """The pieces in the order of their ids."""
        vocabulary: dict[str, int] = self._told["model"]["vocab"]
        return Alphabet(tuple(sorted(vocabulary, key=lambda p: vocabulary[p])), "piece", self.letters.alphabet.unknown)

    def encode(self, nucleotides: Ragged) -> Ragged:
        """Pieces of nucleotide ids."""
        encoded = self._tokenizer.encode_batch_fast(self.letters.texts(nucleotides), add_special_tokens=False)
        return Ragged.from_lists([e.ids for e in encoded], counts=nucleotides.counts)

    def decode(self, ids: Ids) -> str:
        """The nucleotides of pieces."""
        return "".join(self.alphabet.symbols[i] for i in ids)

    def stock_tokenizer(self, vocabulary: Mapping[str, int], unk_token: str) -> Tokenizer:
        """The same merges with every piece at its mapped row."""
        model = {**self._told["model"], "vocab": dict(vocabulary), "unk_token": unk_token}
        tokenizer = Tokenizer.from_str(json.dumps({**self._told, "model": model}))
        tokenizer.normalizer = self.letters.normalizer()
        return tokenizer
