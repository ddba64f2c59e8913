"""Turn written English into spoken words, and simulate recognition errors."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

SIGNS = {"%": "percent", "&": "and", "$": "dollars", "£": "pounds", "€": "euros", "+": "plus", "=": "equals"}
SMALL = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
LARGE = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
PIECE = re.compile(
    r"(?P<number>\d+(?:,\d{3})*)(?:\.(?P<decimals>\d+))?(?P<ending>st|nd|rd|th|s)?(?![^\W\d_])"
    r"|(?P<word>[^\W\d_]+(?:['’][^\W\d_]+)*)|(?P<sign>[%&$£€+=])|(?P<digits>\d+)"
)
PAUSE = re.compile(r"[,;:.!?)]+['\"”’\])]*(\s|$)|\s[—–(-]|[—–]")
STOP = re.compile(r"[.!?]['\"”’\])]*\s+(?=['\"“‘(\[]?[A-Z0-9])")
SHORT = re.compile(
    r"(?:^|[\s(])(?:[A-Z]|Mr|Mrs|Ms|Dr|St|Jr|Sr|vs|No|Vol|cf|ca|c|Gen|Lt|Col|Sgt|Rev|Prof|Capt|Gov|Sen|Rep|Inc|Ltd|"
    r"Co|Corp|e\.g|i\.e|[A-Z]\.[A-Z])\.$"
)
SUBSTITUTED, DELETED = 0.8, 0.1  # the rest are insertions


@dataclass(frozen=True)
class Word:
    """A word as it is spoken.

    Parameters
    ----------
    text
        Letters a to z.
    start, end
        The characters of the written text that the word stands for, half-open; several words may share them.
    pause
        Whether a speaker pauses after it.
    """

    text: str
    start: int
    end: int
    pause: bool = False


def spoken_words(text: str) -> list[Word]:
    """The spoken words of `text`, in order; anything without a Latin letter, digit or known sign is left out."""
    words: list[Word] = []
    for piece in PIECE.finditer(text):
        texts = _said(piece)
        if not texts:
            continue
        if words and PAUSE.search(text, words[-1].end, piece.start()):
            last = words[-1]
            words[-1] = Word(last.text, last.start, last.end, True)
        words += [Word(each, piece.start(), piece.end()) for each in texts]
    return words


def sentences(text: str) -> list[tuple[int, int]]:
    """Start and end of each sentence of `text` in characters, half-open; together they cover the text."""
    borders = [0]
    for stop in STOP.finditer(text):
        if not SHORT.search(text, borders[-1], stop.start() + 1):
            borders.append(stop.end())
    return list(zip(borders, [*borders[1:], len(text)], strict=True))


def spelled(number: int) -> list[str]:
    """The words of `number`, 0 or more, without "and"."""
    if number < 20:
        return [SMALL[number]]
    if number < 100:
        return [TENS[number // 10], *(spelled(number % 10) if number % 10 else [])]
    if number >= 10**15:
        return [SMALL[int(digit)] for digit in str(number)]
    size, name = next((size, name) for size, name in LARGE if number >= size)
    return [*spelled(number // size), name, *(spelled(number % size) if number % size else [])]


def _said(piece: re.Match[str]) -> list[str]:
    if piece["word"]:
        letters = piece["word"].lower()
        if letters.isascii() and letters.isalpha():
            return [letters]
        letters = unicodedata.normalize("NFKD", letters)
        letters = "".join(c for c in letters if "a" <= c <= "z")
        return [letters] if letters else []
    if piece["sign"]:
        return [SIGNS[piece["sign"]]]
    if piece["digits"]:
        return [SMALL[int(digit)] for digit in piece["digits"]]
    words = _number(piece["number"])
    if piece["decimals"]:
        words += ["point", *(SMALL[int(digit)] for digit in piece["decimals"])]
    if piece["ending"] == "s":
        words[-1] = words[-1][:-1] + "ies" if words[-1].endswith("y") else words[-1] + "s"
    elif piece["ending"]:
        words[-1] = _ordinal(words[-1])
    return words


def _number(written: str) -> list[str]:
    number = int(written.replace(",", ""))
    if "," in written or len(written) != 4 or not (1100 <= number < 2000 or 2010 <= number < 2100):
        return spelled(number)
    century, year = divmod(number, 100)  # as years are read: nineteen oh six
    if not year:
        return [*spelled(century), "hundred"]
    return [*spelled(century), *(["oh"] if year < 10 else []), *spelled(year)]


def _ordinal(word: str) -> str:
    if word in ORDINALS:
        return ORDINALS[word]
    return word[:-1] + "ieth" if word.endswith("y") else word + "th"


def with_errors(
    words: Sequence[Word],
    rate: float,
    rng: np.random.Generator,
    vocabulary: Sequence[str],
    kept: Sequence[tuple[int, int]] = (),
) -> tuple[list[Word], list[int]]:
    """Replace a share of the words (8 of 10 errors), leave some out, or insert words that were not said.

    Parameters
    ----------
    words
        The words that were said.
    rate
        Probability of an error at each word, 0 to 1.
    rng
        Decides where the errors are, and which.
    vocabulary
        Where other words are drawn from, uniformly: a word is in it as often as it is used.
    kept
        Runs of words, half-open; if all of one were to be left out, its first word is replaced instead.

    Returns
    -------
    tuple
        The words, and for each its place in `words`, not decreasing; an inserted word has that of the word before it.
    """
    if not rate:
        return list(words), list(range(len(words)))
    kinds = rng.random(len(words))
    wrong = rng.random(len(words)) < rate
    others = rng.integers(0, len(vocabulary), len(words))
    left_out = wrong & (kinds >= SUBSTITUTED) & (kinds < SUBSTITUTED + DELETED)
    for start, end in [*kept, (0, len(words))]:
        if start < end and left_out[start:end].all():
            left_out[start] = False
            kinds[start] = 0.0
    heard: list[Word] = []
    origins: list[int] = []
    for place, word in enumerate(words):
        if left_out[place]:
            continue
        other = vocabulary[others[place]]
        replaced = wrong[place] and kinds[place] < SUBSTITUTED
        inserted = wrong[place] and kinds[place] >= SUBSTITUTED + DELETED
        heard.append(replace(word, text=other if replaced else word.text, pause=word.pause and not inserted))
        origins.append(place)
        if inserted:
            heard.append(replace(word, text=other))
            origins.append(place)
    return heard, origins
