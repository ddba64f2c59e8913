"""The loss between start and end: exact at both, no model is changed, one scale for all."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from xdomain.analysis.landscape import ANALYSIS, around, basin, steps
from xdomain.analysis.loaded_run import open_runs
from xdomain.analysis.moved_weights import LossOf, Path, cosine, norm_of, path_of, random_like, second_run, unlike
from xdomain.analysis.result import Options, write_finding
from xdomain.core.recipe_sections import Run

FEW = Options(records=12, grid=5)


@pytest.fixture(scope="module")
def runs(looked_at):
    return open_runs(list(looked_at))


@pytest.fixture(scope="module")
def findings(runs):
    return ANALYSIS.find(runs, FEW)


@pytest.mark.parametrize(("points", "first", "last"), [(3, 0, 2), (5, -0.5, 1.5), (11, -0.4, 1.6), (21, -0.5, 1.5)])
def test_steps_hit_the_start_and_the_end(points, first, last):
    found = steps(points)
    assert len(found) == points
    assert (found[0], found[-1]) == pytest.approx((first, last))
    assert {0, 1} <= set(found.tolist())
    assert np.diff(found) == pytest.approx(np.diff(found)[0])


@pytest.mark.parametrize("points", range(3, 101, 2))
def test_steps_around_the_path_hit_it_exactly(points):
    found = around(steps(points))
    assert np.count_nonzero(found == 0) == 1
    assert found == pytest.approx(-found[::-1])


def test_the_valley_ends_where_the_loss_crosses_the_margin():
    alphas = np.array([0, 0.5, 1, 1.5, 2])
    assert basin(alphas, np.array([1.0, 0.4, 0.2, 0.2, 0.6])) == pytest.approx((0.75, 1.625))
    assert basin(alphas, np.array([0.2, 0.2, 0.2, 0.25, 0.25])) == (0, 2)
    assert basin(alphas, np.array([0.0, 9.0, 0.2, np.nan, 0.2])) == pytest.approx((1 - 0.5 * 0.1 / 8.8, 1))


def test_a_path_is_exact_at_both_ends_and_straight_between():
    path = Path({"w": torch.tensor([0.1, 3.3])}, {"w": torch.tensor([0.7, -1e8])})
    assert torch.equal(path.at(0)["w"], path.start["w"])
    assert torch.equal(path.at(1)["w"], path.end["w"])
    small = Path({"w": torch.tensor([1.0])}, {"w": torch.tensor([3.0])})
    assert [float(small.at(a)["w"]) for a in (-0.5, 0.5, 1.5)] == [0, 2, 4]
    assert float(small.at(0.5, {"w": torch.tensor([10.0])}, -1)["w"]) == -8


def test_a_random_direction_is_as_long_as_the_step_row_by_row():
    step = {"m": torch.tensor([[3.0, 4.0], [0.0, 0.0]]), "b": torch.tensor([2.0, 0.0, 0.0])}
    drawn = random_like(step, 0)
    assert drawn["m"].norm(dim=1).tolist() == pytest.approx([5, 0])
    assert float(drawn["b"].norm()) == pytest.approx(2)
    assert norm_of(drawn) == pytest.approx(norm_of(step)) == pytest.approx(29**0.5)
    assert all(torch.equal(random_like(step, 0)[name], drawn[name]) for name in step)
    assert not torch.equal(random_like(step, 1)["b"], drawn["b"])
    assert cosine(step, step) == pytest.approx(1)
    assert cosine(step, {name: tensor * 0 for name, tensor in step.items()}) == 0


def obvious_loss(model, run, records):
    """Record by record, in the plainest way."""
    losses = []
    for record in records:
        batch = run.collate([int(record)])
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[0]
        losses.append(-torch.log_softmax(logits, 0)[int(run.examples.labels[record])].item())
    return np.mean(losses)


def test_the_ends_of_the_line_are_the_losses_of_start_and_model(runs, findings):
    table = findings[0].table.to_pylist()
    for run in runs:
        here = {row["alpha"]: row for row in table if row["run"] == run.label}
        for alpha, model in ((0, run.start), (1, run.model)):
            for split in ("train", "valid"):
                twin = obvious_loss(model, run, run.some(split, FEW.records))
                assert here[alpha][f"{split}_loss"] == pytest.approx(twin, abs=1e-5)


def test_no_model_is_changed_and_the_outcome_is_the_same_again(runs):
    run = runs[0]
    before = copy.deepcopy((run.model.state_dict(), run.start.state_dict()))
    first, again = (ANALYSIS.find([run], replace(FEW, grid=3)) for _ in range(2))
    for state, model in zip(before, (run.model, run.start), strict=True):
        assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in state.items())
    assert [f.table for f in first] == [f.table for f in again]
    assert [f.caption for f in first] == [f.caption for f in again]


def test_one_line_and_one_panel_a_run_over_the_same_axes(runs, findings, tmp_path):
    line, surface = findings
    assert [f.name for f in findings] == ["landscape-line", "landscape-surface"]
    for finding, points in ((line, 5), (surface, 9)):
        rows = finding.table.to_pylist()
        places = [[(r["alpha"], r.get("beta")) for r in rows if r["run"] == run.label] for run in runs]
        assert places[0] == places[1]
        assert len(places[0]) == points
        assert all(run.label in finding.caption for run in runs)
        write_finding(finding, tmp_path)
    shared = [panel.collections[0].norm for panel in surface.figure.axes[: len(runs)]]
    assert shared[0].boundaries.tolist() == shared[1].boundaries.tolist()
    assert "a random direction" in surface.caption
    assert {p.name for p in tmp_path.iterdir()} == {
        f"{f.name}{end}" for f in findings for end in (".png", ".svg", ".csv")
    }


def test_another_run_from_the_same_start_gives_the_second_direction(runs):
    run = runs[0]
    other = replace(run, label="other")
    moved = replace(path_of(run), end={name: tensor + 1 for name, tensor in path_of(run).end.items()})
    paths = [path_of(run), path_of(runs[1]), moved]
    assert second_run([run, runs[1], other], paths, 0) == 2
    assert second_run([run, runs[1], other], paths, 1) is None
    assert second_run([run, other], [paths[0], paths[0]], 0) is None


def test_what_has_no_line_between_is_refused(runs):
    assert ANALYSIS.refuses(runs, Options()) is None
    path = Path({"a": torch.zeros(2), "b": torch.zeros(1)}, {"a": torch.zeros(2), "b": torch.zeros(3)})
    assert unlike(path) == "b"
    assert unlike(Path({}, {"c": torch.zeros(1)})) == "c"
    stale = replace(runs[0], values={**runs[0].values, "backbone": {"sha256": "0" * 64}})
    assert "no longer is" in str(ANALYSIS.refuses([stale], Options()))
    mixed = replace(runs[0], recipe=runs[0].recipe.model_copy(update={"run": Run(tune="mix")}))
    assert "a mix of layers" in str(ANALYSIS.refuses([mixed], Options()))
    assert "8 runs at most" in str(ANALYSIS.refuses([runs[0]] * 9, Options()))


@pytest.mark.parametrize("problem", ["regression", "tagging", "pair", "span"])
def test_every_problem_has_a_line_that_ends_at_its_own_model(problem, tiny_run):
    (run,) = open_runs([tiny_run(f"toy/dna-{problem}")])
    records, path = run.some("train", 6), path_of(run)
    losses = LossOf.over(run, records)
    assert losses(path.end) == pytest.approx(twin_of(problem, run, run.model, records), rel=1e-4)
    if problem == "regression":
        # The start answers in standard units: those are what its loss is counted in.
        values = run.examples.labels[run.examples.indices("train")].astype(float)
        targets = torch.tensor((run.examples.labels[records] - values.mean()) / values.std())
        told = [run.start(**inputs(run, r)).logits.squeeze() for r in records]
        assert losses(path.start) == pytest.approx(float((torch.stack(told) - targets).square().mean()), rel=1e-4)
    else:
        assert losses(path.start) == pytest.approx(twin_of(problem, run, run.start, records), rel=1e-4)


def inputs(run, record):
    return {
        k: v for k, v in run.collate([int(record)]).items() if k in ("input_ids", "attention_mask", "token_type_ids")
    }


def twin_of(problem, run, model, records):
    """The mean over everything that counts, one record at a time."""
    found = []
    for record in records:
        batch, told = run.collate([int(record)]), model(**inputs(run, record))
        if problem == "regression":
            std = float(run.examples.labels[run.examples.indices("train")].astype(float).std())
            found.append((told.logits.mean().item() - float(batch["labels"][0])) ** 2 / std**2)
        elif problem == "tagging":
            chances = torch.log_softmax(told.logits, -1)
            places = (batch["labels"] != -100).nonzero().tolist()
            found += [-chances[w, s, batch["labels"][w, s]].item() for w, s in places]
        elif problem == "span":
            for logits, label in ((told.start_logits, 0), (told.end_logits, 1)):
                for window, place in enumerate(batch["labels"][:, label].tolist()):
                    allowed = [s for s in range(logits.shape[1]) if s == 0 or batch["owned"][window, s]]
                    if place != -100:
                        rest = torch.log_softmax(logits[window, allowed], 0)
                        found.append(-rest[allowed.index(place)].item())
        else:
            found.append(-torch.log_softmax(told.logits[0], 0)[int(batch["labels"][0])].item())
    return np.mean(found)
