"""Generated tasks on melodies: no file, no network, the same records from the same seed."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..toy.sequences import made_up

Rng = np.random.Generator
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}  # natural minor
TRIAD = (0, 2, 4)
LENGTH = 32


def _classification(rng: Rng) -> dict[str, Any]:
    """Melodies in major or natural minor on any tonic: steps, and triads of the tonic up or down; its note ends."""
    mode = str(rng.choice(["major", "minor"]))
    tonic = 55 + int(rng.integers(12))
    degrees: list[int] = []
    at = int(rng.integers(7))
    while len(degrees) < LENGTH - 1:
        if rng.random() < 0.3:
            degrees += TRIAD[:: int(rng.choice([-1, 1]))]
        else:
            at = int(np.clip(at + rng.integers(-2, 3), 0, 13))
            degrees.append(at)
    pitches = [tonic + SCALES[mode][d % 7] + 12 * (d // 7) for d in [*degrees[: LENGTH - 1], 0]]
    return {"sequence": " ".join(map(str, pitches)), "label": mode}


def _tagging(rng: Rng) -> dict[str, Any]:
    """Melodies of runs (R), which go by step, and broken chords (C), which go by thirds and fourths; a tag a note."""
    pitches: list[int] = []
    tags: list[str] = []
    at = int(rng.integers(55, 75))
    run = rng.random() < 0.5
    while len(pitches) < LENGTH:
        way = 1 if at < 60 else -1 if at > 76 else int(rng.choice([-1, 1]))
        for _ in range(int(rng.integers(4, 8))):
            at += way * int(rng.choice([1, 2] if run else [3, 4, 5]))
            pitches.append(at)
            tags.append("R" if run else "C")
        run = not run
    return {"sequence": " ".join(map(str, pitches[:LENGTH])), "tags": tags[:LENGTH]}


def _pair(rng: Rng) -> dict[str, Any]:
    """Which of two melodies lies higher on the whole?"""
    middles = rng.permutation([rng.uniform(50, 64), rng.uniform(64, 78)])
    sides = [np.clip(np.rint(rng.normal(middle, 5, LENGTH // 2)), 0, 127).astype(int) for middle in middles]
    label = "first" if sides[0].sum() >= sides[1].sum() else "second"
    first, second = (" ".join(map(str, side)) for side in sides)
    return {"sequence": first, "sequence_b": second, "label": label}


READERS = {
    "toy_music_classification": made_up(_classification),
    "toy_music_tagging": made_up(_tagging),
    "toy_music_pair": made_up(_pair),
}
