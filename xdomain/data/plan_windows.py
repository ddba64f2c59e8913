"""Which windows the records of a task need: single sequences, pairs, questions on a passage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from xdomain.core.errors import DataError
from xdomain.core.recipe import Train
from xdomain.core.sequences import Ragged
from xdomain.data.collate import SpecialTokenLayout
from xdomain.data.dataset import Examples
from xdomain.data.windows import Windows, plan_windows


def fit_windows(examples: Examples, layout: SpecialTokenLayout, positions: int, train: Train) -> Windows:
    """The windows of all records.

    A pair stands in one window: it is never cut apart, and `train.too_long` says what happens to one that does not
    fit. A passage is cut in windows, each with the whole question before it.
    """
    limit = min(positions, train.max_length or positions)
    second = examples.symbols_b
    room = layout.room(limit, paired=second is not None)
    if room < 1 + (second is not None):
        raise DataError(f"{limit} positions hold no symbol beside the special tokens", expected="a larger max_length")
    if second is None:
        return _planned(examples.symbols.lengths, room, train, examples.ids)
    if examples.problem == "span":
        return _fit_passages(examples.symbols, second, room, train, examples.ids)
    return _fit_pairs(examples.symbols.lengths, second.lengths, room, train, examples.ids)


def _planned(lengths: NDArray[np.int64], room: int | NDArray[np.int64], train: Train, ids: Sequence[str]) -> Windows:
    return plan_windows(
        lengths,
        room=room,
        overlap=train.window_overlap,
        max_windows=train.max_windows,
        too_long=train.too_long,
        ids=ids,
    )


def _fit_passages(questions: Ragged, passages: Ragged, room: int, train: Train, ids: Sequence[str]) -> Windows:
    """A question takes at most half of a window."""
    asked = questions.lengths
    beyond = np.flatnonzero(asked > room // 2)
    if len(beyond) and train.too_long == "error":
        first = int(beyond[0])
        raise DataError(
            f"the question of record {ids[first]!r} has {asked[first]} symbols, more than half of a window of {room}"
            + (f" ({len(beyond)} questions are too long)" if len(beyond) > 1 else ""),
            expected="questions that leave as much room for the passage",
            mend="--set train.too_long=truncate, or a backbone with more positions",
        )
    kept = np.minimum(asked, room // 2)
    plan = _planned(passages.lengths, room - kept, train, ids)
    return replace(plan, first=kept, truncated=plan.truncated + len(beyond))


def _fit_pairs(a: NDArray[np.int64], b: NDArray[np.int64], room: int, train: Train, ids: Sequence[str]) -> Windows:
    """Each pair in one window; of one that does not fit, the longer half is cut first."""
    beyond = np.flatnonzero(a + b > room)
    if len(beyond) and train.too_long == "error":
        first = int(beyond[0])
        raise DataError(
            f"record {ids[first]!r} is a pair of {a[first]} and {b[first]} symbols, which do not fit in {room}"
            + (f" ({len(beyond)} pairs are too long)" if len(beyond) > 1 else ""),
            expected="pairs that fit the backbone's positions, since halves are not read apart",
            mend="--set train.too_long=truncate",
        )
    kept_a = np.minimum(a, np.maximum(room - b, room - room // 2))
    kept_b = np.minimum(b, room - kept_a)
    zeros = np.zeros_like(a)
    return Windows(np.arange(len(a) + 1), zeros, kept_b, zeros, kept_b, len(beyond), kept_a)
