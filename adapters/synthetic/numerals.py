"""Read texts of decimal integers in bulk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xdomain.core.errors import DataError
from xdomain.core.sequences import Payload, Ragged, joined, offsets_of

SPACES = np.frombuffer(b" \t\r\n\v\f", np.uint8)
ZERO = 48


def read_numerals(payloads: Sequence[Payload] | pa.Array, limit: int) -> Ragged:
    """Read texts of integers with white space between.

    A leading zero or a sign makes another word, as for a tokenizer that looks words up.

    Parameters
    ----------
    payloads
        n texts.
    limit
        Integers from 0 to `limit` - 1 are allowed.

    Raises
    ------
    DataError
        A word is not one of these integers.
    """
    data, offsets = joined(payloads)
    inside = ~np.isin(data, SPACES)
    starts = inside.copy()
    starts[1:] &= ~inside[:-1]
    edges = offsets[:-1][np.diff(offsets) > 0]  # a word ends with its record
    starts[edges] = inside[edges]
    begins = np.flatnonzero(starts)
    words = np.cumsum(starts) - 1  # the word that each byte belongs to
    sizes = np.bincount(words[inside], minlength=len(begins)) if len(begins) else np.empty(0, np.int64)
    values = np.zeros(len(begins), np.int64)
    wrong = (sizes > len(str(limit - 1))) | ((sizes > 1) & (data[begins] == ZERO))
    for place in range(int(sizes[~wrong].max()) if (~wrong).any() else 0):
        here = np.flatnonzero((sizes > place) & ~wrong)
        digits = data[begins[here] + place].astype(np.int64) - ZERO
        wrong[here] |= (digits < 0) | (digits > 9)
        values[here] = values[here] * 10 + digits
    wrong |= values >= limit
    ends = np.searchsorted(begins, offsets)
    if wrong.any():
        raise _refusal(data, begins, sizes, ends, int(np.argmax(wrong)), limit)
    return Ragged(values.astype(np.uint16 if limit <= 2**16 else np.uint32), offsets_of(np.diff(ends)))


def _refusal(
    data: NDArray[np.uint8], begins: NDArray[np.int64], sizes: NDArray[np.int64], ends: NDArray[np.int64],
    word: int, limit: int,
) -> DataError:  # fmt: skip
    record = int(np.searchsorted(ends, word, side="right")) - 1
    text = bytes(data[begins[word] : begins[word] + sizes[word]]).decode(errors="backslashreplace")
    shown = text if len(text) <= 24 else text[:24] + "…"
    plain = text.isascii() and text.isdigit()
    return DataError(
        f"record {record + 1}: {shown!r} at position {word - ends[record] + 1} is not in the alphabet",
        expected=f"integers from 0 to {limit - 1:,}, in plain decimal, separated by spaces",
        nearest=str(int(text)) if plain and len(text) < 20 and int(text) < limit else None,
        fix=f"--set adapter.options.symbols={int(text) + 1}" if plain and limit <= int(text[:20]) < 2**32 - 1 else None,
    )
