"""Summarise the finished cells of a study: compute every number that its report shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xdomain.core.recipe import load_recipe
from xdomain.core.recipe_sections import Published
from xdomain.core.run_dir import RECIPE
from xdomain.metrics.metrics import METRICS
from xdomain.study.arm_results import ArmResults, Place, cell_pairs, paired_difference
from xdomain.study.caveats import cells_not_learned, mixed, unmatched, why_not_learned
from xdomain.study.cells import Cell, Condition
from xdomain.study.plan import StudyPlan, study_text
from xdomain.study.report.sentences import question_of
from xdomain.study.results import (
    Difference,
    Efficiency,
    Findings,
    Group,
    Missing,
    Question,
    Variance,
    corrected,
    tested,
)
from xdomain.study.stats.components import components
from xdomain.study.stats.estimate import area
from xdomain.study.stats.factors import layout
from xdomain.study.stats.significance import benjamini_hochberg, mcnemar, sign_flip

Values = NDArray[np.float64]
COUNTED = ("classification", "pair")
"""Problems in which the answer to a record is either right or wrong."""


def efficiencies(study: StudyPlan, series: Mapping[Place, ArmResults]) -> tuple[Efficiency, ...]:
    """The sample efficiency of each arm whose cells are all finished, and its difference to the reference's.

    Parameters
    ----------
    study
        Says which shares of the training records are compared, and which arm is the reference.
    series
        The results of all arms of the study.

    Returns
    -------
    tuple of Efficiency
        Empty for a study with one share.
    """
    fractions, first = study.grid.fractions, study.grid.reference_arm
    if len(fractions) < 2:
        return ()
    efficiency: list[Efficiency] = []
    for task, arm in dict.fromkeys((task, arm) for task, _, arm in series):
        curve, reference = ([series[task, fraction, name] for fraction in fractions] for name in (arm, first))
        if not all(part.whole for part in curve):
            continue
        own = _area(fractions, [(part.values, part.mean_draws(part.cells)) for part in curve])
        whole = curve[0].mean(*own, possible=METRICS[curve[0].metric].possible)
        more = None
        if arm != first and all(part.whole for part in reference):
            pairs = [(one, its, cell_pairs(study, one, its)) for one, its in zip(curve, reference, strict=True)]
            more = curve[0].mean(*_area(fractions, [paired_difference(*pair) for pair in pairs]))
        efficiency.append(Efficiency(task, arm, whole, more))
    return tuple(efficiency)


def _area(fractions: Sequence[float], parts: Sequence[tuple[Values, Values]]) -> tuple[Values, Values]:
    """The areas by mapping seed, seed and split seed, and their mean on resamples, from those of each share."""
    values, draws = (area(fractions, np.array(part)) for part in zip(*parts, strict=True))
    return values, draws


def collect(study: StudyPlan) -> Findings:
    """Compute the results of the finished cells of `study`; other cells are listed as missing."""
    series = {_place(condition): ArmResults.of(study, condition) for condition in study.conditions}
    known = study.planned_cells()
    groups = tuple(_group(one) for one in series.values())
    states = [study.store.state(cell.key) for cell in known]
    done, failed = states.count("done"), states.count("failed")
    return Findings(
        name=study.grid.name,
        question=study.grid.question,
        reference=study.grid.reference_arm,
        cells=(done, failed, study.count()[1] - done - failed),
        groups=groups,
        differences=_differences(study, series, groups),
        variances=_variances(series),
        efficiencies=efficiencies(study, series),
        published=_published(study),
        missing=_missing(study, known),
        machine=_machines(study, known),
        study=study_text(study),
        mixed=mixed(series),
        unmatched=unmatched(study, series),
        negatives=_negatives(series),
    )


def _negatives(series: Mapping[Place, ArmResults]) -> tuple[str, ...]:
    recipes = [(one.condition.task, one.condition.recipe.negatives) for one in series.values()]
    return tuple(dict.fromkeys(f"{task}: {own.sentence()}" for task, own in recipes if own.how != "none"))


def _place(condition: Condition) -> Place:
    return condition.task, condition.fraction, condition.arm


def _group(series: ArmResults) -> Group:
    condition, metric = series.condition, METRICS[series.metric]
    rate = series.study.choose_learning_rate(condition).rate if condition.rates else _own_rate(series)
    test = None
    if np.isfinite(series.values).any():
        draws = series.mean_draws(series.cells)
        test = series.mean(series.values, draws, fixed=condition.fixed, possible=metric.possible)
    judged = next(iter(series.judged.values()), None)
    return Group(
        task=condition.task,
        arm=condition.arm,
        fraction=condition.fraction,
        metric=series.metric,
        higher_is_better=metric.higher_is_better,
        rate=rate,
        rates=condition.rates,
        at_edge=rate is not None and len(condition.rates) > 1 and rate in (condition.rates[0], condition.rates[-1]),
        wanted=len(condition.seeds),
        done=len(series.cells),
        test=test,
        losses=series.losses(),
        baseline=condition.recipe.run.baseline,
        constant=series.constant,
        not_learned=why_not_learned(series),
        unlearned=len(cells_not_learned(series)),
        records=len(judged) if judged else 0,
        record_groups=judged.groups if judged else None,
        splits=condition.splits,
    )


def _own_rate(series: ArmResults) -> float | None:
    """The learning rate that finished runs of an encoder took, where the study names none."""
    if not series.cells or series.condition.recipe.run.baseline:
        return None
    return load_recipe(series.study.store.run_folder(series.cells[0].key) / RECIPE).train.learning_rate


def _differences(study: StudyPlan, series: dict[Place, ArmResults], groups: Sequence[Group]) -> tuple[Difference, ...]:
    learned = {(g.task, g.fraction, g.arm): g.not_learned is None for g in groups}
    differences: list[Difference] = []
    for (task, fraction, arm), one in series.items():
        first = (task, fraction, study.grid.reference_arm)
        either = learned[task, fraction, arm] or learned[first]
        if one is not series[first] and (difference := _difference(study, one, series[first], learned=either)):
            differences.append(difference)
    return corrected(differences)


def _difference(study: StudyPlan, one: ArmResults, reference: ArmResults, *, learned: bool) -> Difference | None:
    """None where no pair of cells has two values."""
    pairs = cell_pairs(study, one, reference)
    if not any(math.isfinite(one.value(a) - reference.value(b)) for a, b in pairs.values()):
        return None
    values, draws = paired_difference(one, reference, pairs)
    fixed = one.condition.fixed and reference.condition.fixed
    estimated = tested(one.mean(values, draws, fixed=fixed), learned=learned)
    alike = one.condition.splits < 2  # else cells are not independent, and have other test records
    p, least = sign_flip(values) if alike and np.nan_to_num(values).any() else (math.nan, math.nan)
    counted = alike and one.condition.recipe.problem in COUNTED
    right = [one.judged[a.key].right - reference.judged[b.key].right for a, b in pairs.values()] if counted else []
    return Difference(
        task=one.condition.task,
        arm=one.condition.arm,
        reference=reference.condition.arm,
        fraction=one.condition.fraction,
        metric=one.metric,
        higher_is_better=METRICS[one.metric].higher_is_better,
        pairs=len(pairs),
        estimate=estimated,
        q=math.nan,
        sign_flip=p if math.isfinite(p) else None,
        least_sign_flip=least if math.isfinite(least) else None,
        mcnemar=mcnemar(np.array(right)) if np.any(right) else None,
        fixed=fixed,
        learned=learned,
        question=_question(study, one, reference),
    )


def _question(study: StudyPlan, one: ArmResults, reference: ArmResults) -> Question | None:
    """What the difference of two arms answers, if their recipes differ in nothing but where weights start."""
    both = one.condition, reference.condition
    alike = [condition.recipe.model_dump(exclude={"run": {"init"}}) for condition in both]
    if alike[0] != alike[1] or one.condition.recipe.run.baseline:
        return None
    results = (study.store.result(cell.key) for series in (one, reference) for cell in series.cells)
    return question_of({condition.arm: condition.recipe.run.init for condition in both}, results)


def _variances(series: dict[Place, ArmResults]) -> tuple[Variance, ...]:
    variances: list[Variance] = []
    for one in series.values():
        arranged, condition = layout(one.values), one.condition
        if arranged.values.ndim < 2 or not arranged.complete or not one.whole:
            continue
        parts = components(one.values)
        run, mapping = condition.recipe.run, parts.of("mapping")
        null = mapping is not None and (run.init not in ("pretrained", "aligned") or "words" not in run.transfer)
        variances.append(Variance(condition.task, condition.arm, condition.fraction, parts, null=null, q=None))
    nulls = {i: part.p for i, one in enumerate(variances) if one.null and (part := one.components.of("mapping"))}
    for i, q in zip(nulls, benjamini_hochberg(list(nulls.values())), strict=True):
        variances[i] = replace(variances[i], q=q)
    return tuple(variances)


def _published(study: StudyPlan) -> tuple[tuple[str, Published], ...]:
    published: list[tuple[str, Published]] = []
    for condition in study.conditions:
        for value in condition.recipe.published:
            if value.metric == condition.recipe.metrics[0] and (condition.task, value) not in published:
                published.append((condition.task, value))
    return tuple(published)


def _missing(study: StudyPlan, known: Sequence[Cell]) -> tuple[Missing, ...]:
    """Cells that are not finished, and conditions without a learning rate, as every cell of their search failed."""
    missing: list[Missing] = []
    for cell in known:
        state = study.store.state(cell.key)
        if state != "done":
            condition, error = cell.condition, study.store.fault(cell.key) or ""
            state = "not run" if state == "open" else state
            missing.append(Missing(cell.key, condition.task, condition.arm, str(cell), state, error))
    for condition in study.conditions:
        choice = study.choose_learning_rate(condition)
        if condition.rates and choice.settled and choice.rate is None:
            what = f"{len(condition.seeds)} cells of {condition.task}, {condition.arm}"
            missing.append(Missing("", condition.task, condition.arm, what, "not known", "every learning rate failed"))
    return tuple(missing)


def _machines(study: StudyPlan, known: Sequence[Cell]) -> tuple[str, ...]:
    """Devices and versions that finished cells were made with, each once."""
    machines: dict[str, None] = {}
    for cell in known:
        if study.store.state(cell.key) == "done":
            result = study.store.result(cell.key)
            versions: dict[str, Any] = result["versions"]
            names = ("xdomain", "torch", "transformers")
            named = ", ".join(f"{name} {versions.get(name, 'unknown')}" for name in names)
            machines[f"{result['device']} in {result['dtype']}; {named}"] = None
    return tuple(sorted(machines))
