"""Small procedures written out as one sequence each: an input, a separator, and what the procedure makes of it.

After Wu et al. 2022 (arXiv 2206.10139) and Jiang et al. 2026 (arXiv 2601.21725), with definitions of our own where
those leave details open. The last two integers of the alphabet are marks: the last is the separator ``=``, the one
before it is ``/``, which separates two inputs and, for the stack, is the order to pop. Inputs consist of the others.

| kind | sequence |
|---|---|
| identity | x = x |
| reverse | x = x from its end to its start |
| sort | x = x in growing order, repetitions kept |
| set | x = the tokens of x, each where it comes first |
| union | x / y = the tokens of x and then of y, each where it comes first; x is as long as y, or longer by one |
| delete | a / x = x without any a |
| stack | orders = what lies on the stack at the end, from the top down; a token is an order to push it |

For identity, reverse, sort and stack the law draws each token of the input. For set, union and delete it draws a pool
of tokens for each sequence, and the input is drawn uniformly from that pool: drawn directly from a large alphabet,
hardly any token would occur twice. The input is the longest whose sequence fits, so a sequence has the tokens that it
may have, or one fewer.

In all functions here, `draws` holds the random numbers and the lengths, and `law` is over the integers without marks.
"""

from __future__ import annotations

import numpy as np

from .frequencies import Distribution
from .random_streams import POOL, STEPS, TOKENS, Draws, Flags, Grid, Integers, below, first_seen
from .structures import walk

MARKS = 2
"""Integers of the alphabet that are marks."""
BEYOND = 2**62
"""A number larger than any token or depth."""


def identity(draws: Draws, law: Distribution) -> Grid:
    """The input again: `draws` and `law` make it."""
    tokens, size = _copied(draws, law)
    return _joined(law, [(tokens, size), (tokens, size)])


def reverse(draws: Draws, law: Distribution) -> Grid:
    """The input, which `draws` and `law` make, from its end to its start."""
    tokens, size = _copied(draws, law)
    return _joined(law, [(tokens, size), (tokens[:, ::-1], size[:, ::-1])])


def sort(draws: Draws, law: Distribution) -> Grid:
    """The input, which `draws` and `law` make, in growing order."""
    tokens, size = _copied(draws, law)
    return _joined(law, [(tokens, size), (np.sort(np.where(size, tokens, BEYOND), axis=1), size)])


def distinct(pool: int, draws: Draws, law: Distribution) -> Grid:
    """The set of the input; the input is drawn from `pool` tokens, which `draws` and `law` make."""
    tokens = _pooled(pool, draws, law)
    new = first_seen(tokens)
    size = _fitting(draws, 1 + new, marks=1)
    return _joined(law, [(tokens, size), (tokens, size & new)])


def union(pool: int, draws: Draws, law: Distribution) -> Grid:
    """The union of two inputs; both are drawn from `pool` tokens, which `draws` and `law` make."""
    tokens = _pooled(pool, draws, law)
    new = first_seen(tokens)
    size = _fitting(draws, 1 + new, marks=2)
    half = np.arange(draws.width) < (size.sum(axis=1, keepdims=True) + 1) // 2
    return _joined(law, [(tokens, size & half), (tokens, size & ~half), (tokens, size & new)])


def delete(pool: int, draws: Draws, law: Distribution) -> Grid:
    """The input without one token; both are drawn from `pool` tokens, which `draws` and `law` make."""
    tokens = _pooled(pool, draws, law, extra=1)
    gone, tokens = tokens[:, :1], tokens[:, 1:]
    stays = tokens != gone
    size = _fitting(draws, 1 + stays, marks=3)
    return _joined(law, [(gone, np.ones(gone.shape, bool)), (tokens, size), (tokens, size & stays)])


def stack(share: float, draws: Draws, law: Distribution) -> Grid:
    """What is left on a stack; `draws` and `law` make the tokens.

    Each step pushes a token with probability `share`, and otherwise pops one; onto an empty stack it always pushes.
    """
    pushes, heights = walk(draws.words(STEPS, draws.width), share, draws.lengths, closed=False)
    size = _fitting(draws, np.where(pushes, 2, 0), marks=1)
    tokens = np.where(pushes, law.draw(draws.words(TOKENS, draws.width)), law.size)
    depths = np.where(size, np.where(pushes, heights, heights - 1), BEYOND)
    lowest = np.minimum.accumulate(depths[:, ::-1], axis=1)[:, ::-1]  # from here to the end
    left = size & pushes & (lowest >= heights)
    return _joined(law, [(tokens, size), (tokens[:, ::-1], left[:, ::-1])])


def _copied(draws: Draws, law: Distribution) -> tuple[Integers, Flags]:
    """Shape (rows, columns) each: tokens, and which of them a sequence has room for twice."""
    tokens = law.draw(draws.words(TOKENS, draws.width))
    return tokens, _fitting(draws, np.full(tokens.shape, 2), marks=1)


def _pooled(pool: int, draws: Draws, law: Distribution, extra: int = 0) -> Integers:
    """Shape (rows, extra + columns): tokens, drawn from a separate pool for each row."""
    tokens = law.draw(draws.words(POOL, pool))
    return np.take_along_axis(tokens, below(draws.words(TOKENS, extra + draws.width), pool), axis=1)


def _fitting(draws: Draws, costs: Integers, *, marks: int) -> Flags:
    """Shape (rows, columns): the longest input that fits a row; `costs` are what each input token adds to it."""
    return np.cumsum(costs, axis=1) + marks <= draws.lengths[:, None]


def _joined(law: Distribution, parts: list[tuple[Integers, Flags]]) -> Grid:
    """The parts side by side, with the separator before the last part and the other mark between those before it."""
    rows = len(parts[0][0])
    marks = [law.size] * (len(parts) - 2) + [law.size + 1]
    values, used = list(parts[0][:1]), list(parts[0][1:])
    for mark, (tokens, shown) in zip(marks, parts[1:], strict=True):
        values += [np.full((rows, 1), mark), tokens]
        used += [np.ones((rows, 1), bool), shown]
    return Grid(np.concatenate(values, axis=1), np.concatenate(used, axis=1))
