"""What is said when, from a table: phones, words or whole recordings, to hold units against."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xdomain.core.errors import DataError, nearest
from xdomain.data.tables import raw_table

from .encode import Utterance
from .measures import agreement

Counts = Counter[tuple[int, str | None]]
"""Frames of each unit under each label, None where there is none."""


@dataclass(frozen=True)
class LabelSegment:
    """A label of the seconds from `start` to `end`, half-open."""

    start: float
    end: float
    label: str


def read_labels(path: Path, ids: Sequence[str]) -> dict[str, list[LabelSegment]]:
    """The stretches of each file, by its id, from a CSV or TSV file; without start and end a label holds throughout.

    Parameters
    ----------
    ids
        Of the files that the labels are for.

    Raises
    ------
    DataError
        The file cannot be read, lacks a column, has a stretch that does not end after it starts, or none of `ids`.
    """
    table = raw_table(path)
    cells = {name.lower(): table[name].to_pylist() for name in table.column_names}
    if not {"id", "label"} <= set(cells) or ("start" in cells) != ("end" in cells):
        raise DataError(
            f"{path} has the columns {', '.join(table.column_names)}",
            expected="id and label, and start and end in seconds where a label holds for a part of the file",
        )
    starts, ends = (cells.get(name, [usual] * table.num_rows) for name, usual in (("start", "0"), ("end", "inf")))
    stretches: dict[str, list[LabelSegment]] = {}
    for row, (name, label, start, end) in enumerate(zip(cells["id"], cells["label"], starts, ends, strict=True), 1):
        one = LabelSegment(_seconds(start), _seconds(end), label)
        if not 0 <= one.start < one.end:
            raise DataError(
                f"{path}, record {row} ({name}): from {start} to {end} seconds",
                expected="a start of 0 or more, and an end after it",
            )
        stretches.setdefault(name, []).append(one)
    if not stretches.keys() & set(ids):
        raise DataError(
            f"{path} has none of the {len(ids):,} files that are encoded",
            expected=f"their ids, such as {ids[0]}",
            nearest=nearest(ids[0], stretches),
        )
    return stretches


def _seconds(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan


def count_labels(one: Utterance, stretches: Mapping[str, Sequence[LabelSegment]]) -> Counts:
    """Of one file; a frame has the label in which its middle lies, where several do that of the last."""
    units = np.repeat(one.units, one.runs)
    middles = (np.arange(len(units)) + 0.5) / one.rate
    there = stretches.get(one.id, ())
    place = np.zeros(len(units), np.int64)
    for i, stretch in enumerate(there, 1):
        place[slice(*np.searchsorted(middles, (stretch.start, stretch.end)))] = i
    names = [None, *(stretch.label for stretch in there)]
    pairs, frames = np.unique(np.stack([units, place]), axis=1, return_counts=True)
    counts: Counts = Counter()
    for unit, i, n in zip(*pairs.tolist(), frames.tolist(), strict=True):
        counts[unit, names[i]] += n
    return counts


def labels_told(counts: Counts) -> dict[str, float]:
    """How many frames have a label, and how well units tell it: see `Agreement`."""
    labelled = {pair: frames for pair, frames in counts.items() if pair[1] is not None}
    units, labels = np.array([unit for unit, _ in labelled]), np.array([label for _, label in labelled])
    found = agreement(units, labels, np.array(list(labelled.values())))
    return {
        "share of frames labelled": round(sum(labelled.values()) / max(1, counts.total()), 4),
        "purity": round(found.purity, 4),
        "cluster purity": round(found.cluster_purity, 4),
        "PNMI": round(found.pnmi, 4),
        "purity by chance": round(found.chance, 4),
    }
