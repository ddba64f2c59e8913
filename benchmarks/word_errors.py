"""How answers suffer from word errors: spoken units beside a cascade whose transcript has the same errors.

    xdomain run speech/simulated-qa --out units
    xdomain run speech/simulated-qa-text --out text
    python benchmarks/word_errors.py units text [--rates 0,0.1,0.3,0.5,0.7] [--out word-errors]

Both models are trained without errors and judged on the same test questions with more and more of them. The first run
has units, whose answers are seconds; the second text, whose answers are characters: what is compared is how each falls.
Writes a CSV and a PNG.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import matplotlib as mpl

import xdomain
from xdomain.training.figure_style import COLOURS, STYLE, new_figure

METRICS = ("FF1", "AOS", "exact_match")


def main() -> None:
    """Print a line a run and rate, and draw the first metric."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--rates", default="0,0.1,0.3,0.5,0.7", help="word errors a word")
    parser.add_argument("--out", type=Path, default=Path("word-errors"), help="name of the CSV and the PNG")
    given = parser.parse_args()
    rates = [float(rate) for rate in given.rates.split(",")]
    rows = [row for run in given.runs for row in judged(run, rates)]
    with given.out.with_suffix(".csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    draw(rows, given.out.with_suffix(".png"))


def judged(run: Path, rates: list[float]) -> list[dict[str, Any]]:
    """The metrics of a run at each rate."""
    rows: list[dict[str, Any]] = []
    for rate in rates:
        found = xdomain.evaluate(run, overrides=[f"reader_options.noise={rate}"])
        row: dict[str, Any] = {"run": run.name, "word errors": rate, "questions": len(found)}
        for name in METRICS:
            value = found.metrics[name]
            row |= {
                name: round(value.value, 4),
                f"{name} low": round(value.low, 4),
                f"{name} high": round(value.high, 4),
            }
        rows.append(row)
        print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    return rows


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """The first metric of each run against the word errors."""
    metric = METRICS[0]
    names = list(dict.fromkeys(row["run"] for row in rows))
    with mpl.rc_context(STYLE):
        figure = new_figure(6.4, 3.8)
        axes = figure.subplots()
        for name, colour, mark in zip(names, COLOURS, "osD^vP", strict=False):
            own = [row for row in rows if row["run"] == name]
            rates = [100 * row["word errors"] for row in own]
            axes.fill_between(
                rates, [row[f"{metric} low"] for row in own], [row[f"{metric} high"] for row in own],
                color=colour, alpha=0.15, linewidth=0,
            )  # fmt: skip
            axes.plot(rates, [row[metric] for row in own], color=colour, marker=mark, label=name)
        axes.set_xlabel("words misheard (%)")
        axes.set_ylabel(f"test {metric}")
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)
        figure.savefig(path)


if __name__ == "__main__":
    main()
