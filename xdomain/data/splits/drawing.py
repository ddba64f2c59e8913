"""Draw records, or whole groups of them, for the splits; and round shares to whole records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise, permutations

import numpy as np
from numpy.typing import NDArray

from xdomain.core.errors import DataError

Indices = NDArray[np.int64]
Names = NDArray[np.str_]

DRAWS = 200  # attempts to draw groups so that every class is in train


def draw(
    names: Names,
    pool: Indices,
    shares: Mapping[str, float],
    classes: Names | None,
    groups: Indices | None,
    rng: np.random.Generator,
) -> None:
    """Move some records from train to other splits; changes `names` in place.

    Parameters
    ----------
    names
        Shape (n,): the split of each record.
    pool
        The numbers of the records to draw from.
    shares
        By split, the share of `pool` that it gets, above 0.
    classes
        Shape (n,): every split gets its share of every class, as nearly as whole records allow, and train at least one
        record of each. None: the records are all alike.
    groups
        Shape (n,): the number of each record's group. Whole groups are drawn, so that shares are approximate; `classes`
        are only kept in train. None: records are drawn one by one.
    rng
        The source of random numbers.

    Raises
    ------
    DataError
        There are fewer groups than splits.
    """
    if not shares:
        return
    if groups is not None:
        _draw_groups(names, pool, shares, classes, groups, rng)
        return
    kinds = classes[pool] if classes is not None else np.zeros(len(pool), np.int64)
    members = [rng.permutation(pool[kinds == kind]) for kind in np.unique(kinds)]
    room = len(pool) - len(members)  # one record of every class stays in train
    totals: list[int] = []
    for share in shares.values():
        totals.append(min(max(1, int(share * len(pool) + 0.5)), room))
        room -= totals[-1]
    for member, counts in zip(members, apportion([len(member) for member in members], totals), strict=True):
        for name, part in zip(shares, np.split(member, np.cumsum(counts))[:-1], strict=True):
            names[part] = name


def apportion(sizes: Sequence[int], totals: Sequence[int], *, least: int = 1) -> Indices:
    """Say how many members each class gives to each split, so that every split gets the same share of all classes.

    Parameters
    ----------
    sizes
        Shape (k,): members of each class.
    totals
        Shape (j,), j being 1 or 2: members of each split.
    least
        Members of each class that are given to none, at least: 0 or 1. The others then give in proportion.

    Returns
    -------
    ndarray
        Shape (k, j). Its columns sum to `totals`. No number is 1 or more away from the class's exact share, except
        where `least` makes others give more. Of all such tables it is the nearest to the exact shares; on a tie, the
        first class gives.
    """
    members = np.asarray(sizes, np.int64)
    given = int(sum(totals))
    if not given:
        return np.zeros((len(members), len(totals)), np.int64)
    everything = int(members.sum())
    kept = _in_proportion(members, everything - given, least)
    columns = np.array([everything - given, *totals], np.int64)
    able = np.column_stack([kept, *((members - kept) * total / given for total in totals)])
    return _rounded(np.round(able, 9), members[:, None] * columns / everything, members, columns)[:, 1:]


def _in_proportion(sizes: Indices, total: int, least: int) -> NDArray[np.float64]:
    """Shape (k,): parts of `sizes` in proportion to them, none below `least`, that sum to `total`."""
    parts = np.full(len(sizes), float(least))
    free = np.ones(len(sizes), bool)
    while free.any():
        parts[free] = sizes[free] * (total - least * (~free).sum()) / sizes[free].sum()
        low = free & (parts < least - 1e-9)
        if not low.any():
            break
        parts[low] = least
        free &= ~low
    return parts


def _rounded(able: NDArray[np.float64], wanted: NDArray[np.float64], sizes: Indices, totals: Indices) -> Indices:
    """Round each cell of `able` up or down, so that rows sum to `sizes`, columns to `totals`, and `wanted` is nearest.

    First each row is rounded on its own, by largest remainder. Then single members change columns, those first that
    cost least, until the columns are right: successive shortest paths of a minimum-cost flow, which is why the outcome
    is the nearest of all. That there is one is the theorem of controlled rounding (Cox 1987, JASA 82: 520-524).
    """
    floors = np.floor(able).astype(np.int64)
    remainders = np.where(able > floors, wanted - floors, -10.0)  # what is whole already stays as it is
    lacking = sizes - floors.sum(axis=1)
    ranks = np.argsort(np.argsort(-remainders.round(9), axis=1, kind="stable"), axis=1)
    raised = ranks < lacking[:, None]
    while ((floors + raised).sum(axis=0) != totals).any():
        surplus = (floors + raised).sum(axis=0) - totals
        for row, source, target in _cheapest_moves(raised, remainders, surplus):
            raised[row, [source, target]] = False, True
    return floors + raised


def _cheapest_moves(
    raised: NDArray[np.bool_], remainders: NDArray[np.float64], surplus: Indices
) -> list[tuple[int, int, int]]:
    """The moves (row, source, target) that bring one member from a column with a surplus to one that lacks some."""
    columns = range(len(surplus))
    costs: dict[tuple[int, int], tuple[float, int]] = {}
    for source, target in permutations(columns, 2):
        able = raised[:, source] & ~raised[:, target]
        cost = np.where(able, remainders[:, source] - remainders[:, target], np.inf).round(9)
        costs[source, target] = float(cost.min()), int(cost.argmin())
    paths = [
        path
        for length in (2, 3)
        for path in permutations(columns, length)
        if surplus[path[0]] > 0 and surplus[path[-1]] < 0
    ]
    steps = {path: list(pairwise(path)) for path in paths}
    best = min(paths, key=lambda path: sum(costs[step][0] for step in steps[path]))
    return [(costs[step][1], *step) for step in steps[best]]


def _draw_groups(
    names: Names,
    pool: Indices,
    shares: Mapping[str, float],
    classes: Names | None,
    groups: Indices,
    rng: np.random.Generator,
) -> None:
    """Move whole groups, in random order. A group is taken if that brings a split nearer to its share."""
    present, own, sizes = np.unique(groups[pool], return_inverse=True, return_counts=True)
    if len(present) < len(shares) + 1:
        raise DataError(
            f"{len(present)} group{'s' if len(present) != 1 else ''} for {len(shares) + 1} splits",
            expected="at least one group for each split",
            fix="another --column group=NAME, a higher split.identity with split.rule cluster, or split.rule=random",
        )
    drawn = np.full(len(present), "train", "<U5")
    for _ in range(DRAWS):
        drawn = _one_draw(sizes, shares, rng)
        if classes is None or set(classes[pool][drawn[own] == "train"]) == set(classes[pool]):
            break
    names[pool] = drawn[own]


def _one_draw(sizes: Indices, shares: Mapping[str, float], rng: np.random.Generator) -> Names:
    drawn = np.full(len(sizes), "train", "<U5")
    left = [int(group) for group in rng.permutation(len(sizes))]
    for after, (name, share) in enumerate(shares.items(), 1):
        target, held = share * sizes.sum(), 0
        keep = len(shares) - after + 1  # groups needed for the remaining splits and train
        for group in list(left):
            nearer = abs(held + sizes[group] - target) < abs(held - target)
            if nearer and len(left) > keep:
                drawn[group] = name
                held += int(sizes[group])
                left.remove(group)
        if not held:
            smallest = min(left, key=lambda group: int(sizes[group]))
            drawn[smallest] = name
            left.remove(smallest)
    return drawn
