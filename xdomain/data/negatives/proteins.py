"""Other proteins, each of a length as near as possible to a given one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from xdomain.core.errors import DataError


def nearest_lengths(
    lengths: Sequence[int], candidates: Mapping[str, str], rng: np.random.Generator, *, where: str
) -> Iterator[tuple[int, str]]:
    """Choose for each length a sequence of nearly that length, each once.

    Parameters
    ----------
    lengths
        That are wanted.
    candidates
        Sequences by id, all different.
    rng
        Draws the order in which lengths choose, and which of several sequences of one length is taken.
    where
        The name of their file, for the message.

    Yields
    ------
    tuple
        The place in `lengths`, in the order drawn, and the id of a sequence: of those that are left the one whose
        length is nearest, of two as near the shorter.

    Raises
    ------
    DataError
        There are fewer sequences than lengths.
    """
    if len(candidates) < len(lengths):
        raise DataError(
            f"{where} has {len(candidates):,} proteins besides those of the data, for {len(lengths):,} records",
            expected="as many, or more",
        )
    names = list(candidates)
    by_length: dict[int, list[str]] = {}
    for place in rng.permutation(len(names)).tolist():
        by_length.setdefault(len(candidates[names[place]]), []).append(names[place])
    there = sorted(by_length)
    for place in rng.permutation(len(lengths)).tolist():
        right = bisect_left(there, lengths[place])
        near = [there[i] for i in (right - 1, right) if 0 <= i < len(there)]
        best = min(near, key=lambda length: (abs(length - lengths[place]), length))
        yield place, by_length[best].pop()
        if not by_length[best]:
            there.remove(best)
