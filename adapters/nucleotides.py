"""The letters of DNA and RNA, and what becomes of each."""

from __future__ import annotations

from typing import Literal

from xdomain.core.sequences import Alphabet
from xdomain.data.char_encoder import ByteTable

BASES = "ACGT"
IUPAC = "RYSWKMBDHV"  # two or three bases each; N is any: NC-IUB 1984, doi 10.1093/nar/13.9.3021
COMPLEMENT = dict(zip("ACGTNRYSWKMBDHV", "TGCANYRSWMKVHDB", strict=True))
GAPS = "-."


def nucleotide_table(
    *,
    ambiguous: Literal["fold", "keep", "error"] = "fold",
    lower_case: Literal["fold", "mask"] = "fold",
    gaps: Literal["drop", "error"] = "drop",
    unknown: Literal["error", "count"] = "error",
) -> ByteTable:
    """The table that reads nucleotides; ids 0 to 4 are always A C G T N.

    `ambiguous`, `lower_case`, `gaps` and `unknown` are the options of `xdomain.adapters.dna.DNA`.
    """
    letters = BASES + "N" + (IUPAC if ambiguous == "keep" else "")
    means = {letter: letter for letter in letters} | {"U": "T"}
    if ambiguous == "fold":
        means |= dict.fromkeys(IUPAC, "N")
    small = {c.lower(): symbol if lower_case == "fold" else "N" for c, symbol in means.items()}
    becomes = {c: symbol for c, symbol in means.items() if c not in letters} | small
    # A masked letter is counted under lower_case only, whatever letter it was.
    both = (lambda capitals: capitals + capitals.lower()) if lower_case == "fold" else (lambda capitals: capitals)
    refused = dict.fromkeys(IUPAC + IUPAC.lower(), "ambiguous=fold") if ambiguous == "error" else {}
    refused |= dict.fromkeys(GAPS, "gaps=drop") if gaps == "error" else {}
    return ByteTable(
        Alphabet(tuple(letters), "nt", "N" if unknown == "count" else None),
        becomes,
        {
            "lower_case": "".join(small),
            "u_to_t": both("U"),
            "folded": both(IUPAC) if ambiguous == "fold" else "",
            "gaps_dropped": GAPS if gaps == "drop" else "",
        },
        GAPS if gaps == "drop" else "",
        refused,
        "unknown=count",
    )
