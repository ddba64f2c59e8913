"""The kinds of made-up sequences by name, and mixtures and curricula of them, read from one line."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from xdomain.core.errors import RecipeError, unknown

from . import procedures, structures
from .draws import Draws, Grid
from .frequencies import Law
from .procedures import MARKS

LARGEST = 2**31
"""No number of a kind is larger."""


@dataclass(frozen=True)
class Form:
    """A kind before its number is known.

    Parameters
    ----------
    make
        ``make(number, draws, law)``, or ``make(draws, law)`` for a kind without number.
    expected
        What it is written as.
    number
        Where none is given; None: it has none. Its type is that of the number.
    fits
        Whether a number can be meant.
    needs
        Integers that it needs at least, from its number.
    over
        How many integers, from 0 on, its law draws: from its number and the size of the alphabet.
    shortest
        Tokens of the shortest sequence.
    short
        How many tokens a sequence may have less than it might have: 1 where it is made of pairs or the like.
    paired
        Whether its tokens stand for pairs.
    """

    make: Callable[..., Grid]
    expected: str
    number: float | None = None
    fits: Callable[[Any], bool] = lambda number: number >= 1
    needs: Callable[[Any], int] = lambda number: 1
    over: Callable[[Any, int], int] = lambda number, size: size
    shortest: int = 1
    short: int = 0
    paired: bool = False


def _share(number: float) -> bool:
    return 0 <= number <= 1


_paired = partial(Form, shortest=2, short=1, paired=True)
_procedure = partial(Form, needs=lambda n: MARKS + 1, over=lambda n, size: size - MARKS, shortest=3, short=1)
_pooled = partial(_procedure, number=16, fits=lambda n: 1 <= n <= 4096)
_POOL = "{}:N, an input drawn from N tokens, 1 to 4,096"
FORMS: Mapping[str, Form] = {
    "uniform": Form(structures.independent, "uniform, without a number"),
    "unigram": Form(structures.independent, "unigram, without a number"),
    "bigram": Form(structures.bigram, "bigram:N, N successors of each token, 1 to 256", 16, lambda n: 1 <= n <= 256),
    "flat": _paired(
        structures.flat, "flat:N, an even N: a pair lies inside a span of N places", 128,
        lambda n: n >= 2 and n % 2 == 0,
    ),
    "nesting": _paired(structures.nesting, "nesting:P, P the probability of a push, 0 to 1", 0.4, _share),
    "shuffle": Form(
        structures.shuffle, "shuffle:N, blocks of N integers, 2 or more", 64, lambda n: n >= 2,
        needs=lambda n: n, over=lambda n, size: size - n + 1,
    ),
    "dyck": Form(
        structures.dyck, "dyck:K, K types of brackets", 64, needs=lambda k: 2 * k, over=lambda k, size: k,
        shortest=2, short=1,
    ),
    "identity": _procedure(procedures.identity, "identity, without a number"),
    "reverse": _procedure(procedures.reverse, "reverse, without a number"),
    "sort": _procedure(procedures.sort, "sort, without a number"),
    "set": _pooled(procedures.distinct, _POOL.format("set")),
    "union": _pooled(procedures.union, _POOL.format("union"), shortest=6),
    "delete": _pooled(procedures.delete, _POOL.format("delete"), shortest=5),
    "stack": _procedure(procedures.stack, "stack:P, P the probability of a push, 0 to 1", 0.6, _share),
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One kind with its number and its weight among others."""

    name: str
    number: float | None
    weight: float

    @property
    def told(self) -> str:
        """As it is written, without its weight."""
        return self.name if self.number is None else f"{self.name}:{self.number}"

    @property
    def form(self) -> Form:
        """What its kind has in common."""
        return FORMS[self.name]

    @property
    def needs(self) -> int:
        """Integers that it needs at least."""
        return self.form.needs(self.number)

    def law(self, whole: Law) -> Law:
        """The law of what it draws; `whole` is over an alphabet of `needs` integers or more."""
        return whole.over(self.form.over(self.number, whole.size))

    def make(self, draws: Draws, law: Law) -> Grid:
        """Some sequences, with what `law` said before."""
        make = self.form.make if self.number is None else partial(self.form.make, self.number)
        return make(draws, law)


def parse_kind(told: str) -> tuple[tuple[Part, ...], ...]:
    """Stages, each with its parts: ``uniform*0.2,flat:64*0.4+shuffle:64*0.4`` has two, of one part and of two.

    Raises
    ------
    RecipeError
        An unknown kind, a number that cannot be meant, or a weight that is none.
    """
    return tuple(tuple(_part(text.strip(), told) for text in stage.split("+")) for stage in told.split(","))


def _part(text: str, told: str) -> Part:
    kind, star, weight = (word.strip() for word in text.partition("*"))
    share = _number(weight) if star else 1.0
    if not share > 0:
        raise RecipeError(
            f"kind {told!r} has the weight {weight!r}", expected="KIND*W, W a number above 0", nearest=f"{kind}*1"
        )
    name, colon, argument = (word.strip() for word in kind.partition(":"))
    if name not in FORMS:
        raise _no_kind(name)
    form = FORMS[name]
    if not colon:
        return Part(name, form.number, share)
    number = _number(argument)
    whole = isinstance(form.number, int)
    odd = whole and (number != number // 1 or number > LARGEST)
    if form.number is None or odd or not form.fits(number):
        raise RecipeError(f"kind {kind!r}", expected=form.expected, nearest=_near(name, form, number))
    return Part(name, int(number) if whole else number, share)


def _no_kind(name: str) -> Exception:
    known, dash, number = name.partition("-")
    if dash and known in FORMS:  # as papers write it
        return RecipeError(f"unknown kind {name!r}", expected=FORMS[known].expected, nearest=f"{known}:{number}")
    return unknown("kind", name, FORMS)


def _number(text: str) -> float:
    """Nan, which fits nothing, where it is none or not finite."""
    try:
        number = float(text)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _near(name: str, form: Form, number: float) -> str:
    if form.number is None:
        return name
    odd = name == "flat" and 1 <= number <= LARGEST
    return f"{name}:{math.ceil(number / 2) * 2 if odd else form.number}"
