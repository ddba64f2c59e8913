"""The targets of the problem ``sequence``: what is to come out, and the alphabet that it shares with what goes in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xdomain.core.sequences import Adapter, Alphabet, Ragged


@dataclass(frozen=True)
class Outputs:
    """What is to come out of n records.

    Parameters
    ----------
    adapter
        Of the domain that comes out.
    first
        The place of its first symbol in the alphabet of `joint_alphabet`.
    symbols
        The targets, in the numbers of the adapter's own alphabet; None where records have none, as for prediction.
    """

    adapter: Adapter
    first: int
    symbols: Ragged | None = None

    def targets(self) -> Ragged:
        """The targets of all records.

        Raises
        ------
        ValueError
            The records have none.
        """
        if self.symbols is None:
            raise ValueError("records without targets")
        return self.symbols

    def longest(self, records: NDArray[np.int64]) -> int:
        """Symbols of the longest target of `records`."""
        return int(self.targets().lengths[records].max(initial=0))


def joint_alphabet(source: Adapter, target: Adapter) -> tuple[Alphabet, int]:
    """The symbols of what goes in and of what comes out, each of which gets a wordpiece of its own.

    Parameters
    ----------
    source
        Encodes what goes in.
    target
        Encodes what comes out.

    Returns
    -------
    tuple
        The alphabet of `source`, followed by that of `target` unless they are the same; and the place of the first
        symbol of `target`. A symbol that both have, as A is a nucleotide and a residue, comes twice, the second time
        as ``protein:A``.
    """
    own = source.alphabet
    if source.name == target.name and own.symbols == target.alphabet.symbols:
        return own, 0
    known = set(own.symbols)
    added = tuple(f"{target.name}:{one}" if one in known else one for one in target.alphabet.symbols)
    return Alphabet((*own.symbols, *added), own.unit, own.unknown), len(own)
