"""Parts of records with several labels, so that each part gets its share of every label and of their combinations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def spread(held: NDArray[np.bool_], shares: Sequence[float], rng: np.random.Generator) -> NDArray[np.int64]:
    """Assign each record to a part by iterative stratification.

    First by whole sets of labels: of each set, every part gets as many records as its share holds without a remainder.
    The rest is given out label by label, the rarest first, each record to the part that lacks most records of the label
    (Sechidis et al. 2011, doi:10.1007/978-3-642-23808-6_10).

    Parameters
    ----------
    held
        Shape (n, k): the labels of each record.
    shares
        The share of each part; they sum to 1.
    rng
        The source of random numbers.

    Returns
    -------
    ndarray
        Shape (n,): the part of each record, an index into `shares`. Sizes are near to n times the shares, and so are
        the counts of each label.
    """
    part = np.full(len(held), -1, np.int64)
    wanted = np.asarray(shares)
    records = len(held) * wanted
    labels = held.sum(axis=0)[:, None] * wanted  # (k, parts): how many records of each label a part still lacks

    def give(chosen: NDArray[np.int64], to: int) -> None:
        part[chosen] = to
        records[to] -= len(chosen)
        labels[:, to] -= held[chosen].sum(axis=0)

    _, kinds = np.unique(held, axis=0, return_inverse=True)
    for kind in range(int(kinds.max(initial=-1)) + 1):
        members = rng.permutation(np.flatnonzero(kinds.reshape(-1) == kind))
        counts = np.floor(len(members) * wanted + 1e-9).astype(np.int64)
        for to, chosen in enumerate(np.split(members, np.cumsum(counts))[:-1]):
            give(chosen, to)
    while (left := np.flatnonzero(part < 0)).size:
        open_labels = held[left].sum(axis=0)
        if not open_labels.any():  # records without labels
            for record in rng.permutation(left):
                give(np.array([record]), int(records.argmax()))
            break
        rarest = int(np.where(open_labels > 0, open_labels, len(held) + 1).argmin())
        for record in rng.permutation(left[held[left, rarest]]):
            lacking = labels[rarest]
            ties = np.flatnonzero(lacking >= lacking.max() - 1e-9)
            give(np.array([record]), int(ties[records[ties].argmax()]))
    return part
