"""Pieces of DNA learned by byte-pair encoding."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tokenizers import Tokenizer, models, trainers

from xdomain.data.bytetable import ByteTable
from xdomain.data.sequences import Alphabet, Ids, Ragged
from xdomain.errors import DataError

UNKNOWN = "N"


def train_bpe(sequences: Iterable[str], size: int, path: Path) -> Path:
    """Learn `size` pieces from sequences of A C G T N and write them to `path`, for ``merges``."""
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=list("ACGTN"), show_progress=False, max_token_length=16
    )
    tokenizer.train_from_iterator(sequences, trainer)
    tokenizer.save(str(path))
    return path


@dataclass(frozen=True)
class BPE:
    """The pieces of a file that `train_bpe` wrote."""

    path: str

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        try:
            return Tokenizer.from_file(self.path)
        except Exception as error:
            raise DataError(
                f"{self.path} holds no BPE ({str(error).splitlines()[0]})",
                expected="a file that xdomain.adapters.bpe.train_bpe wrote",
            ) from None

    @cached_property
    def alphabet(self) -> Alphabet:
        """The pieces in the order of their ids."""
        vocabulary = self._tokenizer.get_vocab()
        return Alphabet(tuple(sorted(vocabulary, key=lambda piece: vocabulary[piece])), "piece", UNKNOWN)

    def encode(self, letters: Ragged, decode: Callable[[Ids], str]) -> Ragged:
        """Pieces of nucleotide ids."""
        encoded = self._tokenizer.encode_batch_fast([decode(ids) for ids in letters], add_special_tokens=False)
        return Ragged.from_lists([e.ids for e in encoded], counts=letters.counts)

    def decode(self, ids: Ids) -> str:
        """The nucleotides of pieces."""
        return "".join(self.alphabet.symbols[i] for i in ids)

    def stock_tokenizer(self, vocabulary: Mapping[str, int], unk_token: str, letters: ByteTable) -> Tokenizer:
        """The same merges with every piece at its mapped row."""
        told = json.loads(self._tokenizer.to_str())
        told["model"]["vocab"] = dict(vocabulary)
        told["model"]["unk_token"] = unk_token
        tokenizer = Tokenizer.from_str(json.dumps(told))
        tokenizer.normalizer = letters.stock_tokenizer(vocabulary, unk_token).normalizer
        return tokenizer
