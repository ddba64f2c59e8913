"""What a study could show, before it runs: agrees with simulated studies, and with the finished one."""

import math
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_study import study

from xdomain.core.errors import RecipeError
from xdomain.core.plugins import find_recipe
from xdomain.core.recipe_sections import Columns
from xdomain.data.own_data import own_recipe
from xdomain.study.api import Study, run_study
from xdomain.study.arm_results import by_seeds
from xdomain.study.config import RunSeeds
from xdomain.study.plan import plan_study
from xdomain.study.power import MAX_SEEDS, SampleSize, Variation, power_of, records_of, smallest_detectable
from xdomain.study.stats.estimate import mean_with_interval

PAIRED = [RunSeeds(i, i) for i in range(5)]
CROSSED = [RunSeeds(*one) for one in product(range(4), range(4))]
SPLITS = [RunSeeds(i, i, i) for i in range(6)]
EACH = 0.012, 0.3  # standard deviations between pairs and between test records


def simulated(seeds: list[RunSeeds], test: SampleSize, effect: float, rng: np.random.Generator) -> bool:
    """Whether the analysis of one simulated study sees a difference that is there."""
    deviation, records = EACH
    within = records / math.sqrt(test.units)
    splits = len({one.split for one in seeds}) > 1
    if seeds is CROSSED:
        parts = [deviation / math.sqrt(3) * rng.standard_normal(shape) for shape in ((4, 1), (1, 4), (4, 4))]
        noise = sum(parts)
        values = effect + by_seeds(dict.fromkeys(seeds, 0.0))
        values[:, :, 0] += noise
    else:
        total = math.hypot(deviation, within) if splits else deviation
        shared = total * math.sqrt(test.overlap) * rng.standard_normal() if splits else 0.0  # train records overlap
        values = by_seeds({one: effect + shared + total * rng.standard_normal() for one in seeds})
    if splits:
        found = mean_with_interval(values, overlap=test.overlap)
    else:
        found = mean_with_interval(values + within * rng.standard_normal(), within, units=test.units)
    return found.interval.low > 0 or found.interval.high < 0


@pytest.mark.parametrize("seeds", [PAIRED, CROSSED, SPLITS], ids=["paired", "crossed", "splits"])
def test_four_of_five_simulated_studies_see_the_detectable_difference(seeds):
    test, rng = SampleSize(400, 0.1), np.random.default_rng(0)
    effect = smallest_detectable(Variation(*EACH), seeds, test)
    share = np.mean([simulated(seeds, test, effect, rng) for _ in range(600)])
    assert 0.74 < share < 0.88, share


def test_with_seeds_without_number_test_records_set_the_limit():
    few, many = (smallest_detectable(Variation(0.012, 0.3), [RunSeeds(i, i) for i in range(n)], SampleSize(900, 0.1))
                 for n in (3, 5_000))  # fmt: skip
    assert many < few
    assert many == pytest.approx((1.96 + 0.84) * 0.3 / 30, rel=0.01)  # the normal power formula, over records alone


def test_finished_pairs_tell_what_the_report_of_the_study_tells(tiny_bert, in_process, tmp_path):
    small = {"split.limit": {"train": 400, "valid": 60, "test": 120}}
    given = study(tiny_bert, tasks=["toy/dna-classification"], arms=["kmer", "cnn"], seeds=4, learning_rates=[],
                  set=small)  # fmt: skip
    plan = plan_study(given, tmp_path)
    (before,) = power_of(plan)
    assert (before.pairs, before.records, before.variation.finished) == (4, 120, 0)
    assert in_process == []  # nothing was run
    (row,) = run_study(given, out=tmp_path).differences
    (after,) = power_of(plan_study(given, tmp_path))
    assert after.variation.finished == 4
    error = math.hypot(after.variation.pairs / math.sqrt(4), after.variation.records / math.sqrt(120))
    assert (row.estimate.standard_error, row.estimate.detectable) == pytest.approx((error, after.detectable))


def test_the_number_of_seeds_for_a_difference_is_the_smallest_that_shows_it(tiny_bert, tmp_path):
    def planned(seeds: int, difference: float | None = None):
        given = study(tiny_bert, tasks=["toy/dna-classification"], arms=["pretrained", "scratch"], seeds=seeds,
                      mapping_seeds=seeds, design="paired", set={"split.limit": {"test": 400}})  # fmt: skip
        return power_of(plan_study(given, tmp_path), difference)[0]

    aim = planned(7).detectable * 1.0001
    assert planned(3, aim).seeds == 7
    assert planned(6).detectable > aim
    assert planned(3, 1e-6).seeds is None  # too few test records for any number of seeds
    assert math.isnan(planned(1).detectable)  # one seed is no evidence


def test_a_difference_beyond_the_metric_is_refused(tiny_bert, tmp_path):
    plan = plan_study(study(tiny_bert), tmp_path)
    with pytest.raises(RecipeError, match=r"a difference of 5 in accuracy(?s:.*)less than 1(?s:.*)did you mean: 0\.05"):
        power_of(plan, 5)


def test_a_plan_in_python_is_a_table(tiny_bert, tmp_path):
    table = Study("toy/dna-classification", ["pretrained", "scratch", "kmer"], seeds=3, backbone=str(tiny_bert),
                  out=tmp_path).power(difference=0.5)  # fmt: skip
    assert isinstance(table, pd.DataFrame)
    assert list(table.arm) == ["scratch", "kmer"]
    assert (table.detectable > 0).all()
    assert (table.seeds <= MAX_SEEDS).all()


def test_what_a_study_cannot_take_is_said(tiny_bert, tmp_path):
    arms = {"arms": ["kmer", "cnn"], "out": tmp_path}
    frame = pd.DataFrame({"sequence": ["ACGT"], "label": ["a"]})
    given: list[Any] = [frame, [frame], {"data": frame, "domain": "dna"}]
    for tasks in given:
        with pytest.raises(RecipeError, match="DataFrame as the data of a study") as refused:
            Study(tasks, **arms)
        assert "df.to_csv" in str(refused.value)
    study = Study("toy/dna-classification", **arms)
    with pytest.raises(RecipeError, match="above 0"):
        study.power(difference=-0.05)
    assert repr(study).startswith("Study('study': 0 of 4 runs finished")
    assert list(study.results().learned) == [None, None]
    assert (study.power(difference=0.9).seeds >= 3).all()  # fewer are no evidence


def test_groups_of_test_records_count_once(tmp_path):
    lines = [f"{'ACGT' * 3}{'ACGT'[i % 4]},{'ab'[i % 2]},g{i // 10}" for i in range(200)]
    (tmp_path / "d.csv").write_text("\n".join(["sequence,label,group", *lines]))
    recipe = own_recipe(str(tmp_path / "d.csv"), domain="dna")
    size = records_of(recipe)
    assert size.units < 200 * 0.2
    folds = own_recipe(str(tmp_path / "d.csv"), domain="dna", columns=Columns(group=""),
                       overrides=["split.rule=fold", "split.folds=4"])  # fmt: skip
    assert records_of(folds).units == 200  # each record is judged once
    one = folds.model_copy(update={"split": folds.split.model_copy(update={"fold": 1})})
    assert records_of(one).units == 50
    assert records_of(find_recipe("toy/dna-classification", ["split.limit.test=33"])).units == 33


def test_no_number_of_seeds_is_named_where_none_would_do(tmp_path):
    splits = ["train"] * 40 + ["valid"] * 10 + ["test"] * 10
    groups = [f"g{i}" for i in range(50)] + ["one"] * 10
    lines = [f"{'ACGT'[i % 4]}{'ACGT'[i // 4 % 4]}ACGTACGT,{i % 2},{splits[i]},{groups[i]}" for i in range(60)]
    (tmp_path / "mine.csv").write_text("sequence,label,split,group\n" + "\n".join(lines) + "\n")
    task = {"data": str(tmp_path / "mine.csv"), "domain": "dna", "columns": {"group": "group", "split": "split"}}
    given = {"name": "one", "tasks": [task], "arms": ["pretrained", "scratch"], "seeds": 3, "learning_rates": [1e-3]}
    (power,) = power_of(plan_study(given, tmp_path), 0.05)
    assert math.isnan(power.detectable)
    assert power.seeds is None
