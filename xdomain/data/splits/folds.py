"""The folds of a cross-validation: as a column says, or drawn."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xdomain.core.errors import DataError
from xdomain.core.progress import log
from xdomain.core.recipe_sections import Split
from xdomain.data.splits.drawing import Indices, Names
from xdomain.data.splits.label_sets import spread


def folds_of(
    table: pa.Table,
    split: Split,
    classes: Names | None,
    groups: Indices | None,
    rng: np.random.Generator,
    held: NDArray[np.bool_] | None = None,
) -> Indices:
    """Give each record the number of its fold.

    Parameters
    ----------
    table
        A validated raw table.
    split
        ``folds`` are drawn; None: they are in the column ``fold``, whose values are taken in natural order (9 before
        10). ``fold`` must be one of them; None is the first.
    classes
        Shape (n,): drawn folds have the same share of every class. None: the records are all alike.
    groups
        Shape (n,): the number of each record's group; drawn folds part none. None: records come in no groups.
    rng
        The source of random numbers.
    held
        Shape (n, k), the labels of each record: drawn folds have about the same share of each. None: see `classes`. Not
        regarded where there are groups.

    Returns
    -------
    ndarray
        Shape (n,): fold numbers from 0.

    Raises
    ------
    DataError
        There is no column of folds and no number of them, there are too few records, or no such fold.
    """
    names, folds = _named(table, split, classes, groups, rng, held)
    fold = split.fold or 0
    if fold >= len(names):
        raise DataError(
            f"split.fold is {fold}, but there are {len(names)} folds",
            expected=f"a number from 0 to {len(names) - 1}",
            fix=f"--set split.fold={len(names) - 1}",
        )
    given = "of the column" if split.folds is None else f"drawn with seed {split.seed}"
    log.info(f"split.rule fold: {names[fold]} is test; the folds {given} are {', '.join(names)}")
    if groups is not None and (parted := _parted(folds, groups)):
        log.warning(f"{parted:,} of {len(np.unique(groups)):,} groups are in several of the given folds")
    return folds


def fold_names(table: pa.Table, split: Split) -> list[str]:
    """The folds of a validated raw `table` in their order: the values of its column, or as many as `split` draws."""
    return [str(fold) for fold in range(split.folds)] if split.folds else _given(table)[1]


def _named(
    table: pa.Table,
    split: Split,
    classes: Names | None,
    groups: Indices | None,
    rng: np.random.Generator,
    held: NDArray[np.bool_] | None,
) -> tuple[list[str], Indices]:
    if split.folds is None:
        folds, names = _given(table)
        return names, folds
    if held is not None and groups is None and table.num_rows >= split.folds:
        return fold_names(table, split), spread(held, [1 / split.folds] * split.folds, rng)
    return fold_names(table, split), _drawn(split.folds, table.num_rows, classes, groups, rng)


def _given(table: pa.Table) -> tuple[Indices, list[str]]:
    if "fold" not in table.column_names:
        raise DataError(
            "split.rule is fold, but the data has no column 'fold'",
            expected="a column of folds, or a number of folds to draw",
            fix="--column fold=NAME (columns.fold in a recipe), or --set split.folds=5",
        )
    cells: list[str] = [str(cell) for cell in table.column("fold").to_pylist()]
    names = sorted(
        set(cells), key=lambda name: [(int(part), "") if part.isdigit() else (-1, part) for part in _parts(name)]
    )
    if len(names) < 2 or len(names) > len(cells) // 2:
        raise DataError(
            f"the column of folds has {len(names):,} different value{'s' if len(names) > 1 else ''} "
            f"in {len(cells):,} records",
            expected="at least two folds, of two records or more on average",
            fix="--column fold=NAME names another column; --set split.folds=5 draws folds",
        )
    number = {name: i for i, name in enumerate(names)}
    return np.array([number[cell] for cell in cells], np.int64), names


def _parts(name: str) -> list[str]:
    return re.findall(r"[0-9]+|[^0-9]+", name)


def _parted(folds: Indices, groups: Indices) -> int:
    """How many groups are in several folds."""
    both = np.unique(np.column_stack([groups, folds]), axis=0)
    return int((np.unique(both[:, 0], return_counts=True)[1] > 1).sum())


def _drawn(
    folds: int, records: int, classes: Names | None, groups: Indices | None, rng: np.random.Generator
) -> Indices:
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold  # slow to import

    units, kind = (records, "records") if groups is None else (len(np.unique(groups)), "groups")
    if units < folds:
        raise DataError(f"{units} {kind} for {folds} folds", expected=f"at least one of the {kind} for each fold")
    kinds = np.zeros(records, np.int64) if classes is None else np.unique(classes, return_inverse=True)[1]
    most = int(np.bincount(kinds).max())
    if most < folds:
        raise DataError(
            f"{folds} folds, but no class has more than {most} records",
            expected="as many records of a class as there are folds",
            fix=f"--set split.folds={max(2, most)}",
        )
    engine = (StratifiedKFold if groups is None else StratifiedGroupKFold)(
        folds, shuffle=True, random_state=int(rng.integers(2**32))
    )
    found = np.zeros(records, np.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")  # it is in as many folds as it has records
        for number, (_, test) in enumerate(engine.split(kinds, kinds, groups)):
            found[test] = number
    return found
