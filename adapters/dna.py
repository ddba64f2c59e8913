"""DNA and RNA: nucleotides, k-mers, or a trained BPE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer

from xdomain.data.bytetable import ByteTable
from xdomain.data.sequences import Alphabet, Ids, Payload, Ragged
from xdomain.errors import RecipeError

from .bpe import BPE
from .kmers import KMers

BASES = "ACGT"
IUPAC = "RYSWKMBDHV"  # NC-IUB 1984
COMPLEMENT = dict(zip("ACGTNRYSWKMBDHV", "TGCANYRSWMKVHDB", strict=True))
GAPS = "-."


@dataclass(frozen=True)
class DNA:
    """Nucleotides A C G T, and N for any.

    Parameters
    ----------
    tokens
        nucleotide: one symbol each; kmer: k of them, every `stride`; bpe: the pieces of `merges`.
    k, stride
        Nucleotides a k-mer has, 1 to 8, and from one to the next.
    merges
        A tokenizer file that `xdomain.adapters.bpe.train_bpe` wrote, for ``tokens: bpe``.
    ambiguous
        R Y S W K M B D H V: fold to N and count, keep as symbols of their own, or error.
    lower_case
        Soft-masked letters: fold to upper case and count, or mask as N and count.
    gaps
        ``-`` and ``.``: drop and count, or error.
    unknown
        Any other character: error, or count and read as N.

    U is read as T and counted; white space is left out.
    """

    tokens: Literal["nucleotide", "kmer", "bpe"] = "nucleotide"
    k: int = 6
    stride: int = 1
    merges: str = ""
    ambiguous: Literal["fold", "keep", "error"] = "fold"
    lower_case: Literal["fold", "mask"] = "fold"
    gaps: Literal["drop", "error"] = "drop"
    unknown: Literal["error", "count"] = "error"

    def __post_init__(self) -> None:
        choices = {
            "tokens": ("nucleotide", "kmer", "bpe"), "ambiguous": ("fold", "keep", "error"),
            "lower_case": ("fold", "mask"), "gaps": ("drop", "error"), "unknown": ("error", "count"),
        }  # fmt: skip
        for option, known in choices.items():
            if getattr(self, option) not in known:
                raise ValueError(f"{option}={getattr(self, option)!r}: expected one of {', '.join(known)}")
        if not 1 <= self.k <= 8 or not 1 <= self.stride <= self.k:
            raise ValueError(f"k={self.k}, stride={self.stride}: expected 1 ≤ stride ≤ k ≤ 8")
        if self.tokens != "nucleotide" and self.ambiguous == "keep":
            raise ValueError("ambiguous=keep goes with tokens=nucleotide")
        if (self.tokens == "bpe") != bool(self.merges):
            raise ValueError("tokens=bpe and merges=FILE go together")

    @property
    def name(self) -> str:
        """The domain."""
        return "dna"

    @cached_property
    def _pieces(self) -> KMers | BPE | None:
        if self.tokens == "kmer":
            return KMers(self.k, self.stride)
        return BPE(self.merges) if self.tokens == "bpe" else None

    @cached_property
    def alphabet(self) -> Alphabet:
        """A C G T N and, with `ambiguous` keep, the IUPAC letters; or the k-mers; or the pieces."""
        return self._pieces.alphabet if self._pieces else self._letters.alphabet

    @cached_property
    def _letters(self) -> ByteTable:
        symbols = BASES + "N" + (IUPAC if self.ambiguous == "keep" else "")
        alphabet = Alphabet(tuple(symbols), "nt", "N" if self.unknown == "count" else None)
        becomes = {c.lower(): c if self.lower_case == "fold" else "N" for c in symbols} | {"U": "T"}
        becomes["u"] = becomes["t"]
        counted = {c.lower(): "lower_case" for c in symbols} | {"U": "u_to_t", "u": "u_to_t"}
        if self.ambiguous == "fold":
            becomes |= dict.fromkeys(IUPAC + IUPAC.lower(), "N")
            counted |= dict.fromkeys(IUPAC + IUPAC.lower(), "folded")
        counted |= dict.fromkeys(GAPS, "gaps_dropped")
        refused = (IUPAC + IUPAC.lower() if self.ambiguous == "error" else "") + (GAPS if self.gaps == "error" else "")
        return ByteTable(alphabet, becomes, counted, GAPS, refused)

    def encode(self, payloads: Sequence[Payload] | pa.Array) -> Ragged:
        """Symbols of many sequences, in bulk."""
        letters = self._letters.encode(payloads)
        return self._pieces.encode(letters, self._letters.decode) if self._pieces else letters

    def decode(self, ids: Ids) -> str:
        """The nucleotides that symbols stand for."""
        return self._pieces.decode(ids) if self._pieces else self._letters.decode(ids)

    def stock_tokenizer(self, vocabulary: Mapping[str, int], unk_token: str) -> Tokenizer:
        """One token a nucleotide; for k-mers one a space-separated k-mer (see `spaced`); the pieces of a BPE."""
        if self._pieces:
            return self._pieces.stock_tokenizer(vocabulary, unk_token, self._letters)
        return self._letters.stock_tokenizer(vocabulary, unk_token)

    def spaced(self, payload: str) -> str:
        """What the plain tokenizer reads for a sequence: itself, or its k-mers with spaces between.

        Plain tokenizers cannot cut overlapping pieces, so k-mers come separated, as DNABERT's do.
        """
        if self.tokens != "kmer":
            return payload
        return " ".join(self.alphabet.symbols[i] for i in self.encode([payload])[0])

    def reverse_complement(self, ids: Ids) -> Ids:
        """The other strand, read in its own direction, as symbol ids.

        For k-mers exact where (length - k) is a multiple of the stride.
        """
        if isinstance(self._pieces, BPE):
            raise RecipeError("a BPE's pieces have no reverse complement", expected="tokens nucleotide or kmer")
        return self._complement[ids][::-1]

    @cached_property
    def _complement(self) -> Ids:
        if isinstance(self._pieces, KMers):
            return self._pieces.complement
        symbols = self._letters.alphabet.symbols
        return np.array([symbols.index(COMPLEMENT[s]) for s in symbols], np.uint16)
