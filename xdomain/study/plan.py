"""The plan of a study: its conditions, its store, and which cells are known so far."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from xdomain.core.disk import writing
from xdomain.core.errors import RecipeError, UserError
from xdomain.core.paths import PLAN
from xdomain.core.restore import cause, check_fits
from xdomain.core.run_dir import write_json
from xdomain.core.yaml_config import checked
from xdomain.data.sources import neighbour
from xdomain.metrics.metrics import METRICS
from xdomain.study.cells import SHORT, Cell, Condition, from_dict, to_dict
from xdomain.study.config import Grid, load_grid
from xdomain.study.expand_grid import conditions_of
from xdomain.study.store import Store

SCHEMA = 1
AGAIN = "run the study again: what is finished is kept"


class _Setting(BaseModel):
    """A condition as `to_dict` writes it; earlier versions have other names for the seeds."""

    task: str
    arm: str
    fraction: float
    recipe: dict[str, Any]
    rates: list[float]
    digests: dict[str, str]
    halving: bool = False
    seeds: list[list[int | None]] | None = None
    search_seeds: list[list[int | None]] | None = None


class _PlanFile(BaseModel):
    """What ``plan.json`` holds."""

    study: dict[str, Any]
    settings: list[_Setting]


@dataclass(frozen=True)
class SelectedRate:
    """The learning rate that the search of a condition has chosen.

    Parameters
    ----------
    settled
        Whether the choice is final: no cell of the search is open or running.
    rate
        None where the choice is not final, where every rate failed, and where there is no rate to choose.
    """

    settled: bool
    rate: float | None = None


@dataclass(frozen=True)
class StudyPlan:
    """A study with all its conditions, and its folder.

    Parameters
    ----------
    grid
        The study file.
    conditions
        In the order of the study file.
    folder
        ``STORE/NAME``: holds the plan and the report; the cells are in ``STORE/cells``.
    """

    grid: Grid
    conditions: tuple[Condition, ...]
    folder: Path

    @cached_property
    def store(self) -> Store:
        """The store of the cells; cells named as by version 0.1 are renamed at the first access."""
        store = Store(self.folder.parent)
        store.adopt(cell for condition in self.conditions for cell in condition.possible())
        return store

    def save(self) -> None:
        """Write ``plan.json``, from which workers run cells and reports are made.

        Raises
        ------
        OutputError
            The folder or the store cannot be written.
        """
        self.store.open()
        tree = {
            "schema": SCHEMA,
            "study": self.grid.model_dump(mode="json"),
            "settings": [to_dict(s) for s in self.conditions],
        }
        with writing(self.folder, expected="a folder you may write to, with room"):
            self.folder.mkdir(exist_ok=True)
            with self.store.locked(self.grid.name):
                write_json(self.folder / PLAN, tree)

    def choose_learning_rate(self, condition: Condition) -> SelectedRate:
        """Choose the learning rate of the `condition`: the one with the best mean on validation over its search cells.

        Of two equal rates the lower is taken. A rate is excluded if one of its cells failed or has no value. In a
        search by halving, only rates that were among the best of the short cells have full ones.
        """
        kept = self._kept(condition)
        if kept is None or not kept[1:]:
            return SelectedRate(settled=kept is not None, rate=kept[0] if kept else None)
        ranked = self._ranked(condition, kept, 1.0)
        return SelectedRate(settled=ranked is not None, rate=ranked[0] if ranked else None)

    def searched(self, condition: Condition) -> list[Cell]:
        """The cells, as far as they are known, that choose the learning rate of the `condition`."""
        short = condition.searched(condition.rates, SHORT) if condition.halving else []
        return [*short, *condition.searched(self._kept(condition) or ())]

    def _kept(self, condition: Condition) -> Sequence[float] | None:
        """The rates between which full cells choose; None as long as short cells of the search are open or running."""
        if not condition.halving or not condition.rates[1:]:
            return condition.rates
        ranked = self._ranked(condition, condition.rates, SHORT)
        return None if ranked is None else sorted(ranked[: condition.kept_rates])

    def _ranked(self, condition: Condition, rates: Sequence[float], share: float) -> list[float] | None:
        """The `rates`, best first, by their cells of a `share` of the steps; None while one is open or running."""
        means: dict[float, float] = {}
        for rate in rates:
            cells = [cell for cell in condition.searched(rates, share) if cell.rate == rate]
            states = [self.store.state(cell.key) for cell in cells]
            if any(state in ("open", "running") for state in states):
                return None
            if all(state == "done" for state in states):
                mean = sum(self._on_validation(cell) for cell in cells) / len(cells)
                means |= {rate: mean} if math.isfinite(mean) else {}
        return sorted(means, key=lambda rate: (-means[rate], rate))

    def _on_validation(self, cell: Cell) -> float:
        """The deciding metric, with its sign changed where lower is better; NaN where it is not defined."""
        name = cell.recipe.metrics[0]
        value = self.store.result(cell.key)["metrics"]["valid"][name]["value"]
        return math.nan if value is None else value if METRICS[name].higher_is_better else -value

    def final(self, condition: Condition) -> list[Cell]:
        """The cells of the `condition` that are judged on test; none as long as its rate is not chosen or cannot be."""
        choice = self.choose_learning_rate(condition)
        known = choice.settled and (choice.rate is not None or not condition.rates)
        return condition.final(choice.rate) if known else []

    def planned_cells(self) -> list[Cell]:
        """All cells known so far, each once: the cells of searches first, then the others, seed by seed."""
        searched = [cell for condition in self.conditions for cell in self.searched(condition)]
        final = [enumerate(self.final(condition)) for condition in self.conditions]
        later = sorted(((place, cell) for cells in final for place, cell in cells), key=lambda entry: entry[0])
        return list({cell.key: cell for cell in (*searched, *(cell for _, cell in later))}.values())

    def cell(self, key: str) -> Cell:
        """The planned cell with this `key`."""
        return next(cell for cell in self.planned_cells() if cell.key == key)

    def count(self) -> tuple[int, int]:
        """The number of cells that are done or failed, and of all cells, with those that await the choice of a rate."""
        known = self.planned_cells()
        settled = sum(self.store.state(cell.key) in ("done", "failed") for cell in known)
        unknown = sum(
            s.most_cells - len(self.searched(s)) for s in self.conditions if not self.choose_learning_rate(s).settled
        )
        return settled, len(known) + unknown


def plan_study(study: str | Path | Mapping[str, Any] | Grid, out: str | Path = "studies") -> StudyPlan:
    """Plan a study; nothing is run or written.

    Parameters
    ----------
    study
        A study file, or its content as a mapping.
    out
        The folder of the store, which holds the cells and reports of studies.

    Raises
    ------
    UserError
        The study is impossible; the message says why.
    """
    if isinstance(study, (str, Path)):
        grid = load_grid(Path(study))
    else:
        grid = study if isinstance(study, Grid) else checked(Grid, study, where="study", fix="change the study")
    if not grid.name:
        raise RecipeError("a study without a name", expected="name: WORD; its report lies in a folder of that name")
    return StudyPlan(grid, conditions_of(grid), Path(out) / grid.name)


def open_study(folder: str | Path) -> StudyPlan:
    """Load the plan of a study that `StudyPlan.save` wrote to its `folder`, ``STORE/NAME``.

    Raises
    ------
    RecipeError
        The folder holds no study.
    DamagedError
        Its plan is damaged.
    """
    path = Path(folder) / PLAN
    try:
        tree = json.loads(path.read_text("utf-8"))
        check_fits(tree, _PlanFile, path, fix=AGAIN)
        conditions = tuple(from_dict(condition) for condition in tree["settings"])
        grid = checked(Grid, tree["study"], where=str(path), fix=AGAIN)
        _check_whole(grid, conditions)
        return StudyPlan(grid, conditions, Path(folder))
    except UserError:
        raise
    except Exception as error:  # damaged, it may be JSON of any kind
        raise RecipeError(
            f"{folder} holds no study ({cause(error)})",
            expected="the folder that `xdomain study` named at its end",
        ) from None


def _check_whole(grid: Grid, conditions: Sequence[Condition]) -> None:
    """Check that every arm has a condition for each share of the records, and that the reference arm is one of them."""
    there = {(one.task, one.fraction, one.arm) for one in conditions}
    arms = {(one.task, arm) for one in conditions for arm in (one.arm, grid.reference_arm)}
    if not there or {(task, share, arm) for task, arm in arms for share in grid.fractions} != there:
        raise ValueError("its settings do not fit its study")


def studies_in(folder: str | Path) -> list[Path]:
    """List the folders of studies: `folder` itself if it is one, else those of the store `folder`.

    Raises
    ------
    RecipeError
        The folder is neither.
    """
    folder = Path(folder)
    if (folder / PLAN).is_file():
        return [folder]
    if studies := sorted(path.parent for path in folder.glob(f"*/{PLAN}")):
        return studies
    raise RecipeError(f"{folder} holds no study", expected="what `xdomain study` wrote", nearest=neighbour(folder))


def study_text(study: StudyPlan) -> str:
    """The study file of `study` in YAML, without the fields that have their default."""
    tree = study.grid.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=100)
