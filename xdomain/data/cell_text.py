"""What people write into cells: numbers in several ways, marks of what is missing, several labels at once."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

MISSING = {"", "nan", "-nan", "<na>", "#n/a", "#na", "nat", "#value!", "#div/0!"}
"""In lower case: what always stands for a missing value."""
PERHAPS_MISSING = {
    "na", "n/a", "null", "none", "nil", "-", "--", "?", ".", "unknown", "nd", "n.d.", "n.d", "n/d", "not determined",
    "n.a.", "n.a", "not available", "missing",
}  # fmt: skip
"""In lower case: what does so among numbers, and may be the name of a class among words."""
SEPARATORS = (";", "|", ",")
LARGEST = 3.4e38
"""Of the numbers that a model learns, which have 32 bits."""
COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+(?:[eE][+-]?\d+)?")  # 0,75 and 1.234,5
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?")  # 1,234.5
QUANTITY = re.compile(
    r"[<>\u2264\u2265~\u2248=]{0,2}\s*[+-]?\d[\d,]*\.?\d*(?:[eE][+-]?\d+)?"  # a bound or a number, and its unit
    r"(?:\s+[^\s\d]{1,12}|\s*%|\s*(?:\u00b1|\+/-).*|\s*[x\u00d7*]\s*10.*|\s*[pnu\u00b5\u03bcmk]?(?:M|g|mol|Da|Hz|bp)(?:/\w+)?)?"
)


def parse_number(cell: str) -> float | None:
    """The number in `cell`, NaN and infinity included, or None."""
    text = cell.strip()
    if "_" in text:  # which float() passes over
        return None
    try:
        return float(text)
    except ValueError:
        return None


def is_usable(number: float) -> bool:
    """Whether a model can learn `number`: it is finite, also with 32 bits."""
    return abs(number) <= LARGEST


@dataclass(frozen=True)
class Spelling:
    """How a column writes its numbers, other than plainly.

    Parameters
    ----------
    said
        In words, for messages.
    plain
        Writes a cell plainly.
    """

    said: str
    plain: Callable[[str], str]


PLAIN = Spelling("", str.strip)


def spelling_of(cells: Iterable[str]) -> Spelling:
    """How the numbers in `cells`, a column, are written, if all agree.

    A comma is for thousands where it is before three digits in each number that has one, the others are below 1000,
    and something tells it from a decimal comma: a point, a second comma, or whole numbers beside three with a comma.
    """
    written = [cell.strip() for cell in cells if not is_missing(cell, among_numbers=True)]
    if written and all(cell.endswith("%") for cell in written):
        inner = spelling_of(cell[:-1] for cell in written)
        said = f"as percentages{' ' * bool(inner.said)}{inner.said}"
        return Spelling(said, lambda cell: inner.plain(cell.strip().removesuffix("%")))
    if not any("," in cell for cell in written):
        return PLAIN
    if _has_decimal_commas(written):
        return Spelling("with decimal commas", lambda cell: cell.strip().replace(".", "").replace(",", "."))
    if _has_thousands(written):
        return Spelling("with commas between thousands", lambda cell: cell.strip().replace(",", ""))
    return PLAIN


def _has_decimal_commas(written: Sequence[str]) -> bool:
    """Whether numbers have commas for points: ``0,75``, and not ``1,000`` for a thousand."""
    with_comma = [cell for cell in written if COMMA.fullmatch(cell)]
    if not with_comma or any("." in cell for cell in written if parse_number(cell) is not None):
        return False
    return any(not re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", cell) for cell in with_comma)


def _has_thousands(written: Sequence[str]) -> bool:
    with_comma = [cell for cell in written if "," in cell]
    others = [parse_number(cell) for cell in written if "," not in cell]
    if not all(map(THOUSANDS.fullmatch, with_comma)) or any(n is None or abs(n) >= 1000 for n in others):
        return False
    sure = any("." in cell or cell.count(",") > 1 for cell in with_comma)
    return sure or (len(with_comma) > 2 and any(n is not None and n.is_integer() for n in others))


def numbers_of(cells: Iterable[str]) -> list[float] | None:
    """The finite numbers of a column's `cells`, or None where a cell is no number; missing ones are passed over."""
    cells = list(cells)
    spelling = spelling_of(cells)
    numbers: list[float] = []
    for cell in cells:
        if cell.strip().lower() in MISSING:
            continue
        number = parse_number(spelling.plain(cell))
        if number is None:
            if cell.strip().lower() in PERHAPS_MISSING:
                continue
            return None
        if math.isfinite(number):
            numbers.append(number)
    return numbers or None


def is_ambiguous(cell: str) -> bool:
    """Whether `cell` is ``1,000``: one, or a thousand."""
    return THOUSANDS.fullmatch(cell.strip()) is not None and cell.count(",") == 1 and "." not in cell


def is_quantity(cell: str) -> bool:
    """Whether `cell` is a number and something more: a unit, a bound, an error, as in ``3.4 nM`` and ``>10``."""
    return parse_number(cell) is None and QUANTITY.fullmatch(cell.strip()) is not None


def is_missing(cell: str | None, *, among_numbers: bool) -> bool:
    """Whether `cell` stands for no value; `among_numbers` widens what does by `PERHAPS_MISSING`."""
    text = (cell or "").strip().lower()
    return text in MISSING or (among_numbers and text in PERHAPS_MISSING)


def whole_numbers(cells: Sequence[str]) -> dict[str, str]:
    """How to write whole numbers that stand in `cells` in two ways, ``1`` and ``1.0``: by cell, the shorter one.

    Empty where any other cell is no number, or none has a point.
    """
    plain: dict[str, str] = {}
    for cell in dict.fromkeys(cells):
        if cell.lower() in MISSING:
            continue
        number = parse_number(cell)
        if number is None or not math.isfinite(number) or not number.is_integer():
            return {}
        plain[cell] = str(int(number))
    return plain if any(cell != short for cell, short in plain.items()) else {}


def several_labels(cells: Iterable[str]) -> tuple[str, str] | None:
    """A separator that parts several labels in a cell, and such a cell; None where a cell is one label.

    Cells hold several labels where most parts come again, alone or in other combinations. Otherwise the separator
    belongs to the name of a class.

    Parameters
    ----------
    cells
        A column of labels, stripped.
    """
    counts = Counter(cells)
    lists = [cell for cell in counts if cell.startswith("[") and cell.endswith("]")]
    if lists and len(lists) >= len(counts) / 2:
        return ",", lists[0]
    for separator in SEPARATORS:
        combined = [cell for cell in counts if separator in cell]
        parts = [[part.strip() for part in cell.split(separator)] for cell in combined]
        if not combined or not all(all(part) and len(set(part)) == len(part) for part in parts):
            continue
        alone = {cell for cell in counts if separator not in cell}
        if len(combined) == 1 and not set(parts[0]) <= alone:
            continue
        seen = Counter(part for one in parts for part in set(one))
        again = sum(count for part, count in seen.items() if count > 1 or part in alone)
        if again > 0.8 * seen.total():
            return separator, combined[0]
    return None


def natural_order(names: Iterable[str]) -> list[str]:
    """Different `names`, in the order of numbers where all are numbers, else of characters."""
    distinct = sorted(set(names))
    numbers = [parse_number(name) for name in distinct]
    if any(number is None or math.isnan(number) for number in numbers):
        return distinct
    return [name for _, name in sorted(zip(numbers, distinct, strict=True), key=lambda pair: (pair[0] or 0.0, pair[1]))]
