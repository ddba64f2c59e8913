"""Cellular automata: cells that change by a rule, which is drawn for each sequence and must be found out from it.

A sequence is the history of a small world, written cell by cell: the first state, drawn at random, then the next, and
so on. `ring` is a ring of `CELLS` cells, each of which sees itself and its two neighbours; `torus` is a square whose
edges meet, of `SIDE` times `SIDE` cells, each of which sees itself and the sum of its eight neighbours. The states of a
sequence are named by integers that the law draws, all different.

Lee et al. 2026 (arXiv 2603.10055) pre-train language models on automata whose rules are small random networks, and keep
rules within a band of compressibility by gzip. Here a rule is a table, whose share of entries other than state 0
(Langton 1990, doi 10.1016/0167-2789(90)90064-V) is drawn first, so that the dull, the complex and the chaotic are all
among them. Compressibility is by the number of distinct words in the history, because the sizes that zlib and gzip give
differ between their builds: a corpus must be the same everywhere. The two order rules alike (rank correlation .96 and
more, by the number of states).

In all functions here, `draws` holds the random numbers and the lengths, and `law` gives the frequencies.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .frequencies import Distribution, drawn
from .random_streams import Draws, Flags, Grid, Integers, below, units

CELLS, SIDE = 8, 4
LOOKED_AT = 512
"""Cells of the history by which a rule is judged."""
BAND = (0.15, 0.85)
"""Distinct words of a history, relative to those of as many random cells: others repeat soon, or tell no rule."""
TRIES = 16
"""Rules that are drawn for a sequence; the first within the band is taken, or else the one nearest to it."""
RULES, STATES = 1000, 2000
"""Random streams: the rules of all tries, and the first states."""
Evolve = Callable[[Integers, Integers, int], Integers]


def ring(states: int, draws: Draws, law: Distribution) -> Grid:
    """The history of a ring of cells by a table of all triples (Wolfram 1983); `draws` decides the rule.

    There is a number of `states`, whose names `law` gives.
    """
    return _history(states, CELLS, states**3, _ring_after, draws, law)


def torus(states: int, draws: Draws, law: Distribution) -> Grid:
    """The history of a square of cells by a table of cells and sums of neighbours; `draws` decides the rule.

    There is a number of `states`, whose names `law` gives. With two, the rules are those like Conway's Life.
    """
    return _history(states, SIDE * SIDE, states * (8 * (states - 1) + 1), _torus_after, draws, law)


def _history(
    states: int, cells: int, entries: int, after: Callable[..., Integers], draws: Draws, law: Distribution
) -> Grid:
    names = drawn(law, replace(draws, distinct=True), states)
    first = below(draws.words(STATES, cells), states)

    def evolve(tables: Integers, state: Integers, length: int) -> Integers:
        """Shape (rows, length): the history of each row from `state` on."""
        seen = [state]
        for _ in range(math.ceil(length / cells) - 1):
            seen.append(after(tables, seen[-1], states))
        return np.concatenate(seen, axis=1)[:, :length]

    tables = _chosen(states, entries, first, evolve, draws)
    history = evolve(tables, first, draws.width)
    return Grid(np.take_along_axis(names, history, axis=1), draws.upto(draws.lengths))


def _chosen(states: int, entries: int, first: Integers, evolve: Evolve, draws: Draws) -> Integers:
    """Shape (rows, entries): the rule of each row."""
    best = np.zeros((len(first), entries), np.int64)
    distance = np.full(len(first), np.inf)
    for again in range(TRIES):
        open_rows = np.flatnonzero(distance > 0)
        if not len(open_rows):
            break
        words = draws.words(RULES + again, 1 + 2 * entries)[open_rows]
        lively = units(words[:, 1 : 1 + entries]) < units(words[:, :1])
        tables = np.where(lively, 1 + below(words[:, 1 + entries :], states - 1), 0)
        found = complexity(evolve(tables, first[open_rows], LOOKED_AT), states)
        off = np.maximum(0, np.maximum(BAND[0] - found, found - BAND[1]))
        nearer = off < distance[open_rows]
        best[open_rows[nearer]] = tables[nearer]
        distance[open_rows[nearer]] = off[nearer]
    return best


def complexity(history: Integers, states: int) -> NDArray[np.float64]:
    """Shape (rows,): the distinct words in a history, relative to what as many random cells would have on average.

    Parameters
    ----------
    history
        Shape (rows, cells): the states of all cells, one after another.
    states
        How many there are. Words have the length from which on there are more words than cells.
    """
    cells = history.shape[1]
    size = next(n for n in range(1, 64) if states**n >= cells)
    places = cells - size + 1
    words = sum(history[:, i : i + places] * states ** (size - 1 - i) for i in range(size))
    sorted_words = np.sort(words, axis=1)
    new: Flags = sorted_words[:, 1:] != sorted_words[:, :-1]
    return (1 + new.sum(axis=1)) / (states**size * -math.expm1(-places / states**size))


def _ring_after(tables: Integers, state: Integers, states: int) -> Integers:
    left, right = np.roll(state, 1, axis=1), np.roll(state, -1, axis=1)
    return np.take_along_axis(tables, (left * states + state) * states + right, axis=1)


def _torus_after(tables: Integers, state: Integers, states: int) -> Integers:
    square = state.reshape(-1, SIDE, SIDE)
    rows = square + np.roll(square, 1, axis=1) + np.roll(square, -1, axis=1)
    around = rows + np.roll(rows, 1, axis=2) + np.roll(rows, -1, axis=2) - square
    return np.take_along_axis(tables, state * (8 * (states - 1) + 1) + around.reshape(state.shape), axis=1)
