"""Turn text into speech units without speech: a simulation whose statistics follow those of real HuBERT units.

A seeded lexicon (`xdomain.tasks.speech.lexicon`) gives each sound one to three units that depend on its neighbours.
Units are varied or left out at random. Their run lengths are drawn from the histogram of real ones; some units last
longer than others, and some utterances are slower. The simulation has no speaker, no channel and no prosody, and the
same letter sounds the same in every word, so it is easier than speech.

The constants below were fitted by ``benchmarks/unit_simulator.py`` to 1,965 utterances of LJSpeech as HuBERT-base
units (layer 6, 100 clusters; Polyak et al. 2021, arXiv 2104.00355, data of facebookresearch/speech-resynthesis) and
their transcripts: run lengths were counted; the units and frames of a pause and of the edges were fitted by least
squares to the transcripts' letters, words and marks; the rest was set by hand until the figures printed there agreed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xdomain.data.run_length import merged

from .lexicon import LETTERS, Lexicon, draw_lexicon
from .words import Word

Ints = NDArray[np.int64]

RATE = 50.0
"""Frames a second of HuBERT."""

RUNS = (0.4627, 0.3319, 0.1207, 0.0467, 0.0216, 0.0092, 0.0039, 0.0017, 0.0009, 0.0004, 0.0002, 0.0001)
"""Share of the merged units that last 1, 2, … frames."""

UNIT_SHARE = 0.4  # of the variance of run lengths (before rounding), between units
TEMPO = 0.13  # standard deviation of an utterance's tempo, on the same scale
UNITS_A_SOUND = (0.25, 0.5, 0.25)
CONFUSED = 0.5  # share of the units whose similar unit may be any unit
VARIED = 0.15  # share of the units that are heard as their similar unit
DROPPED = 0.03
PAUSE_UNITS = 5.8
EDGE_UNITS = 5.0


@dataclass(frozen=True)
class Utterance:
    """A simulated utterance.

    Parameters
    ----------
    units, runs
        Shape (n,): merged units, and the frames of each.
    edges
        Shape (words, 2): the frames of each word, half-open.
    """

    units: Ints
    runs: Ints
    edges: Ints


@dataclass(frozen=True)
class Simulator:
    """A simulated speaker.

    Parameters
    ----------
    units
        Size of the alphabet.
    seed
        Seed of the lexicon, 0 or more; each utterance has a generator of its own.
    pronounced
        The sounds of each word; None: the sounds are its letters.
    """

    units: int = 100
    seed: int = 0
    pronounced: Mapping[str, Sequence[str]] | None = None

    @cached_property
    def lexicon(self) -> Lexicon:
        """The units of each sound."""
        shares: Mapping[str, float] = LETTERS
        if self.pronounced is not None:
            shares = {}
            for word in sorted(self.pronounced):
                for sound in self.pronounced[word]:
                    shares[sound] = shares.get(sound, 0) + 1
        return draw_lexicon(shares, units=self.units, seed=self.seed, units_a_sound=UNITS_A_SOUND, confused=CONFUSED)

    @cached_property
    def _quantiles(self) -> NDArray[np.float64]:
        from scipy.special import ndtri  # takes a while to load

        return ndtri(np.cumsum(RUNS)[:-1] / sum(RUNS))

    def speak(self, words: Sequence[Word], rng: np.random.Generator) -> Utterance:
        """Turn words into units, with silence at both ends and at each pause.

        The result depends only on `words`, the seed and the state of `rng`.
        """
        sounds, owner = self._sounds(words)
        units, owner = self._units(sounds, owner, rng)
        new = np.append(True, (np.diff(units) != 0) | (np.diff(owner) != 0))
        units, owner = units[new], owner[new]
        runs = self._runs(units, rng)
        ends = np.cumsum(runs)
        edges = np.zeros((len(words), 2), np.int64)
        spoken = owner >= 0
        first = np.flatnonzero(spoken & (owner != np.concatenate([[-1], owner[:-1]])))
        last = np.flatnonzero(spoken & (owner != np.concatenate([owner[1:], [-1]])))
        edges[owner[first], 0] = ends[first] - runs[first]
        edges[owner[last], 1] = ends[last]
        return Utterance(*merged(units, runs), edges)

    def _sounds(self, words: Sequence[Word]) -> tuple[Ints, Ints]:
        """The numbers of the sounds, k for silence, and the word that each belongs to, -1 for none."""
        known = self.lexicon.sounds
        silence = len(known)
        sounds, owner = [silence], [-1]
        for number, word in enumerate(words):
            spoken = self.pronounced[word.text] if self.pronounced is not None else word.text
            sounds += [known[sound] for sound in spoken]
            owner += [number] * len(spoken)
            if word.pause and number + 1 < len(words):
                sounds.append(silence)
                owner.append(-1)
        return np.array([*sounds, silence]), np.array([*owner, -1])

    def _units(self, sounds: Ints, owner: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """The units of sounds and silences in order, not merged, and the word that each belongs to."""
        lexicon, silence = self.lexicon, len(self.lexicon.sounds)
        before = np.concatenate([[silence], sounds[:-1]])
        after = np.concatenate([sounds[1:], [silence]])
        is_sound = sounds < silence
        number = np.where(is_sound, sounds, 0)
        units = np.stack([
            lexicon.table[number, 0, before], lexicon.table[number, 1, before], lexicon.table[number, 2, after],
        ], axis=1)  # fmt: skip
        counts = lexicon.counts[number, before]
        used = np.array([[0, 1, 0], [1, 0, 1], [1, 1, 1]], bool)[counts - 1]
        used &= rng.random(used.shape) >= DROPPED
        starts = owner != np.concatenate([[-1], owner[:-1]])
        used[starts & ~used.any(axis=1), 1] = True  # a word has at least one unit
        varied = rng.random(units.shape) < VARIED
        units = np.where(varied, lexicon.similar[units], units)
        used &= is_sound[:, None]
        return self._with_silences(units, used, is_sound, owner, rng)

    def _with_silences(
        self, units: Ints, used: NDArray[np.bool_], is_sound: NDArray[np.bool_], owner: Ints, rng: np.random.Generator
    ) -> tuple[Ints, Ints]:
        lengths = used.sum(axis=1)
        places = np.flatnonzero(~is_sound)
        mean = np.full(len(places), PAUSE_UNITS)
        mean[[0, -1]] = EDGE_UNITS
        lengths[places] = 1 + rng.poisson(mean - 1)
        sequence = np.empty(int(lengths.sum()), np.int64)
        of_sound = np.repeat(is_sound, lengths)
        sequence[of_sound] = units[used]
        pool = self.lexicon.silence
        silences = int((~of_sound).sum())
        # steps of 1 or more around the pool: no two units in a row are equal
        sequence[~of_sound] = pool[np.cumsum(rng.integers(1, len(pool), silences)) % len(pool)]
        return sequence, np.repeat(owner, lengths)

    def _runs(self, units: Ints, rng: np.random.Generator) -> Ints:
        pace = rng.normal() * TEMPO
        drawn = np.sqrt(1 - UNIT_SHARE) * rng.normal(size=len(units))
        drawn += np.sqrt(UNIT_SHARE) * self.lexicon.longer[units] + pace
        return 1 + np.searchsorted(self._quantiles, drawn / np.sqrt(1 + TEMPO**2))
