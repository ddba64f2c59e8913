"""Split pairs so that their members are new in test: pairs of train tell nothing about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pyarrow as pa

from xdomain.core.errors import DataError
from xdomain.core.progress import log
from xdomain.data.splits.drawing import Indices, Names, draw
from xdomain.data.splits.members import joined, members_of

DRAWS = 20  # draws of members, of which the one whose shares of pairs come nearest is taken


def draw_entities(
    table: pa.Table,
    shares: Mapping[str, float],
    sides: Literal["both", "one"],
    classes: Names | None,
    rng: np.random.Generator,
) -> Names:
    """Draw members of pairs for the splits, and give each pair the split of its members.

    A member is a distinct sequence, in upper case, whichever side of a pair it is on.

    Parameters
    ----------
    table
        A validated raw table of pairs.
    shares
        By split, test before valid: the share of pairs that it gets, of those that are not left out; approximate.
    sides
        *both*: no member of a pair of valid or test is in a pair of another split; pairs whose members are in two
        splits are left out. Where the pairs fall into parts without common members, and none is larger than train shall
        be, whole parts are drawn, and no pair is left out. *one*: a pair of test has a member that is in no pair of
        train or valid, a pair of valid one that is in no pair of train.
    classes
        Shape (n,): train gets at least one pair of each, if some draw does that.
    rng
        The source of random numbers.

    Returns
    -------
    ndarray
        Shape (n,): the split of each pair; "" if it is left out.

    Raises
    ------
    DataError
        The records are no pairs.
    """
    if "sequence_b" not in table.column_names:
        raise DataError(
            "split.rule is entity, but the records are single sequences",
            expected="pairs: a second column of sequences",
            fix="--column sequence_b=NAME, or --set split.rule=cluster",
        )
    texts, members = members_of(table)
    pairs = len(members)
    parts = joined(members, len(texts))[members[:, 0]]
    whole = np.bincount(parts).max() <= (1 - sum(shares.values())) * pairs and len(np.unique(parts)) > len(shares)
    if sides == "both" and whole:
        names = np.full(pairs, "train", "<U5")
        draw(names, np.arange(pairs, dtype=np.int64), shares, classes, parts, rng)
        log.info(f"split.rule entity: {pairs:,} pairs fall into {len(np.unique(parts)):,} parts without common members")
        return names
    names = _nearest(members, len(texts), shares, sides, classes, rng)
    log.info(f"split.rule entity: {len(texts):,} members of {pairs:,} pairs; in test, {_new(sides)}")
    if out := int((names == "").sum()):
        log.warning(
            f"{out:,} of {pairs:,} pairs are left out, as their members are in two splits; "
            "--set split.sides=one leaves none out"
        )
    return names


def _new(sides: str) -> str:
    return "both members are new" if sides == "both" else "one member or both are new"


def _nearest(
    members: Indices,
    number: int,
    shares: Mapping[str, float],
    sides: str,
    classes: Names | None,
    rng: np.random.Generator,
) -> Names:
    """The pairs' splits under that draw of members whose shares of pairs come nearest to `shares`."""
    drawn = _shares_of_members(shares, sides)
    kinds = np.zeros(number, np.int64)  # 1: on the first side, 2: on the second, 3: on both
    for side in (0, 1):
        kinds[members[:, side]] |= side + 1
    best, error = np.empty(0, "<U5"), np.inf
    for _ in range(DRAWS):
        of_members = np.full(number, "train", "<U5")
        draw(of_members, np.arange(number, dtype=np.int64), drawn, kinds.astype(np.str_), None, rng)
        names = _of_pairs(of_members[members], sides)
        kept = max(1, int((names != "").sum()))
        miss = max((abs((names == name).sum() / kept - share) for name, share in shares.items()), default=0.0)
        miss += sum(name not in names for name in ("train", *shares))
        if classes is not None:
            miss += len(set(classes[names != ""]) - set(classes[names == "train"]))
        if miss < error:
            best, error = names, miss
    return best


def _shares_of_members(shares: Mapping[str, float], sides: str) -> dict[str, float]:
    """The shares of members that give pairs of random members their `shares`.

    *both*: a pair is in a split if both members are, so that members go by the square roots of shares. *one*: a pair is
    in train if both members are in train; in test if one is in test; in valid otherwise.
    """
    if sides == "both":
        roots = {name: share**0.5 for name, share in shares.items()}
        whole = sum(roots.values()) + (1 - sum(shares.values())) ** 0.5
        return {name: root / whole for name, root in roots.items()}
    drawn: dict[str, float] = {}
    left = 1.0
    for name, share in shares.items():
        drawn[name] = left**0.5 - (left - share) ** 0.5
        left -= share
    return drawn


def _of_pairs(splits: Names, sides: str) -> Names:
    """The splits of pairs from `splits`, shape (n, 2), those of their members."""
    if sides == "both":
        return np.where(splits[:, 0] == splits[:, 1], splits[:, 0], "")
    test, valid = ((splits == name).any(axis=1) for name in ("test", "valid"))
    return np.where(test, "test", np.where(valid, "valid", "train"))
