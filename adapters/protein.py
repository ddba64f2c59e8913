"""Proteins: amino acids in one-letter code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tokenizers import Tokenizer

from xdomain.core.choices import check_choices
from xdomain.core.sequences import Alphabet, Ids, Payload, Ragged
from xdomain.data.char_encoder import ByteTable

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
RARE = "BJOUZ"  # D or N, I or L, pyrrolysine, selenocysteine, E or Q: IUPAC-IUB 1984, doi 10.1351/pac198456050595
STOP = "*"
GAPS = "-."
MIN_LETTERS = 20
"""Letters from which on it is told that they look like another domain's."""


@dataclass(frozen=True)
class Protein:
    """One symbol a residue: the 20 amino acids, X for any, and * for a stop.

    Parameters
    ----------
    ambiguous
        B J O U Z: fold to X, counted as ``folded``; keep as symbols of their own; or error.
    stop
        ``*``: keep as a symbol; drop, counted as ``stops_dropped``; or error.
    unknown
        Any other character: error; or count, as ``unknown``, and read as X.

    Lower case is read as upper case, counted as ``lower_case``. Gaps ``-`` and ``.`` are left out, counted as
    ``gaps_dropped``; so is white space.
    """

    ambiguous: Literal["fold", "keep", "error"] = "fold"
    stop: Literal["keep", "drop", "error"] = "keep"
    unknown: Literal["error", "count"] = "error"

    def __post_init__(self) -> None:
        check_choices(self)

    @property
    def name(self) -> str:
        """The domain."""
        return "protein"

    @cached_property
    def alphabet(self) -> Alphabet:
        """20 residues, X, with `ambiguous` keep the five rare letters, with `stop` keep the stop."""
        symbols = RESIDUES + "X" + (RARE if self.ambiguous == "keep" else "") + (STOP if self.stop == "keep" else "")
        return Alphabet(tuple(symbols), "aa", "X" if self.unknown == "count" else None)

    @cached_property
    def _table(self) -> ByteTable:
        means = {c: c for c in self.alphabet.symbols if c != STOP}
        if self.ambiguous == "fold":
            means |= dict.fromkeys(RARE, "X")
        rare = RARE + RARE.lower()
        refused = dict.fromkeys(rare, "ambiguous=fold") if self.ambiguous == "error" else {}
        refused |= {STOP: "stop=drop"} if self.stop == "error" else {}
        dropped_stop = STOP if self.stop == "drop" else ""
        return ByteTable(
            self.alphabet,
            {c: symbol for c, symbol in means.items() if c != symbol} | {c.lower(): s for c, s in means.items()},
            {
                "lower_case": "".join(means).lower(),
                "folded": rare if self.ambiguous == "fold" else "",
                "gaps_dropped": GAPS,
                "stops_dropped": dropped_stop,
            },
            GAPS + dropped_stop,
            refused,
            "unknown=count",
        )

    def encode(self, payloads: Sequence[Payload] | pa.Array) -> Ragged:
        """Encode the proteins `payloads`, with counts of what was changed or dropped."""
        return self._table.encode(payloads)

    def spans(self, payloads: Sequence[Payload] | pa.Array) -> NDArray[np.float64]:
        """Shape (total residues, 2): the character of each residue, half-open."""
        return self._table.spans(payloads)

    def other_domain(self, symbols: Ragged) -> str | None:
        """Whether all of the letters A, C, G and T or U occur, and 95 % of the sequences have no other but N.

        U counts as X where it is folded. Fewer than `MIN_LETTERS` are not judged.
        """
        letters = np.array(self.alphabet.symbols)
        present = set(letters[np.unique(symbols.values)])
        if len(symbols.values) < MIN_LETTERS or not ({"A", "C", "G"} <= present and present & {"T", "U", "X"}):
            return None
        strange = np.concatenate(([0], np.cumsum(~np.isin(letters, list("ACGTUNX"))[symbols.values])))
        alike = strange[symbols.offsets[1:]] == strange[symbols.offsets[:-1]]
        if alike.mean() < 0.95:
            return None
        return (
            f"{alike.sum():,} of {len(alike):,} sequences have no letters but A, C, G, T, U and N: these look like "
            "nucleotides, not proteins; --domain dna, or translate them"
        )

    def decode(self, ids: Ids) -> str:
        """The residues `ids`, one letter each."""
        return self._table.decode(ids)

    def stock_tokenizer(self, vocabulary: Mapping[str, int], unk_token: str) -> Tokenizer:
        """One token a residue, at its row in `vocabulary`; any other character becomes `unk_token`."""
        return self._table.stock_tokenizer(vocabulary, unk_token)
