"""Sequences longer than the backbone's positions, cut into windows that cover every symbol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xdomain.core.errors import DataError
from xdomain.core.sequences import offsets_of


@dataclass(frozen=True)
class Windows:
    """The windows of n sequences, in order; of records of two sequences those of the second.

    Parameters
    ----------
    offsets
        Shape (n + 1,): the windows of sequence i are ``offsets[i]:offsets[i + 1]``.
    start, stop
        Shape (w,): the symbols of a window, counted in its sequence, half-open.
    own_start, own_stop
        Shape (w,): the symbols that are tagged in this window and in no other, half-open: of all windows
        that hold a symbol, the one where it is farthest from an edge.
    truncated
        How many sequences lost symbols at their end.
    first
        Shape (n,), only where a record has two sequences: how many symbols of the first are in each window.
    """

    offsets: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    own_start: NDArray[np.int64]
    own_stop: NDArray[np.int64]
    truncated: int
    first: NDArray[np.int64] | None = None

    def of(self, record: int) -> range:
        """The numbers of the windows of `record`."""
        return range(self.offsets[record], self.offsets[record + 1])

    @property
    def counts(self) -> dict[str, int]:
        """What the cutting did, for the result."""
        several = int((np.diff(self.offsets) > 1).sum())
        return {"windows": len(self.start), "sequences_in_several_windows": several, "truncated": self.truncated}


def plan_windows(
    lengths: NDArray[np.int64],
    *,
    room: int | NDArray[np.int64],
    overlap: int,
    max_windows: int,
    too_long: Literal["error", "truncate"],
    ids: Sequence[str],
) -> Windows:
    """Cut sequences into as few windows as hold them.

    Parameters
    ----------
    lengths
        Shape (n,): symbols of each sequence.
    room
        Symbols a window holds, special tokens not counted; one number, or shape (n,).
    overlap
        Symbols that neighbouring windows share, in [0, room).
    max_windows
        More than this is too long.
    too_long
        Whether a sequence that needs more windows is an error or is truncated.
    ids
        Of each sequence, for messages.

    Raises
    ------
    DataError
        A sequence is too long and `too_long` is "error".
    """
    room = np.broadcast_to(room, lengths.shape)
    if overlap and overlap >= (least := int(room.min(initial=overlap + 1))):
        raise DataError(
            f"windows of {least} symbols cannot overlap by {overlap}",
            expected="train.window_overlap below the room of a window",
        )
    step = room - overlap
    needed = 1 + np.maximum(0, -(-(lengths - room) // step))
    beyond = np.flatnonzero(needed > max_windows)
    if len(beyond) and too_long == "error":
        first = int(beyond[0])
        raise DataError(
            f"record {ids[first]!r} has {lengths[first]} symbols and needs {needed[first]} windows of {room[first]}"
            + (f" ({len(beyond)} records are too long)" if len(beyond) > 1 else ""),
            expected=f"at most {max_windows} windows (train.max_windows)",
            fix=f"--set train.max_windows={needed.max()} or --set train.too_long=truncate",
        )
    count = np.minimum(needed, max_windows)
    kept = np.minimum(lengths, room + (count - 1) * step)
    offsets = offsets_of(count)
    record = np.repeat(np.arange(len(lengths)), count)
    rank = np.arange(offsets[-1]) - offsets[:-1][record]
    start = rank * step[record]
    stop = np.minimum(start + room[record], kept[record])
    own_start = np.where(rank == 0, 0, start + overlap // 2)
    own_stop = np.where(rank == count[record] - 1, stop, start + step[record] + overlap // 2)
    return Windows(offsets, start, stop, own_start, own_stop, len(beyond))


def answer_held(plan: Windows, window: int, answer: NDArray[np.int64]) -> Literal["whole", "part", "none"]:
    """How much of `answer`, as symbols [start, end) of its passage, window number `window` of `plan` holds."""
    if plan.start[window] <= answer[0] and answer[1] <= plan.stop[window]:
        return "whole"
    return "part" if plan.start[window] < answer[1] and answer[0] < plan.stop[window] else "none"


def training_windows(plan: Windows, record: int, answer: NDArray[np.int64], rng: np.random.Generator) -> list[int]:
    """Draw the windows to train on this time: one that holds the answer and one that does not.

    Over the epochs all windows are seen, and a step costs the same for passages of any length. A window that holds
    only part of the answer is neither. It is used only if there is no other, and its loss is not counted. Of a question
    without an answer, one window is drawn.

    Parameters
    ----------
    plan
        The windows of all records.
    record
        Number of the record.
    answer
        Shape (2,): the answer in symbols of the passage, half-open; -1 twice where there is none.
    rng
        Draws one window of each kind.
    """
    held: dict[str, list[int]] = {"whole": [], "part": [], "none": []}
    for window in plan.of(record):
        held[answer_held(plan, window, answer)].append(window)
    drawn = [int(rng.choice(held[kind])) for kind in ("whole", "none") if held[kind]]
    return drawn or held["part"][:1]


def cut_answers(plan: Windows, answers: NDArray[np.int64]) -> dict[str, int]:
    """Count the answers that no window holds whole, and the windows that hold part of an answer, for the result.

    Parameters
    ----------
    plan
        The windows of n records.
    answers
        Shape (n, 2): in symbols of the passage, half-open; -1 twice where there is none.
    """
    there = np.flatnonzero(answers[:, 1] > 0)
    held = [[answer_held(plan, window, answers[r]) for window in plan.of(r)] for r in there.tolist()]
    return {
        "answers_in_no_window": sum("whole" not in windows for windows in held),
        "windows_with_part_of_an_answer": sum(windows.count("part") for windows in held),
    }
