"""One table and one figure from the reports of several studies: on how many tasks does text pre-training help?

    python benchmarks/does_text_help.py docs/results/text-pretraining-*

reads ``differences.csv`` and ``results.csv`` of each report, and writes ``docs/results/text-pretraining.md`` and
``docs/figures/text-pretraining.png``. A task counts as helped or hurt where q, over all tasks (Benjamini and Hochberg),
is below .05.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scipy.stats import binomtest, false_discovery_control

from xdomain.core.plugins import find_recipe
from xdomain.training.figure_style import BLUE, GREY, ORANGE, new_figure

ARMS = ("pretrained", "reembed", "shuffled", "scratch", "cnn", "kmer")
KAO_LEE = ("dna/splice", "dna/histone-h3", "dna/histone-h4", "dna/histone-h3k9ac", "protein/localization",
           "protein/stability", "protein/fluorescence", "music/composer")  # fmt: skip
"""The sets of Kao & Lee 2021 (arXiv 2103.07162), or what of them is at hand."""
PUBLISHED = {"pretrained": "bert-base, pretrained", "scratch": "bert-base, scratch"}


@dataclass(frozen=True)
class Gain:
    """What `arm` loses against pretrained on a task, with the sign turned: what pre-training gains."""

    task: str
    arm: str
    value: float
    low: float
    high: float
    p: float


def rows_of(folders: Sequence[Path], name: str) -> list[dict[str, str]]:
    """The rows of the table `name` of all reports."""
    return [row for folder in folders for row in csv.DictReader((folder / name).open(encoding="utf-8"))]


def gains_of(rows: Sequence[dict[str, str]]) -> list[Gain]:
    """The differences to pretrained; of metrics that are better when lower, too, above 0 where pre-training helps."""
    gains: list[Gain] = []
    for row in rows:
        if row["reference"] != "pretrained" or not row["p"]:
            continue
        sign = -1 if row["higher_is_better"] == "true" else 1
        ends = sorted(sign * float(row[f"difference_{end}"]) for end in ("low", "high"))
        gains.append(Gain(row["task"], row["arm"], sign * float(row["difference"]), ends[0], ends[1], float(row["p"])))
    return gains


def count_line(gains: Sequence[Gain], what: str) -> str:
    """A sentence: on how many tasks pre-training helps, hurts, or neither can be told; and how often it is ahead."""
    q = false_discovery_control([gain.p for gain in gains])
    helped = sum(one < 0.05 and gain.value > 0 for one, gain in zip(q, gains, strict=True))
    hurt = sum(one < 0.05 and gain.value < 0 for one, gain in zip(q, gains, strict=True))
    ahead = sum(gain.value > 0 for gain in gains)
    share = binomtest(ahead, len(gains)).proportion_ci(method="wilson")
    return (
        f"{what}: of {len(gains)} tasks pre-training helps on {helped}, hurts on {hurt}, and on "
        f"{len(gains) - helped - hurt} neither can be told; it is ahead on {ahead} of {len(gains)} "
        f"({ahead / len(gains):.0%} [{share.low:.0%}, {share.high:.0%}])."
    )


def table_of(results: Sequence[dict[str, str]], gains: Sequence[Gain]) -> list[str]:
    """A Markdown table with a row for each task."""
    known = {(row["task"], row["arm"]): row for row in results}
    lines = [
        f"| task | metric | test records | {' | '.join(ARMS)} | pretrained − scratch [95 %] | the same, published |",
        "|---" * (len(ARMS) + 5) + "|",
    ]
    for task in dict.fromkeys(row["task"] for row in results):
        own = {arm: known[task, arm] for arm in ARMS if (task, arm) in known}
        lead = next(iter(own.values()))
        best = max(own, key=lambda arm: float(own[arm]["test"]) * (1 if lead["higher_is_better"] == "true" else -1))
        values = {arm: f"{float(row['test']):.3f}" for arm, row in own.items()}
        cells = [f"**{values[arm]}**" if arm == best else values.get(arm, "") for arm in ARMS]
        gain = next((one for one in gains if (one.task, one.arm) == (task, "scratch")), None)
        told = f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]" if gain else "cannot be told"
        said = {one.model: one for one in find_recipe(task).published if one.metric == lead["metric"]}
        published = ", ".join(f"{said[name].value:.3f}" for name in PUBLISHED.values() if name in said)
        lines.append(f"| {task} | {lead['metric']} | {lead['records']} | {' | '.join(cells)} | {told} | {published} |")
    return lines


def draw(gains: Sequence[Gain], path: Path) -> None:
    """A row a task: what pre-training gains over scratch, with its interval, the largest gain on top."""
    rows = sorted(gains, key=lambda gain: gain.value)
    figure = new_figure(7.5, 0.9 + 0.28 * len(rows))
    axes = figure.subplots()
    axes.axvline(0, color=GREY, linewidth=1)
    for place, gain in enumerate(rows):
        colour = BLUE if gain.low > 0 else ORANGE if gain.high < 0 else GREY
        axes.plot([gain.low, gain.high], [place, place], color=colour, linewidth=2)
        axes.plot([gain.value], [place], "o", color=colour)
    axes.set_yticks(range(len(rows)), [gain.task for gain in rows])
    axes.set_xlabel("test metric of pretrained minus scratch, 95 % interval")
    figure.savefig(path, dpi=150)


def main() -> None:
    """Read the reports, write the page and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", type=Path, nargs="+", help="folders with differences.csv and results.csv")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    given = parser.parse_args()
    results, gains = rows_of(given.reports, "results.csv"), gains_of(rows_of(given.reports, "differences.csv"))
    scratch = [gain for gain in gains if gain.arm == "scratch"]
    eight = [gain for gain in scratch if gain.task in KAO_LEE]
    lines = [
        "# Does text pre-training help? All tasks",
        "",
        "Made by `python benchmarks/does_text_help.py` from "
        + ", ".join(f"[{folder.name}]({folder.name}/report.md)" for folder in given.reports)
        + ". Each arm has the same search over learning rates; the best value of a row is bold.",
        "",
        *table_of(results, gains),
        "",
        "![gains](../figures/text-pretraining.png)",
        "",
        *(f"- {count_line(some, what)}" for some, what in
          ((scratch, "Against scratch"), (eight, "The sets of Kao & Lee 2021 among them"),
           ([gain for gain in gains if gain.arm == "reembed"], "Against re-drawn embeddings"),
           ([gain for gain in gains if gain.arm == "cnn"], "Against a CNN"),
           ([gain for gain in gains if gain.arm == "kmer"], "Against k-mers")) if some),
    ]  # fmt: skip
    (given.out / "results" / "text-pretraining.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    draw(scratch, given.out / "figures" / "text-pretraining.png")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
