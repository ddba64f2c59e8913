"""Words misheard: what a recogniser with a given word error rate makes of a text, at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .words import Word

SUBSTITUTED, DELETED = 0.8, 0.1  # the rest are insertions


def with_errors(
    words: Sequence[Word],
    rate: float,
    rng: np.random.Generator,
    vocabulary: Sequence[str],
    kept: Sequence[tuple[int, int]] = (),
) -> tuple[list[Word], list[int]]:
    """Words of which a share is replaced (8 of 10 errors), left out, or followed by one that was not said.

    Parameters
    ----------
    rate
        Errors a word, from 0 to 1.
    vocabulary
        What other words are drawn from, evenly: a word stands in it as often as it is used.
    kept
        Runs of words, half-open, of which one at least is not left out (it is replaced instead).

    Returns
    -------
    The words, and for each the place in `words` it comes from, rising; an inserted one has that of the word before it.
    """
    if not rate:
        return list(words), list(range(len(words)))
    kinds = rng.random(len(words))
    wrong = rng.random(len(words)) < rate
    others = rng.integers(0, len(vocabulary), len(words))
    left_out = wrong & (kinds >= SUBSTITUTED) & (kinds < SUBSTITUTED + DELETED)
    for start, end in [*kept, (0, len(words))]:
        if left_out[start:end].all():
            left_out[start] = False
            kinds[start] = 0.0
    found: list[Word] = []
    origins: list[int] = []
    for place, word in enumerate(words):
        if left_out[place]:
            continue
        other = vocabulary[others[place]]
        replaced = wrong[place] and kinds[place] < SUBSTITUTED
        inserted = wrong[place] and kinds[place] >= SUBSTITUTED + DELETED
        found.append(replace(word, text=other if replaced else word.text, pause=word.pause and not inserted))
        origins.append(place)
        if inserted:
            found.append(replace(word, text=other))
            origins.append(place)
    return found, origins
