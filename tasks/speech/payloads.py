"""Speech units as text: ``71:3 12 0:14`` is unit 71 for three frames, 12 for one, 0 for fourteen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from numpy.typing import ArrayLike

from xdomain.data.run_length import merged, written_units
from xdomain.data.targets import ANSWERS


def payload(units: ArrayLike, runs: ArrayLike | None = None) -> str:
    """Write units as text, with equal neighbours merged.

    Parameters
    ----------
    units
        Shape (n,).
    runs
        Shape (n,): the frames of each, at least 1; None: one each. A length of 1 is not written.
    """
    return written_units(*merged(units, runs))


def span_table(rows: Sequence[Mapping[str, object]], said: Sequence[str] = ()) -> pa.Table:
    """Make a table of the problem ``span`` from questions.

    Parameters
    ----------
    rows
        Each with ``id``, ``sequence`` (the question), ``sequence_b`` (the passage), ``answers`` (pairs of start and
        end in seconds or characters) and optionally, all or none, ``split`` and ``group``.
    said
        Sentences about the reading that the user should see; they travel in the table's metadata.
    """
    names = ["id", "sequence", "sequence_b", *(name for name in ("split", "group") if rows and name in rows[0])]
    columns: dict[str, pa.Array] = {name: pa.array([row[name] for row in rows], pa.string()) for name in names}
    spans: list[Any] = [row["answers"] for row in rows]
    columns["answers"] = pa.array(
        [[{"start": float(a), "end": float(b)} for a, b in each] for each in spans],
        ANSWERS,
    )
    return pa.table(columns).replace_schema_metadata({"said": json.dumps(list(said))})
