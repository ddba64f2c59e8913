"""The phonemes of words, and a lexicon of the units that a simulated speaker uses for each sound."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xdomain.core.errors import DataError, MissingError, RecipeError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# Letters of English text in percent, in the order of the alphabet; rounded from Norvig 2012, English Letter Frequency
# Counts, https://norvig.com/mayzner.html
LETTERS: Mapping[str, float] = dict(
    zip("abcdefghijklmnopqrstuvwxyz", (8.0, 1.5, 3.3, 3.8, 12.5, 2.4, 1.9, 5.1, 7.6, 0.2, 0.5, 4.1, 2.5, 7.2, 7.6, 2.1,
                                      0.1, 6.3, 6.5, 9.3, 2.7, 1.1, 1.7, 0.2, 1.7, 0.1), strict=True)
)  # fmt: skip

SLOTS = 3  # the units of a sound: for its beginning, its middle and its end
SILENT = 0.04  # share of the units that stand for silence
SILENCE_LASTS = 0.8  # standard deviations
MIN_UNITS = 32
STRESS = str.maketrans("", "", "ˈˌ")


@dataclass(frozen=True)
class Lexicon:
    """The units of k sounds.

    Parameters
    ----------
    sounds
        The number of each sound; as a neighbour, k stands for silence.
    silence
        Shape (m,): the units of silence.
    table
        Shape (k, 3, k + 1): the unit of a sound in each slot, by the neighbour on which this slot depends.
    similar
        Shape (units,): the unit that may be heard instead of each unit.
    counts
        Shape (k, k + 1): how many units a sound has after another, 1 to 3.
    longer
        Shape (units,): how much longer a unit lasts than others, in standard deviations; the mean is 0.
    """

    sounds: Mapping[str, int]
    silence: Ints
    table: Ints
    similar: Ints
    counts: Ints
    longer: Floats


def draw_lexicon(
    shares: Mapping[str, float], *, units: int, seed: int, units_a_sound: tuple[float, float, float], confused: float
) -> Lexicon:
    """Draw a lexicon in which frequent sounds have more units, as with k-means.

    Parameters
    ----------
    shares
        Relative frequency of each sound, on any scale.
    units
        Size of the alphabet, at least 6 more than there are sounds.
    seed
        0 or more; the same seed gives the same lexicon.
    units_a_sound
        Shares of the pairs of a sound and its neighbour for which the sound has 1, 2 and 3 units.
    confused
        Share of the units whose `Lexicon.similar` unit may belong to any sound; that of the others belongs to the same
        sound. At 0, units distinguish sounds perfectly.

    Raises
    ------
    RecipeError
        There are too few `units`.
    """
    if units < MIN_UNITS + len(shares) - len(LETTERS):
        raise RecipeError(
            f"units: {units}", expected=f"at least {MIN_UNITS + len(shares) - len(LETTERS)}, for {len(shares)} sounds"
        )
    rng = np.random.Generator(np.random.PCG64([seed, 0x1E71C0]))
    k = len(shares)
    order = rng.permutation(units)
    silent = max(2, round(SILENT * units))
    own = np.split(order[silent:], np.cumsum(_sizes(np.array(list(shares.values())), units - silent))[:-1])
    # neighbours ranked by frequency, the most frequent being silence
    common = np.append(np.argsort(np.argsort(-np.array(list(shares.values())))) + 1, 0)
    table = np.empty((k, SLOTS, k + 1), np.int64)
    similar = np.empty(units, np.int64)
    for sound, pool in enumerate(own):
        for slot, part in enumerate(_parts(pool)):
            table[sound, slot] = part[common % len(part)]  # neighbours take the units in turn, by frequency
            similar[part] = np.roll(part if len(part) > 1 else pool, 1)[: len(part)]
    blurred = order[silent:][rng.random(units - silent) < confused]
    similar[blurred] = rng.permutation(blurred)
    similar[order[:silent]] = order[:silent]
    counts = 1 + rng.choice(SLOTS, (k, k + 1), p=np.array(units_a_sound) / sum(units_a_sound))
    from scipy.special import ndtri  # takes a while to load

    longer = ndtri((rng.permutation(units) + 0.5) / units)
    longer[order[:silent]] = SILENCE_LASTS
    longer -= longer.mean()
    sounds = {sound: number for number, sound in enumerate(shares)}
    return Lexicon(sounds, order[:silent], table, similar, counts, longer)


def _sizes(shares: Floats, units: int) -> Ints:
    """Parts of `units` in proportion to `shares`, each at least 1, by largest remainders."""
    spare = shares / shares.sum() * (units - len(shares))
    sizes = 1 + np.floor(spare).astype(np.int64)
    rest = units - int(sizes.sum())
    sizes[np.argsort(np.floor(spare) - spare, kind="stable")[:rest]] += 1
    return sizes


def _parts(pool: Ints) -> list[Ints]:
    """The units for the beginning, the middle and the end of a sound; the same for all three where there are few."""
    return np.array_split(pool, SLOTS) if len(pool) >= SLOTS else [pool] * SLOTS


def phonemes(words: Sequence[str], *, voice: str = "en") -> dict[str, list[str]]:
    """The phonemes of each word, by the program espeak-ng.

    Parameters
    ----------
    words
        Without white space.
    voice
        One of those that ``espeak-ng --voices`` lists.

    Returns
    -------
    dict
        Of each word its phonemes in the International Phonetic Alphabet, without stress; its letters if it has none.

    Raises
    ------
    MissingError
        espeak-ng is not installed.
    DataError
        espeak-ng does not answer with one line for each word.
    """
    program = shutil.which("espeak-ng")
    if program is None:
        raise MissingError("espeak-ng is not installed", expected="it, for phonemes", fix="apt install espeak-ng")
    result = subprocess.run(
        [program, "-q", "--ipa", "--sep=_", "-v", voice, "--stdin"],
        input="\n\n".join(words) + "\n",  # a blank line ends a clause: so each word is a clause
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    lines = result.stdout.splitlines()
    if result.returncode or len(lines) != len(words):
        raise DataError(
            f"espeak-ng pronounced {len(lines):,} of {len(words):,} words ({result.stderr.strip()[:80]})",
            expected="a line a word",
            fix="reader_options.phonemes=graphemes",
        )
    spoken = [line.translate(STRESS).replace("_", " ").split() for line in lines]
    return {word: sounds or list(word) for word, sounds in zip(words, spoken, strict=True)}
