"""Speech units as text: ``71:3 12 0:14`` is unit 71 for three frames, 12 for one, 0 for fourteen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]

ANSWERS = pa.list_(pa.struct([("start", pa.float64()), ("end", pa.float64())]))
"""The references of a question, half-open, in the passage's own coordinate: seconds or characters."""


def merged(units: ArrayLike, runs: ArrayLike | None = None) -> tuple[Ints, Ints]:
    """Equal neighbours as one.

    Parameters
    ----------
    units
        Shape (n,).
    runs
        Shape (n,): frames each of them lasts, at least 1; None: one frame each.

    Returns
    -------
    Units of which no two neighbours are equal, and the frames each lasts.
    """
    given = np.asarray(units, np.int64)
    frames = np.ones(len(given), np.int64) if runs is None else np.asarray(runs, np.int64)
    if not len(given):
        return given, frames
    starts = np.flatnonzero(np.diff(given, prepend=given[0] - 1))
    return given[starts], np.add.reduceat(frames, starts)


def payload(units: ArrayLike, runs: ArrayLike | None = None) -> str:
    """Units as text, equal neighbours merged; a run of one frame is not written."""
    found, frames = merged(units, runs)
    pairs = zip(found.tolist(), frames.tolist(), strict=True)
    return " ".join(f"{unit}:{run}" if run > 1 else f"{unit}" for unit, run in pairs)


def span_table(rows: Sequence[Mapping[str, object]], said: Sequence[str] = ()) -> pa.Table:
    """Questions as the problem `span` wants them; `said` is what a person is told about the reading.

    The rows hold ``id, sequence`` (the question), ``sequence_b`` (the passage), ``answers`` (pairs of start and end)
    and, where they like, ``split`` and ``group``.
    """
    names = ["id", "sequence", "sequence_b", *(name for name in ("split", "group") if rows and name in rows[0])]
    columns: dict[str, pa.Array] = {name: pa.array([row[name] for row in rows], pa.string()) for name in names}
    spans: list[Any] = [row["answers"] for row in rows]
    columns["answers"] = pa.array(
        [[{"start": float(a), "end": float(b)} for a, b in each] for each in spans],
        ANSWERS,
    )
    return pa.table(columns).replace_schema_metadata({"said": json.dumps(list(said))})
