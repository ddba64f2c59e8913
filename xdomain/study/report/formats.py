"""Numbers and names in the format of a report: .969 [.947, .987], +.012, < .001, a dash for an undefined value."""

from __future__ import annotations

import math
import re
import unicodedata

from xdomain.metrics.bootstrap import Interval

DASH = "–"


def _places(*values: float) -> int:
    """Digits after the point for all `values`: three, more where the largest is below .01, fewer from 10 on."""
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
    value += 0.0  # turns −0 into 0
    digits = f"{abs(value):,.{places}f}" if places <= 8 else f"{abs(value):.2g}".replace("-", "−")
    digits = digits.removeprefix("0") if digits.startswith("0.") else digits
    sign = "−" if value < 0 else "+" if signed else ""
    return sign + digits


def number(value: float | None, *, signed: bool = False) -> str:
    """`value` with three digits after the point and no zero before it, a plus sign if `signed`; None is a dash."""
    return DASH if value is None else _fixed(value, _places(value), signed=signed)


def interval(result: Interval, *, signed: bool = False) -> str:
    """The value and the ends of `result`, with equally many digits; with a plus sign where positive if `signed`."""
    places = _places(result.value, result.low, result.high)
    return _bracketed(*(_fixed(v, places, signed=signed) for v in (result.value, result.low, result.high)))


def percent(result: Interval) -> str:
    """The value and the ends of `result`, which are shares in [0, 1], in whole per cent."""
    value, low, high = (f"{100 * v:.0f}" if math.isfinite(v) else DASH for v in (result.value, result.low, result.high))
    return _bracketed(value if value == DASH else f"{value} %", low, high)


def _bracketed(value: str, low: str, high: str) -> str:
    """One dash stands for both ends if both are undefined, and for all if the value is, too."""
    if low == high == DASH:
        return DASH if value == DASH else f"{value} [{DASH}]"
    return f"{value} [{low}, {high}]"


def chance(p: float | None) -> str:
    """The p or q value `p` with three digits, or five where it would wrongly read as .050; a dash where undefined."""
    if p is None or not math.isfinite(p):
        return DASH
    if p < 0.001:
        return "< .001"
    digits = f"{p:.3f}"
    return (f"{p:.5f}" if digits == "0.050" and p != 0.05 else digits).removeprefix("0")


def equals(name: str, p: float | None) -> str:
    """The value `p` with its `name`, for a sentence: p = .012, p < .001."""
    value = chance(p)
    return f"{name} {value}" if value.startswith("<") else f"{name} = {value}"


def rate(value: float | None) -> str:
    """The learning rate `value` as people write it: 3e-4; None is a dash."""
    if value is None:
        return DASH
    mantissa, exponent = f"{value:.3e}".split("e")
    return f"{value:g}" if value == 0 or value >= 0.1 else f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def share(fraction: float) -> str:
    """The share `fraction` of the training records, in (0, 1], in per cent."""
    return f"{100 * fraction:.3g} %"


def count(n: int, thing: str) -> str:
    """The number `n` with `thing` in singular or plural: 1 cell, 2 cells."""
    return f"{n:,} {thing}" if n == 1 else f"{n:,} {thing}s"


def clean(text: str) -> str:
    """`text` on one line and without control characters, which names and error messages may contain."""
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)  # colours of a terminal
    plain = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join(plain.split())
