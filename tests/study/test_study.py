"""Studies from file to report: every cell once, nothing lost, nothing hidden."""

import json
import math
import re
import shutil
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
import pytest
import yaml
from command_line import told
from small_study import finished, study

import xdomain
from xdomain.cli.main import main
from xdomain.core.errors import RecipeError
from xdomain.metrics.heldout import load_held_out
from xdomain.study.api import report, run_study
from xdomain.study.engines.progress import forecast
from xdomain.study.plan import open_study, plan_study

pc: Any = pyarrow.compute  # which makes its functions as it is loaded
pytestmark = pytest.mark.usefixtures("in_process")


def test_every_arm_has_its_cells_and_its_search(done):
    store, found = done
    assert [(group.task, group.arm, group.done, group.wanted) for group in found.groups] == [
        (task, arm, cells, cells)
        for task in ("toy/dna-classification", "toy/dna-regression")
        for arm, cells in (("pretrained", 2), ("scratch", 2), ("kmer", 1))
    ]
    assert found.cells == (14, 0, 0)
    assert len(finished(store)) == 14
    for group in found.groups:
        assert group.rates == (() if group.arm == "kmer" else (1e-4, 1e-3))
        assert group.at_edge == (group.arm != "kmer")
    assert {(one.arm, one.reference, one.pairs) for one in found.differences} == {
        ("scratch", "pretrained", 2), ("kmer", "pretrained", 2),
    }  # fmt: skip
    assert found.missing == ()


def test_values_are_those_of_the_cells(done):
    store, found = done
    laid = open_study(store / "small")
    for condition, group in zip(laid.conditions, found.groups, strict=True):
        cells = [json.loads((store / "cells" / c.key / "result.json").read_text()) for c in laid.final(condition)]
        values = [one["metrics"]["test"][group.metric]["value"] for one in cells]
        assert group.test.interval.value == pytest.approx(sum(values) / len(values))
        assert [one["seed"] for one in cells] == ([0, 1] if group.arm != "kmer" else [0])


def answer_alike(folder):
    """Make a finished run answer every record with its first class."""
    result = json.loads((folder / "result.json").read_text())
    table = pq.read_table(folder / "predictions.parquet")
    columns = {name: table.column(name) for name in table.column_names}
    columns["prediction"] = pa.array([result["classes"][0]] * len(table))
    for place, name in enumerate(result["classes"]):
        columns[f"p({name})"] = pa.array([float(place == 0)] * len(table))
    pq.write_table(pa.table(columns), folder / "predictions.parquet")
    test = table.filter(pc.equal(table["split"], "test"))["label"].to_pylist()
    result["metrics"]["test"]["accuracy"]["value"] = test.count(result["classes"][0]) / len(test)
    (folder / "result.json").write_text(json.dumps(result))


GONE = {
    "name": "gone", "title": "a task without its data", "problem": "classification", "metrics": ["accuracy"],
    "source": {"files": {"all": "no/such.csv"}, "licence": "none", "citation": "none"}, "adapter": {"name": "dna"},
}  # fmt: skip


@pytest.fixture(scope="module")
def alike(done, tmp_path_factory):
    """What is found where both encoders answer with one and the same class in all cells."""
    store = tmp_path_factory.mktemp("alike") / "store"
    shutil.copytree(done[0], store)
    laid = open_study(store / "small")
    for condition in laid.conditions:
        if condition.task == "toy/dna-classification" and condition.arm != "kmer":
            for cell in laid.final(condition):
                answer_alike(store / "cells" / cell.key)
    return store, report(store / "small")


def test_arms_that_answer_with_one_class_cannot_be_told_apart(alike):
    store, found = alike
    one = next(d for d in found.differences if (d.task, d.arm) == ("toy/dna-classification", "scratch"))
    assert one.estimate.interval.value == 0
    assert all(math.isnan(x) for x in (one.estimate.interval.low, one.estimate.interval.high, one.estimate.p, one.q))
    assert one.sign_flip is one.mcnemar is None
    assert not one.learned
    text = (store / "small" / "report.md").read_text()
    assert "**inconclusive: neither arm learned**: **scratch** against pretrained: test accuracy +.000 [–]." in text
    assert "**no difference seen**: **scratch** against pretrained: test accuracy" not in text


def test_a_study_whose_arms_did_not_learn_says_so_first(alike):
    store, found = alike
    told = {g.arm: g for g in found.groups if g.task == "toy/dna-classification"}
    for arm in ("pretrained", "scratch"):
        assert told[arm].not_learned.startswith(
            "answers all 24 test records with one and the same class in each of its 2"
        )
        assert told[arm].unlearned == 2
    for name in ("report.md", "report.html"):
        text = (store / "small" / name).read_text()
        assert text.index("has shown that it learned" if "No arm" in text else "shown that they learned") < text.index(
            "cells (single runs) finished"
        )


def test_a_study_answers_the_question_in_a_sentence(done, capsys):
    store, found = done
    asked = dict.fromkeys(one.task for one in found.differences if one.question)
    assert list(asked) == list(dict.fromkeys(one.task for one in found.differences))
    text = (store / "small" / "report.md").read_text()
    for task in asked:
        assert re.search(rf"- \*\*{task}\*\*: Does text pre-training help here\? (Yes|No |No:|Cannot be told)", text)
    assert told(capsys, "report", store / "small")[1].count("Does text pre-training help here?") == len(asked)


def test_one_seed_gives_no_verdict_and_no_test(done, tiny_bert):
    store, _ = done
    found = run_study(study(tiny_bert, seeds=1, name="one"), out=store)
    assert {one.pairs for one in found.differences} == {1}
    assert all(math.isnan(one.q) and math.isnan(one.estimate.p) for one in found.differences)
    text = (store / "one" / "report.md").read_text()
    assert "**better**" not in text
    assert "**worse**" not in text
    assert "**no difference seen**" not in text


GROUPED = [(f"r{i}", "ACGT"[i % 4] * 12 + "ACGT"[(i // 4) % 4] * 8, "AG"[i % 2], f"g{i // 4}") for i in range(160)]


def test_records_in_groups_are_resampled_by_group(tmp_path):
    (tmp_path / "own.csv").write_text("\n".join(["id,sequence,label,group", *map(",".join, GROUPED)]))
    tasks = [{"data": str(tmp_path / "own.csv"), "domain": "dna"}]
    found = run_study({"name": "grouped", "tasks": tasks, "arms": ["kmer", "cnn"]}, out=tmp_path / "store")
    group = found.groups[0]
    assert group.record_groups == group.records / 4
    told = (tmp_path / "store" / "grouped" / "report.md").read_text()
    assert f"{group.records} records in {group.record_groups} groups." in told
    folder = next((tmp_path / "store" / "cells").glob("*/predictions.parquet")).parent
    table = pq.read_table(folder / "predictions.parquet")
    own = {name: group for name, _, _, group in GROUPED}
    assert table["group"].to_pylist() == [own[name] for name in table["id"].to_pylist()]
    judged = load_held_out(folder)
    assert judged.units == judged.groups == group.record_groups
    assert judged.right.max() <= 4
    pq.write_table(table.drop_columns(["group"]), folder / "predictions.parquet")  # as runs wrote it before
    assert load_held_out(folder).groups is None
    assert load_held_out(folder).units == group.records


def test_the_rate_is_the_best_on_validation(done):
    store, _ = done
    laid = open_study(store / "small")
    for condition in laid.conditions[:2]:
        means = {
            cell.rate: json.loads((store / "cells" / cell.key / "result.json").read_text())["metrics"]["valid"][
                "accuracy"]["value"]
            for cell in condition.searched()
        }  # fmt: skip
        assert laid.choose_learning_rate(condition).rate == min(means, key=lambda rate: (-means[rate], rate))


def test_a_search_by_halving_gives_full_runs_to_the_best_of_short_ones(tiny_bert, tmp_path):
    rates, changes = [1e-7, 1e-4, 1e-3, 3e-3], {"train.max_steps": 6}
    asked = study(tiny_bert, tasks=["toy/dna-classification"], arms=["pretrained", "kmer"], learning_rates=rates)
    asked |= {"search": {"rule": "halving"}, "set": asked["set"] | changes}
    plan = plan_study(asked, out=tmp_path)
    assert [row["to run"] for row in forecast(plan)] == [4 + 2 + 1, 1]
    typed = {name: value for name, value in asked.items() if name not in ("tasks", "arms")}
    assert xdomain.Study(asked["tasks"], asked["arms"], **typed).plan.grid == plan.grid
    assert [condition.most_cells for condition in plan.conditions] == [4 + 2 + 1, 1]
    found = run_study(asked, out=tmp_path)

    cells = {path.parent.name: json.loads(path.read_text()) for path in (tmp_path / "cells").glob("*/result.json")}
    assert len(cells) == found.cells[0] == 8
    condition, _ = (plan := open_study(tmp_path / "small")).conditions

    def best(searched):
        values = {cell.rate: cells[cell.key]["metrics"]["valid"]["accuracy"]["value"] for cell in searched}
        return sorted(values, key=lambda rate: (-values[rate], rate))

    short, full = condition.searched(rates, 1 / 3), [cell for cell in plan.searched(condition) if cell.share == 1]
    assert [cells[cell.key]["steps"] for cell in short] == [2] * 4
    assert [cells[cell.key]["steps"] for cell in full] == [6] * 2
    assert [cell.rate for cell in full] == sorted(best(short)[:2])
    assert found.groups[0].rate == best(full)[0]
    everything = {**asked, "search": {}}
    assert {cell.key for cell in full} < {cell.key for cell in plan_study(everything, out=tmp_path).planned_cells()}


def test_of_three_rates_the_short_runs_choose(tiny_bert, tmp_path):
    asked = study(tiny_bert, tasks=["toy/dna-classification"], arms=["pretrained"], learning_rates=[1e-4, 1e-3, 3e-3])
    found = run_study({**asked, "search": {"rule": "halving"}}, out=tmp_path)
    assert found.cells == (3 + 2, 0, 0)
    report = (tmp_path / "small" / "report.md").read_text()
    assert "by halving" in report


def test_a_network_learns_at_the_rate_that_its_arm_searched(tmp_path):
    (tmp_path / "own.csv").write_text("\n".join(["id,sequence,label,group", *map(",".join, GROUPED)]))
    tasks = [{"data": str(tmp_path / "own.csv"), "domain": "dna"}]
    arms = [{"baseline": "cnn", "learning_rates": [1e-9, 1e-3]}]
    found = run_study({"name": "rates", "tasks": tasks, "arms": arms, "seeds": 2}, out=tmp_path / "store")
    assert found.groups[0].rate == 1e-3  # at the other one nothing is learned
    results = [json.loads(path.read_text()) for path in (tmp_path / "store" / "cells").glob("*/result.json")]
    assert sorted(result["train_loss"] > 0.6 for result in results) == [False, False, True]


def test_the_report_is_made_from_the_store_alone(done, tmp_path, monkeypatch):
    store, _ = done
    before = (store / "small" / "report.md").read_bytes()
    copy = tmp_path / "moved"
    shutil.copytree(store, copy)
    (copy / "small" / "report.md").unlink()
    monkeypatch.setenv("XDOMAIN_DATA", str(tmp_path / "nothing"))
    report(copy / "small")
    assert (copy / "small" / "report.md").read_bytes() == before
    assert "toy/dna-classification" in before.decode()


def test_cells_that_an_earlier_version_named_by_their_task_are_found(done, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(done[0], store)
    for condition in open_study(done[0] / "small").conditions:
        for cell in condition.possible():
            assert cell.former_key != cell.key
            if (store / "cells" / cell.key).is_dir():
                (store / "cells" / cell.key).rename(store / "cells" / cell.former_key)
    assert repr(report(store / "small").groups) == repr(done[1].groups)  # NaN is equal to NaN there
    assert finished(store) == finished(done[0])


def test_arms_that_were_judged_on_different_records_are_not_compared(done, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(done[0], store)
    laid = open_study(store / "small")
    (condition,) = (one for one in laid.conditions if (one.task, one.arm) == ("toy/dna-classification", "scratch"))
    for cell in laid.final(condition):
        path = store / "cells" / cell.key / "predictions.parquet"
        table = pq.read_table(path)
        ids = pc.if_else(pc.equal(table["id"], table["id"][-1]), "another", table["id"])
        pq.write_table(table.set_column(table.column_names.index("id"), "id", ids), path)
    found = report(store / "small")
    assert [(one.task, one.arm) for one in found.differences] == [
        ("toy/dna-classification", "kmer"), ("toy/dna-regression", "scratch"), ("toy/dna-regression", "kmer"),
    ]  # fmt: skip
    assert found.unmatched == ("toy/dna-classification: scratch (24) and pretrained (24) share 23",)
    assert "Judged on different test records, so not compared" in (store / "small" / "report.md").read_text()


def test_a_study_in_python_is_the_same_study(done, tiny_bert):
    store, found = done
    given = study(tiny_bert)
    again = xdomain.Study(
        given["tasks"], given["arms"], name="python", seeds=2, learning_rates=given["learning_rates"],
        backbone=given["backbone"], set=given["set"], out=store,
    ).run()  # fmt: skip
    assert repr(again.findings.groups) == repr(found.groups)
    table = again.differences()
    columns = list(table.columns) if hasattr(table, "iloc") else table.column_names
    assert columns[:8] == ["task", "arm", "reference", "fraction", "metric", "difference", "low", "high"]
    assert len(table) == len(found.differences)
    assert len(again.results()) == len(found.groups)
    assert (again.folder / "report.html").is_file()


def test_a_misspelt_option_of_a_study_names_the_nearest():
    misspelt: dict[str, Any] = {"sedes": 2}
    with pytest.raises(RecipeError, match=r"unknown option of Study 'sedes'[\s\S]*seeds"):
        xdomain.Study("toy/dna-classification", ["kmer"], **misspelt)


@pytest.mark.slow
def test_curves_of_ever_fewer_records_are_compared(done, tiny_bert, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(done[0], store)  # where some of the cells are
    wanted = study(tiny_bert, tasks="toy/dna-classification", fractions=[0.5, 1], learning_rates=[1e-3],
                   mapping_seeds=2, design="paired", arms=["pretrained", "kmer"])  # fmt: skip
    found = run_study(wanted, out=store)
    means = {(g.arm, g.fraction): g.test.interval.value for g in found.groups}
    for one in found.efficiencies:
        half, whole = (means[one.arm, fraction] for fraction in (0.5, 1))
        assert one.area.interval.value == pytest.approx((half + whole) / 2)
        if one.arm == "pretrained":
            assert one.difference is None
        else:
            reference = (means["pretrained", 0.5] + means["pretrained", 1]) / 2
            assert one.difference.interval.value == pytest.approx((half + whole) / 2 - reference)
            assert one.difference.cells == 2
    assert [one.arm for one in found.efficiencies] == ["pretrained", "kmer"]


def test_a_finished_cell_is_never_run_again(done, tiny_bert, tmp_path, said):
    store = tmp_path / "store"
    shutil.copytree(done[0], store)
    times = {key: (store / "cells" / key / "result.json").stat().st_mtime_ns for key in finished(store)}
    wider = study(tiny_bert, name="wider", tasks=["toy/dna-classification"], arms=["pretrained"], seeds=3)
    found = run_study(wider, out=store)
    assert found.groups[0].done == 3
    assert said[0].startswith("1 of 4 cells to run; ")
    assert said[0].endswith(" left")  # its condition's cells tell how long
    assert [line.startswith("[4/4] ") for line in said] == [False, True]
    assert {key: (store / "cells" / key / "result.json").stat().st_mtime_ns for key in times} == times
    assert len(finished(store)) == len(times) + 1
    assert run_study(wider, out=store).cells == (4, 0, 0)
    assert said[-1] == "all 4 cells are finished already"


def test_what_fails_is_named_and_the_rest_goes_on(done, tiny_bert, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(done[0], store)
    broken, cut, *_ = finished(store)
    (store / "cells" / broken / "result.json").write_text('{"schema"')
    predictions = store / "cells" / cut / "predictions.parquet"
    predictions.write_bytes(predictions.read_bytes()[:-100])
    (tmp_path / "gone.yaml").write_text(yaml.safe_dump(GONE))
    wanted = study(tiny_bert, tasks=["toy/dna-classification", "toy/dna-regression", str(tmp_path / "gone.yaml")])
    found = run_study(wanted, out=store)
    told = {one.what: one.error for one in found.missing}
    assert any("no/such.csv" in error for error in told.values())
    assert any("result.json cannot be read" in error for error in told.values())
    assert any("predictions.parquet cannot be read" in error for error in told.values())
    assert sum(group.done == group.wanted for group in found.groups) >= 4
    text = (store / "small" / "report.md").read_text()
    assert "missing" in text
    assert "no/such.csv" in text
    again = run_study(study(tiny_bert), out=store, retry_failed=True)
    assert again.missing == ()


def test_what_it_will_take_is_told_from_what_was_run(done, tiny_bert):
    store, _ = done
    (row,) = forecast(plan_study(study(tiny_bert, tasks=["toy/dna-classification"], arms=["scratch"], seeds=5), store))
    assert row["cells"] == 6
    assert row["to run"] == 3
    assert row["minutes"] is not None


def test_the_exit_code_says_that_cells_are_missing(tmp_path, capfd):
    (tmp_path / "gone.yaml").write_text(yaml.safe_dump(GONE))
    (tmp_path / "small.yaml").write_text(yaml.safe_dump({"tasks": "gone.yaml", "arms": ["kmer"]}))
    with pytest.raises(SystemExit) as ended:
        main(["study", str(tmp_path / "small.yaml"), "--out", str(tmp_path / "store")])
    assert ended.value.code == 1
    told = capfd.readouterr()
    assert "[1/1] gone, kmer, mapping seed 0, seed 0: failed: " in told.err
    assert "1 of 1 cells are missing: 1 failed, 0 not run" in told.out
