"""A study that is laid out: its settings, its store, and which cells are known so far."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from xdomain.core.errors import OutputError, RecipeError
from xdomain.core.run_dir import write_json
from xdomain.core.yaml_config import checked
from xdomain.data.sources import neighbour
from xdomain.metrics.metrics import METRICS
from xdomain.study.cells import Cell, Condition, conditions_of, from_dict, to_dict
from xdomain.study.config import Grid, load_grid
from xdomain.study.store import Store

PLAN = "plan.json"
SCHEMA = 1


@dataclass(frozen=True)
class SelectedRate:
    """The learning rate of a setting: `settled` once no cell of its search is to come, `rate` None where all failed."""

    settled: bool
    rate: float | None = None


@dataclass(frozen=True)
class StudyPlan:
    """What was asked for, in full, and where it lies.

    Parameters
    ----------
    folder
        ``STORE/NAME``: holds the plan and the report; the cells lie in ``STORE/cells``.
    """

    grid: Grid
    settings: tuple[Condition, ...]
    folder: Path

    @cached_property
    def store(self) -> Store:
        """Where the cells lie."""
        store = Store(self.folder.parent)
        store.adopt(cell for setting in self.settings for cell in setting.possible())
        return store

    def save(self) -> None:
        """Write the plan, from which other processes work and reports are made.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        self.store.open()
        tree = {
            "schema": SCHEMA,
            "study": self.grid.model_dump(mode="json"),
            "settings": [to_dict(s) for s in self.settings],
        }
        try:
            self.folder.mkdir(exist_ok=True)
            with self.store.locked(self.grid.name):
                write_json(self.folder / PLAN, tree)
        except OSError as error:
            raise OutputError(
                f"{self.folder} cannot be written ({error.strerror})",
                expected="a folder you may write to, with room",
                fix="another --out",
            ) from None

    def choice(self, setting: Condition) -> SelectedRate:
        """The learning rate with the best mean on validation over the cells of the search; the lower of two equals.

        A rate is out if one of its cells failed or has no value.
        """
        if not setting.rates[1:]:
            return SelectedRate(settled=True, rate=next(iter(setting.rates), None))
        best: tuple[float, float] | None = None
        for rate in setting.rates:
            cells = [cell for cell in setting.searched() if cell.rate == rate]
            states = [self.store.state(cell.key) for cell in cells]
            if any(state in ("open", "running") for state in states):
                return SelectedRate(settled=False)
            if all(state == "done" for state in states):
                mean = sum(self._on_validation(cell) for cell in cells) / len(cells)
                if math.isfinite(mean) and (best is None or mean > best[0]):
                    best = mean, rate
        return SelectedRate(settled=True, rate=best[1] if best else None)

    def _on_validation(self, cell: Cell) -> float:
        """The deciding metric, such that more is better; NaN where it is not defined."""
        name = cell.recipe.metrics[0]
        value = self.store.result(cell.key)["metrics"]["valid"][name]["value"]
        return math.nan if value is None else value if METRICS[name].higher_is_better else -value

    def final(self, setting: Condition) -> list[Cell]:
        """The cells that are judged; none where the rate is not chosen or cannot be."""
        choice = self.choice(setting)
        known = choice.settled and (choice.rate is not None or not setting.rates)
        return setting.final(choice.rate) if known else []

    def planned_cells(self) -> list[Cell]:
        """All cells that the study asks for so far, each once: those of searches first, then seed by seed."""
        searched = [cell for setting in self.settings for cell in setting.searched()]
        final = [enumerate(self.final(setting)) for setting in self.settings]
        later = sorted(((place, cell) for cells in final for place, cell in cells), key=lambda entry: entry[0])
        return list({cell.key: cell for cell in (*searched, *(cell for _, cell in later))}.values())

    def cell(self, key: str) -> Cell:
        """The cell of a key."""
        return next(cell for cell in self.planned_cells() if cell.key == key)

    def count(self) -> tuple[int, int]:
        """Cells that are done or failed, and all, those included that are known only when rates are chosen."""
        known = self.planned_cells()
        settled = sum(self.store.state(cell.key) in ("done", "failed") for cell in known)
        unknown = sum(s.most_cells - len(s.searched()) for s in self.settings if not self.choice(s).settled)
        return settled, len(known) + unknown


def plan_study(study: str | Path | Mapping[str, Any] | Grid, out: str | Path = "studies") -> StudyPlan:
    """A study from a file, or from what such a file would hold; nothing is run or written.

    Parameters
    ----------
    study
        A YAML file, or what such a file would hold.
    out
        The store: the folder that holds the cells and reports of studies.

    Raises
    ------
    UserError
        Of a kind that says what is impossible.
    """
    if isinstance(study, (str, Path)):
        grid = load_grid(Path(study))
    else:
        grid = study if isinstance(study, Grid) else checked(Grid, study, where="study", fix="change the study")
    if not grid.name:
        raise RecipeError("a study without a name", expected="name: WORD; its report lies in a folder of that name")
    return StudyPlan(grid, conditions_of(grid), Path(out) / grid.name)


def open_study(folder: str | Path) -> StudyPlan:
    """A study that was begun, from its folder.

    Raises
    ------
    RecipeError
        There is none.
    """
    path = Path(folder) / PLAN
    try:
        tree = json.loads(path.read_text("utf-8"))
        settings = tuple(from_dict(setting) for setting in tree["settings"])
        return StudyPlan(
            checked(Grid, tree["study"], where=str(path), fix="run the study again"), settings, Path(folder)
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise RecipeError(
            f"{folder} holds no study ({type(error).__name__}: {error})",
            expected="the folder that `xdomain study` named at its end",
        ) from None


def studies_in(folder: str | Path) -> list[Path]:
    """The folder itself where it holds a study, else the studies of the store that it is.

    Raises
    ------
    RecipeError
        It is neither.
    """
    folder = Path(folder)
    if (folder / PLAN).is_file():
        return [folder]
    if found := sorted(path.parent for path in folder.glob(f"*/{PLAN}")):
        return found
    raise RecipeError(f"{folder} holds no study", expected="what `xdomain study` wrote", nearest=neighbour(folder))


def study_text(study: StudyPlan) -> str:
    """The study file with what was left to defaults, in YAML."""
    tree = study.grid.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=100)
