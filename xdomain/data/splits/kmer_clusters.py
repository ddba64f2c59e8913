"""Cluster sequences by the k-mers that they share, in time that grows almost linearly with their number.

The share c of k-mers that two sequences have in common tells how alike they are: where symbols change independently, a
k-mer stays whole with probability identity^k, so identity is about c^(1/k). This is the estimate behind the Mash
distance (Ondov et al. 2016, Genome Biology 17: 132, eq. 4), whose c, 2j / (1 + j) of the Jaccard index j, is the
share among equally many k-mers. Of unequal sequences, we take the share among the k-mers of the shorter, so that a
fragment is as near to its whole as it can be.

Not all pairs are compared. As in Linclust (Steinegger & Söding 2018, Nature Communications 9: 2542), sequences that
have a k-mer in common are paired with one of them; here also with the next. Pairs above the threshold are linked, and
clusters are what hangs together by links (single linkage).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from xdomain.data.splits.drawing import Indices
from xdomain.data.splits.members import joined

MIN_SPACE = 2**14
"""k is chosen so that there are at least so many equally likely k-mers, and as many as there are symbols in all: 7 to
12 for nucleotides, 4 to 6 for amino acids."""
CHANCE = 1e-3
"""Sequences that are linked to one by chance, at most, on average; as MMseqs2 allows."""
BLOCK = 50_000  # pairs that are compared at once
NUCLEOTIDES = dict(zip("ACGTURYKMBVDHSWN", "TGCAAYRMKVBHDSWN", strict=True))
"""The complement of each, ambiguity codes included."""


def kmer_clusters(sequences: Sequence[str], identity: float) -> tuple[Indices, str]:
    """Cluster sequences by shared k-mers.

    Parameters
    ----------
    sequences
        Distinct sequences in upper case: a symbol a character, or symbols parted by blanks (units of speech, notes).
        Of nucleotides, both strands are compared, and blanks do not count.
    identity
        The estimated share of identical symbols from which on two sequences are linked. More is asked of sequences so
        short, or so many, that as much would often come about by chance.

    Returns
    -------
    tuple
        Shape (n,): the number of each sequence's cluster; and how they were made. A sequence shorter than k is alone.
    """
    found = KmerSets.of(sequences)
    clusters = _linked(found, identity)
    length = float(np.median(found.sizes)) if len(sequences) else 0.0
    sure = (found.needed(np.array([length]), np.array([length]), identity)[0] / max(length, 1)) ** (1 / found.k)
    how = f"shared {found.k}-mers (estimated identity {identity:g})"
    if sure > identity + 0.02:
        how = (
            f"shared {found.k}-mers (estimated identity {min(sure, 1):.2f}: "
            f"below, sequences of this length and number cannot be told from unrelated ones)"
        )
    return clusters, how


@dataclass(frozen=True)
class KmerSets:
    """The k-mers of n sequences.

    Parameters
    ----------
    k
        Symbols of a k-mer.
    ids
        The distinct k-mers of one sequence after another, numbered from 0.
    offsets
        Shape (n + 1,): where each sequence's begin in `ids`.
    symbols
        The number of equally frequent symbols that would coincide as often as these do.
    strands
        2 where a k-mer counts as the same as its reverse complement, else 1.
    """

    k: int
    ids: Indices
    offsets: Indices
    symbols: float
    strands: int

    @classmethod
    def of(cls, sequences: Sequence[str]) -> KmerSets:
        """The k-mers of `sequences`, with k chosen by how many symbols there are and how often each is."""
        nucleotides = set[str]().union(*sequences) <= {*NUCLEOTIDES, " ", "-"}
        if any(" " in text for text in sequences) and not nucleotides:
            texts: list[Sequence[str]] = [text.split() for text in sequences]
        else:
            texts = [text.replace(" ", "").replace("-", "") for text in sequences]
        lengths = np.array([len(text) for text in texts], np.int64)
        alphabet, values = _numbered(texts)
        frequencies = np.bincount(values, minlength=1) / max(1, len(values))
        symbols = max(1.5, 1 / float((frequencies**2).sum() or 1))
        k = max(2, math.ceil(math.log(max(MIN_SPACE, len(values))) / math.log(symbols)))
        codes = _rolled(values, k, len(alphabet))
        if nucleotides:
            places = {letter: number for number, letter in enumerate(alphabet)}
            opposite = np.array([places.get(NUCLEOTIDES[letter], place) for letter, place in places.items()], np.int64)
            codes = np.minimum(codes, _rolled(opposite[values][::-1], k, len(alphabet))[::-1])
        starts = np.concatenate([[0], np.cumsum(lengths)])
        sets = [np.unique(codes[start : start + max(0, n - k + 1)]) for start, n in zip(starts, lengths, strict=False)]
        offsets = np.concatenate([[0], np.cumsum([len(one) for one in sets])]).astype(np.int64)
        ids = np.unique(np.concatenate([codes[:0], *sets]), return_inverse=True)[1]
        return cls(k, ids.astype(np.int64), offsets, symbols, 1 + nucleotides)

    @property
    def sizes(self) -> Indices:
        """Shape (n,): distinct k-mers of each sequence."""
        return np.diff(self.offsets)

    def needed(self, first: NDArray[np.number], second: NDArray[np.number], identity: float) -> NDArray[np.float64]:
        """How many k-mers sequences must share to be linked.

        Parameters
        ----------
        first, second
            Shape (m,): distinct k-mers of each.
        identity
            From which on they belong together; but what unrelated sequences share is never enough: λ k-mers on average,
            within some standard deviations of a Poisson number, and beside them one run, as long as the longest common
            word of random sequences is (Karlin & Altschul 1990, PNAS 87: 2264-2268).
        """
        rate, log_symbols = len(self.sizes) / CHANCE, math.log(self.symbols)
        places = np.maximum(first.astype(np.float64) * second, 1) * self.strands
        mean = places * math.exp(-self.k * log_symbols)
        run = np.maximum(np.log(rate * places) / log_symbols - self.k, 0)
        chance = mean + 2 * np.sqrt(mean * math.log(rate)) + run
        return np.maximum(np.floor(chance) + 1, np.ceil(identity**self.k * np.minimum(first, second) - 1e-9))

    def candidates(self) -> tuple[Indices, Indices]:
        """Pairs that are worth comparing, shape (m, 2), and in how many k-mers each was met, shape (m,)."""
        owners = np.repeat(np.arange(len(self.sizes)), self.sizes)
        order = np.argsort(self.ids, kind="stable")
        ids, owners = self.ids[order], owners[order]
        again = np.flatnonzero(ids[1:] == ids[:-1]) + 1
        heads = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]])) if len(ids) else np.zeros(0, np.int64)
        head = heads[np.searchsorted(heads, again, side="right") - 1]
        far = head < again - 1  # the next is the head itself otherwise
        first = np.concatenate([owners[again - 1], owners[head[far]]])
        second = np.concatenate([owners[again], owners[again[far]]])
        keys, met = np.unique(first * len(self.sizes) + second, return_counts=True)
        return np.column_stack(np.divmod(keys, max(1, len(self.sizes)))), met

    @cached_property
    def matrix(self) -> csr_array:
        """Shape (n, k-mers): 1 where a sequence has a k-mer."""
        shape = (len(self.sizes), int(self.ids.max(initial=0)) + 1)
        return csr_array((np.ones(len(self.ids), np.int32), self.ids, self.offsets), shape=shape)

    def shared(self, pairs: Indices) -> Indices:
        """Shape (m,): how many k-mers the sequences of each of `pairs`, shape (m, 2), have in common."""
        return np.asarray(self.matrix[pairs[:, 0]].multiply(self.matrix[pairs[:, 1]]).sum(axis=1)).ravel()


def _linked(found: KmerSets, identity: float) -> Indices:
    number = len(found.sizes)
    pairs, met = found.candidates()
    needed = found.needed(found.sizes[pairs[:, 0]], found.sizes[pairs[:, 1]], identity)
    links = pairs[met >= needed]
    clusters = joined(links, number)
    unsure = np.flatnonzero((met < needed) & (met >= np.minimum(needed, 2)))
    unsure = unsure[np.argsort(-met[unsure], kind="stable")]
    for start in range(0, len(unsure), BLOCK):
        block = unsure[start : start + BLOCK]
        block = block[clusters[pairs[block, 0]] != clusters[pairs[block, 1]]]
        more = pairs[block][found.shared(pairs[block]) >= needed[block]]
        if len(more):
            links = np.concatenate([links, more])
            clusters = joined(links, number)
    return clusters


def _numbered(texts: Sequence[Sequence[str]]) -> tuple[list[str], Indices]:
    """The distinct symbols, and the number of every symbol of one text after another."""
    if all(isinstance(text, str) for text in texts):
        points = np.frombuffer("".join(map(str, texts)).encode("utf-32-le", "surrogatepass"), np.uint32)
        distinct, values = np.unique(points, return_inverse=True)
        return [chr(point) for point in distinct], values.astype(np.int64)
    numbers: dict[str, int] = {}
    values = [numbers.setdefault(symbol, len(numbers)) for text in texts for symbol in text]
    return list(numbers), np.array(values, np.int64)


def _rolled(values: Indices, k: int, alphabet: int) -> NDArray[np.uint64]:
    """A number for each k-mer of `values`: exact where there are fewer than 2^64 of them, else a hash."""
    base = np.uint64(alphabet | 1)  # odd, so that no symbol is lost where numbers overflow
    size = max(0, len(values) - k + 1)
    codes = np.zeros(size, np.uint64)
    symbols = values.astype(np.uint64)
    for offset in range(k):
        codes = codes * base + symbols[offset : offset + size]
    return codes
