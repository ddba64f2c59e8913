"""Generated questions whose answer is a place in a passage: of DNA, of speech units, of text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from .sequences import NT, made_up

Rng = np.random.Generator
SITES = {"A": "GAATTC", "C": "GGATCC", "G": "AAGCTT", "T": "CTGCAG"}
"""Four restriction sites (EcoRI, BamHI, HindIII, PstI), by the nucleotide with which a question asks for each."""
RATE = 50
PLACES = ["the garden", "the harbour", "an old mill", "the library", "his kitchen", "a small chapel"]
PEOPLE = ["Anna", "Peter", "Martha", "Tom", "Clara", "Henry"]
DONE = ["waited in", "walked to", "wrote from", "slept in", "looked for", "painted"]


def _dna_span(rng: Rng) -> dict[str, Any]:
    """In 100 nt, each of two restriction sites stands somewhere; the question names one of them."""
    asked, other = rng.choice(list(SITES), 2, replace=False)
    letters = rng.choice(NT, 100)
    places = rng.permutation([rng.integers(4, 42), rng.integers(54, 90)])
    for place, which in zip(places, (asked, other), strict=True):
        letters[place : place + 6] = list(SITES[str(which)])
    answer = {"start": float(places[0]), "end": float(places[0] + 6)}
    return {"sequence": str(asked) * 3, "sequence_b": "".join(letters), "answers": [answer]}


def _speech_span(rng: Rng) -> dict[str, Any]:
    """Six words of four units each, spoken at varying pace; the question is one of them, spoken again."""
    words = [[str(10 * i + j) for j in rng.integers(0, 10, 4)] for i in rng.permutation(10)[:6]]
    asked = int(rng.integers(6))
    said, frames = _spoken(rng, [unit for word in words for unit in word])
    question, _ = _spoken(rng, words[asked])
    ends = np.cumsum(frames)
    start = ends[4 * asked - 1] if asked else 0
    answer = {"start": start / RATE, "end": ends[4 * asked + 3] / RATE}
    return {"sequence": question, "sequence_b": said, "answers": [answer]}


def _spoken(rng: Rng, units: list[str]) -> tuple[str, list[int]]:
    frames = [int(n) for n in rng.integers(1, 5, len(units))]
    return " ".join(f"{u}:{n}" for u, n in zip(units, frames, strict=True)), frames


def _text_span(rng: Rng, unanswerable: float = 0.0) -> dict[str, Any]:
    """Three people did three things in three places; where did one of them do it?

    A share of questions, `unanswerable`, asks for a person who did nothing of this.
    """
    people, done = rng.choice(PEOPLE, 3, replace=False), rng.choice(DONE, 3, replace=False)
    places = rng.choice(PLACES, 3, replace=False)
    asked = int(rng.integers(3))
    passage, answer = "", {"start": 0.0, "end": 0.0}
    for i in range(3):
        passage += f"{people[i]} {done[i]} "
        if i == asked:
            answer = {"start": float(len(passage)), "end": float(len(passage) + len(places[i]))}
        passage += f"{places[i]}. "
    answers, person = [answer], str(people[asked])
    if unanswerable and rng.random() < unanswerable:
        answers, person = [], str(rng.choice([name for name in PEOPLE if name not in people]))
    return {"sequence": f"where was {person}?", "sequence_b": passage.strip(), "answers": answers}


@lru_cache(maxsize=4)
def _text_spans(unanswerable: float) -> Callable[..., pa.Table]:
    return made_up(partial(_text_span, unanswerable=unanswerable))


def _read_text_span(files: Mapping[str, Path], *, unanswerable: float = 0.0, **options: int) -> pa.Table:
    """Questions on three sentences, of which a share, `unanswerable`, has no answer."""
    return _text_spans(unanswerable)(files, **options)


READERS = {
    "toy_dna_span": made_up(_dna_span),
    "toy_speech_span": made_up(_speech_span),
    "toy_text_span": _read_text_span,
}
