"""The sources of tokens for pre-training: pieces of documents, drawn anew for every step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xdomain.core.errors import DataError, UserError
from xdomain.core.sequences import Ids, Ragged
from xdomain.pretraining.config import SHORTEST

Rooms = tuple[NDArray[np.int64], NDArray[np.int64]]
HELD_OUT, MAX_HELD_OUT, FEW_TOKENS = 0.005, 0.05, 4096


@dataclass(frozen=True)
class Pieces:
    """Pieces of equal length, each from a single document.

    Parameters
    ----------
    tokens
        Shape (rows, length), int64: rows of the vocabulary, special tokens left out.
    documents
        Shape (rows,), int64: equal numbers come from the same document.
    """

    tokens: NDArray[np.int64]
    documents: NDArray[np.int64]


class Stream(Protocol):
    """A source of pieces: a stored corpus, or a generator of made-up sequences.

    A batch depends on the stream's own seed and on the arguments of `batch` alone, so a run can be resumed at any step.
    """

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the pieces depend on, as JSON: the same for a resumed run, and written into the model card."""
        ...

    def batch(self, step: int, rows: int, length: int) -> Pieces:
        """The pieces of training step `step`: `rows` of them, each of `length` tokens, special tokens not counted."""
        ...


@dataclass(frozen=True)
class Documents:
    """The stream of a stored corpus: a piece may start anywhere it fits into a document, each place being as likely.

    Parameters
    ----------
    values
        Shape (total,): tokens of all documents, one after another; memory-mapped, never copied.
    starts, ends
        Shape (n,), int64: document i is ``values[starts[i]:ends[i]]``.
    seed
        Decides, with the step, which pieces are drawn; 0 or more.
    facts
        See `Stream`.
    """

    values: Ids
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    seed: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    _rooms: dict[int, Rooms] = field(default_factory=dict[int, Rooms], init=False, repr=False)

    @property
    def tokens(self) -> int:
        """How many tokens the documents have together."""
        return int((self.ends - self.starts).sum())

    def reached(self, length: int) -> float:
        """The share of the tokens, in [0, 1], that are in documents long enough for pieces of `length` tokens."""
        lengths = self.ends - self.starts
        return float(lengths[lengths >= length].sum() / max(1, lengths.sum()))

    def batch(self, step: int, rows: int, length: int) -> Pieces:
        """See `Stream.batch`, which describes `step`, `rows` and `length`."""
        documents, places = self._room(length)
        ticket = np.random.Generator(np.random.PCG64([self.seed, step])).integers(places[-1], size=rows)
        chosen = np.searchsorted(places, ticket, side="right") - 1
        starts = self.starts[documents[chosen]] + ticket - places[chosen]
        tokens = self.values[starts[:, None] + np.arange(length)].astype(np.int64)
        return Pieces(tokens, documents[chosen])

    def _room(self, length: int) -> Rooms:
        """The documents that are long enough, and running sums, from 0, of the places where a piece may start."""
        if length not in self._rooms:
            lengths = self.ends - self.starts
            documents = np.flatnonzero(lengths >= length)
            if not len(documents):
                raise DataError(f"no document has {length} tokens", expected="longer documents, or shorter --lengths")
            places = np.concatenate(([0], np.cumsum(lengths[documents] - length + 1)))
            self._rooms[length] = documents, places
        return self._rooms[length]


class Generator(Protocol):
    """Makes sequences up: number i of some length depends on that length, the generator's options and i alone."""

    def sequences(self, first: int, count: int, *, length: int | None = None) -> Ragged:
        """Make `count` sequences, from number `first` on, each of `length` symbols (None: of the usual lengths).

        Raises
        ------
        UserError
            There are no sequences of that length.
        """
        ...


@dataclass(frozen=True)
class Generated:
    """The stream of a generator: new sequences at every step, none of them twice.

    Some generators have no sequences as short as a piece (shuffle:64 has none of 14 symbols). Then pieces are cut, one
    after another, from sequences of `longest` symbols.

    Parameters
    ----------
    source
        The generator.
    longest
        Symbols of the longest piece.
    rows_before
        A function of a step: how many sequences all steps before it have.
    shift
        Added to every symbol, as the rows of special tokens come first.
    first
        Number of the first sequence; that of validation is far beyond those of training.
    facts
        See `Stream`.
    """

    source: Generator
    longest: int
    rows_before: Callable[[int], int]
    shift: int = 0
    first: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    _lengths: dict[int, int] = field(default_factory=dict[int, int], init=False, repr=False)

    def batch(self, step: int, rows: int, length: int) -> Pieces:
        """See `Stream.batch`, which describes `step`, `rows` and `length`."""
        whole = self._whole(length)
        each = whole // length
        first = self.first + self.rows_before(step)
        made = self.source.sequences(first, -(-rows // each), length=whole)
        starts = (made.offsets[:-1, None] + np.arange(each) * length).ravel()[:rows]
        documents = np.repeat(first + np.arange(len(made)), each)[:rows]
        return Pieces(made.values[starts[:, None] + np.arange(length)].astype(np.int64) + self.shift, documents)

    def _whole(self, length: int) -> int:
        """The length of the sequences that pieces of `length` are cut from."""
        if length not in self._lengths:
            try:
                self.source.sequences(0, 1, length=length)
                self._lengths[length] = length
            except UserError:
                self.source.sequences(0, 1, length=self.longest)  # raises an error if this is too short as well
                self._lengths[length] = self.longest
        return self._lengths[length]


def hold_out(
    store: Ragged, positions: int, *, specials: int, seed: int, facts: Mapping[str, Any]
) -> tuple[Documents, Documents, str]:
    """Divide a corpus into one part to train on and one to validate on.

    The last documents are held out, about 0.5 % of the tokens (up to 5 % of a small corpus). Where those would be more
    than 5 %, as when the last book is most of the corpus, the end of the longest document is held out instead. Each
    part has a document that fills the longest sequence.

    Parameters
    ----------
    store
        The tokens of each document.
    positions
        Of the longest sequence, special tokens included.
    specials
        How many of `positions` are special tokens.
    seed
        Of the pieces that are drawn from either part, 0 or more.
    facts
        What the documents depend on, as JSON: see `Stream`. Each part adds its own size.

    Returns
    -------
    tuple
        The part to train on, the part that is held out, and in words what is held out.

    Raises
    ------
    DataError
        No document is long enough, or just one that cannot be divided.
    """
    longest = positions - specials
    lengths, total = store.lengths, int(store.offsets[-1])
    wanted = max(HELD_OUT * total, min(MAX_HELD_OUT * total, FEW_TOKENS))
    starts, ends = store.offsets[:-1].copy(), store.offsets[1:].copy()
    enough = np.flatnonzero(lengths >= longest)
    if len(enough):
        by_share = int(np.searchsorted(store.offsets, total - wanted, side="right")) - 1
        first = min(by_share, int(enough[-1]), len(lengths) - 1)
        held = total - int(store.offsets[first])
        whole = int(enough[0]) < first
        book = int(lengths.argmax())
        cut = max(longest, round(wanted))
        if whole and held <= max(MAX_HELD_OUT * total, wanted):
            return _divided(store, starts, ends, first, seed, facts)
        if lengths[book] - cut >= longest or (len(enough) > 1 and lengths[book] >= cut):
            inner = ends.copy()
            inner[book] -= cut
            part = f"the last {cut:,} tokens of document {book + 1} of {len(lengths)}"
            some = slice(book, book + 1)
            train = _part(store, starts, inner, seed, facts, f"all but {part}")
            return train, _part(store, inner[some], ends[some], seed, facts, part), part
        if whole:
            return _divided(store, starts, ends, first, seed, facts)
    most = int(lengths.max(initial=0))
    raise DataError(
        f"{positions} positions need a document of {longest} tokens to train on and one to validate on; "
        f"the longest document has {most} tokens",
        expected="longer documents (a form feed, not a line, ends one), or shorter --lengths",
        fix=f"--lengths up to {most // 2 + specials}" if most // 2 + specials >= SHORTEST else None,
    )


def _divided(
    store: Ragged, starts: NDArray[np.int64], ends: NDArray[np.int64], first: int, seed: int, facts: Mapping[str, Any]
) -> tuple[Documents, Documents, str]:
    count = len(starts) - first
    part = f"the last {count} of {len(starts)} documents" if count > 1 else f"the last of {len(starts)} documents"
    train = _part(store, starts[:first], ends[:first], seed, facts, f"all but {part}")
    return train, _part(store, starts[first:], ends[first:], seed, facts, part), part


def _part(
    store: Ragged, starts: NDArray[np.int64], ends: NDArray[np.int64], seed: int, facts: Mapping[str, Any], part: str
) -> Documents:
    own_facts = {**facts, "part": part, "documents": len(starts), "tokens": int((ends - starts).sum())}
    return Documents(store.values, starts, ends, seed, own_facts)
