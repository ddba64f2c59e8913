"""How an arm does on ever fewer training records: the area under its curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from xdomain.metrics.metrics import METRICS
from xdomain.study.arm_results import ArmResults, Place, cell_pairs, paired_difference, standard_error_of
from xdomain.study.plan import StudyPlan
from xdomain.study.results import Efficiency
from xdomain.study.stats.estimate import area, mean_with_interval

Values = NDArray[np.float64]


def efficiencies(study: StudyPlan, series: Mapping[Place, ArmResults]) -> tuple[Efficiency, ...]:
    """The area under the curve of each arm whose cells are all finished, and how far above the reference's it is."""
    fractions, first = study.grid.fractions, study.grid.first_arm
    if len(fractions) < 2:
        return ()
    found: list[Efficiency] = []
    for task, arm in dict.fromkeys((task, arm) for task, _, arm in series):
        curve, reference = ([series[task, fraction, name] for fraction in fractions] for name in (arm, first))
        if not all(part.whole for part in curve):
            continue
        units = curve[0].units
        own = _area(fractions, [(part.values, part.mean_draws(part.cells)) for part in curve], units)
        whole = mean_with_interval(*own, units=units, possible=METRICS[curve[0].metric].possible)
        more = None
        if arm != first and all(part.whole for part in reference):
            pairs = [(one, its, cell_pairs(study, one, its)) for one, its in zip(curve, reference, strict=True)]
            more = mean_with_interval(
                *_area(fractions, [paired_difference(*pair) for pair in pairs], units), units=units
            )
        found.append(Efficiency(task, arm, whole, more))
    return tuple(found)


def _area(fractions: Sequence[float], parts: Sequence[tuple[Values, Values]], units: int) -> tuple[Values, float]:
    """Of values and of their means on resamples, a share each: the area a cell, and its standard error over records."""
    values, draws = (area(fractions, np.array(part)) for part in zip(*parts, strict=True))
    return values, standard_error_of(draws, units)
