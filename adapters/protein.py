"""Proteins: amino acids in one-letter code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import pyarrow as pa
from tokenizers import Tokenizer

from xdomain.data.bytetable import ByteTable
from xdomain.data.sequences import Alphabet, Ids, Payload, Ragged

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
RARE = "BJOUZ"  # Asx, Xle, pyrrolysine, selenocysteine, Glx (IUPAC-IUB 1984 and later)
GAPS = "-."


@dataclass(frozen=True)
class Protein:
    """One symbol a residue: the 20, X for any, and * for a stop.

    Parameters
    ----------
    ambiguous
        B J O U Z: fold to X and count, keep as symbols of their own, or error.
    stop
        ``*``: keep, drop, or error.
    unknown
        Any other character: error, or count and read as X.

    Lower case is read as upper case and counted; gaps ``-`` and ``.`` and white space are left out.
    """

    ambiguous: Literal["fold", "keep", "error"] = "fold"
    stop: Literal["keep", "drop", "error"] = "keep"
    unknown: Literal["error", "count"] = "error"

    def __post_init__(self) -> None:
        _choose("ambiguous", self.ambiguous, ("fold", "keep", "error"))
        _choose("stop", self.stop, ("keep", "drop", "error"))
        _choose("unknown", self.unknown, ("error", "count"))

    @property
    def name(self) -> str:
        """The domain."""
        return "protein"

    @cached_property
    def alphabet(self) -> Alphabet:
        """20 residues, X, with `ambiguous` keep the five rare letters, with `stop` keep the stop."""
        symbols = RESIDUES + "X" + (RARE if self.ambiguous == "keep" else "") + ("*" if self.stop == "keep" else "")
        return Alphabet(tuple(symbols), "aa", "X" if self.unknown == "count" else None)

    @cached_property
    def _table(self) -> ByteTable:
        letters = RESIDUES + "X" + (RARE if self.ambiguous == "keep" else "")
        becomes = {c.lower(): c for c in letters}
        counted = {c.lower(): "lower_case" for c in letters} | dict.fromkeys(GAPS, "gaps_dropped")
        if self.ambiguous == "fold":
            becomes |= dict.fromkeys(RARE + RARE.lower(), "X")
            counted |= dict.fromkeys(RARE + RARE.lower(), "folded")
        refused = (RARE + RARE.lower() if self.ambiguous == "error" else "") + ("*" if self.stop == "error" else "")
        return ByteTable(self.alphabet, becomes, counted, GAPS + ("*" if self.stop == "drop" else ""), refused)

    def encode(self, payloads: Sequence[Payload] | pa.Array) -> Ragged:
        """Residues of many proteins, in bulk."""
        return self._table.encode(payloads)

    def decode(self, ids: Ids) -> str:
        """One letter a residue."""
        return self._table.decode(ids)

    def stock_tokenizer(self, vocabulary: Mapping[str, int], unk_token: str) -> Tokenizer:
        """One token a residue."""
        return self._table.stock_tokenizer(vocabulary, unk_token)


def _choose(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{option}={value!r}: expected one of {', '.join(known)}")
