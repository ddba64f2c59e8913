"""Run a few arms of one task over a few seeds and compare them: the smallest study."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xdomain.core.choices import UNCOUNTED, Problem
from xdomain.core.errors import OutputError, RecipeError
from xdomain.core.formatting import duration
from xdomain.core.keywords import names_misspelt_options
from xdomain.core.overrides import Overrides
from xdomain.core.paths import is_folder
from xdomain.core.progress import log, muted, part, warned_once
from xdomain.core.recipe import Recipe, encoder_options, load_recipe, with_arm
from xdomain.core.recipe_sections import columns_with_label
from xdomain.core.run_dir import RECIPE, StoredResult, check_folder, same_run, write_json, write_text
from xdomain.data.own_data import task_of
from xdomain.data.rows import short
from xdomain.metrics.heldout import check_comparable
from xdomain.metrics.metrics import metric_label
from xdomain.runs.cross_validation import is_cross_validation
from xdomain.runs.pipeline import run, with_written_size
from xdomain.runs.run_names import run_name
from xdomain.study.cells import effective_seeds, is_fixed
from xdomain.study.comparison import COMPARISON, ArmRuns, Comparison, comparison_of
from xdomain.study.config import RunSeeds
from xdomain.study.report.tables import comparison_csv, comparison_latex
from xdomain.study.typed_arms import TypedArm, check_backbones, typed_arm
from xdomain.training.device import is_first, process_count
from xdomain.training.pace import TooFewMinutesError, check_minutes
from xdomain.training.plots import plot_comparison

OWN = re.compile(r".+-m\d+-s\d+|comparison\.\w+")
"""What a comparison writes into its folder."""
SEEDS = 3
"""The fewest seeds whose interval is of use."""
FEW_STEPS = 100
"""With fewer, a comparison within some minutes warns."""
CHEAP_SECONDS = 15 * 60
"""If further seeds take no longer than this, they are run without being asked for."""


@names_misspelt_options
def compare(
    task: str | Path | Recipe | None = None,
    arms: Sequence[str] | None = None,
    *,
    data: Any = None,
    domain: str | None = None,
    label: str | list[str] | None = None,
    columns: Mapping[str, str | list[str]] | None = None,
    problem: Problem | None = None,
    labels: str | Path | None = None,
    genome: str | Path | None = None,
    drop_incomplete: bool = False,
    negatives: str | None = None,
    backbone: str | None = None,
    transfer: Sequence[str] | None = None,
    tune: str | None = None,
    mapping: str | None = None,
    mapping_table: Mapping[str, str] | None = None,
    mapping_seed: int | None = None,
    seed: int | None = None,
    seeds: int | None = None,
    overrides: Overrides = (),
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    minutes: float | None = None,
) -> Comparison:
    """Run each arm of a task on the same splits, with the same seeds and mappings, and compare them on test.

    Parameters
    ----------
    task
        The name of a shipped task, a recipe file, or a `Recipe`; None with `data`.
    arms
        Names of inits (pretrained, scratch, reembed, shuffled, rescaled, aligned) or baselines (kmer, cnn); the first
        is the reference. Options of an arm alone follow its name: ``pretrained backbone=DIR mapping=own tune=lora``,
        and changes to its recipe such as ``train.attention=bidirectional``. None: pretrained, scratch and, except for
        span tasks, kmer.
    data, domain, label, columns, problem, labels, genome, drop_incomplete, negatives
        Your own records instead of a task, as for `xdomain.run`.
    backbone, transfer, tune, mapping, mapping_table, mapping_seed, seed
        Of every arm, as for `xdomain.run`; what an arm says behind its name goes before them.
    seeds
        How many runs each arm has: the i-th takes ``seed + i`` and ``mapping_seed + i``. None: 3 if the second and
        third are expected to take up to 15 minutes, judged by the first, else 1. Arms that no seed changes are run
        once.
    overrides
        Changes to the recipe, ``["key.sub=value", …]`` or ``{"key.sub": value}``.
    out
        The folder for a run folder ``ARM-mM-sS`` per run, ``comparison.json``, ``.csv`` and ``.tex``, and the plot as
        ``comparison.png``, ``.svg`` and ``.pdf``. None: ``runs/TASK/compare``, or ``compare-2`` and so on
        where that holds runs of other options.
    resume
        Finish what an interrupted comparison has left in `out`.
    overwrite
        Replace what is in `out`.
    minutes
        About how long all runs together may take, above 0. The first run chooses its number of steps and of records
        to judge by, and all others take the same. If `seeds` is None, it is the largest of 3, 2 and 1 that fits.

    Raises
    ------
    UserError
        An argument cannot work, or a run failed; the message says how to fix it.
    """
    recipe = task_of(
        task, data, domain, columns=columns_with_label(columns, label), problem=problem, labels=labels, genome=genome,
        drop_incomplete=drop_incomplete, negatives=negatives, overrides=overrides,
    )  # fmt: skip
    if arms is None:
        arms = ("pretrained", "scratch") if recipe.problem in UNCOUNTED else ("pretrained", "scratch", "kmer")
    options = encoder_options(
        backbone=backbone, transfer=transfer, tune=tune, mapping=mapping, mapping_table=mapping_table,
        mapping_seed=mapping_seed, seed=seed,
    )  # fmt: skip
    typed = [typed_arm(recipe, arm, options) for arm in arms]
    if not arms or len({arm.label for arm in typed}) != len(arms):
        raise RecipeError(f"arms {', '.join(arms) or 'none'}", expected="one or more, each once, as pretrained,scratch")
    if seeds is not None and not 1 <= seeds <= 1000:
        raise RecipeError(f"{seeds} seeds", expected="1 to 1000")
    start = RunSeeds(typed[0].recipe.run.mapping_seed, typed[0].recipe.run.seed)
    sized = minutes is not None
    folder = Path(out) if out else _own_folder(Path("runs") / recipe.name / "compare", typed, start, sized=sized)
    check_backbones([arm.recipe for arm in typed])
    check_comparable(recipe.metrics[0], recipe.problem)
    if minutes is not None:
        check_minutes(minutes)
        if is_cross_validation(recipe):
            raise RecipeError("minutes for a comparison over folds", expected="a number of steps for each run",
                              fix="--set train.max_steps=300")  # fmt: skip
    runs = _Runs(typed, folder, resume=resume, overwrite=overwrite)
    runs.check(_pairs(start, seeds or SEEDS), sized=sized)  # all folders, before the first run
    with muted(not is_first()), warned_once():
        if minutes is not None:
            seeds = runs.choose_size(start, minutes, [seeds] if seeds else range(SEEDS, 0, -1))
        runs.run(start, f"seed 1 of {seeds}" if seeds else "")
        wanted = seeds or runs.affordable_seeds()
        for number, pair in enumerate(_pairs(start, wanted)[1:], 2):
            runs.run(pair, f"seed {number} of {wanted}")
    return _conclude(recipe, runs, _pairs(start, wanted))


class _Runs:
    """The runs of a comparison: one per arm and seed pair, or a single one for an arm that no seed changes."""

    def __init__(self, arms: list[TypedArm], folder: Path, *, resume: bool, overwrite: bool) -> None:
        self.arms, self.recipes, self.folder = arms, [arm.recipe for arm in arms], folder
        self.resume, self.overwrite = resume, overwrite
        self.results: list[dict[RunSeeds, StoredResult]] = [{} for _ in arms]

    def check(self, pairs: Sequence[RunSeeds], *, sized: bool) -> None:
        """Refuse folders that may not be written, before anything is run.

        Only the first of several processes checks: a later one could already see what the first writes.

        Parameters
        ----------
        pairs
            Mapping seed and seed of each run that is planned.
        sized
            Whether the comparison has a time limit, so that an interrupted run keeps the numbers of steps and records
            that are written in its folder.
        """
        if not is_first():
            return
        _check_place(self.folder)
        for arm, recipe in enumerate(self.recipes):
            for pair in dict.fromkeys(_pair_of(recipe, pair) for pair in pairs):
                one = _with_pair(recipe, pair)
                place = self._place(arm, one)
                if sized and self.resume and (place / RECIPE).is_file():
                    one = with_written_size(one, place)
                check_folder(place, one, overwrite=self.overwrite, resume=self.resume)

    def choose_size(self, pair: RunSeeds, minutes: float, seeds: Sequence[int]) -> int:
        """Run the first arm with an encoder for its part of the time; all other runs take as many steps and records.

        Parameters
        ----------
        pair
            The seed pair of this run.
        minutes
            For all runs together.
        seeds
            Numbers of seeds to try, in this order; not empty.

        Returns
        -------
        int
            The first of `seeds` that fits; without an arm with an encoder the first.

        Raises
        ------
        TooFewMinutesError
            Not even the last of `seeds` fits.
        """
        first = next((i for i, recipe in enumerate(self.recipes) if recipe.run.baseline is None), None)
        if first is None:
            return seeds[0]
        lasting, asked = sum(not is_fixed(one) for one in self.recipes), self.recipes[first].train.max_steps
        for number in seeds:
            try:
                self._run(first, pair, minutes=minutes / (number * lasting))
            except TooFewMinutesError as error:
                if number == seeds[-1]:
                    raise TooFewMinutesError(minutes, error.needed * number * lasting) from None
                continue
            own = _with_pair(self.recipes[first], _pair_of(self.recipes[first], pair))
            self.recipes = [with_written_size(one, self._place(first, own)) for one in self.recipes]
            steps = self.recipes[first].train.max_steps or FEW_STEPS
            log.info(f"{minutes:g} min: {number} seed{'s' * (number > 1)} of each arm, {steps} steps a run")
            if steps < FEW_STEPS and steps != asked:
                more = f"--minutes {math.ceil(minutes * FEW_STEPS / steps)}" + (" or --seeds 1" if number > 1 else "")
                log.warning(f"{steps} steps are few: some arms may not begin to learn; {more} gives more")
            return number
        raise ValueError("no number of seeds to choose from")

    def run(self, pair: RunSeeds, label: str) -> None:
        """Run every arm that has no run of the seed `pair` yet; `label` names the pair in the log."""
        for i, _ in enumerate(self.recipes):
            with part(f"arm {i + 1} of {len(self.recipes)}" + (f", {label}" if label else "")):
                self._run(i, pair)

    def affordable_seeds(self) -> int:
        """Decide how many seeds to take, judged by how long the first took, and log the decision.

        Several processes that share a run take one seed: not all of them know how long it took, and they must agree.
        """
        if process_count() > 1:
            log.info(f"one seed, as several processes share each run; --seeds {SEEDS} asks for more")
            return 1
        lasting = [
            one.values["seconds"]
            for recipe, results in zip(self.recipes, self.results, strict=True)
            for one in results.values()
            if not is_fixed(recipe)
        ]
        further = (SEEDS - 1) * sum(lasting)
        if not lasting or further <= CHEAP_SECONDS:
            if lasting:
                log.info(f"{SEEDS - 1} more seeds of each arm, about {duration(further)}")
            return SEEDS if lasting else 1
        log.info(f"one seed: {SEEDS - 1} more would take about {duration(further)}; --seeds {SEEDS} asks for them")
        return 1

    def _run(self, arm: int, pair: RunSeeds, *, minutes: float | None = None) -> None:
        own = _pair_of(self.recipes[arm], pair)
        if own in self.results[arm]:
            return
        one = _with_pair(self.recipes[arm], own)
        self.results[arm][own] = run(
            one, out=self._place(arm, one), resume=self.resume, overwrite=self.overwrite, minutes=minutes
        )

    def _place(self, arm: int, recipe: Recipe) -> Path:
        return self.folder / run_name(recipe, self.arms[arm].file_name)


def _own_folder(first: Path, arms: Sequence[TypedArm], pair: RunSeeds, *, sized: bool) -> Path:
    """The folder `first`, or the one after it that holds no comparison of other options, such as ``compare-2``."""
    for number in itertools.count(1):
        folder = first if number == 1 else first.with_name(f"{first.name}-{number}")
        if all(_is_of(folder, arm, pair, sized=sized) for arm in arms):
            return folder
    raise ValueError("no folder is free")


def _is_of(folder: Path, arm: TypedArm, pair: RunSeeds, *, sized: bool) -> bool:
    """Whether the run of an `arm` in `folder`, if there is one, is one of the same options."""
    one = _with_pair(arm.recipe, _pair_of(arm.recipe, pair))
    place = folder / run_name(one, arm.file_name)
    if not (place / RECIPE).is_file():
        return True
    return same_run(load_recipe(place / RECIPE), with_written_size(one, place) if sized else one)


def _check_place(folder: Path) -> None:
    """Refuse a folder that holds files, none of which a comparison wrote."""
    holds = sorted(path.name for path in folder.iterdir()) if is_folder(folder) else []
    if holds and not any(OWN.fullmatch(name) for name in holds):
        raise OutputError(
            f"{folder} holds {short(', '.join(holds))}, which no comparison wrote",
            expected="an empty or new folder, or that of a comparison",
            fix="another --out",
        )


def _conclude(recipe: Recipe, runs: _Runs, pairs: Sequence[RunSeeds]) -> Comparison:
    """Compare the finished runs; write the table and the plot."""
    metric = recipe.metrics[0]
    if not all(result.values for results in runs.results for result in results.values()):
        return Comparison(recipe.name, metric, 0, None, len(pairs), (), (), runs.folder)  # another process has them
    arms = [
        ArmRuns(
            arm.label,
            {pair: results[_pair_of(one, pair)] for pair in (pairs[:1] if is_fixed(one) else pairs)},
            is_fixed(one),
        )
        for arm, one, results in zip(runs.arms, runs.recipes, runs.results, strict=True)
    ]
    comparison = comparison_of(recipe.name, metric, arms, pairs, runs.folder)
    write_json(runs.folder / COMPARISON, comparison.as_dict())
    write_text(runs.folder / "comparison.csv", comparison_csv(comparison))
    write_text(runs.folder / "comparison.tex", comparison_latex(comparison))
    many = f"{len(pairs)} seeds" if len(pairs) > 1 else "one seed"
    plot_comparison(
        [{"label": r.arm, "value": r.value.value, "low": r.value.low, "high": r.value.high} for r in comparison.rows],
        metric=metric,
        path=runs.folder / "comparison.png",
        title=f"{recipe.name}: test {metric_label(metric)}, {comparison.n_test:,} records, {many}",
        over="seeds and test records" if len(pairs) > 1 else "test records",
    )
    return comparison


def _pairs(start: RunSeeds, seeds: int) -> list[RunSeeds]:
    return [RunSeeds(start.mapping + i, start.seed + i) for i in range(seeds)]


def _pair_of(recipe: Recipe, pair: RunSeeds) -> RunSeeds:
    """The seed `pair` with 0 for a seed that does not change the arm."""
    return effective_seeds(recipe, pair)


def _with_pair(recipe: Recipe, pair: RunSeeds) -> Recipe:
    return with_arm(recipe, {"mapping_seed": pair.mapping, "seed": pair.seed})
