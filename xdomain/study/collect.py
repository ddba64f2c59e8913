"""From the store to findings: every number that a report holds is made here."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xdomain.recipe import Published
from xdomain.study.cells import Cell, Setting, decisive, mapping_is_drawn
from xdomain.study.findings import Difference, Efficiency, Findings, Group, MappingShare, Missing
from xdomain.study.judged import Judged, load_judged
from xdomain.study.statistics.components import components
from xdomain.study.statistics.estimate import area, estimate
from xdomain.study.statistics.significance import benjamini_hochberg, mcnemar, sign_flip
from xdomain.study.study import Study, study_text
from xdomain.training.metrics import METRICS
from xdomain.training.runfolder import HISTORY

COUNTED = ("classification", "pair")
"""Problems in which a record is right or wrong."""
Place = tuple[str, float, str]


@dataclass(frozen=True)
class _Series:
    """The finished cells of a setting, in rows of a mapping seed and columns of a seed."""

    study: Study
    setting: Setting
    cells: tuple[Cell, ...]

    @property
    def metric(self) -> str:
        return self.setting.recipe.metrics[0]

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """The deciding metric on test, shape (mapping seeds, seeds); NaN where no cell is finished."""
        rows, columns = (list(dict.fromkeys(draw[axis] for draw in self.setting.draws)) for axis in (0, 1))
        found = np.full((len(rows), len(columns)), np.nan)
        for cell in self.cells:
            found[rows.index(cell.mapping_seed), columns.index(cell.seed)] = self.value(cell)
        return found

    def value(self, cell: Cell) -> float:
        """The deciding metric of a cell on test; NaN where it is not defined."""
        value = self.study.store.result(cell.key)["metrics"]["test"][self.metric]["value"]
        return math.nan if value is None else float(value)

    @cached_property
    def judged(self) -> dict[str, Judged]:
        """Test records of each cell by its key, labels and scores."""
        return {cell.key: load_judged(self.study.store.run_folder(cell.key)) for cell in self.cells}

    @cached_property
    def draws(self) -> dict[str, NDArray[np.float64]]:
        """Of each cell by its key, the metric on the same resamples of the test records."""
        return {key: found.resamples(self.metric) for key, found in self.judged.items()}

    def mean_draws(self, cells: Sequence[Cell]) -> NDArray[np.float64]:
        """Shape (resamples,): the mean over some cells, those left out on whose test records there is no value."""
        return np.mean([self.draws[cell.key] for cell in cells if math.isfinite(self.value(cell))], axis=0)

    def losses(self) -> tuple[tuple[int, float], ...]:
        """Mean training loss at the steps that all cells have."""
        curves: list[dict[int, float]] = []
        for cell in self.cells:
            text = (self.study.store.run_folder(cell.key) / HISTORY).read_text("utf-8")
            rows = [json.loads(line) for line in text.splitlines()]
            curves.append({row["step"]: row["loss"] for row in rows if row.get("loss") is not None})
        steps = sorted(set.intersection(*map(set, curves))) if curves else []
        return tuple((step, float(np.mean([curve[step] for curve in curves]))) for step in steps)


def collect(study: Study) -> Findings:
    """All that the finished cells of a study show."""
    series = {_place(setting): _series(study, setting) for setting in study.settings}
    known = study.known()
    states = [study.store.state(cell.key) for cell in known]
    done, failed = states.count("done"), states.count("failed")
    return Findings(
        name=study.grid.name,
        question=study.grid.question,
        reference=study.grid.first_arm,
        cells=(done, failed, study.count()[1] - done - failed),
        groups=tuple(_group(one) for one in series.values()),
        differences=_differences(study, series),
        shares=_shares(series),
        efficiencies=_efficiencies(study, series),
        published=_published(study),
        missing=_missing(study, known),
        machine=_machines(study, known),
        study=study_text(study),
    )


def _place(setting: Setting) -> Place:
    return setting.task, setting.fraction, setting.arm


def _series(study: Study, setting: Setting) -> _Series:
    done = [cell for cell in study.final(setting) if study.store.state(cell.key) == "done"]
    return _Series(study, setting, tuple(done))


def _group(series: _Series) -> Group:
    setting = series.setting
    rate = series.study.choice(setting).rate
    test = None
    if np.isfinite(series.values).any():
        test = estimate(series.values, _spread(series.mean_draws(series.cells)))
    return Group(
        task=setting.task,
        arm=setting.arm,
        fraction=setting.fraction,
        metric=series.metric,
        higher_is_better=METRICS[series.metric].higher_is_better,
        rate=rate,
        rates=setting.rates,
        at_edge=rate is not None and len(setting.rates) > 1 and rate in (setting.rates[0], setting.rates[-1]),
        wanted=len(setting.draws),
        done=len(series.cells),
        test=test,
        losses=series.losses(),
    )


def _spread(draws: NDArray[np.float64]) -> float:
    """The standard error over test records; 0 where the metric is not defined on resamples."""
    known = draws[np.isfinite(draws)]
    return float(known.std(ddof=1)) if len(known) > 1 else 0.0


def _differences(study: Study, series: dict[Place, _Series]) -> tuple[Difference, ...]:
    found: list[Difference] = []
    for (task, fraction, _), one in series.items():
        reference = series[task, fraction, study.grid.first_arm]
        if one is not reference and (difference := _difference(study, one, reference)):
            found.append(difference)
    corrected = benjamini_hochberg([one.estimate.p for one in found])
    return tuple(replace(one, q=q) for one, q in zip(found, corrected, strict=True))


def _difference(study: Study, one: _Series, reference: _Series) -> Difference | None:
    """None where no cell of the one has its partner in the other."""
    pairs = _pairs(study, one, reference)
    if not pairs:
        return None
    rows, columns = (list(dict.fromkeys(draw[axis] for draw in pairs)) for axis in (0, 1))
    values = np.full((len(rows), len(columns)), np.nan)
    for (mapping, seed), (mine, its) in pairs.items():
        place = rows.index(mapping), columns.index(seed)
        values[place] = one.value(mine) - reference.value(its)
    if not np.isfinite(values).any():
        return None
    both = [(a, b) for a, b in pairs.values() if math.isfinite(one.value(a) - reference.value(b))]
    mine, its = zip(*both, strict=True)
    estimated = estimate(values, _spread(one.mean_draws(mine) - reference.mean_draws(its)))
    p, least = sign_flip(values)
    counted = one.setting.recipe.problem in COUNTED
    right = [one.judged[a.key].right - reference.judged[b.key].right for a, b in pairs.values()] if counted else []
    return Difference(
        task=one.setting.task,
        arm=one.setting.arm,
        reference=reference.setting.arm,
        fraction=one.setting.fraction,
        metric=one.metric,
        higher_is_better=METRICS[one.metric].higher_is_better,
        pairs=len(pairs),
        estimate=estimated,
        q=math.nan,
        sign_flip=p if math.isfinite(p) else None,
        least_sign_flip=least if math.isfinite(least) else None,
        mcnemar=mcnemar(np.array(right)) if counted else None,
    )


def _pairs(study: Study, one: _Series, reference: _Series) -> dict[tuple[int, int], tuple[Cell, Cell]]:
    """Cells with equal seeds and mapping seeds, by those that at least one of them hangs on."""
    found: dict[tuple[int, int], tuple[Cell, Cell]] = {}
    ours, theirs = ({(c.mapping_seed, c.seed): c for c in some.cells} for some in (one, reference))
    for draw in study.grid.draws():
        mine, its = decisive(one.setting.recipe, draw), decisive(reference.setting.recipe, draw)
        if mine in ours and its in theirs:
            found[max(mine[0], its[0]), max(mine[1], its[1])] = ours[mine], theirs[its]
    return found


def _shares(series: dict[Place, _Series]) -> tuple[MappingShare, ...]:
    found: list[MappingShare] = []
    for one in series.values():
        whole = min(one.values.shape) > 1 and bool(np.isfinite(one.values).all())
        if whole and mapping_is_drawn(one.setting.recipe):
            run = one.setting.recipe.run
            null = run.init != "pretrained" or "words" not in run.transfer
            found.append(
                MappingShare(
                    one.setting.task, one.setting.arm, one.setting.fraction, components(one.values), null=null, q=None
                )
            )
    nulls = [i for i, share in enumerate(found) if share.null]
    for i, q in zip(nulls, benjamini_hochberg([found[i].components.mapping_p for i in nulls]), strict=True):
        found[i] = replace(found[i], q=q)
    return tuple(found)


def _efficiencies(study: Study, series: dict[Place, _Series]) -> tuple[Efficiency, ...]:
    """The area under the curve of each arm whose cells are all finished."""
    fractions = study.grid.fractions
    found: list[Efficiency] = []
    if len(fractions) < 2:
        return ()
    for task, arm in dict.fromkeys((task, arm) for task, _, arm in series):
        parts = [series[task, fraction, arm] for fraction in fractions]
        values = np.array([part.values for part in parts])
        if np.isfinite(values).all():
            draws = np.array([part.mean_draws(part.cells) for part in parts])
            found.append(Efficiency(task, arm, estimate(area(fractions, values), _spread(area(fractions, draws)))))
    return tuple(found)


def _published(study: Study) -> tuple[tuple[str, Published], ...]:
    found: list[tuple[str, Published]] = []
    for setting in study.settings:
        for value in setting.recipe.published:
            if value.metric == setting.recipe.metrics[0] and (setting.task, value) not in found:
                found.append((setting.task, value))
    return tuple(found)


def _missing(study: Study, known: Sequence[Cell]) -> tuple[Missing, ...]:
    """Cells that are not finished, and settings whose cells cannot be known as their search has failed."""
    found: list[Missing] = []
    for cell in known:
        state = study.store.state(cell.key)
        if state != "done":
            setting, error = cell.setting, study.store.fault(cell.key) or ""
            state = "not run" if state == "open" else state
            found.append(Missing(cell.key, setting.task, setting.arm, str(cell), state, error))
    for setting in study.settings:
        choice = study.choice(setting)
        if setting.rates and choice.settled and choice.rate is None:
            what = f"{len(setting.draws)} cells of {setting.task}, {setting.arm}"
            found.append(Missing("", setting.task, setting.arm, what, "not known", "every learning rate failed"))
    return tuple(found)


def _machines(study: Study, known: Sequence[Cell]) -> tuple[str, ...]:
    """Devices and versions that finished cells were made with, each once."""
    found: dict[str, None] = {}
    for cell in known:
        if study.store.state(cell.key) == "done":
            result = study.store.result(cell.key)
            versions: dict[str, Any] = result["versions"]
            named = ", ".join(f"{name} {versions[name]}" for name in ("xdomain", "torch", "transformers"))
            found[f"{result['device']} in {result['dtype']}; {named}"] = None
    return tuple(sorted(found))
