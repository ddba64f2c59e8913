"""The kinds of made-up sequences by name, and mixtures and curricula of them, parsed from one line."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from xdomain.core.entry_points import entry_points
from xdomain.core.errors import RecipeError, unknown

from . import automata, procedures, structures
from .frequencies import Distribution
from .procedures import MARKS
from .random_streams import Draws, Grid

STREAMS = "xdomain.streams"
"""The entry-point group of streams of one's own, which are kinds of ``xdomain pretrain synthetic`` as well."""
LARGEST = 2**31
"""The largest number that a kind may have."""


@dataclass(frozen=True)
class Form:
    """A kind before its number is known.

    Parameters
    ----------
    make
        ``make(number, draws, law)``, or ``make(draws, law)`` for a kind without number.
    expected
        How it is written, for messages.
    number
        The default of its number, which also gives the number's type; None: the kind has no number.
    fits
        Whether a number is valid.
    needs
        The least size of the alphabet, as a function of the number.
    over
        How many integers, from 0 on, its law draws from, as a function of the number and the size of the alphabet.
    shortest
        Tokens of the shortest sequence.
    short
        By how many tokens a sequence may be shorter than its length: 1 where it is made of pairs or the like.
    paired
        Whether the drawn tokens stand for pairs.
    apart
        Whether the law must give `needs` different integers.
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
    apart: bool = False


def _share(number: float) -> bool:
    return 0 <= number <= 1


_paired = partial(Form, shortest=2, short=1, paired=True)
_procedure = partial(Form, needs=lambda n: MARKS + 1, over=lambda n, size: size - MARKS, shortest=3, short=1)
_pooled = partial(_procedure, number=16, fits=lambda n: 1 <= n <= 4096)
_automaton = partial(Form, number=4, fits=lambda k: 2 <= k <= 8, needs=lambda k: k, apart=True)
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
    "automaton": _automaton(
        automata.ring, "automaton:K, a ring of cells with K states, 2 to 8", shortest=2 * automata.CELLS
    ),
    "automaton2d": _automaton(
        automata.torus, "automaton2d:K, a square of cells with K states, 2 to 8", shortest=2 * automata.SIDE**2
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One kind with its number and its weight.

    Parameters
    ----------
    name
        A key of `FORMS`.
    number
        None where the kind has none.
    weight
        Its share of the sequences, above 0, relative to the other parts.
    """

    name: str
    number: float | None
    weight: float

    @property
    def text(self) -> str:
        """The part as it is written, without its weight: ``flat:64``."""
        return self.name if self.number is None else f"{self.name}:{self.number}"

    @property
    def form(self) -> Form:
        """The form of its kind."""
        return FORMS[self.name]

    @property
    def needs(self) -> int:
        """The least size of the alphabet."""
        return self.form.needs(self.number)

    def law(self, whole: Distribution) -> Distribution:
        """The distribution of what it draws, given `whole`, that of an alphabet of `needs` integers or more."""
        return whole.restricted_to(self.form.over(self.number, whole.size))

    def make(self, draws: Draws, law: Distribution) -> Grid:
        """Make the sequences that `draws` asks for; `law` is what the method `law` returned."""
        make = self.form.make if self.number is None else partial(self.form.make, self.number)
        return make(draws, law)


def parse_kind(line: str) -> tuple[tuple[Part, ...], ...]:
    """Parse `line` into stages, each a tuple of parts.

    ``uniform*0.2,flat:64*0.4+shuffle:64*0.4`` has two stages, the first of one part and the second of two.

    Raises
    ------
    RecipeError
        A kind is unknown, its number is not valid, or a weight is not a number above 0.
    """
    return tuple(tuple(_part(text.strip(), line) for text in stage.split("+")) for stage in line.split(","))


def _part(text: str, line: str) -> Part:
    kind, star, weight = (word.strip() for word in text.partition("*"))
    share = _number(weight) if star else 1.0
    if not share > 0:
        raise RecipeError(
            f"kind {line!r} has the weight {weight!r}", expected="KIND*W, W a number above 0", nearest=f"{kind}*1"
        )
    name, colon, argument = (word.strip() for word in kind.partition(":"))
    if name not in FORMS:
        raise _no_kind(name, text)
    form = FORMS[name]
    if not colon:
        return Part(name, form.number, share)
    number = _number(argument)
    whole = isinstance(form.number, int)
    odd = whole and (number != number // 1 or number > LARGEST)
    if form.number is None or odd or not form.fits(number):
        raise RecipeError(f"kind {kind!r}", expected=form.expected, nearest=_near(name, form, number))
    return Part(name, int(number) if whole else number, share)


def _no_kind(name: str, text: str) -> Exception:
    own = entry_points(STREAMS)
    if ".py" in name:
        return RecipeError(
            f"{text!r} names a file of Python, which is not run",
            expected=f"one of {', '.join([*FORMS, *own])}",
            fix=f'register the function in a package of yours, [project.entry-points."{STREAMS}"], or call '
            "xdomain.pretrain_stream(function, …) in Python; docs/pretraining.md",
        )
    known, dash, number = name.partition("-")
    if dash and known in FORMS:  # papers write flat-64
        return RecipeError(f"unknown kind {name!r}", expected=FORMS[known].expected, nearest=f"{known}:{number}")
    return unknown("kind", name, [*FORMS, *own])


def _number(text: str) -> float:
    """The number, or nan, which fits nothing, where `text` is not a finite number."""
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
