"""Relatives: find test records whose sequence resembles one that the model is trained on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from xdomain.core.sequences import Ragged
from xdomain.data.dataset import Examples
from xdomain.data.splits.kmer_clusters import kmer_clusters

IDENTITY = 0.8
"""The share of identical symbols from which on sequences are relatives."""
MOST = 10_000_000  # symbols in all, which take about ten seconds
STRIKING = 0.1
"""The share of test records with a relative from which on a warning is due."""


@dataclass(frozen=True)
class Relatives:
    """How many records of test resemble some of train.

    Parameters
    ----------
    records
        Test records in a cluster with a training record: linked to it directly, or by way of other records.
    of
        Number of test records.
    how
        How clusters were made, and from which identity on.
    """

    records: int
    of: int
    how: str

    @property
    def striking(self) -> bool:
        """Whether test says much about relatives of train."""
        return self.records >= STRIKING * self.of

    def line(self) -> str:
        """A sentence for the log."""
        return (
            f"{self.records:,} of {self.of:,} test records resemble a training record, by {self.how}; "
            "to evaluate on others: --set split.rule=cluster"
        )

    def as_dict(self) -> dict[str, Any]:
        """The numbers, and how they were found."""
        return asdict(self)


def relatives(examples: Examples, names: tuple[str, ...]) -> Relatives | None:
    """Count the test records that resemble a training record.

    Parameters
    ----------
    examples
        Records of one sequence each.
    names
        Of the symbols, in order of their ids.

    Returns
    -------
    Relatives or None
        None for pairs and spans, and where there are more than `MOST` symbols.
    """
    if examples.symbols_b is not None or len(examples.symbols.values) > MOST:
        return None
    texts = _texts(examples.symbols, names)
    distinct = sorted(set(texts))
    number = {text: place for place, text in enumerate(distinct)}
    clusters, how = kmer_clusters(distinct, IDENTITY)
    own = clusters[[number[text] for text in texts]]
    test = examples.indices("test")
    known = np.isin(own[test], own[examples.indices("train")])
    return Relatives(int(known.sum()), len(test), how)


def _texts(sequences: Ragged, names: tuple[str, ...]) -> list[str]:
    between = "" if all(len(name) == 1 for name in names) else " "
    return [between.join(names[symbol] for symbol in symbols) for symbols in sequences]
