"""Sequences longer than the backbone's positions, cut into windows that cover every symbol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xdomain.data.sequences import offsets_of
from xdomain.errors import DataError


@dataclass(frozen=True)
class Windows:
    """The windows of n sequences, in order.

    Parameters
    ----------
    offsets
        Shape (n + 1,): the windows of sequence i are ``offsets[i]:offsets[i + 1]``.
    start, stop
        Shape (w,): the symbols of a window, counted in its sequence, half-open.
    own_start, own_stop
        Shape (w,): the symbols that are tagged in this window and in no other, half-open: of all windows
        that hold a symbol, the one where it lies farthest from an edge.
    truncated
        How many sequences lost symbols at their end.
    """

    offsets: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    own_start: NDArray[np.int64]
    own_stop: NDArray[np.int64]
    truncated: int

    @property
    def counts(self) -> dict[str, int]:
        """What the cutting did, for the result."""
        several = int((np.diff(self.offsets) > 1).sum())
        return {"windows": len(self.start), "sequences_in_several_windows": several, "truncated": self.truncated}


def plan_windows(
    lengths: NDArray[np.int64],
    *,
    room: int,
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
        Symbols a window holds, special tokens not counted.
    overlap
        Symbols that neighbouring windows share, in [0, room).
    max_windows
        More than this is too long.

    Raises
    ------
    DataError
        A sequence is too long and `too_long` is "error".
    """
    if not 0 <= overlap < room:
        raise DataError(
            f"windows of {room} symbols cannot overlap by {overlap}",
            expected="train.window_overlap below the room of a window",
        )
    step = room - overlap
    needed = 1 + np.maximum(0, -(-(lengths - room) // step))
    beyond = np.flatnonzero(needed > max_windows)
    if len(beyond) and too_long == "error":
        first = int(beyond[0])
        raise DataError(
            f"record {ids[first]!r} has {lengths[first]} symbols and needs {needed[first]} windows of {room}"
            + (f" ({len(beyond)} records are too long)" if len(beyond) > 1 else ""),
            expected=f"at most {max_windows} windows (train.max_windows)",
            mend=f"--set train.max_windows={needed.max()} or --set train.too_long=truncate",
        )
    count = np.minimum(needed, max_windows)
    kept = np.minimum(lengths, room + (count - 1) * step)
    offsets = offsets_of(count)
    record = np.repeat(np.arange(len(lengths)), count)
    rank = np.arange(offsets[-1]) - offsets[:-1][record]
    start = rank * step
    stop = np.minimum(start + room, kept[record])
    own_start = np.where(rank == 0, 0, start + overlap // 2)
    own_stop = np.where(rank == count[record] - 1, stop, start + step + overlap // 2)
    return Windows(offsets, start, stop, own_start, own_stop, len(beyond))
