"""How often each integer is drawn: uniformly, by Zipf's law, or by a table of counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xdomain.core.errors import DataError, RecipeError, unknown

from .random_streams import AGAIN, RACE, TOKENS, Draws, Flags, Integers, RawBits, below, first_seen, units

LAWS = ("uniform", "zipf", "table")
ROUNDS = 3
"""How often more tokens are drawn where repetitions leave too few; each time twice as many as there are so far."""


@dataclass(frozen=True, eq=False)
class Distribution:
    """Frequencies of the integers below `size`.

    Parameters
    ----------
    size
        How many integers.
    edges
        Shape (size,): running sums of their weights; None: all weights are equal.
    """

    size: int
    edges: NDArray[np.float64] | None = None

    def draw(self, words: RawBits) -> Integers:
        """Draw an integer for each of `words`, independently, in the same shape."""
        if self.edges is None:
            return below(words, self.size)
        return np.searchsorted(self.edges, units(words) * self.edges[-1], side="right").astype(np.int64)

    def restricted_to(self, size: int) -> Distribution:
        """The same law over only the integers below `size`, at most the size of this law."""
        return Distribution(size, None if self.edges is None else self.edges[:size])

    @property
    def weights(self) -> NDArray[np.float64]:
        """Shape (size,): the weight of each integer, not all 0."""
        return np.ones(self.size) if self.edges is None else np.diff(self.edges, prepend=0)

    @property
    def possible(self) -> int:
        """How many integers have a weight above 0."""
        return self.size if self.edges is None else int(np.count_nonzero(self.weights))

    def draw_without_replacement(self, words: RawBits, out: Integers, n: int) -> Integers:
        """Shape (n,): integers other than `out`, drawn one after another without replacement.

        Each integer arrives after an exponential time of its own with mean 1 / weight; the first n to arrive are the
        draw.

        Parameters
        ----------
        words
            Shape (size,): random words that decide the times.
        out
            Shape (m,): integers that are not drawn.
        n
            How many to draw, at most as many as remain.
        """
        weights = self.weights
        weights[out] = 0
        arrivals = np.divide(-np.log1p(-units(words)), weights, out=np.full(self.size, np.inf), where=weights > 0)
        early = np.argpartition(arrivals, n - 1)[:n]
        return early[np.argsort(arrivals[early], kind="stable")]


def drawn(law: Distribution, draws: Draws, n: int) -> Integers:
    """Shape (rows, n): `n` tokens by `law` for each row of `draws`, all different in a row where it is `distinct`.

    Different tokens are drawn one after another without replacement: repeated ones are skipped. Where hundreds of draws
    give too few, `Distribution.race` draws the rest; its results have the same distribution, and it is slower.
    """
    if not draws.distinct:
        return law.draw(draws.words(TOKENS, n))
    tokens = law.draw(draws.words(TOKENS, n + n // 8 + 8))
    new = first_seen(tokens)
    for again in range(ROUNDS):
        if (new.sum(axis=1) >= n).all():
            break
        # Drawn for all rows although only some need it: what the others do not need is cut off below.
        more = law.draw(draws.words(AGAIN + again, 2 * tokens.shape[1]))
        tokens = np.concatenate([tokens, more], axis=1)
        new = first_seen(tokens)
    new &= np.cumsum(new, axis=1) <= n
    return tokens[new].reshape(-1, n) if (new.sum(axis=1) == n).all() else _completed(law, draws, n, tokens, new)


def _completed(law: Distribution, draws: Draws, n: int, tokens: Integers, new: Flags) -> Integers:
    completed = np.empty((len(tokens), n), np.int64)
    for row, (drawn_tokens, kept) in enumerate(zip(tokens, new, strict=True)):
        begun = drawn_tokens[kept]
        lacking = n - len(begun)
        rest = (
            law.draw_without_replacement(draws.words_of(row, RACE, law.size), begun, lacking) if lacking else begun[:0]
        )
        completed[row] = np.concatenate([begun, rest])
    return completed


def make_law(law: str, size: int, counts: str | Sequence[float] = "") -> Distribution:
    """The law that an option names.

    Parameters
    ----------
    law
        uniform; zipf:S, integer r with a weight of (r + 1) ** -S; or table.
    size
        How many integers.
    counts
        For table: weights, one for each integer, or a text file that has one a line. Empty for other laws.

    Raises
    ------
    RecipeError
        The law is unknown, its exponent is not a number of 0 or more, or the table does not fit.
    DataError
        The file cannot be read, or a line of it is no number.
    """
    name, colon, argument = law.partition(":")
    if name not in LAWS:
        raise unknown("law", law, LAWS)
    given = counts if isinstance(counts, str) else "a table of your own"
    if (name == "table") != bool(len(counts)):
        raise RecipeError(
            f"law {law} " + ("without counts" if name == "table" else f"with counts ({given})"),
            expected="law=table and counts=FILE together, or neither",
        )
    if name == "zipf":
        return _zipf(law, argument, size)
    if colon:
        raise RecipeError(f"law {law!r}", expected=f"{name}; only zipf has a number", nearest=name)
    return Distribution(size) if name == "uniform" else _table(counts, size)


def _zipf(law: str, argument: str, size: int) -> Distribution:
    try:
        exponent = float(argument)
    except ValueError:
        exponent = math.nan
    if not 0 <= exponent < math.inf:
        raise RecipeError(f"law {law!r}", expected="zipf:S, the exponent S 0 or more", nearest="zipf:1")
    if exponent == 0:
        return Distribution(size)
    return Distribution(size, np.cumsum(np.arange(1, size + 1, dtype=np.float64) ** -exponent))


def _table(counts: str | Sequence[float], size: int) -> Distribution:
    where = f"{counts}: " if isinstance(counts, str) else ""
    weights = _read(Path(counts)) if isinstance(counts, str) else np.asarray(counts, np.float64)
    if weights.shape != (size,):
        raise RecipeError(
            f"{where}counts of {weights.size:,} integers", expected=f"one for each of the {size:,}",
            fix=f"symbols={weights.size}, or another table",
        )  # fmt: skip
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        raise RecipeError(
            f"{where}a count of {weights[wrong[0]]} for the integer {wrong[0]}", expected="finite counts, 0 or more"
        )
    if not 0 < weights.sum() < math.inf:
        raise RecipeError(f"{where}counts whose sum is {weights.sum()}", expected="a sum above 0, and finite")
    return Distribution(size, np.cumsum(weights))


def _read(path: Path) -> NDArray[np.float64]:
    expected = "a text file with one count a line, that of the integer 0 first"
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error})", expected=expected) from None
    numbers: list[float] = []
    for number, line in enumerate(lines):
        try:
            numbers.append(float(line))
        except ValueError:
            raise DataError(f"{path}, line {number + 1}: {line!r} is no number", expected=expected) from None
    return np.array(numbers)
