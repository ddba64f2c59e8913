"""The tables of reports and comparisons as files: CSV with plain numbers, LaTeX as they stand in the report."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from xdomain.core import formatting
from xdomain.data.formats.write import inert_text
from xdomain.metrics.bootstrap import Interval
from xdomain.study.report.blocks import Block, Inline, Link, Mono, Strong, Table, Text, table
from xdomain.study.report.formats import clean, interval
from xdomain.study.results import Findings

if TYPE_CHECKING:
    from xdomain.study.comparison import Comparison

PREAMBLE = """% Written by xdomain. Needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}.
% Names in another than Latin script need LuaLaTeX or XeLaTeX.
"""
SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "–": "--",
    "−": "$-$",
    "∞": r"$\infty$",
    "·": r"$\cdot$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "…": r"\ldots{}",
    "\N{NO-BREAK SPACE}": "~",
}
"""What stands for something else in LaTeX, and how it is written to stand for itself."""


def results_csv(findings: Findings) -> str:
    """The values of each arm of `findings` as CSV: a line for each task, arm and share of the training records."""
    return _csv(
        {
            "task": group.task,
            "arm": group.arm,
            "fraction": group.fraction,
            "metric": group.metric,
            "higher_is_better": group.higher_is_better,
            **_ends("test", group.test.interval if group.test else None),
            "constant_answer": group.constant,
            "cells": group.done,
            "cells_wanted": group.wanted,
            "learning_rate": group.rate,
            "learned": group.not_learned is None if group.done else None,
            "records": group.records,
        }
        for group in findings.groups
    )


def differences_csv(findings: Findings) -> str:
    """The differences of `findings` to their reference as CSV, a line each."""
    return _csv(
        {
            "task": one.task,
            "arm": one.arm,
            "reference": one.reference,
            "fraction": one.fraction,
            "metric": one.metric,
            "higher_is_better": one.higher_is_better,
            **_ends("difference", one.estimate.interval),
            "p": one.estimate.p,
            "q": one.q,
            "sign_flip_p": one.sign_flip,
            "mcnemar_p": one.mcnemar,
            "pairs": one.pairs,
            "detectable": one.estimate.detectable,
            "learned": one.learned,
        }
        for one in findings.differences
    )


def comparison_csv(comparison: Comparison) -> str:
    """The rows of a `comparison` as CSV, a line for each arm."""
    return _csv(
        {
            "task": comparison.task,
            "arm": row.arm,
            "metric": comparison.metric,
            **_ends("test", row.value),
            **_ends("difference_to_first", row.difference),
            "seeds": row.seeds,
            "learned": row.learned,
            "train_loss": row.train_loss,
            "seconds": row.seconds,
        }
        for row in comparison.rows
    )


def comparison_rows(comparison: Comparison) -> list[dict[str, str]]:
    """The rows of a `comparison` for people, one for each arm."""
    first = comparison.rows[0].arm if comparison.rows else ""
    return [
        {
            "arm": row.arm,
            f"test {comparison.metric} [95 %]": str(row.value),
            f"difference to {first} [95 %]": str(row.difference) if row.difference else "–",
            "train loss": formatting.number(row.train_loss),
            "seconds": f"{row.seconds:.0f}",
        }
        for row in comparison.rows
    ]


def comparison_latex(comparison: Comparison) -> str:
    """The rows of a `comparison` as a LaTeX table."""
    first = comparison.rows[0].arm if comparison.rows else ""
    numbers = ("test [95 %]", f"difference to {clean(first)} [95 %]", "seeds")
    rows = [
        (
            clean(row.arm),
            interval(row.value),
            interval(row.difference, signed=True) if row.difference else "–",
            str(row.seeds),
        )
        for row in comparison.rows
    ]
    over = f"{comparison.n_test:,} test records" + (f" and {comparison.seeds} seeds" if comparison.seeds > 1 else "")
    name = f"test {comparison.metric} of {clean(comparison.task)}, over {over}"
    return latex([table(name, ("arm", *numbers), rows, numbers)])


def latex(blocks: Iterable[Block]) -> str:
    """The tables among `blocks` as LaTeX, a ``table`` with its caption each, in booktabs' style."""
    return PREAMBLE + "".join(f"\n{_tabular(one)}" for one in blocks if isinstance(one, Table))


def _tabular(one: Table) -> str:
    columns = "".join("r" if column in one.numeric else "l" for column in one.columns)
    caption = one.name[:1].upper() + one.name[1:]
    lines = [
        r"\begin{table}",
        r"\centering\small",
        rf"\caption{{{_escaped(caption)}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        rf"{' & '.join(map(_escaped, one.columns))} \\",
        r"\midrule",
        *(rf"{' & '.join(map(_cell, row))} \\" for row in one.rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _cell(text: Text) -> str:
    # A row that begins with a bracket would be read as an option of the row break before it.
    return re.sub(r"^\[", "{[}", "".join(map(_inline, text)))


def _inline(part: Inline) -> str:
    match part:
        case Strong(text):
            return rf"\textbf{{{_escaped(text)}}}"
        case Mono(text) | Link(text):
            return rf"\texttt{{{_escaped(text)}}}"
        case str():
            return _escaped(part)


def _escaped(text: str) -> str:
    return "".join(SPECIAL.get(character, character) for character in text)


def _ends(name: str, value: Interval | None) -> dict[str, float | None]:
    ends = (None, None, None) if value is None else (value.value, value.low, value.high)
    return dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))


def _csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """Empty cells where a value is not defined; true and false as Arrow and pandas read them."""
    rows = list(rows)
    sink = io.StringIO()
    if rows:
        writer = csv.writer(sink, lineterminator="\n")
        writer.writerow(rows[0])
        writer.writerows(list(_plain(row.values())) for row in rows)
    return sink.getvalue()


def _plain(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, bool):
            yield str(value).lower()
        elif isinstance(value, str):
            yield inert_text(value)
        else:
            yield "" if isinstance(value, float) and not math.isfinite(value) else value
