"""Are probabilities right, and what does the spread of several seeds tell? From the finished cells of studies.

    python benchmarks/probabilities.py STORE/STUDY ...

prints two Markdown tables over the arm ``pretrained``. Of classes: the expected calibration error on test, before and
after the temperature that validation gives, as means over seeds; that of the seeds as one model; and how often that is
right where all seeds predict the same and where not. Of numbers: the Spearman correlation of one seed and of the mean;
and on how many test records the label is within the mean +- 2 standard deviations of the seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from xdomain.metrics.calibration import calibration_of, fit_temperature
from xdomain.metrics.ensemble import mean_scores
from xdomain.metrics.heldout import HeldOutPredictions, load_held_out
from xdomain.metrics.metrics import probabilities
from xdomain.study.arm_results import ArmResults
from xdomain.study.plan import open_study

Pair = tuple[HeldOutPredictions, HeldOutPredictions]
ARM = "pretrained"
CLASSES = (
    "| task | seeds | test records | ECE | with a temperature | temperatures | ECE of all seeds | accuracy of a seed | \
of all | agreed on | right there | right elsewhere |"
)
NUMBERS = "| task | seeds | test records | Spearman of a seed | of the mean | within 2 standard deviations |"


def logits(judged: HeldOutPredictions) -> NDArray[np.float64]:
    """Logits with the probabilities that a run stores."""
    return np.log(np.maximum(judged.scores, 1e-30))


def of_classes(task: str, runs: Sequence[Pair]) -> str:
    """A row of the table of classes."""
    errors: list[tuple[float, float, float]] = []
    for valid, test in runs:
        fitted = fit_temperature(logits(valid), valid.labels)
        before, after = (calibration_of(test.labels, probabilities(logits(test) / t))["error"] for t in (1, fitted))
        errors.append((before, after, fitted))
    before, after, temperatures = zip(*errors, strict=True)
    labels = runs[0][1].labels
    scores = [logits(test) for _, test in runs]
    joint = probabilities(mean_scores(scores, "classification"))
    each = np.stack([one.argmax(-1) for one in scores])
    right, agreed = joint.argmax(-1) == labels, (each == each[0]).all(0)
    cells = [
        task, str(len(runs)), f"{len(labels):,}",
        f"{np.mean(before):.3f}", f"{np.mean(after):.3f}", f"{min(temperatures):.2f} to {max(temperatures):.2f}",
        f"{calibration_of(labels, joint)['error']:.3f}",
        f"{(each == labels).mean():.3f}", f"{right.mean():.3f}",
        f"{agreed.mean():.0%}", f"{right[agreed].mean():.3f}", f"{right[~agreed].mean():.3f}" * bool((~agreed).any()),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _spearman(values: NDArray[np.float64], labels: NDArray[np.float64]) -> float:
    found: Any = spearmanr(values, labels)
    return float(found.statistic)


def of_numbers(task: str, runs: Sequence[Pair]) -> str:
    """A row of the table of numbers."""
    labels, values = runs[0][1].labels, np.stack([test.scores for _, test in runs])
    mean, std = values.mean(0), values.std(0, ddof=1)
    each = np.mean([_spearman(one, labels) for one in values])
    within = (np.abs(labels - mean) <= 2 * std).mean()
    cells = [task, str(len(runs)), f"{len(labels):,}", f"{each:.3f}", f"{_spearman(mean, labels):.3f}",
             f"{within:.0%}"]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Read the studies, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", type=Path, nargs="+", help="folders of finished studies in a store")
    rows: dict[str, list[str]] = {CLASSES: [], NUMBERS: []}
    for folder in parser.parse_args().studies:
        study = open_study(folder)
        for condition in study.conditions:
            if condition.arm == ARM and condition.recipe.problem in ("classification", "regression"):
                folders = [study.store.run_folder(cell.key) for cell in ArmResults.of(study, condition).cells]
                runs = [(load_held_out(one, "valid"), load_held_out(one)) for one in folders]
                if len(runs) > 1:
                    numbers = condition.recipe.problem == "regression"
                    make = of_numbers if numbers else of_classes
                    rows[NUMBERS if numbers else CLASSES].append(make(condition.task, runs))
    for header, lines in rows.items():
        if lines:
            print("\n".join([header, "|---" * (header.count("|") - 1) + "|", *lines, ""]))


if __name__ == "__main__":
    main()
