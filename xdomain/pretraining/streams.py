"""Where pre-training takes its tokens from: pieces of documents, drawn anew for every step."""

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
HELD_OUT, MOST_HELD_OUT, FEW_TOKENS = 0.005, 0.05, 4096


@dataclass(frozen=True)
class Pieces:
    """Runs of tokens, each out of a single document.

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

    A batch is a function of the stream's own seed and of what is asked, so that a run can be resumed at any step.
    """

    @property
    def facts(self) -> Mapping[str, Any]:
        """What decides its pieces, as JSON: a resumed run must find the same; the model card tells it."""
        ...

    def batch(self, step: int, rows: int, length: int) -> Pieces:
        """`rows` pieces of `length` tokens for a step."""
        ...


@dataclass(frozen=True)
class Documents:
    """The stream of a stored corpus: every start inside every document that is long enough, equally often.

    Parameters
    ----------
    values
        Shape (total,): tokens of all documents, one after another; memory-mapped, never copied.
    starts, ends
        Shape (n,), int64: document i is ``values[starts[i]:ends[i]]``.
    seed
        Of the draw.
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
        """Tokens in all."""
        return int((self.ends - self.starts).sum())

    def reached(self, length: int) -> float:
        """The share of the tokens that lie in documents long enough for pieces of `length`, in [0, 1]."""
        lengths = self.ends - self.starts
        return float(lengths[lengths >= length].sum() / max(1, lengths.sum()))

    def batch(self, step: int, rows: int, length: int) -> Pieces:
        """See `Stream`."""
        documents, places = self._room(length)
        ticket = np.random.Generator(np.random.PCG64([self.seed, step])).integers(places[-1], size=rows)
        chosen = np.searchsorted(places, ticket, side="right") - 1
        starts = self.starts[documents[chosen]] + ticket - places[chosen]
        tokens = self.values[starts[:, None] + np.arange(length)].astype(np.int64)
        return Pieces(tokens, documents[chosen])

    def _room(self, length: int) -> Rooms:
        """The documents long enough, and running sums (from 0) of the places where a piece may start."""
        if length not in self._rooms:
            lengths = self.ends - self.starts
            documents = np.flatnonzero(lengths >= length)
            if not len(documents):
                raise DataError(f"no document has {length} tokens", expected="longer documents, or shorter --lengths")
            places = np.concatenate(([0], np.cumsum(lengths[documents] - length + 1)))
            self._rooms[length] = documents, places
        return self._rooms[length]


class Generator(Protocol):
    """What makes sequences up: number i of a length depends on the generator's options and on i alone."""

    def sequences(self, first: int, count: int, *, length: int | None = None) -> Ragged:
        """Sequences ``first`` to ``first + count``, each of `length` symbols; a UserError where none can be."""
        ...


@dataclass(frozen=True)
class Generated:
    """The stream of a generator: fresh sequences at every step, none twice.

    Where the generator has no sequences as short as a piece, as shuffle:64 has none of 14 symbols, pieces are cut one
    after another from sequences of `longest`.

    Parameters
    ----------
    source
        The generator.
    longest
        Symbols of the longest piece.
    rows_before
        How many sequences the steps before a step have.
    shift
        Added to every symbol: the rows of special tokens lie before them.
    first
        Number of the first sequence: validation begins far behind training.
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
        """See `Stream`."""
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
                self.source.sequences(0, 1, length=self.longest)  # raises where this is too short as well
                self._lengths[length] = self.longest
        return self._lengths[length]


def hold_out(
    store: Ragged, positions: int, *, specials: int, seed: int, facts: Mapping[str, Any]
) -> tuple[Documents, Documents, str]:
    """The corpus in two: what is trained on, what validates, and how it was divided, in words.

    The last documents validate, about 0.5 % of the tokens (up to 5 % of a small corpus). Where those would be more
    than 5 %, as when the last book is most of the corpus, the end of the longest document validates instead.
    Both parts hold a document that fills `positions`, of which `specials` are special tokens.

    Raises
    ------
    DataError
        That cannot be done.
    """
    longest = positions - specials
    lengths, total = store.lengths, int(store.offsets[-1])
    wanted = max(HELD_OUT * total, min(MOST_HELD_OUT * total, FEW_TOKENS))
    starts, ends = store.offsets[:-1].copy(), store.offsets[1:].copy()
    enough = np.flatnonzero(lengths >= longest)
    if len(enough):
        by_share = int(np.searchsorted(store.offsets, total - wanted, side="right")) - 1
        first = min(by_share, int(enough[-1]), len(lengths) - 1)
        held = total - int(store.offsets[first])
        whole = int(enough[0]) < first
        book = int(lengths.argmax())
        cut = max(longest, round(wanted))
        if whole and held <= max(MOST_HELD_OUT * total, wanted):
            return _divided(store, starts, ends, first, seed, facts)
        if lengths[book] - cut >= longest or (len(enough) > 1 and lengths[book] >= cut):
            inner = ends.copy()
            inner[book] -= cut
            told = f"the last {cut:,} tokens of document {book + 1} of {len(lengths)}"
            some = slice(book, book + 1)
            train = _part(store, starts, inner, seed, facts, f"all but {told}")
            return train, _part(store, inner[some], ends[some], seed, facts, told), told
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
    told = f"the last {count} of {len(starts)} documents" if count > 1 else f"the last of {len(starts)} documents"
    train = _part(store, starts[:first], ends[:first], seed, facts, f"all but {told}")
    return train, _part(store, starts[first:], ends[first:], seed, facts, told), told


def _part(
    store: Ragged, starts: NDArray[np.int64], ends: NDArray[np.int64], seed: int, facts: Mapping[str, Any], told: str
) -> Documents:
    told_all = {**facts, "part": told, "documents": len(starts), "tokens": int((ends - starts).sum())}
    return Documents(store.values, starts, ends, seed, told_all)
