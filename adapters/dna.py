"""DNA and RNA: nucleotides, k-mers, or a trained BPE."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tokenizers import Tokenizer

from xdomain.core.choices import check_choices
from xdomain.core.errors import RecipeError
from xdomain.core.sequences import Alphabet, Ids, Payload, Ragged, path_option
from xdomain.data.char_encoder import ByteTable

from .bpe import BPE
from .kmers import KMers
from .nucleotides import COMPLEMENT, nucleotide_table

MIN_SYMBOLS = 20
"""Symbols from which on it is told that they look like another domain's."""


@dataclass(frozen=True)
class DNA:
    """Nucleotides A C G T, and N for any.

    Parameters
    ----------
    tokens
        nucleotide: one symbol each; kmer: k of them, every `stride`; bpe: the pieces of `merges`.
    k, stride
        Nucleotides that a k-mer has, 1 to 8, and from one to the next, 1 to k. A k-mer with an N is the one symbol
        of k times N; so is a sequence shorter than k, counted as ``shorter_than_k``. Nucleotides at an end that no
        k-mer reaches are counted as ``tail_dropped``.
    merges
        A tokenizer file that `xdomain.adapters.bpe.train_bpe` wrote, for ``tokens: bpe``.
    ambiguous
        R Y S W K M B D H V: fold to N, counted as ``folded``; keep as symbols of their own; or error.
    lower_case
        Soft-masked letters, counted as ``lower_case``: fold to upper case, or mask as N.
    gaps
        ``-`` and ``.``: drop, counted as ``gaps_dropped``; or error.
    unknown
        Any other character: error; or count, as ``unknown``, and read as N.

    U is read as T, counted as ``u_to_t``; white space is left out.
    """

    tokens: Literal["nucleotide", "kmer", "bpe"] = "nucleotide"
    k: int = 6
    stride: int = 1
    merges: str = path_option()
    ambiguous: Literal["fold", "keep", "error"] = "fold"
    lower_case: Literal["fold", "mask"] = "fold"
    gaps: Literal["drop", "error"] = "drop"
    unknown: Literal["error", "count"] = "error"

    def __post_init__(self) -> None:
        check_choices(self)
        if not 1 <= self.k <= 8 or not 1 <= self.stride <= self.k:
            raise RecipeError(f"dna options k={self.k}, stride={self.stride}", expected="1 ≤ stride ≤ k ≤ 8")
        if self.tokens != "nucleotide" and self.ambiguous == "keep":
            raise RecipeError(
                f"dna options tokens={self.tokens}, ambiguous=keep",
                expected="ambiguous=fold: only single nucleotides have symbols for R, Y and the like",
            )
        if (self.tokens == "bpe") != bool(self.merges):
            raise RecipeError(
                f"dna options tokens={self.tokens}, merges={self.merges!r}",
                expected="tokens=bpe and merges=FILE together, or neither",
                fix="xdomain.adapters.bpe.train_bpe makes such a file",
            )

    @property
    def name(self) -> str:
        """The domain."""
        return "dna"

    @cached_property
    def _letters(self) -> ByteTable:
        return nucleotide_table(
            ambiguous=self.ambiguous, lower_case=self.lower_case, gaps=self.gaps, unknown=self.unknown
        )

    @cached_property
    def _pieces(self) -> KMers | BPE | None:
        if self.tokens == "kmer":
            return KMers(self.k, self.stride, self._letters)
        return BPE(self.merges, self._letters) if self.tokens == "bpe" else None

    @cached_property
    def alphabet(self) -> Alphabet:
        """A C G T N and, with `ambiguous` keep, the IUPAC letters; or the k-mers; or the pieces."""
        return (self._pieces or self._letters).alphabet

    def encode(self, payloads: Sequence[Payload] | pa.Array) -> Ragged:
        """Encode the sequences `payloads`, with counts of what was changed or dropped."""
        nucleotides = self._letters.encode(payloads)
        return self._pieces.encode(nucleotides) if self._pieces else nucleotides

    def spans(self, payloads: Sequence[Payload] | pa.Array) -> NDArray[np.float64]:
        """Shape (total symbols, 2): the characters that each symbol covers, half-open; those of k-mers overlap.

        Raises
        ------
        RecipeError
            With tokens=bpe, whose pieces have no known places.
        """
        edges = self._letters.spans(payloads)
        if self._pieces is None:
            return edges
        if not isinstance(self._pieces, KMers):
            raise RecipeError("the pieces of a BPE do not tell their places", fix="tokens=nucleotide or tokens=kmer")
        first, last = self._pieces.reach(self._letters.encode(payloads))
        return np.column_stack([edges[first, 0], edges[last, 1]])

    def other_domain(self, symbols: Ragged) -> str | None:
        """Whether at least half of the letters are none of A, C, G, T, U and N; of few symbols it is not judged."""
        strange = symbols.counts.get("folded", 0) + symbols.counts.get("unknown", 0)
        if len(symbols.values) < MIN_SYMBOLS or strange < len(symbols.values) / 2:
            return None
        return (
            f"{strange:,} letters are none of A, C, G, T, U and N, of {len(symbols.values):,} symbols in all: "
            "these look like proteins, not nucleotides; --domain protein"
        )

    def decode(self, ids: Ids) -> str:
        """The nucleotides that the symbols `ids` stand for."""
        return (self._pieces or self._letters).decode(ids)

    def stock_tokenizer(self, vocabulary: Mapping[str, int], unk_token: str) -> Tokenizer:
        """One token per nucleotide, per space-separated k-mer (see `to_tokenizer_text`), or per piece of a BPE.

        `vocabulary` gives the row of each; anything else becomes `unk_token`.
        """
        return (self._pieces or self._letters).stock_tokenizer(vocabulary, unk_token)

    def to_tokenizer_text(self, payload: Payload) -> str:
        """What the plain tokenizer reads for a sequence: the sequence itself, or its k-mers with spaces between.

        ``tokenizer(adapter.to_tokenizer_text(sequence))`` gives the same symbols as `encode`. A plain tokenizer cannot
        cut overlapping k-mers itself; other k-mer models, such as DNABERT, ask for the same.
        """
        if isinstance(self._pieces, KMers):
            return self._pieces.to_tokenizer_text(self._letters.encode([payload]))
        return payload.decode() if isinstance(payload, bytes) else payload

    def export_assets(self, folder: Path) -> None:
        """Copy the file of a BPE."""
        if self.merges:
            shutil.copy(self.merges, folder / "merges.json")

    def reverse_complement(self, ids: Ids) -> Ids:
        """The other strand, read in its own direction, as symbol ids.

        For k-mers this is exact where (length - k) is a multiple of the stride; otherwise the other strand's own
        k-mers start elsewhere. With a BPE the other strand is cut anew, into more pieces or fewer.
        """
        if isinstance(self._pieces, BPE):
            letters = self._letters.encode([self.decode(ids)])
            other = _complement_of(self._letters.alphabet.symbols)[letters.values[::-1]]
            return self._pieces.encode(Ragged(other, letters.offsets)).values
        return self._complement[ids[::-1]]

    @cached_property
    def _complement(self) -> Ids:
        if isinstance(self._pieces, KMers):
            return self._pieces.complement
        return _complement_of(self._letters.alphabet.symbols)


def _complement_of(letters: tuple[str, ...]) -> Ids:
    """Shape (letters,): the id of each letter's complement."""
    return np.array([letters.index(COMPLEMENT[s]) for s in letters], np.uint16)
