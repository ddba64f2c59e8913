"""Assign records to train, valid and test. The same seed gives the same splits on any machine.

What each rule is for: docs/splits.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xdomain.core.choices import Problem
from xdomain.core.errors import DataError, nearest
from xdomain.core.progress import log
from xdomain.core.recipe import SPLITS
from xdomain.core.recipe_sections import Split
from xdomain.data.label_sets import held_by, label_names
from xdomain.data.splits.drawing import Indices, Names, apportion, draw
from xdomain.data.splits.entities import draw_entities
from xdomain.data.splits.folds import folds_of
from xdomain.data.splits.label_sets import spread
from xdomain.data.validate import split_names

FEW = 5
"""The number of groups in test from which on no warning is due: intervals over fewer are much too narrow."""
ADVICE = {
    "group": "; --column fold=NAME, the column of groups, tests each of them once",
    "cluster": "; a higher split.identity makes more clusters",
}


def assign(table: pa.Table, split: Split, problem: Problem) -> Names:
    """Assign each record to a split.

    Parameters
    ----------
    table
        A validated raw table.
    split
        The rule and its numbers, drawn with ``PCG64(split.seed)``. A share of 0 makes no such split.

        *random*: the given share of every class for classification and pair, as nearly as whole records allow, with at
        least one record of each in train; for multilabel about the given share of every label. *group*: whole groups of
        the column ``group``, so shares are approximate. *cluster*: likewise, where
        `xdomain.data.splits.clusters.clustered` made the groups. *entity*: pairs whose members are new. *given*: as in
        column ``split``; if that has no valid or no test, it is drawn from train. *fold*: one fold is test, and valid
        is drawn from the rest. *given* and *fold* draw whole groups where there is a column ``group``.
    problem
        For classification and pair the classes, for multilabel the labels are spread evenly over the splits.

    Returns
    -------
    ndarray
        Shape (n,): "train", "valid" or "test"; "" for a record that is left out.

    Raises
    ------
    DataError
        A column is missing, a split name is unknown, a split has no records, or train lacks a class.
    """
    classes, held = _classes(table, problem), _label_sets(table, problem)
    shares = _shares(split)
    rng = np.random.Generator(np.random.PCG64(split.seed))
    names = np.full(table.num_rows, "train", "<U5")
    grouped = split.rule in ("group", "cluster") or "group" in table.column_names
    groups = _groups(table) if grouped else None
    if split.rule == "entity":
        names = draw_entities(table, shares, split.sides, classes, rng)
    else:
        if split.rule == "given":
            names = _given(table)
            shares = {name: share for name, share in shares.items() if name not in names}
        elif split.rule == "fold":
            names[folds_of(table, split, classes, groups, rng, held) == (split.fold or 0)] = "test"
        elif split.rule == "random":
            groups = None
        pool = np.flatnonzero(names == "train")
        if held is not None and groups is None and shares:
            parts = ("train", *shares)
            names[pool] = np.array(parts)[spread(held[pool], [1 - sum(shares.values()), *shares.values()], rng)]
        else:
            draw(names, pool, shares, classes, groups, rng)
    _limit(names, split.limit, classes, held, rng)
    if split.fraction < 1:  # last, so that valid and test are those of any other fraction
        _limit(names, {"train": split.fraction}, classes, held, rng)
    _check(names, split, classes)
    if groups is not None:
        _warn_of_few(groups[names == "test"], split)
    if held is not None:
        _warn_of_absent(names, held, label_names(table))
    return names


def _shares(split: Split) -> dict[str, float]:
    """By split, the share to draw, test first; a fold that is test is not drawn."""
    drawn = {"test": split.test if split.rule != "fold" else 0.0, "valid": split.valid}
    if sum(drawn.values()) >= 1:
        raise DataError(
            f"split.valid {split.valid:g} and split.test {split.test:g} leave nothing to train on",
            expected="shares whose sum is below 1",
            fix="--set split.valid=0.1 --set split.test=0.1",
        )
    return {name: share for name, share in drawn.items() if share > 0}


def _classes(table: pa.Table, problem: Problem) -> Names | None:
    stratified = problem in ("classification", "pair") and "label" in table.column_names
    return np.asarray(table.column("label").to_pylist(), np.str_) if stratified else None


def _label_sets(table: pa.Table, problem: Problem) -> NDArray[np.bool_] | None:
    """Shape (n, k): the labels of each record, for multilabel; None for other problems, or without labels."""
    there = problem == "multilabel" and "label" in table.column_names
    return held_by(table.column("label"), label_names(table)) if there else None


def _warn_of_absent(names: Names, held: NDArray[np.bool_], labels: Sequence[str]) -> None:
    absent = np.flatnonzero(held[names != ""].any(axis=0) & ~held[names == "train"].any(axis=0))
    if len(absent):
        shown = ", ".join(repr(labels[label]) for label in absent[:5]) + (" …" if absent[5:].size else "")
        log.warning(f"{len(absent)} of {len(labels)} labels are in no training record, and cannot be learned: {shown}")


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
    return np.asarray(
        split_names(table, [str(row + 1) for row in range(table.num_rows)], "the data").to_pylist(), "<U5"
    )


def _limit(
    names: Names,
    limit: Mapping[str, float],
    classes: Names | None,
    held: NDArray[np.bool_] | None,
    rng: np.random.Generator,
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
        if held is not None:
            share = most / len(members)
            kept = rng.permutation(members[spread(held[members], [share, 1 - share], rng) == 0])
            names[np.setdiff1d(members, kept[:most])] = ""
            continue
        kinds = classes[members] if classes is not None else np.zeros(len(members), np.int64)
        parts = [rng.permutation(members[kinds == kind]) for kind in np.unique(kinds)]
        excess = apportion([len(part) for part in parts], [len(members) - most], least=int(most >= len(parts)))
        for part, (count,) in zip(parts, excess, strict=True):
            names[part[len(part) - count :]] = ""


def _warn_of_few(tested: Indices, split: Split) -> None:
    """Say so where test has so few of the groups that its interval tells little."""
    number = len(np.unique(tested))
    if number < FEW:
        what = ("cluster" if split.rule == "cluster" else "group") + "s" * (number > 1)
        log.warning(
            f"test has records of {number} {what} only: how a model does on others can hardly be told"
            + ADVICE.get(split.rule, "")
        )


def _check(names: Names, split: Split, classes: Names | None) -> None:
    drawn = _shares(split) | ({"test": 1.0} if split.rule == "fold" else {})
    wanted: Sequence[str] = [name for name in SPLITS if name == "train" or name in drawn]
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
