"""Look before you run: what is installed, and what a task's data holds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from logging import INFO, WARNING
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xdomain.core.choices import OF_VALUES
from xdomain.core.entry_points import entry_points
from xdomain.core.overrides import Overrides
from xdomain.core.plugins import adapter_names, find_recipe, task_names
from xdomain.core.progress import log
from xdomain.core.recipe import Recipe
from xdomain.data.dataset import Examples
from xdomain.data.known_labels import is_known

MEANINGS = {
    "leakage": "the same sequence or pair in two splits",
    "pair_members": "pairs with a sequence that another split has, too",
    "contradictions": "the same sequence with different targets",
    "duplicates": "the same sequence several times with the same target",
    "shortcuts": "share of the training records that a guess by this alone gets right, beside the most frequent class",
    "relatives": "test records that resemble a training record",
}


def listing(what: str) -> list[dict[str, Any]]:
    """List what is installed, or the studies in this folder.

    Parameters
    ----------
    what
        ``tasks``, ``adapters``, ``backbones``, or ``studies``: those below the folder ``studies``.

    Returns
    -------
    list of dict
        One row each, all with the same keys.
    """
    if what == "tasks":
        return [_task_row(find_recipe(name)) for name in task_names()]
    if what == "adapters":
        return [{"adapter": name, "from": _home(name)} for name in adapter_names()]
    if what == "studies":
        return _studies(Path("studies"))
    from xdomain.model.checkpoints import bundled_backbones

    return [{"backbone": path.name, "folder": str(path)} for path in bundled_backbones()]


def _task_row(recipe: Recipe) -> dict[str, Any]:
    minutes = f"{recipe.runtime[0].minutes:g}" if recipe.runtime else ""
    return {
        "task": recipe.name,
        "problem": recipe.problem,
        "metric": recipe.metrics[0],
        "minutes": minutes,
        "title": recipe.title,
    }


def _studies(store: Path) -> list[dict[str, Any]]:
    from xdomain.study.plan import open_study, studies_in

    rows: list[dict[str, Any]] = []
    for folder in studies_in(store) if store.is_dir() else []:
        study = open_study(folder)
        settled, total = study.count()
        rows.append(
            {
                "study": study.grid.name,
                "tasks": len(study.grid.tasks),
                "arms": len(study.grid.arms),
                "cells": f"{settled}/{total}",
                "report": str(folder / "report.html"),
            }
        )
    return rows


def _home(adapter: str) -> str:
    return entry_points("xdomain.adapters")[adapter].value


def check(task: str | Path | Recipe, *, overrides: Overrides = ()) -> dict[str, Any]:
    """Read a task's data exactly as a run would, and describe it.

    Parameters
    ----------
    task
        The name of a shipped task, a recipe file, or a `Recipe`.
    overrides
        Changes to the recipe, ``["key.sub=value", …]`` or ``{"key.sub": value}``.

    Returns
    -------
    dict
        Records per split, lengths, records per class or range of the target, counts of what was changed, and what was
        found: `xdomain.training.preparation.FINDINGS`, and `relatives`, unless clusters are split.

    Raises
    ------
    DataError
        A record that a run would refuse. The message names the first one.
    """
    from xdomain.training.preparation import FINDINGS, adapter_of, prepare

    recipe = find_recipe(task, overrides)
    adapter = adapter_of(recipe)
    examples, counts = prepare(recipe, adapter)
    return {
        "task": recipe.name,
        "problem": recipe.problem,
        "records": examples.sizes(),
        "lengths": _lengths(examples, adapter.alphabet.unit),
        "target": _target(examples),
        "changed": {name: count for name, count in counts.items() if name not in FINDINGS},
        **{name: counts[name] for name in FINDINGS},
        **({} if recipe.split.rule == "cluster" else _relatives(examples, adapter.alphabet.symbols)),
    }


def _relatives(examples: Examples, names: tuple[str, ...]) -> dict[str, Any]:
    """How many test records resemble a training record, where that is known; it is logged where many do."""
    from xdomain.data.checks.relatives import relatives  # which loads scipy

    found = relatives(examples, names)
    if found is None:
        return {}
    if found.records:
        log.log(WARNING if found.striking else INFO, found.line())
    return {"relatives": found.as_dict()}


def report_lines(report: Mapping[str, Any], indent: int = 0) -> Iterator[str]:
    """The lines of the nested mapping `report` of `check`, a value each, indented by `indent` spaces.

    Empty findings are left out; the name of a finding is followed by what it means.
    """
    for key, value in report.items():
        name = f"{' ' * indent}{key}" + (f" ({MEANINGS[key]})" if key in MEANINGS and not indent else "")
        if isinstance(value, Mapping) and value and value.get("sequences") != 0:
            yield f"{name}:"
            yield from report_lines(value, indent + 2)
        else:
            yield f"{name}: {_fact(value)}"


def _fact(value: Any) -> str:
    """A number of at most four digits behind the point, ids of records that go together, or a word."""
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".") if math.isfinite(value) else "–"
    if isinstance(value, Mapping):
        return "none"
    if isinstance(value, list):
        return ", ".join(" and ".join(ids) for ids in value) or "none"
    return str(value if value or value == 0 else "none")


def _lengths(examples: Examples, unit: str) -> dict[str, Any]:
    read = examples.symbols if examples.problem != "span" or examples.symbols_b is None else examples.symbols_b
    return {"unit": unit, **_three(read.lengths)}


def _three(lengths: NDArray[np.int64]) -> dict[str, float]:
    shortest, median, longest = np.quantile(lengths, (0, 0.5, 1)).tolist()
    return {"shortest": int(shortest), "median": median, "longest": int(longest)}


def _target(examples: Examples) -> dict[str, Any]:
    targets: dict[str, Any] = {}
    for split in ("train", "valid", "test"):
        if examples.outputs is not None:
            lengths = examples.outputs.targets().lengths[examples.indices(split)]
            targets[split] = {f"{name} output": length for name, length in _three(lengths).items()}
            continue
        labels = examples.labels_of(examples.indices(split))
        if examples.problem == "span":
            targets[split] = _answers(labels)
        elif examples.problem == "multioutput":
            targets[split] = {name: _range(own) for name, own in zip(examples.classes, labels.T, strict=True)}
        elif examples.problem in OF_VALUES:
            targets[split] = _range(labels)
        elif examples.problem == "multilabel":
            numbers = (labels == 1).sum(axis=0)
            targets[split] = _counted(examples, numbers, int((~is_known(labels)).sum()))
        else:
            numbers = np.bincount(labels[labels >= 0], minlength=len(examples.classes))
            hidden = int((~is_known(labels)).sum()) if examples.heads is None else 0
            targets[split] = _counted(examples, numbers, hidden)
    return targets


def _counted(examples: Examples, numbers: NDArray[np.int64], unknown: int) -> dict[str, int]:
    """How many there are of each class or label, and how many tags or labels are unknown, if any."""
    counts = dict(zip(examples.classes, numbers.tolist(), strict=True))
    return counts | ({"(unknown)": unknown} if unknown else {})


def _answers(labels: NDArray[np.int64]) -> dict[str, float]:
    """Lengths of answers, from `labels`, shape (n, 2); and how many questions have none, if any have."""
    given = labels[labels[:, 1] > 0]
    lengths = _three(given[:, 1] - given[:, 0]) if len(given) else {}
    without = {"without an answer": len(labels) - len(given)} if len(given) < len(labels) else {}
    return {f"{name} answer": length for name, length in lengths.items()} | without


def _range(values: NDArray[Any]) -> dict[str, float]:
    known = values[is_known(values)]
    found = {name: float(getattr(known, name)()) if len(known) else math.nan for name in ("min", "mean", "max")}
    return found | ({"unknown": len(values) - len(known)} if len(known) < len(values) else {})
