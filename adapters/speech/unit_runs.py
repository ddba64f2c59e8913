"""Read units and the frames that each lasts from text in bulk, without a Python loop over units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xdomain.core.errors import DataError
from xdomain.core.sequences import Payload, joined

BLANK, COLON, DIGIT, OTHER = range(4)
MAX_DIGITS = 9
EXPECTED = "units as numbers with blanks between, each alone or with its frames behind a colon: 71:3 12 0:14"


@dataclass(frozen=True)
class Runs:
    """The units of n records and how many frames each lasts.

    Parameters
    ----------
    units, lengths
        Shape (total,), int64: the units of all records, one after another, and the frames of each.
    offsets
        Shape (n + 1,): record i is ``units[offsets[i]:offsets[i + 1]]``.
    """

    units: NDArray[np.int64]
    lengths: NDArray[np.int64]
    offsets: NDArray[np.int64]

    def merged(self) -> Runs:
        """The same with equal neighbours of a record merged into one."""
        first = np.ones(len(self.units), bool)
        first[1:] = self.units[1:] != self.units[:-1]
        starts = self.offsets[:-1]
        first[starts[starts < len(first)]] = True
        places = np.flatnonzero(first)
        lengths = np.add.reduceat(self.lengths, places) if len(places) else self.lengths
        return Runs(self.units[places], lengths, np.searchsorted(places, self.offsets))

    def frames(self) -> Runs:
        """The same with each frame as a unit of its own."""
        ends = np.concatenate(([0], np.cumsum(self.lengths)))
        units = np.repeat(self.units, self.lengths)
        return Runs(units, np.ones(len(units), np.int64), ends[self.offsets])


def parse_runs(payloads: Sequence[Payload] | pa.Array) -> Runs:
    """Read the records `payloads`, such as ``71:3 12 0:14``.

    Raises
    ------
    DataError
        Something is not a unit; the message names the record and the character, both counted from 1.
    """
    text, offsets = joined(payloads)
    kinds = _kinds()[text]
    # a blank before each record and after the last, so that no number reaches from one record into the next
    places = np.arange(len(text)) + np.repeat(np.arange(1, len(offsets)), np.diff(offsets))
    line = np.full(len(text) + len(offsets), BLANK, np.uint8)
    line[places] = kinds
    digits = np.flatnonzero(line == DIGIT)
    starts = digits[line[digits - 1] != DIGIT]
    number = np.searchsorted(starts, digits, side="right") - 1
    width = np.bincount(number, minlength=len(starts))
    is_run = line[starts - 1] == COLON
    ends = starts + width
    colons = np.flatnonzero(line == COLON)
    stray = colons[(line[colons - 1] != DIGIT) | (line[np.minimum(colons + 1, len(line) - 1)] != DIGIT)]
    twice = ends[is_run & (line[ends] == COLON)]
    wrong = np.concatenate([np.flatnonzero(line == OTHER), stray, twice, starts[width > MAX_DIGITS]])
    if not len(wrong):
        digit = text[np.searchsorted(places, digits)].astype(np.int64) - ord("0")
        power = width[number] - 1 - (digits - starts[number])
        values = np.bincount(number, digit * 10.0**power, minlength=len(starts)).astype(np.int64)
        wrong = starts[is_run & (values == 0)]
        if not len(wrong):
            lengths = np.ones(int((~is_run).sum()), np.int64)
            lengths[np.cumsum(~is_run)[is_run] - 1] = values[is_run]
            return Runs(values[~is_run], lengths, np.searchsorted(starts[~is_run], offsets + np.arange(len(offsets))))
    raise _refusal(text, offsets, int(np.searchsorted(places, wrong.min())))


def _kinds() -> NDArray[np.uint8]:
    """Shape (256,): the kind of each byte."""
    table = np.full(256, OTHER, np.uint8)
    table[list(b" \t\r\n")] = BLANK
    table[ord(":")] = COLON
    table[list(b"0123456789")] = DIGIT
    return table


def _refusal(text: NDArray[np.uint8], offsets: NDArray[np.int64], place: int) -> DataError:
    record = int(np.searchsorted(offsets, place, side="right"))
    start, end = int(offsets[record - 1]), int(offsets[record])
    shown = text[max(start, place - 8) : min(end, place + 12)].tobytes().decode(errors="replace")
    return DataError(f"record {record}: no unit at character {place - start + 1}, in {shown!r}", expected=EXPECTED)
