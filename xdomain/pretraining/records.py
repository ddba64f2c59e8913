"""The stream of records of a domain: joined in random order, some of them held out, at lengths that fit them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xdomain.core.errors import DataError
from xdomain.core.sequences import Ragged, narrow, offsets_of
from xdomain.pretraining.config import SHORTEST, Pretraining
from xdomain.pretraining.streams import FEW_TOKENS, HELD_OUT, MAX_HELD_OUT, Documents

ORDER = 2
"""Part of the seed of the order of records, which sets it apart from other draws."""
FITTING = 0.9
"""Share of the records that the longest sequence has room for, where lengths follow the records."""


def joined(symbols: Ragged, rows: NDArray[np.integer[Any]], separator: int, seed: int) -> Ragged:
    """Write records one after another, in random order, with a separator after each.

    So short records fill a long sequence, and every symbol is reached at any length. Liu et al. 2019 (arXiv 1907.11692,
    §4.2, "full-sentences") join documents like this, with a separator between.

    Parameters
    ----------
    symbols
        The records.
    rows
        Shape (alphabet,): the row of each symbol in the vocabulary.
    separator
        The row of [SEP].
    seed
        Of the order, 0 or more.

    Returns
    -------
    Ragged
        As many sequences as records: the rows of one record and its separator each.
    """
    order = np.random.Generator(np.random.PCG64([seed, ORDER])).permutation(len(symbols))
    taken = symbols.take(order)
    values = np.insert(np.asarray(rows, np.int64)[taken.values], taken.offsets[1:], separator)
    return Ragged(narrow(values), offsets_of(taken.lengths + 1), symbols.counts)


def hold_out_records(
    store: Ragged, positions: int, *, specials: int, seed: int, facts: Mapping[str, Any]
) -> tuple[Documents, Documents]:
    """Divide joined records into those to train on and those to validate on.

    The last ones are held out, about 0.5 % of the symbols (up to 5 % of a small set): as their order is random, so is
    the choice. Where the last record alone is far more than that, as with a genome, its end is held out instead.

    Parameters
    ----------
    store
        From `joined`.
    positions
        Of the longest sequence, special tokens included.
    specials
        How many of `positions` are special tokens.
    seed
        Of the pieces that are drawn from either part, 0 or more.
    facts
        See `xdomain.pretraining.streams.Stream`. Each part adds its own size.

    Raises
    ------
    DataError
        There are too few symbols to fill the longest sequence in both parts.
    """
    longest, total = positions - specials, int(store.offsets[-1])
    wanted = max(longest + 1, round(max(HELD_OUT * total, min(MAX_HELD_OUT * total, FEW_TOKENS))))
    first = int(np.searchsorted(store.offsets, total - wanted, side="right")) - 1
    cut = int(store.offsets[max(first, 0)])
    records, held, learned = len(store), len(store) - first, first
    part = f"{held:,} of {records:,} records, drawn at random"
    if not first or total - cut > max(2 * wanted, MAX_HELD_OUT * total):  # most of it is one record
        cut, learned = max(0, total - wanted), first + 1
        part = f"the last {wanted:,} symbols" + (f" of {records:,} records in random order" if records > 1 else "")
    if cut - 1 < longest:
        most = (total - 2) // 2 + specials
        raise DataError(
            f"{total - records:,} symbols in {records:,} records do not fill one sequence of {positions} positions to "
            "train on and one to validate on",
            expected="more records, or shorter --lengths",
            fix=f"--lengths up to {most}" if most >= SHORTEST else None,
        )

    def documents(start: int, end: int, name: str, many: int) -> Documents:
        own = {**facts, "part": name, "documents": many, "tokens": end - start}
        return Documents(store.values, np.array([start]), np.array([end]), seed, own)

    return documents(0, cut - 1, f"all but {part}", learned), documents(cut, total - 1, part, held)


def fitted(options: Pretraining, lengths: NDArray[np.int64]) -> Pretraining:
    """Leave out the stages of `options` that are longer than nine of ten records need.

    Parameters
    ----------
    options
        Its lengths; those that stay keep their shares, relative to each other.
    lengths
        Shape (n,): symbols of each record.
    """
    needed = float(np.quantile(lengths, FITTING, method="inverted_cdf")) + options.special_tokens
    enough = next((place for place, length in enumerate(options.lengths) if length >= needed), len(options.lengths))
    return replace(options, lengths=options.lengths[: enough + 1], shares=options.shares[: enough + 1])
