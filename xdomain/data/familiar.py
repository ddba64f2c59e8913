"""What the training data was like, in little: to tell records that are unlike it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from xdomain.core.errors import DataError
from xdomain.core.restore import reading
from xdomain.core.sequences import Alphabet, Ragged
from xdomain.data.dataset import Examples

MAX_CODES = 1 << 21
"""K-mers that are told apart, at one bit each; larger alphabets get shorter ones."""
MAX_K = 6
ANY = {"nt": "N", "aa": "X"}
"""IUPAC's letters for an unknown symbol, by the unit of the alphabet."""
USUAL = (0.005, 0.995)
"""Quantiles between which a record is usual."""
AT_ONCE = 1 << 20  # symbols whose k-mers are looked up at once


def kmer_codes(symbols: Ragged, k: int, alphabet_size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the runs of `k` symbols in each of n sequences.

    Parameters
    ----------
    symbols
        n sequences of ids below `alphabet_size`.
    k
        Symbols of a run, 1 or more; a shorter sequence has none.
    alphabet_size
        How many symbols the alphabet has.

    Returns
    -------
    tuple
        For each run the number of its sequence, and the number that its ids spell, the first digit the highest.
    """
    offsets, lengths = symbols.offsets, symbols.lengths
    counts = np.maximum(lengths - k + 1, 0)
    record = np.repeat(np.arange(len(symbols)), counts)
    firsts = np.concatenate(([0], np.cumsum(counts)))[:-1]
    start = offsets[:-1][record] + np.arange(len(record)) - firsts[record]
    code = np.zeros(len(start), np.int64)
    for i in range(k):
        code = code * alphabet_size + symbols.values[start + i]
    return record, code


@dataclass(frozen=True)
class Familiar:
    """A summary of training records. Of pairs, both sequences count together.

    Parameters
    ----------
    k
        Symbols of a k-mer.
    alphabet_size
        How many symbols the alphabet has.
    unknown
        The symbol for unknown input, or for any nucleotide or amino acid; None if there is none.
    shortest, longest
        Between which lengths, in symbols, 99 % of the training records lie.
    most_unknown
        The share of unknown symbols that 99.5 % of the training records do not exceed.
    most_unseen
        The share of k-mers that training lacks, which 99.5 % of the validation records do not exceed.
    seen
        Shape (alphabet_size^k,), bool: the k-mers of the training records.
    median
        The median length of the training records, in symbols; None in files that lack it.
    """

    k: int
    alphabet_size: int
    unknown: int | None
    shortest: float
    longest: float
    most_unknown: float
    most_unseen: float
    seen: NDArray[np.bool_]
    median: float | None = None

    @classmethod
    def of(cls, examples: Examples, alphabet: Alphabet) -> Familiar:
        """Summarize the training records of `examples`, whose symbols are of `alphabet`."""
        size, k = len(alphabet), 1
        while k < MAX_K and size ** (k + 1) <= MAX_CODES:
            k += 1
        any_one = alphabet.unknown or ANY.get(alphabet.unit)
        unknown = alphabet.id(any_one) if any_one in alphabet.symbols else None
        seen = np.zeros(size**k, bool)
        train = _sides(examples, "train")
        for side in train:
            for part in _parts(side):
                seen[kmer_codes(side.take(part), k, size)[1]] = True
        found = cls(k, size, unknown, 0, 0, 0, 0, seen)
        shares, lengths = found._unknown(train), _lengths(train)
        shortest, longest = np.quantile(lengths, USUAL)
        strange = np.quantile(found._unseen(_sides(examples, "valid")), USUAL[1])
        most = float(np.quantile(shares, USUAL[1]))
        median = float(np.median(lengths))
        return cls(k, size, unknown, float(shortest), float(longest), most, float(strange), seen, median)

    def columns(self, examples: Examples) -> dict[str, pa.Array]:
        """How far each of `examples` is unlike the training records.

        Returns
        -------
        dict
            ``length`` in symbols; ``unknown``, the share of unknown symbols; ``unseen``, the share of k-mers that no
            training record has; and ``unlike``: what of these is beyond what is usual (short, long, unknown, unseen),
            separated by blanks, empty where nothing is.
        """
        sides = _sides(examples)
        lengths, unknown, unseen = _lengths(sides), self._unknown(sides), self._unseen(sides)
        marks = {
            "short": lengths < self.shortest, "long": lengths > self.longest,
            "unknown": unknown > self.most_unknown, "unseen": unseen > self.most_unseen,
        }  # fmt: skip
        unlike = [" ".join(name for name, mark in marks.items() if mark[row]) for row in range(len(examples))]
        return {
            "length": pa.array(lengths), "unknown": pa.array(unknown), "unseen": pa.array(unseen),
            "unlike": pa.array(unlike, pa.string()),
        }  # fmt: skip

    def _unknown(self, sides: list[Ragged]) -> NDArray[np.float64]:
        if self.unknown is None:
            return np.zeros(len(sides[0]))
        count = np.zeros(len(sides[0]))
        for side in sides:
            marked = np.repeat(np.arange(len(side)), side.lengths)[side.values == self.unknown]
            count += np.bincount(marked, minlength=len(side))
        return count / np.maximum(_lengths(sides), 1)

    def _unseen(self, sides: list[Ragged]) -> NDArray[np.float64]:
        strange, count = np.zeros(len(sides[0])), np.zeros(len(sides[0]))
        for side in sides:
            for part in _parts(side):
                record, code = kmer_codes(side.take(part), self.k, self.alphabet_size)
                strange[part] += np.bincount(record[~self.seen[code]], minlength=len(part))
                count[part] += np.bincount(record, minlength=len(part))
        return strange / np.maximum(count, 1)

    def save(self, path: Path) -> None:
        """Write to the safetensors file `path`."""
        facts = {name: value for name, value in vars(self).items() if name != "seen"}
        save_file({"seen": np.packbits(self.seen)}, path, {"facts": json.dumps(facts)})

    @classmethod
    def load(cls, path: Path) -> Familiar:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            There is no file `path`.
        DamagedError
            It is damaged.
        """
        if not path.is_file():
            raise DataError(
                f"{path.parent} has no summary of its training data",
                expected="a run of this version of xdomain",
                fix=f"xdomain run {path.parent / 'recipe.yaml'} --out DIR",
            )
        with reading(path):
            with safe_open(path, "np") as file:
                facts = json.loads(file.metadata()["facts"])
                packed = file.get_tensor("seen")
            size = facts["alphabet_size"] ** facts["k"]
            if len(packed) != -(-size // 8):
                raise ValueError(f"{len(packed)} bytes for {size} k-mers")
            return cls(**facts, seen=np.unpackbits(packed, count=size).astype(bool))


def _sides(examples: Examples, split: str | None = None) -> list[Ragged]:
    """The sequences of a split, or all: of pairs the first ones and the second ones."""
    sides = [side for side in (examples.symbols, examples.symbols_b) if side is not None]
    return sides if split is None else [side.take(examples.indices(split)) for side in sides]


def _lengths(sides: list[Ragged]) -> NDArray[np.int64]:
    return np.sum([side.lengths for side in sides], axis=0)


def _parts(symbols: Ragged) -> Iterator[NDArray[np.int64]]:
    """The numbers of the sequences, in parts of about `AT_ONCE` symbols."""
    part = symbols.offsets[1:] // AT_ONCE
    yield from np.split(np.arange(len(symbols)), np.flatnonzero(np.diff(part)) + 1)
