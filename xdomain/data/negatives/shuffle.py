"""Shuffle a sequence: by its symbols, or so that it keeps the counts of all pairs of neighbours."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

Rng = np.random.Generator


def shuffled_letters(text: str, rng: Rng) -> str:
    """The letters of `text` in an order drawn by `rng`; an M that it begins with stays, as a protein's start does."""
    kept = 1 if text.startswith("M") else 0
    return text[:kept] + "".join(np.array(list(text[kept:]), "<U1")[rng.permutation(len(text) - kept)])


def shuffled_pairs(text: str, rng: Rng) -> str:
    """Shuffle a sequence so that each pair of neighbours comes as often as before, and with it each letter.

    The pairs are the edges of a graph between letters, and a sequence with the same pairs is a path that takes each
    edge once (Altschul & Erickson 1985, Mol Biol Evol 2: 526-538). Such a path ends each letter's visits by an edge of
    a tree that leads to the last letter; here the tree is drawn by loop-erased random walks (Wilson 1996), so that all
    these paths are equally likely.

    Parameters
    ----------
    text
        The sequence. The first and the last letter stay where they are.
    rng
        The source of random numbers.
    """
    if len(text) < 4:
        return text
    after: dict[str, list[str]] = {}
    for one, following in pairwise(text):
        after.setdefault(one, []).append(following)
    last = _tree(after, text[-1], rng)
    order: dict[str, list[str]] = {}
    for one, edges in after.items():
        ends = [last[one]] if one in last else []
        rest = list(edges)
        for end in ends:
            rest.remove(end)
        order[one] = [rest[i] for i in rng.permutation(len(rest))] + ends
        order[one].reverse()  # taken from the end
    path = [text[0]]
    while order.get(path[-1]):
        path.append(order[path[-1]].pop())
    return "".join(path)


def _tree(after: dict[str, list[str]], root: str, rng: Rng) -> dict[str, str]:
    """For each letter but `root`, the letter that follows its last visit: together they lead to `root`."""
    step: dict[str, str] = {}
    reached = {root}
    for start in sorted(after):
        place = start
        while place not in reached:  # a later visit of a letter forgets the loop since the earlier one
            step[place] = after[place][rng.integers(len(after[place]))]
            place = step[place]
        place = start
        while place not in reached:
            reached.add(place)
            place = step[place]
    return {letter: following for letter, following in step.items() if letter != root}
