"""Compare units with labels (phones, words, recordings): read label tables, and compute purity and PNMI."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xdomain.core.errors import DataError, nearest
from xdomain.core.sequences import Ids
from xdomain.data.formats.tables import raw_table

from .encode import Utterance

Counts = Counter[tuple[int, str | None]]
"""Frames by unit and label; the label is None for frames without one."""


@dataclass(frozen=True)
class LabelSegment:
    """A `label` of the seconds from `start` to `end`, half-open."""

    start: float
    end: float
    label: str


def read_labels(path: Path, ids: Sequence[str]) -> dict[str, list[LabelSegment]]:
    """Read the labels of each file, by its id, from a CSV or TSV file.

    Parameters
    ----------
    path
        A table with the columns id and label, and optionally start and end in seconds; without these a label holds for
        the whole file.
    ids
        The ids of the files that the labels are for.

    Raises
    ------
    DataError
        The table cannot be read, lacks a column, has a start below 0 or an end not after it, or has none of `ids`.
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
    """Count the frames of one file by unit and label.

    Parameters
    ----------
    one
        The units of the file.
    stretches
        The labels of all files by id, as `read_labels` returns them. A frame has the label in which its middle lies, of
        several the last.
    """
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
    """The share of frames with a label and how well units predict it (see `Agreement`), from `counts` of all files."""
    labelled = {pair: frames for pair, frames in counts.items() if pair[1] is not None}
    units, labels = np.array([unit for unit, _ in labelled]), np.array([label for _, label in labelled])
    result = agreement(units, labels, np.array(list(labelled.values())))
    return {
        "share of frames labelled": round(sum(labelled.values()) / max(1, counts.total()), 4),
        "purity": round(result.purity, 4),
        "cluster purity": round(result.cluster_purity, 4),
        "PNMI": round(result.pnmi, 4),
        "purity by chance": round(result.chance, 4),
    }


@dataclass(frozen=True, eq=False)
class Usage:
    """How often the units of a codebook occur; the usages of two parts add up to that of the whole.

    Parameters
    ----------
    counts
        Shape (k,), int64: frames of each unit.
    merged
        Number of units after equal neighbours are merged.
    seconds
        Seconds of audio.
    files
        Number of files.
    """

    counts: NDArray[np.int64]
    merged: int
    seconds: float
    files: int = 1

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.counts + other.counts,
            self.merged + other.merged,
            self.seconds + other.seconds,
            self.files + other.files,
        )

    @property
    def frames(self) -> int:
        """Total number of frames."""
        return int(self.counts.sum())

    @property
    def units_a_second(self) -> float:
        """Merged units a second of audio."""
        return self.merged / self.seconds if self.seconds else float("nan")

    @property
    def frames_a_unit(self) -> float:
        """Mean length of a run, in frames."""
        return self.frames / self.merged if self.merged else float("nan")

    @property
    def perplexity(self) -> float:
        """How many units, used equally often, would be as hard to guess: exp of the entropy of a frame's unit."""
        shares = self.counts[self.counts > 0] / max(1, self.frames)
        return float(np.exp(-(shares * np.log(shares)).sum()))

    @property
    def used(self) -> float:
        """Share of the codebook that occurs at all, in [0, 1]."""
        return float((self.counts > 0).mean())


def usage(units: Ids, runs: Ids, *, size: int, seconds: float) -> Usage:
    """The usage of one file.

    Parameters
    ----------
    units, runs
        Shape (m,) each: merged units and their run lengths.
    size
        Number of units in the codebook.
    seconds
        Seconds of audio in the file.
    """
    counts = np.bincount(units, weights=runs, minlength=size).astype(np.int64)
    return Usage(counts, len(units), seconds)


@dataclass(frozen=True)
class Agreement:
    """How well units agree with labels, as Hsu et al. 2021 (arXiv 2106.07447, §4.4) compare units with phones.

    Parameters
    ----------
    purity
        Share of the frames whose label is the most frequent one of their unit.
    cluster_purity
        Share of the frames whose unit is the most frequent one of their label; falls as the number of units grows.
    pnmi
        Mutual information divided by the entropy of the labels, the PNMI of HuBERT (Hsu et al. 2021): the share of that
        entropy which the units remove, in [0, 1].
    chance
        Share of the most frequent label, which is the purity of a single unit.
    """

    purity: float
    cluster_purity: float
    pnmi: float
    chance: float


def agreement(units: Ids, labels: NDArray[np.generic], weights: Ids | None = None) -> Agreement:
    """Measure how well units predict labels.

    Parameters
    ----------
    units
        Shape (n,): units of frames, or merged units.
    labels
        Shape (n,): labels of any type that can be sorted.
    weights
        Shape (n,): run lengths where the units are merged; None: 1 each.

    Returns
    -------
    Agreement
        All numbers are NaN where n is 0.
    """
    if not len(units):
        return Agreement(*[float("nan")] * 4)
    _, rows = np.unique(units, return_inverse=True)
    _, columns = np.unique(labels, return_inverse=True)
    table = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(table, (rows, columns), 1 if weights is None else weights)
    shares = table / table.sum()
    of_units, of_labels = shares.sum(1), shares.sum(0)
    there = shares > 0
    information = float((shares[there] * np.log(shares[there] / np.outer(of_units, of_labels)[there])).sum())
    entropy = float(-(of_labels[of_labels > 0] * np.log(of_labels[of_labels > 0])).sum())
    return Agreement(
        purity=float(shares.max(1).sum()),
        cluster_purity=float(shares.max(0).sum()),
        pnmi=information / entropy if entropy else float("nan"),
        chance=float(of_labels.max()),
    )
