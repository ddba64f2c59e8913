"""Assign records to train, valid and test. The same seed gives the same splits on any machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xdomain.core.choices import Problem
from xdomain.core.errors import DataError, nearest
from xdomain.core.recipe import SPLITS, Split
from xdomain.data.validate import SPLIT_NAMES

Indices = NDArray[np.int64]
Names = NDArray[np.str_]

DRAWS = 200  # attempts to draw groups so that every class is in train


def assign(table: pa.Table, split: Split, problem: Problem) -> Names:
    """Assign each record to a split.

    Parameters
    ----------
    table
        A validated raw table.
    split
        The rule and its numbers, drawn with ``PCG64(split.seed)``. *random*: the given share of every class for
        classification and pair, as nearly as whole records allow (largest remainder), with at least one record of each
        in train. *group*: whole groups, so shares are approximate. *given*: as in column ``split``; if that has no
        valid or no test, it is drawn from train, by groups if there is a column ``group``. A share of 0 makes no
        such split.
    problem
        For classification and pair, the classes are spread evenly over the splits.

    Returns
    -------
    ndarray
        Shape (n,): "train", "valid" or "test"; "" for a record that is left out.

    Raises
    ------
    DataError
        A column is missing, a split name is unknown, a split has no records, or train lacks a class.
    """
    classes = _classes(table, problem)
    rng = np.random.Generator(np.random.PCG64(split.seed))
    everyone = np.arange(table.num_rows, dtype=np.int64)
    if split.rule == "given":
        names = _given(table)
        shares = {name: share for name, share in _shares(split).items() if name not in names}
        groups = _groups(table) if "group" in table.column_names else None
        _draw(names, np.flatnonzero(names == "train"), shares, classes, groups, rng)
    else:
        shares = _shares(split)
        names = np.full(table.num_rows, "train", "<U5")
        _draw(names, everyone, shares, classes, _groups(table) if split.rule == "group" else None, rng)
    _limit(names, split.limit, classes, rng)
    _check(names, split, classes)
    return names


def _shares(split: Split) -> dict[str, float]:
    if split.valid + split.test >= 1:
        raise DataError(
            f"split.valid {split.valid:g} and split.test {split.test:g} leave nothing to train on",
            expected="shares whose sum is below 1",
            fix="--set split.valid=0.1 --set split.test=0.1",
        )
    return {name: share for name, share in (("test", split.test), ("valid", split.valid)) if share > 0}


def _classes(table: pa.Table, problem: Problem) -> NDArray[np.str_] | None:
    stratified = problem in ("classification", "pair") and "label" in table.column_names
    return np.asarray(table.column("label").to_pylist(), np.str_) if stratified else None


def _groups(table: pa.Table) -> Indices:
    """Shape (n,): the number of each record's group."""
    if "group" not in table.column_names:
        raise DataError(
            "split.rule is group, but the data has no column 'group'",
            expected="a column that names what must stay together, as a family or a piece",
            fix="--column group=NAME (columns.group in a recipe), or --set split.rule=random",
        )
    return np.unique(np.asarray(table.column("group").to_pylist(), np.str_), return_inverse=True)[1].astype(np.int64)


def _given(table: pa.Table) -> Names:
    if "split" not in table.column_names:
        raise DataError(
            "split.rule is given, but the data does not say which record is in which split",
            expected="files named train, valid and test, or a column 'split'",
            fix="--column split=NAME (columns.split in a recipe), or --set split.rule=random",
        )
    cells: list[str] = [(name or "").strip().lower() for name in table.column("split").to_pylist()]
    strange = next((name for name in cells if name not in SPLIT_NAMES), None)
    if strange is not None:
        raise DataError(
            f"row {cells.index(strange) + 1}: unknown split {strange!r}",
            expected=f"one of {', '.join(SPLITS)}, or nothing to leave the record out",
            nearest=nearest(strange, SPLIT_NAMES),
        )
    return np.asarray([SPLIT_NAMES[name] for name in cells], "<U5")


def _draw(
    names: Names,
    pool: Indices,
    shares: Mapping[str, float],
    classes: NDArray[np.str_] | None,
    groups: Indices | None,
    rng: np.random.Generator,
) -> None:
    """Move `shares` of the records `pool` from train to other splits; changes `names` in place."""
    if not shares:
        return
    if groups is not None:
        _draw_groups(names, pool, shares, classes, groups, rng)
        return
    kinds = classes[pool] if classes is not None else np.zeros(len(pool), np.int64)
    members = [rng.permutation(pool[kinds == kind]) for kind in np.unique(kinds)]
    wanted = {name: _rounded(share * len(pool)) for name, share in shares.items()}
    # one record of every class stays in train, so that no class is tested that was never seen
    room = np.array([len(member) - 1 for member in members])
    for name, count in wanted.items():
        quotas = np.array([shares[name] * len(member) for member in members])
        for kind, take in enumerate(_largest_remainder(quotas, count, room)):
            names[members[kind][:take]] = name
            members[kind] = members[kind][take:]
            room[kind] -= take


def _rounded(number: float) -> int:
    """Round half up, to at least one."""
    return max(1, int(number + 0.5))


def _largest_remainder(quotas: NDArray[np.float64], total: int, room: NDArray[np.int64]) -> list[int]:
    """Round `quotas` to whole numbers, none above its `room`, whose sum is `total` if there is enough room.

    Largest-remainder (Hamilton) apportionment; on a tie the first remainder wins.
    """
    taken = np.minimum(np.floor(quotas + 1e-9).astype(np.int64), np.maximum(room, 0))
    while taken.sum() < total and (taken < room).any():
        lacking = np.where(taken < room, quotas - taken, -np.inf)
        taken[int(np.argmax(lacking))] += 1
    while taken.sum() > total:
        taken[int(np.argmax(np.where(taken > 0, taken - quotas, -np.inf)))] -= 1
    return [int(take) for take in taken]


def _draw_groups(
    names: Names,
    pool: Indices,
    shares: Mapping[str, float],
    classes: NDArray[np.str_] | None,
    groups: Indices,
    rng: np.random.Generator,
) -> None:
    """Move whole groups, in random order. A group is taken if that brings a split nearer to its share."""
    present, own, sizes = np.unique(groups[pool], return_inverse=True, return_counts=True)
    if len(present) < len(shares) + 1:
        raise DataError(
            f"{len(present)} group{'s' if len(present) != 1 else ''} for {len(shares) + 1} splits",
            expected="at least one group for each split",
            fix="--set split.rule=random, or another --column group=NAME",
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


def _limit(
    names: Names, limit: Mapping[str, float], classes: NDArray[np.str_] | None, rng: np.random.Generator
) -> None:
    """Keep at most `limit` records of a split, or that share of them if below 1; changes `names` in place.

    Classes keep their shares, and at least one record each if `limit` allows.
    """
    for name in limit:
        if name not in SPLITS:
            raise DataError(
                f"split.limit names {name!r}", expected=f"one of {', '.join(SPLITS)}", nearest=nearest(name, SPLITS)
            )
        if limit[name] <= 0:
            raise DataError(f"split.limit.{name} is {limit[name]}", expected="records from 1, or a share below 1")
    for name in SPLITS:
        members = np.flatnonzero(names == name)
        most = limit.get(name, len(members))
        most = max(1, round(most * len(members))) if most < 1 else int(most)
        if len(members) <= most:
            continue
        kinds = classes[members] if classes is not None else np.zeros(len(members), np.int64)
        parts = [rng.permutation(members[kinds == kind]) for kind in np.unique(kinds)]
        sizes = np.array([len(part) for part in parts])
        base = int(most >= len(parts))
        quotas = np.maximum(sizes * most / len(members) - base, 0)
        takes = _largest_remainder(quotas, most - base * len(parts), sizes - base)
        for part, take in zip(parts, takes, strict=True):
            names[part[take + base :]] = ""


def _check(names: Names, split: Split, classes: NDArray[np.str_] | None) -> None:
    wanted: Sequence[str] = ["train", *reversed(_shares(split))]
    empty = [name for name in wanted if name not in names]
    if empty:
        records = f"{(names != '').sum()} record{'s' if (names != '').sum() != 1 else ''}"
        few = int((names != "").sum()) < len(wanted)
        raise DataError(
            f"too few records: {records} for {len(wanted)} splits" if few else f"no record is in {' or '.join(empty)}",
            expected="at least one record in each of train, valid and test",
            fix="add records, or change split.valid and split.test" + ("" if few else "; see split.rule"),
        )
    if classes is None:
        return
    absent = sorted(set(classes[names != ""]) - set(classes[names == "train"]))
    if absent:
        kind = str(absent[0])
        others = sorted({str(name) for name in names[(classes == kind) & (names != "")]})
        more = f", and {len(absent) - 1} more classes are neither" if len(absent) > 1 else ""
        raise DataError(
            f"class {kind!r} is in {' and '.join(others)} but not in train{more}",
            expected="every class in train",
            fix="--set split.rule=random, another split.seed, or leave those records out",
        )
