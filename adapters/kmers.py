"""Runs of k nucleotides as symbols."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers

from xdomain.data.bytetable import ByteTable
from xdomain.data.sequences import Alphabet, Ids, Ragged, narrow, offsets_of


@dataclass(frozen=True)
class KMers:
    """All 4^k k-mers of A C G T in order, and one symbol for those with an N.

    A sequence shorter than k becomes that one symbol, and is counted as ``shorter_than_k``.
    """

    k: int
    stride: int

    @cached_property
    def alphabet(self) -> Alphabet:
        """4^k + 1 symbols; the last, k times N, stands for every k-mer with an N."""
        return Alphabet((*("".join(p) for p in product("ACGT", repeat=self.k)), "N" * self.k), "nt", "N" * self.k)

    def encode(self, letters: Ragged, _: Callable[[Ids], str]) -> Ragged:
        """K-mers of nucleotide ids (A C G T N = 0 … 4), in bulk."""
        k, many = self.k, 4**self.k
        lengths = letters.lengths
        values = letters.values.astype(np.int64)
        padded = np.concatenate((values, np.full(k, 4)))
        starts = len(values)
        code = np.zeros(starts, np.int64)
        masked = np.zeros(starts, bool)
        for i in range(k):
            digit = padded[i : i + starts]
            code = code * 4 + np.minimum(digit, 3)
            masked |= digit == 4
        code[masked] = many
        counts = np.where(lengths >= k, (lengths - k) // self.stride + 1, 1)
        offsets = offsets_of(counts)
        record = np.repeat(np.arange(len(lengths)), counts)
        place = letters.offsets[:-1][record] + (np.arange(offsets[-1]) - offsets[:-1][record]) * self.stride
        found = np.full(len(place), many, np.int64)
        whole = lengths[record] >= k
        found[whole] = code[place[whole]]
        return Ragged(narrow(found), offsets, {**letters.counts, "shorter_than_k": int((lengths < k).sum())})

    def decode(self, ids: Ids) -> str:
        """The nucleotides that k-mers cover."""
        words = [self.alphabet.symbols[i] for i in ids]
        return words[0] + "".join(w[self.k - self.stride :] for w in words[1:]) if words else ""

    def stock_tokenizer(self, vocabulary: Mapping[str, int], unk_token: str, _: ByteTable) -> Tokenizer:
        """One token a space-separated k-mer."""
        tokenizer = Tokenizer(models.WordLevel(dict(vocabulary), unk_token))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return tokenizer

    @cached_property
    def complement(self) -> Ids:
        """Shape (4^k + 1,): the reverse complement of each k-mer; with A C G T = 0 … 3 a digit d becomes 3 - d."""
        codes = np.arange(4**self.k)
        flipped = np.zeros_like(codes)
        for _ in range(self.k):
            flipped = flipped * 4 + (3 - codes % 4)
            codes //= 4
        return np.append(flipped, 4**self.k).astype(np.uint32)
