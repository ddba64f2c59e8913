"""Sequences that have a structure and nothing else: independent draws, pairs, nests, shuffled blocks, brackets.

In all functions here, `draws` holds the random numbers and lengths of the sequences, and `law` gives the frequencies.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .frequencies import Distribution, drawn
from .random_streams import (
    ORDER,
    STEPS,
    TABLE,
    TOKENS,
    Draws,
    Flags,
    Grid,
    Integers,
    RawBits,
    below,
    order,
    stream_words,
    units,
)

DEEPEST = 16
"""The most brackets that k-shuffle Dyck has open at once."""
LEVELS = 2**16
"""A number larger than the height of any stack."""


def independent(draws: Draws, law: Distribution) -> Grid:
    """Draw every token of `draws` by `law`, independently.

    "Uniform" and "unigram" of Chiang & Lee 2022 (arXiv 2109.03537).
    """
    return Grid(law.draw(draws.words(TOKENS, draws.width)), draws.upto(draws.lengths))


def bigram(successors: int, draws: Draws, law: Distribution) -> Grid:
    """Draw each token uniformly from the successors of the token before it, and the first token by the law.

    Each integer has `successors` successors, drawn by `law`, the same for all sequences of a seed (that of `draws`);
    one that is drawn twice is twice as likely. So a token, given the one before, has at most log2(successors) bits.
    Frequencies come near the law where there are many successors and the law is not steep: under zipf:1 their slope is
    -1.0 to -1.2 with 16 successors, under zipf:1.5 it is -2.5. Chiang & Lee 2022 (arXiv 2109.03537) take the pairs of
    an English corpus instead.
    """
    table = _successors(draws.seed, law, successors)
    steps = below(draws.words(STEPS, draws.width), successors).T.copy()
    values = np.empty(steps.shape, np.int64)
    values[0] = law.draw(draws.words(TOKENS, 1))[:, 0]
    for place in range(1, draws.width):
        values[place] = table[values[place - 1], steps[place]]
    return Grid(values.T, draws.upto(draws.lengths))


@lru_cache(maxsize=4)
def _successors(seed: int, law: Distribution, successors: int) -> Integers:
    """Shape (symbols, successors): the successors of each integer."""
    return law.draw(stream_words(TABLE, seed, successors, 0, law.size))


def flat(span: int, draws: Draws, law: Distribution) -> Grid:
    """Pairs that may cross: each token is written twice, then tokens are shuffled within spans of `span` places.

    `law` and `draws` decide the tokens and the order. `span` is even, so both of a pair lie in the same span. These are
    the "flat" dependencies, or "paired" where the span is the whole sequence, of Chiang & Lee 2022 (arXiv 2109.03537,
    flat-2 to flat-128).
    """
    tokens = drawn(law, draws, draws.width // 2)
    used = draws.upto(draws.lengths // 2 * 2)
    places = order(draws.words(ORDER, draws.width), np.arange(draws.width) // span, used)
    return Grid(np.take_along_axis(tokens, np.minimum(places // 2, tokens.shape[1] - 1), axis=1), used)


def shuffle(block: int, draws: Draws, law: Distribution) -> Grid:
    """Blocks of `block` consecutive integers, shuffled within the block: shuffle-N of Chiang & Lee 2022.

    `law` draws the first integer of a block, from those that leave room for a whole block; `draws` decides the order.
    Under Zipf's law the frequencies of tokens are a running sum over N of its weights: level up to the integer N, then
    with the same exponent. The last block of a sequence is cut to its length, and consecutive as well.
    """
    blocks = np.arange(draws.width) // block
    starts = law.draw(draws.words(TOKENS, int(blocks[-1]) + 1))
    used = draws.upto(draws.lengths)
    places = order(draws.words(ORDER, draws.width), blocks, used)
    return Grid(np.take_along_axis(starts, places // block, axis=1) + places % block, used)


def nesting(share: float, draws: Draws, law: Distribution) -> Grid:
    """Pairs that nest: each step pushes a new token onto a stack with probability `share`, and otherwise pops one.

    A push writes a token, its pop writes the same token again. Onto an empty stack a step always pushes, and in the
    end the whole stack is popped. `draws` decides the steps, and with `law` the tokens. "Nesting" of Chiang & Lee 2022
    (arXiv 2109.03537), with 0.4, after Papadimitriou & Jurafsky 2020.
    """
    tokens = drawn(law, draws, draws.width // 2)
    even = draws.lengths // 2 * 2
    used = draws.upto(even)
    opens, heights = walk(draws.words(STEPS, draws.width), share, even, closed=True)
    pushes = np.minimum(np.cumsum(opens, axis=1) - 1, tokens.shape[1] - 1)
    values = np.take_along_axis(tokens, np.maximum(pushes, 0), axis=1)
    # At one height each push is followed by its pop, so sorting by height brings the places of pairs together.
    keys = np.sort(np.where(used, heights, LEVELS - 1) << 16 | np.arange(draws.width), axis=1) & (2**16 - 1)
    pairs = draws.width // 2 * 2
    pushed = np.take_along_axis(values, keys[:, 0:pairs:2], axis=1)
    np.put_along_axis(values, keys[:, 1:pairs:2], pushed, axis=1)
    return Grid(values, used)


def dyck(brackets: int, draws: Draws, law: Distribution) -> Grid:
    """k-shuffle Dyck: `brackets` bracket languages, each balanced, interleaved so that they may cross.

    A bracket opens with probability one half. `law` draws its type from the first `brackets` integers, the opening
    brackets; integer ``brackets + j`` closes j. `draws` decides the steps. At most `DEEPEST` brackets are open at once.
    As in Hu et al. 2025 (arXiv 2502.19249), with two differences: there one of the open types is closed, all equally
    likely, here one of the open brackets; there a sequence is cut at its length, here all are closed in the end.
    """
    even = draws.lengths // 2 * 2
    opens, heights = walk(draws.words(STEPS, draws.width), 0.5, even, closed=True, deepest=DEEPEST)
    types = law.draw(draws.words(TOKENS, draws.width)).T.copy()
    picks = draws.words(ORDER, draws.width).T.copy()
    rows = np.arange(len(even))
    held = np.zeros((DEEPEST, len(even)), np.int64)
    values = np.empty(types.shape, np.int64)
    for place in range(draws.width):
        opening, last = opens[:, place], heights[:, place] - 1
        pick = np.where(opening, last, below(picks[place], np.maximum(last + 1, 1)))
        closed = held[pick, rows]
        values[place] = np.where(opening, types[place], closed + brackets)
        held[pick, rows] = np.where(opening, types[place], held[last, rows])
    return Grid(values.T, draws.upto(even))


def walk(
    words: RawBits, share: float, lengths: Integers, *, closed: bool, deepest: int = LEVELS
) -> tuple[Flags, Integers]:
    """Steps up and down that never go below the ground.

    Parameters
    ----------
    words
        Shape (rows, columns): random words that decide the steps.
    share
        Probability of a step up where both ways are open.
    lengths
        Shape (rows,): steps of each row. Columns beyond hold heights of 0 or more, and nothing else is guaranteed.
    closed
        Whether the last step ends on the ground; all lengths must then be even.
    deepest
        The greatest height above the ground.

    Returns
    -------
    tuple
        Shape (rows, columns) each: whether a step goes up; and the higher of the two heights that it joins.
    """
    wants = (units(words) < share).T.copy()
    depth = np.zeros(len(lengths), np.int64)
    opens, heights = np.empty(wants.shape, bool), np.empty(wants.shape, np.int64)
    for place, want in enumerate(wants):
        up = (want & (depth < deepest)) | (depth == 0)
        if closed:
            up &= depth < lengths - place
        opens[place] = up
        heights[place] = depth + up
        depth = np.maximum(depth + np.where(up, 1, -1), 0)
    return opens.T, heights.T
