"""The ids of records that were read before, to keep those of a file that is read in pieces distinct."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xdomain.core.errors import DataError
from xdomain.data.rows import short


class SeenIds:
    """Ids in the order in which they came, 16 bytes each: a digest of 64 bits, and the row."""

    def __init__(self) -> None:
        self._digests: NDArray[np.int64] = np.empty(0, np.int64)  # sorted
        self._rows: NDArray[np.int64] = np.empty(0, np.int64)

    def checked(self, ids: Sequence[str], first: int, where: str) -> None:
        """Add the ids of further rows, which no earlier row may have.

        Parameters
        ----------
        ids
            Of each row.
        first
            How many rows were before them.
        where
            Name of the file in the message.

        Raises
        ------
        DataError
            Two rows have the same id.
        """
        digests = _digests(ids)
        places, there = self._places(digests)
        rows: dict[str, int] = {}
        for row, own in enumerate(ids, first):
            earlier = rows.setdefault(own, row)
            if there[row - first]:
                earlier = int(self._rows[places[row - first]])
            if earlier != row:
                raise DataError(
                    f"{where}: rows {earlier + 1} and {row + 1} have the same id {short(own)!r}",
                    expected="different ids",
                    fix="make the ids unique, or leave the id column out: rows are then numbered",
                )
        self._add(digests, np.arange(first, first + len(ids)))

    def numbered(self, ids: Sequence[str], first: int) -> list[str]:
        """Add ids of which some may have come before: these get a number, ``A:2``.

        Parameters
        ----------
        ids
            Of each row.
        first
            How many rows were before them.
        """
        digests = _digests(ids)
        low = np.searchsorted(self._digests, digests)
        earlier = np.searchsorted(self._digests, digests, side="right") - low
        here: dict[str, int] = {}
        taken = set(ids)
        distinct: list[str] = []
        for own, before in zip(ids, earlier.tolist(), strict=True):
            number = max(here.get(own, 0), before) + 1
            while number > 1 and (f"{own}:{number}" in taken or self._places(_digests([f"{own}:{number}"]))[1][0]):
                number += 1
            here[own] = number
            distinct.append(own if number == 1 else f"{own}:{number}")
        new = _digests([name for name, own in zip(distinct, ids, strict=True) if name != own])
        self._add(np.concatenate([digests, new]), np.arange(first, first + len(ids) + len(new)))
        return distinct

    def _places(self, digests: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Where each digest would stand, and whether it stands there."""
        places = np.searchsorted(self._digests, digests)
        there = places < len(self._digests)
        there[there] = self._digests[places[there]] == digests[there]
        return places, there

    def _add(self, digests: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
        order = np.argsort(digests, kind="stable")
        places: Any = np.searchsorted(self._digests, digests[order], side="right")
        self._digests = np.insert(self._digests, places, digests[order])
        self._rows = np.insert(self._rows, places, rows[order])


def _digests(ids: Sequence[str]) -> NDArray[np.int64]:
    return np.fromiter(map(hash, ids), np.int64, len(ids))
