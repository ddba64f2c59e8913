"""Numbers and names as a report shows them: .969 [.947, .987], +.012, < .001, a dash for what is undefined."""

from __future__ import annotations

import math
import re
import unicodedata

from xdomain.metrics.bootstrap import Interval

DASH = "–"


def _places(*values: float) -> int:
    """Digits after the point that suit all of them: three, more where the largest is below .01, fewer from 10 on."""
    largest = max((abs(v) for v in values if math.isfinite(v)), default=0.0)
    if largest == 0:
        return 3
    order = math.floor(math.log10(largest))
    return max(3, 1 - order) if order < 1 else max(0, 3 - order)


def _fixed(value: float, places: int, *, signed: bool) -> str:
    if math.isnan(value):
        return DASH
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    value += 0.0  # no −0
    digits = f"{abs(value):,.{places}f}" if places <= 8 else f"{abs(value):.2g}".replace("-", "−")
    digits = digits.removeprefix("0") if digits.startswith("0.") else digits
    sign = "−" if value < 0 else "+" if signed else ""
    return sign + digits


def number(value: float | None, *, signed: bool = False) -> str:
    """Three digits after the point and no zero before it."""
    return DASH if value is None else _fixed(value, _places(value), signed=signed)


def interval(told: Interval, *, signed: bool = False) -> str:
    """The value and its 95 % interval, with as many digits each."""
    places = _places(told.value, told.low, told.high)
    return _bracketed(*(_fixed(v, places, signed=signed) for v in (told.value, told.low, told.high)))


def percent(told: Interval) -> str:
    """A share in [0, 1] and its interval, in whole per cent."""
    value, low, high = (f"{100 * v:.0f}" if math.isfinite(v) else DASH for v in (told.value, told.low, told.high))
    return _bracketed(value if value == DASH else f"{value} %", low, high)


def _bracketed(value: str, low: str, high: str) -> str:
    """One dash says of an undefined interval what a dash at each end would."""
    if low == high == DASH:
        return DASH if value == DASH else f"{value} [{DASH}]"
    return f"{value} [{low}, {high}]"


def chance(p: float | None) -> str:
    """A p or q value; so many digits that one never reads as .050 on the wrong side of it."""
    if p is None or not math.isfinite(p):
        return DASH
    if p < 0.001:
        return "< .001"
    digits = f"{p:.3f}"
    return (f"{p:.5f}" if digits == "0.050" and p != 0.05 else digits).removeprefix("0")


def equals(name: str, p: float | None) -> str:
    """As it stands in a sentence: q = .012, q < .001."""
    told = chance(p)
    return f"{name} {told}" if told.startswith("<") else f"{name} = {told}"


def rate(value: float | None) -> str:
    """A learning rate as people write it: 3e-4."""
    if value is None:
        return DASH
    mantissa, exponent = f"{value:.3e}".split("e")
    return f"{value:g}" if value == 0 or value >= 0.1 else f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def share(fraction: float) -> str:
    """A share of the training records."""
    return f"{100 * fraction:.3g} %"


def count(n: int, thing: str) -> str:
    """1 cell, 2 cells."""
    return f"{n:,} {thing}" if n == 1 else f"{n:,} {thing}s"


def clean(text: str) -> str:
    """One line without control characters: names and errors come from anywhere."""
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)  # a terminal's colours
    plain = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join(plain.split())
