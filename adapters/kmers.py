"""Runs of k nucleotides as symbols."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from xdomain.core.sequences import Alphabet, Ids, Ragged, narrow, offsets_of
from xdomain.data.char_encoder import SPACES, ByteTable

from .nucleotides import BASES

N = 4
"""The id of the nucleotide N; those of A C G T are 0 to 3, the digits of a k-mer."""


@dataclass(frozen=True)
class KMers:
    """All 4^k k-mers of A C G T in order, and one symbol for those with an N.

    Parameters
    ----------
    k
        Nucleotides of a k-mer, 1 to 8.
    stride
        Nucleotides from the start of one k-mer to that of the next, 1 to k.
    letters
        Reads and writes the nucleotides that k-mers are made of.
    """

    k: int
    stride: int
    letters: ByteTable

    @cached_property
    def alphabet(self) -> Alphabet:
        """4^k + 1 symbols; the last, k times N, stands for every k-mer with an N."""
        return Alphabet((*map("".join, product(BASES, repeat=self.k)), "N" * self.k), f"{self.k}-mer", "N" * self.k)

    def encode(self, nucleotides: Ragged) -> Ragged:
        """Cut the sequences of `nucleotides`, ids as `letters` gives them, into k-mers.

        A sequence shorter than k becomes the one symbol with N, and is counted as ``shorter_than_k``; one without
        nucleotides stays empty. Nucleotides at an end that no k-mer reaches are counted as ``tail_dropped``.
        """
        k, many = self.k, 4**self.k
        values, lengths = nucleotides.values, nucleotides.lengths
        starts = max(len(values) - k + 1, 0)
        code = np.zeros(len(values), np.uint32 if many > np.iinfo(np.uint16).max else np.uint16)
        rolling = code[:starts]
        for i in range(k):  # at every nucleotide of the buffer; `place` leaves out those that span two sequences
            rolling <<= 2
            rolling |= (values[i : i + starts] & 3).astype(code.dtype, copy=False)
        unknown = values == N
        if unknown.any():
            spoilt = np.zeros(starts, bool)
            for i in range(k):
                spoilt |= unknown[i : i + starts]
            rolling[spoilt] = many
        short = (lengths > 0) & (lengths < k)
        code[nucleotides.offsets[:-1][short]] = many
        place, offsets = self._places(nucleotides)
        tail = ((lengths - k) % self.stride)[lengths >= k]
        counts = {"shorter_than_k": int(short.sum()), "tail_dropped": int(tail.sum())}
        return Ragged(narrow(code[place]), offsets, {**nucleotides.counts, **counts})

    def reach(self, nucleotides: Ragged) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Shape (total k-mers,) twice: the first and the last of all `nucleotides` that each k-mer covers."""
        place, offsets = self._places(nucleotides)
        last = np.repeat(nucleotides.offsets[1:] - 1, np.diff(offsets))
        return place, np.minimum(place + self.k - 1, last)

    def _places(self, nucleotides: Ragged) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where each k-mer starts among all nucleotides, and the offsets of each sequence's k-mers."""
        lengths = nucleotides.lengths
        counts = np.where(lengths >= self.k, (lengths - self.k) // self.stride + 1, lengths > 0)
        offsets = offsets_of(counts)
        place = np.arange(offsets[-1]) * self.stride
        return place + np.repeat(nucleotides.offsets[:-1] - offsets[:-1] * self.stride, counts), offsets

    def decode(self, ids: Ids) -> str:
        """The nucleotides that the k-mers `ids` of one sequence cover; N where every k-mer over a place has an N."""
        if not len(ids):
            return ""
        nucleotides = np.full((len(ids) - 1) * self.stride + self.k, N, np.uint8)
        known = np.flatnonzero(np.asarray(ids) < 4**self.k)
        codes = np.asarray(ids, np.int64)[known]
        for i in range(self.k):
            nucleotides[known * self.stride + i] = codes >> 2 * (self.k - 1 - i) & 3
        return self.letters.decode(nucleotides)

    def stock_tokenizer(self, vocabulary: Mapping[str, int], unk_token: str) -> Tokenizer:
        """One token a k-mer, at its row in `vocabulary`, else `unk_token`.

        The text must hold k-mers with white space between, as for DNABERT (Ji et al. 2021), because a plain tokenizer
        cannot cut a sequence into overlapping pieces.
        """
        tokenizer = Tokenizer(models.WordLevel(dict(vocabulary), unk_token))
        tokenizer.normalizer = normalizers.Sequence(
            [self.letters.normalizer(keep=SPACES), normalizers.Replace(Regex(r"\S*N\S*"), "N" * self.k)]
        )
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return tokenizer

    def to_tokenizer_text(self, nucleotides: Ragged) -> str:
        """The k-mers of `nucleotides`, one sequence, with spaces between: what the plain tokenizer reads."""
        return " ".join(self.alphabet.symbols[i] for i in self.encode(nucleotides).values)

    @cached_property
    def complement(self) -> Ids:
        """Shape (4^k + 1,): the reverse complement of each k-mer; with A C G T = 0 … 3 a digit d becomes 3 - d."""
        codes = np.arange(4**self.k)
        flipped = np.zeros_like(codes)
        for _ in range(self.k):
            flipped = flipped * 4 + (3 - codes % 4)
            codes //= 4
        return narrow(np.append(flipped, 4**self.k))
