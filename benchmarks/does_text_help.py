"""One table and one figure from the reports of several studies: on how many tasks does text pre-training help?

    python benchmarks/does_text_help.py docs/results/text-pretraining-*

reads ``differences.csv`` and ``results.csv`` of each report, and writes ``docs/results/text-pretraining.md`` and
``docs/figures/text-pretraining.png``. A task counts as helped or hurt where q, over all tasks (Benjamini and Hochberg),
is below .05.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scipy.stats import binomtest, false_discovery_control

from xdomain.core.plugins import find_recipe
from xdomain.training.figure_style import BLUE, GREY, ORANGE, new_figure

ARMS = ("pretrained", "reembed", "shuffled", "scratch", "cnn", "kmer")
BASELINES = ("cnn", "kmer")
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
    tables = [(folder / name).read_text(encoding="utf-8").splitlines() for folder in folders]
    return [row for table in tables for row in csv.DictReader(table)]


def gains_of(rows: Sequence[dict[str, str]]) -> list[Gain]:
    """The differences to pretrained; of metrics that are better when lower, too, above 0 where pre-training helps.

    Where neither arm has learned, there is no p and no gain.
    """
    gains: list[Gain] = []
    for row in rows:
        if row["reference"] != "pretrained" or not row["p"]:
            continue
        sign = -1 if row["higher_is_better"] == "true" else 1
        ends = sorted(sign * float(row[f"difference_{end}"]) for end in ("low", "high"))
        gains.append(Gain(row["task"], row["arm"], sign * float(row["difference"]), ends[0], ends[1], float(row["p"])))
    return gains


def count_line(gains: Sequence[Gain], what: str, tasks: int) -> str:
    """A sentence: on how many of `tasks` pre-training helps, hurts, or neither is seen; and how often it is ahead."""
    q = false_discovery_control([gain.p for gain in gains])
    helped = sum(one < 0.05 and gain.value > 0 for one, gain in zip(q, gains, strict=True))
    hurt = sum(one < 0.05 and gain.value < 0 for one, gain in zip(q, gains, strict=True))
    ahead = sum(gain.value > 0 for gain in gains)
    share = binomtest(ahead, len(gains)).proportion_ci(method="wilson")
    silent = f", and on {tasks - len(gains)} neither learned" if len(gains) < tasks else ""
    alone = [gain.task for one, gain in zip(q, gains, strict=True) if gain.p < 0.05 <= one]
    beside = (
        f" Alone, not as one of {len(gains)} tasks, a difference would be seen on {', '.join(alone)}." if alone else ""
    )
    return (
        f"{what}: of {tasks} tasks pre-training helps on {helped}, hurts on {hurt}, on {len(gains) - helped - hurt} no "
        f"difference is seen{silent}; it is ahead on {ahead} of {len(gains)} "
        f"({ahead / len(gains):.0%} [{share.low:.0%}, {share.high:.0%}]).{beside}"
    )


def published_of(task: str, metric: str) -> dict[str, float]:
    """The published values of a task in this metric, by the arm that they correspond to."""
    said = {one.model: one.value for one in find_recipe(task).published if one.metric == metric}
    return {arm: said[name] for arm, name in PUBLISHED.items() if name in said}


def table_of(results: Sequence[dict[str, str]], gains: Sequence[Gain]) -> tuple[list[str], list[str]]:
    """A Markdown table with a row for each task, and the tasks on which a baseline is the best arm."""
    known = {(row["task"], row["arm"]): row for row in results}
    arms = [arm for arm in ARMS if any((row["task"], arm) in known for row in results)]
    lines = [
        f"| task | metric | draws | test records | constant | {' | '.join(arms)} | pretrained − scratch [95 %] "
        "| published: pretrained, scratch |",
        "|---" * (len(arms) + 7) + "|",
    ]
    beaten: list[str] = []
    for task in dict.fromkeys(row["task"] for row in results):
        own = {arm: known[task, arm] for arm in arms if (task, arm) in known}
        lead = next(iter(own.values()))
        best = max(own, key=lambda arm: float(own[arm]["test"]) * (1 if lead["higher_is_better"] == "true" else -1))
        beaten += [f"{task} ({best})"] if best in BASELINES else []
        values = {
            arm: f"{float(row['test']):.3f}" + ("" if row["learned"] == "true" else "°") for arm, row in own.items()
        }
        cells = [f"**{values[arm]}**" if arm == best else values.get(arm, "") for arm in arms]
        gain = next((one for one in gains if (one.task, one.arm) == (task, "scratch")), None)
        told = f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]" if gain else "neither learned"
        published = ", ".join(f"{value:.3f}" for value in published_of(task, lead["metric"]).values())
        constant = f"{float(lead['constant_answer']):.3f}" if lead["constant_answer"] else ""
        start = f"| {task} | {lead['metric']} | {lead['cells']} | {lead['records']} | {constant} |"
        lines.append(f"{start} {' | '.join(cells)} | {told} | {published} |")
    return lines, beaten


def draw(gains: Sequence[Gain], metrics: Mapping[str, str], path: Path) -> None:
    """A row a task: what pre-training gains over scratch, with its interval, the largest gain on top."""
    rows = sorted(gains, key=lambda gain: gain.value)
    figure = new_figure(7.5, 1.2 + 0.28 * len(rows))
    axes = figure.subplots()
    axes.axvline(0, color=GREY, linewidth=1)
    label = "published, bert-base"
    for place, gain in enumerate(rows):
        colour = BLUE if gain.low > 0 else ORANGE if gain.high < 0 else GREY
        axes.plot([gain.low, gain.high], [place, place], color=colour, linewidth=2)
        axes.plot([gain.value], [place], "o", color=colour)
        said = published_of(gain.task, metrics[gain.task])
        if len(said) == len(PUBLISHED):
            apart = [said["pretrained"] - said["scratch"]]
            axes.plot(apart, [place], "D", color="black", markerfacecolor="none", label=label)
            label = ""
    axes.set_yticks(range(len(rows)), [gain.task for gain in rows])
    axes.set_xlabel("test metric of pretrained minus scratch, 95 % interval")
    if not label:
        axes.legend(loc="lower right")
    figure.savefig(path, dpi=150)


def page_of(reports: Sequence[Path]) -> str:
    """The page on the `reports`, Markdown."""
    results, gains = rows_of(reports, "results.csv"), gains_of(rows_of(reports, "differences.csv"))
    lines, beaten = table_of(results, gains)
    tasks = {arm: {row["task"] for row in results if row["arm"] == arm} for arm in ARMS}

    def counted(arm: str, what: str, among: set[str]) -> list[str]:
        some = [gain for gain in gains if gain.arm == arm and gain.task in among]
        return [f"- {count_line(some, what, len(tasks[arm] & among))}"] if some else []

    links = ", ".join(f"[{folder.name}]({folder.name}/report.md)" for folder in reports)
    every = set().union(*tasks.values())
    return "\n".join([
        "# Does text pre-training help? All tasks",
        "",
        f"Made by `python benchmarks/does_text_help.py` from {links}. Each arm has the same search over learning "
        "rates; the best value of a row is bold, ° has not shown that it learned.",
        "",
        *lines,
        "",
        "![What pre-training gains over scratch on each task, with 95 % intervals](../figures/text-pretraining.png)",
        "",
        *counted("scratch", "Against scratch", every),
        *counted("scratch", "The sets of Kao & Lee 2021 among them", set(KAO_LEE)),
        *counted("reembed", "Against re-drawn embeddings", every),
        *counted("cnn", "Against a CNN", every),
        *counted("kmer", "Against k-mers", every),
        f"- A baseline is the best arm on {len(beaten)} of {len(every)} tasks: {', '.join(beaten)}." if beaten else
        "- No baseline is the best arm of a task.",
        "",
    ])  # fmt: skip


def main() -> None:
    """Read the reports, write the page and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", type=Path, nargs="+", help="folders with differences.csv and results.csv")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    given = parser.parse_args()
    page = page_of(given.reports)
    (given.out / "results" / "text-pretraining.md").write_text(page, encoding="utf-8")
    gains = [gain for gain in gains_of(rows_of(given.reports, "differences.csv")) if gain.arm == "scratch"]
    metrics = {row["task"]: row["metric"] for row in rows_of(given.reports, "results.csv")}
    draw(gains, metrics, given.out / "figures" / "text-pretraining.png")
    print(page)


if __name__ == "__main__":
    main()
