"""What is found, as HTML: messages, the report of a check, progress, comparisons, runs, predictions."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from xdomain.app.job import Job
from xdomain.app.messages import PROBLEMS, RULES, for_user, in_form
from xdomain.core.recipe import SPLITS, Recipe
from xdomain.core.result_file import metric_rows
from xdomain.core.run_dir import StoredResult
from xdomain.inspection import report_lines
from xdomain.study.comparison import Comparison
from xdomain.study.report.tables import comparison_rows

QUESTION = "pre-training help here?"
PLOT = "comparison.png"
FINE = "No leaks, contradictions or shortcuts found."
LINES = 200
"""Lines of the messages of a command that are shown."""
LISTED = 50
"""Classes or labels in the table of a check."""


def panel(kind: str, *parts: str) -> str:
    """A box around the HTML `parts`; its `kind` is fault, warning, good or plain."""
    role = ' role="alert"' if kind == "fault" else ""
    return f'<div class="panel {kind}"{role}>{"".join(parts)}</div>'


def paragraphs(lines: Iterable[str], kind: str = "") -> str:
    """Each of the `lines`, which are plain text, as a paragraph; `kind` is its class."""
    attribute = f' class="{kind}"' if kind else ""
    return "".join(f"<p{attribute}>{escape(line)}</p>" for line in lines)


def fault(error: Exception | str) -> str:
    """The `error`, or the text of one that a command printed, in the words of the form."""
    text = for_user(error).block() if isinstance(error, Exception) else error
    first, *rest = in_form(text).splitlines() or [""]
    return panel("fault", f"<p><b>{escape(first)}</b></p>", paragraphs(line.strip() for line in rest))


def table(rows: Sequence[Mapping[str, Any]], *, cards: bool = False) -> str:
    """The `rows`, which have the same keys, as a table that scrolls sideways where it is too wide.

    With `cards`, a phone shows its rows one below another, each cell behind the name of its column.
    """
    if not rows:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in rows[0])
    body = "".join(f"<tr>{''.join(map(_cell, row, row.values()))}</tr>" for row in rows)
    kind = "wide cards" if cards else "wide"
    return f'<div class="{kind}"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(column: str, value: object) -> str:
    return f'<td data-column="{escape(column)}">{escape(str(value))}</td>'


def folded(title: str, lines: Iterable[str]) -> str:
    """The plain text `lines`, shown when `title` is clicked; nothing if there are none."""
    text = escape("\n".join(lines))
    return f"<details><summary>{escape(title)}</summary><pre>{text}</pre></details>" if text else ""


def guesses(recipe: Recipe, records: Sequence[logging.LogRecord]) -> str:
    """What `recipe` says about the data, and why: the `records` logged while it was made."""
    why = [in_form(record.getMessage()) for record in records]
    listed = "".join(f"<li>{escape(sentence)}</li>" for sentence in why)
    posed, rule = PROBLEMS.get(recipe.problem, ""), RULES.get(recipe.split.rule, "")
    head = f"<p><b>{escape(recipe.title)}</b></p><p>Predicts {posed} ({recipe.problem}); the split is {rule}.</p>"
    return panel("plain", head, f"<ul>{listed}</ul>" if listed else "")


def checked(report: Mapping[str, Any], records: Sequence[logging.LogRecord]) -> str:
    """The `report` of a check, and the `records` logged during it."""
    sizes = report["records"]
    counted = ", ".join(f"{sizes[split]:,} for {use}" for split, use in zip(SPLITS, ("training", "validation", "test"),
                                                                          strict=True) if split in sizes)  # fmt: skip
    warnings = [in_form(one.getMessage()) for one in records if one.levelno >= logging.WARNING]
    messages = [in_form(one.getMessage()) for one in records if one.levelno < logging.WARNING]
    lengths = report["lengths"]
    length = f"{lengths['shortest']:,} to {lengths['longest']:,} {lengths['unit']}, median {lengths['median']:g}"
    targets: Mapping[str, Mapping[str, float]] = report["target"]
    names = list(dict.fromkeys(name for values in targets.values() for name in values))[:LISTED]
    rows = [{"": name, **{split: _short(values.get(name, 0)) for split, values in targets.items()}} for name in names]
    found = panel("warning", paragraphs(warnings)) if warnings else f"<p>{FINE}</p>"
    return panel(
        "plain" if warnings else "good",
        f"<p><b>{sum(sizes.values()):,} records can be read</b>: {escape(counted)}.</p>",
        found,
        paragraphs([f"Lengths: {length}."]),
        table(rows),
        folded("All findings", [*messages, *report_lines(report)]),
    )


def _short(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def progress(job: Job) -> str:
    """How far the `job` is, or how it ended."""
    state = job.state
    if state == "running":
        return panel("plain", _bar(job.status), paragraphs(map(in_form, job.lines[-1:]), "faint"))
    if state == "failed":
        return fault(job.error())
    if state == "stopped":
        return panel("plain", "<p><b>Stopped.</b> “Go on” continues from the last checkpoint.</p>")
    return panel("good", "<p><b>Finished.</b></p>")


def said(job: Job) -> str:
    """The command that the `job` runs, and the last lines that it wrote."""
    lines = "\n".join(job.lines[-LINES:])
    return f"<p>The same as a command:</p><pre>{escape(job.command())}</pre><pre>{escape(lines)}</pre>"


def _bar(status: Mapping[str, Any]) -> str:
    what = ", ".join(part for part in (status["label"], status["phase"]) if part)
    done, total = status["done"], status["total"]
    share = f' value="{done}" max="{total}"' if total else ""
    facts = " · ".join(status["facts"])
    return f"<p><b>{escape(what)}</b></p><progress{share}></progress><p>{escape(facts)}</p>"


def comparison(found: Comparison) -> str:
    """The conclusions, the table and the plot of the comparison `found`."""
    answers = [sentence for sentence in found.conclusions if QUESTION in sentence]
    others = [sentence for sentence in found.conclusions if sentence not in answers]
    return panel(
        "plain",
        paragraphs(answers, "answer"),
        paragraphs(in_form(sentence) for sentence in others),
        table(comparison_rows(found), cards=True),
        paragraphs([found.basis()], "faint"),
        _embedded(found.folder / PLOT),
    )


def run(result: StoredResult, *, pictures: Sequence[Path] = ()) -> str:
    """The notes and metrics of a run, from its `result`, with `pictures` in it."""
    notes = result.values.get("notes", ())
    arm = f"{result.values['task']}, {result.values['arm']['label']}"
    return panel(
        "plain",
        f"<p><b>{escape(arm)}</b> ({escape(result.folder.name)})</p>",
        panel("warning", paragraphs(in_form(note) for note in notes)) if notes else "",
        table(metric_rows(result.values), cards=True),
        *(_embedded(path) for path in pictures),
    )


def _embedded(path: Path) -> str:
    if not path.is_file():
        return ""
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{escape(path.stem)}" src="data:image/png;base64,{data}">'
