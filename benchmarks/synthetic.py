"""How fast made-up sequences are made: each kind in bulk beside a slow obvious twin, one thread each.

python benchmarks/synthetic.py [--sequences 4000]

Both are first shown to make the same sequences. The twin gets the 64th part of them. A batch is what pre-training asks
for at once: 64 sequences of 64 tokens.
"""

from __future__ import annotations

import argparse
import os
import time
from bisect import bisect_right
from collections.abc import Callable
from functools import cache
from itertools import accumulate
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from xdomain.adapters.synthetic import Synthetic

PART = 64
CASES: list[tuple[str, dict[str, Any]]] = [
    ("uniform", {}),
    ("unigram", {"law": "zipf:1"}),
    ("bigram:16", {}),
    ("bigram:16", {"law": "zipf:1"}),
    ("flat:128", {}),
    ("flat:128", {"law": "zipf:1"}),
    ("nesting:0.4", {}),
    ("nesting:0.4", {"law": "zipf:1"}),
    ("shuffle:64", {}),
    ("shuffle:64", {"law": "zipf:1"}),
    ("dyck:64", {}),
    ("identity", {}),
    ("reverse", {}),
    ("sort", {}),
    ("set:16", {}),
    ("union:16", {}),
    ("delete:16", {}),
    ("stack:0.6", {}),
]
LENGTHS, _, TOKENS, ORDER, STEPS, POOL, TABLE = range(1, 8)


class Row:
    """The random numbers of sequence `index`, told one at a time."""

    def __init__(self, corpus: Synthetic, index: int, size: int) -> None:
        self.corpus, self.index = corpus, index
        self.size = size
        shortest, self.width = corpus.lengths
        self.length = shortest + below(self.words(LENGTHS, 1)[0], self.width - shortest + 1)
        exponent = float(corpus.law.partition(":")[2] or 0)
        self.edges = edges(size, exponent) if exponent else None

    def words(self, stream: int, columns: int) -> list[int]:
        """The raw words of one stream."""
        return words(stream, columns, self.corpus.seed, self.index)

    def draw(self, word: int) -> int:
        """An integer by the law."""
        if self.edges is None:
            return below(word, self.size)
        return bisect_right(self.edges, unit(word) * self.edges[-1])

    def tokens(self, columns: int) -> list[int]:
        """Integers by the law."""
        return [self.draw(word) for word in self.words(TOKENS, columns)]

    def pairs(self) -> list[int]:
        """What pairs are made of: where the law is uniform, without repetition."""
        n = self.width // 2
        return self.tokens(n) if self.edges else list(dict.fromkeys(self.tokens(n + n // 8 + 8)))[:n]

    def shuffled(self, length: int, block: int) -> list[int]:
        """Places in random order within blocks."""
        keys = self.words(ORDER, self.width)
        return sorted(range(length), key=lambda place: (place // block, keys[place] >> 32))

    def pool(self, columns: int) -> list[int]:
        """Integers out of sixteen."""
        pool = [self.draw(word) for word in self.words(POOL, 16)]
        return [pool[below(word, 16)] for word in self.words(TOKENS, columns)]


@cache
def edges(size: int, exponent: float) -> list[float]:
    """Running sums of Zipf's law."""
    return list(accumulate((r + 1) ** -exponent for r in range(size)))


def words(stream: int, columns: int, seed: int, index: int) -> list[int]:
    """The raw words that number `index` owns in a stream."""
    return np.random.PCG64([stream, columns, seed]).advance(index * columns).random_raw(columns).tolist()


@cache
def successors(seed: int, token: int) -> list[int]:
    """What decides the sixteen successors of a token."""
    return words(TABLE, 16, seed, token)


def below(word: int, limit: int) -> int:
    """In [0, limit)."""
    return (word >> 32) * limit >> 32


def unit(word: int) -> float:
    """In [0, 1)."""
    return (word >> 11) * 2.0**-53


def independent(row: Row) -> list[int]:
    """Draws."""
    return row.tokens(row.width)[: row.length]


def bigram(row: Row) -> list[int]:
    """Each a successor of the one before."""
    made = row.tokens(1)
    for step in row.words(STEPS, row.width)[1 : row.length]:
        made.append(row.draw(successors(row.corpus.seed, made[-1])[below(step, 16)]))
    return made


def flat(row: Row) -> list[int]:
    """Pairs, shuffled."""
    twice = [token for token in row.pairs() for _ in range(2)]
    return [twice[place] for place in row.shuffled(row.length // 2 * 2, 128)]


def nesting(row: Row) -> list[int]:
    """A stack."""
    tokens, held, made = iter(row.pairs()), list[int](), list[int]()
    even = row.length // 2 * 2
    for step in row.words(STEPS, row.width)[:even]:
        if not held or (unit(step) < 0.4 and len(held) < even - len(made)):
            held.append(next(tokens))
            made.append(held[-1])
        else:
            made.append(held.pop())
    return made


def shuffle(row: Row) -> list[int]:
    """Blocks of consecutive integers."""
    starts = row.tokens((row.width - 1) // 64 + 1)
    return [starts[place // 64] + place % 64 for place in row.shuffled(row.length, 64)]


def dyck(row: Row) -> list[int]:
    """Brackets of 64 types."""
    held, made = list[int](), list[int]()
    even = row.length // 2 * 2
    columns = zip(*(row.words(stream, row.width) for stream in (STEPS, TOKENS, ORDER)), strict=True)
    for step, token, pick in list(columns)[:even]:
        if not held or (unit(step) < 0.5 and len(held) < min(16, even - len(made))):
            held.append(row.draw(token))
            made.append(held[-1])
        else:
            place = below(pick, len(held))
            made.append(held[place] + 64)
            held[place] = held[-1]
            held.pop()
    return made


def procedure(tokens: list[int], row: Row, write: Callable[[list[int]], list[int]]) -> list[int]:
    """The longest beginning of `tokens` with which what is written fits."""
    made: list[int] = []
    for count in range(1, len(tokens) + 1):
        longer = write(tokens[:count])
        if len(longer) > row.length:
            break
        made = longer
    return made


def copied(row: Row, what: Callable[[list[int]], list[int]]) -> list[int]:
    """Input and result."""
    return procedure(row.tokens(row.width), row, lambda x: [*x, row.size + 1, *what(x)])


def union(row: Row) -> list[int]:
    """Two inputs and their set."""

    def write(x: list[int]) -> list[int]:
        half = (len(x) + 1) // 2
        return [*x[:half], row.size, *x[half:], row.size + 1, *dict.fromkeys(x)]

    return procedure(row.pool(row.width), row, write)


def delete(row: Row) -> list[int]:
    """An input without one token."""
    gone, *tokens = row.pool(row.width + 1)
    return procedure(
        tokens, row, lambda x: [gone, row.size, *x, row.size + 1, *(token for token in x if token != gone)]
    )


def stack(row: Row) -> list[int]:
    """Orders and what lies on the stack after them."""
    orders: list[int] = []
    height = 0
    for step, token in zip(row.words(STEPS, row.width), row.tokens(row.width), strict=True):
        push = not height or unit(step) < 0.6
        orders.append(token if push else row.size)
        height += 1 if push else -1

    def write(x: list[int]) -> list[int]:
        held: list[int] = []
        for order in x:
            held = held[:-1] if order == row.size else [*held, order]
        return [*x, row.size + 1, *reversed(held)]

    return procedure(orders, row, write)


TWINS: dict[str, tuple[Callable[[Row], list[int]], int]] = {
    "uniform": (independent, 0),
    "unigram": (independent, 0),
    "bigram:16": (bigram, 0),
    "flat:128": (flat, 0),
    "nesting:0.4": (nesting, 0),
    "shuffle:64": (shuffle, 63),
    "dyck:64": (dyck, -64),
    "identity": (lambda row: copied(row, list), 2),
    "reverse": (lambda row: copied(row, lambda x: x[::-1]), 2),
    "sort": (lambda row: copied(row, sorted), 2),
    "set:16": (
        lambda row: procedure(row.pool(row.width), row, lambda x: [*x, row.size + 1, *dict.fromkeys(x)]),
        2,
    ),
    "union:16": (union, 2),
    "delete:16": (delete, 2),
    "stack:0.6": (stack, 2),
}
"""By kind: the twin, and the integers of the alphabet that it does not draw; below 0: less those that it does."""


def twin(corpus: Synthetic, first: int, count: int) -> list[list[int]]:
    """What ``corpus.sequences(first, count)`` makes, slowly."""
    make, kept = TWINS[corpus.kind]
    size = -kept if kept < 0 else corpus.symbols - kept
    return [make(Row(corpus, index, size)) for index in range(first, first + count)]


def best(work: Callable[[], object], times: int) -> float:
    """Seconds of the fastest of several calls: others use this machine too."""
    found = float("inf")
    for _ in range(times):
        started = time.perf_counter()
        work()
        found = min(found, time.perf_counter() - started)
    return found


def main() -> None:
    """Print one line a kind."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sequences", type=int, default=4000, help="of 100 to 120 tokens, that the bulk path makes")
    sequences = parser.parse_args().sequences
    print(f"{'kind':12} {'law':8} {'bulk tokens/s':>14} {'in batches':>11} {'twin':>9} {'ratio':>7}")
    for kind, options in CASES:
        corpus = Synthetic(kind=kind, **options)
        few = max(1, sequences // PART)
        slow = twin(corpus, 0, few)
        if [ids.tolist() for ids in corpus.sequences(0, few)] != slow:
            raise SystemExit(f"{kind} {options}: the two disagree")
        bulk = len(corpus.sequences(0, sequences).values) / best(lambda c=corpus: c.sequences(0, sequences), 3)
        batch = 64 * 64 / best(lambda c=corpus: c.sequences(640, 64, length=64), 20)
        plain = sum(map(len, slow)) / best(lambda c=corpus, n=few: twin(c, 0, n), 1)
        law = options.get("law", "uniform")
        print(f"{kind:12} {law:8} {bulk:14,.0f} {batch:11,.0f} {plain:9,.0f} {bulk / plain:6,.0f}x")


if __name__ == "__main__":
    main()
