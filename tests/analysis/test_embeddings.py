"""One symbol in many contexts: which are chosen, how they are named, how alike they are."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from xdomain.analysis.contexts import choose, label
from xdomain.analysis.embeddings import ANALYSIS, cosines, mean_cosine
from xdomain.analysis.layers import held, symbol_vectors
from xdomain.analysis.loaded_run import open_runs
from xdomain.analysis.result import Options, write_finding
from xdomain.core.errors import RecipeError

LETTERS = tuple("ACGTN")


def ids(text):
    return np.array([LETTERS.index(c) for c in text], np.uint16)


def test_surroundings_are_named():
    sequence = ids("TTCAGGTAAGT")
    assert label(LETTERS, sequence, 5) == "…CAG[G]TAA…"
    assert label(LETTERS, sequence, 0) == "[T]TCA…"
    assert label(LETTERS, sequence, 2) == "TT[C]AGG…"
    assert label(LETTERS, sequence, 7) == "…GGT[A]AGT"
    assert label(("ACG", "a-very-long-piece"), np.array([0, 1, 0, 0]), 1) == "ACG [a-very-lo…] ACG…"


def test_cosines_by_hand():
    found = cosines(np.array([[3.0, 4.0], [6.0, 8.0], [-4.0, 3.0], [0.0, 0.0]]))
    np.testing.assert_allclose(found[:3, :3], [[1, 1, 0], [1, 1, 0], [0, 0, 1]], atol=1e-12)
    assert np.isnan(found[3]).all()


def test_means_within_leave_the_same_occurrence_out():
    matrix = np.array([[1, 0.5, 0.1, 0.2], [0.5, 1, 0.3, 0.4], [0.1, 0.3, 1, -0.5], [0.2, 0.4, -0.5, 1]])
    a, b = slice(0, 2), slice(2, 4)
    assert mean_cosine(matrix, a, a) == pytest.approx(0.5)
    assert mean_cosine(matrix, b, b) == pytest.approx(-0.5)
    assert mean_cosine(matrix, a, b) == pytest.approx(0.25)


@pytest.fixture(scope="module")
def runs(looked_at):
    return open_runs(looked_at)


@pytest.fixture(scope="module")
def found(runs):
    return ANALYSIS.find(runs, Options())[0]


def chosen(runs, **options):
    options = Options(**options)
    return choose(runs, runs[0].some("valid", options.records), options)


def test_the_landmark_gives_the_g_of_gt(runs):
    contexts = chosen(runs)
    assert contexts.symbol == "G"
    assert contexts.chosen.startswith("G at 30 (counted from 0), where the ")
    assert "of class EI agree the most (100.0%) within the donor" in contexts.chosen
    assert [g.name for g in contexts.groups] == ["donor (EI)", "same place, other classes", "elsewhere"]
    donor, other, elsewhere = (g.places for g in contexts.groups)
    classes = runs[0].examples.classes
    assert {classes[runs[0].examples.labels[r]] for r, _ in donor} == {"EI"}
    assert "EI" not in {classes[runs[0].examples.labels[r]] for r, _ in other}
    assert {at for _, at in (*donor, *other)} == {30}
    assert 30 not in {at for _, at in elsewhere}
    assert {r for r, _ in elsewhere} == {r for r, _ in donor}
    assert all(runs[0].examples.symbols[r][at] == 2 for r, at in (*donor, *other, *elsewhere))


def test_a_symbol_that_is_asked_for_goes_by_its_neighbours(runs):
    contexts = chosen(runs, symbol="C")
    assert contexts.symbol == "C"
    following = [{int(runs[0].examples.symbols[r][at + 1]) for r, at in g.places} for g in contexts.groups]
    assert [len(s) for s in following] == [1, 1]
    assert [f"before {LETTERS[next(iter(s))]}" for s in following] == [g.name for g in contexts.groups]
    records = [r for g in contexts.groups for r, _ in g.places]
    assert len(records) == len(set(records))


def test_a_place_that_is_asked_for(runs):
    contexts = chosen(runs, at=31)
    assert contexts.symbol == "T"
    assert [g.name for g in contexts.groups] == ["at 31", "elsewhere"]
    assert chosen(runs, at=31, symbol="A").symbol == "A"


def test_without_landmarks_the_most_frequent_symbol(tiny_run):
    run = open_runs([tiny_run("toy/dna-tagging")])
    contexts = chosen(run)
    valid = np.concatenate([run[0].examples.symbols[r] for r in run[0].examples.indices("valid")])
    assert contexts.symbol == LETTERS[np.bincount(valid).argmax()]
    assert "the most frequent symbol" in contexts.chosen


def test_what_cannot_be(runs):
    with pytest.raises(RecipeError, match="unknown symbol 'X'"):
        chosen(runs, symbol="X")
    with pytest.raises(RecipeError, match="from 0 to 59"):
        chosen(runs, at=60)
    with pytest.raises(RecipeError, match="N occurs 0 times at 5"):
        chosen(runs, at=5, symbol="N")
    with pytest.raises(RecipeError, match="N occurs 0 times"):
        chosen(runs, symbol="N")


def test_places_beyond_the_first_window_are_left_out(runs):
    train = runs[1].recipe.train.model_copy(update={"max_length": 20})
    short = replace(runs[1], recipe=runs[1].recipe.model_copy(update={"train": train}))
    assert max(at for g in chosen([runs[0], short], symbol="C").groups for _, at in g.places) < 17
    with pytest.raises(RecipeError, match="from 0 to 17"):
        chosen([runs[0], short], at=30)


def test_the_table_is_its_slow_twin(runs, found):
    rows = found.table.to_pylist()
    assert len(rows) == 2 * 2 * 3 * 66  # runs, states, layers, pairs of 12
    run = runs[0]
    records = run.some("valid", 200)
    vectors = dict(zip(records.tolist(), symbol_vectors(run, run.model, records, held(run, records)), strict=True))
    mean = np.concatenate([v[2] for v in vectors.values()]).astype(np.float64).mean(0)
    row = next(r for r in rows if (r["run"], r["state"], r["layer"]) == (run.label, "tuned", 2))
    sides = []
    for side in ("a", "b"):
        name, at = row[side].rsplit(":", 1)
        sides.append(vectors[run.examples.ids.index(name)][2, int(at)] - mean)
        assert row[f"context {side}"] == label(LETTERS, run.examples.symbols[run.examples.ids.index(name)], int(at))
    expected = sides[0] @ sides[1] / np.linalg.norm(sides[0]) / np.linalg.norm(sides[1])
    assert row["cosine"] == pytest.approx(expected, abs=1e-5)


def test_at_one_place_the_embeddings_are_one(found):
    here = [
        r["cosine"] for r in found.table.to_pylist() if r["layer"] == 0 and r["group a"] == r["group b"] != "elsewhere"
    ]
    assert here == pytest.approx([1] * len(here), abs=1e-5)
    assert "one and the same vector" in found.caption


@pytest.mark.usefixtures("drawn")
def test_caption_and_files(runs, found, tmp_path):
    assert "12 occurrences are drawn" in found.caption
    assert all(f"{run.label}, tuned (at the start): within donor (EI) " in found.caption for run in runs)
    write_finding(found, tmp_path)
    assert (tmp_path / "embeddings.png").stat().st_size > 10_000
    again = ANALYSIS.find(runs, Options())[0]
    assert again.table.equals(found.table)
    assert again.caption == found.caption


def test_pairs_read_the_first_sequence(tiny_run):
    (finding,) = ANALYSIS.find(open_runs([tiny_run("toy/dna-pair")]), Options())
    assert len(finding.table) == 2 * 3 * 45


def test_a_question_and_its_passage_read_the_passage(tiny_run):
    run = open_runs([tiny_run("toy/dna-span")])[0]
    records = run.some("valid", 30)
    contexts = choose([run], records, Options(records=30))
    assert all(run.adapter.alphabet.symbols[run.examples.symbols_b[r][at]] == contexts.symbol
               for g in contexts.groups for r, at in g.places)  # fmt: skip
    (finding,) = ANALYSIS.find([run], Options(records=30))
    row = finding.table.to_pylist()[0]
    assert (row["state"], row["layer"]) == ("start", 0)


def test_runs_of_differing_depth_have_their_own_layers(runs):
    model = copy.deepcopy(runs[0].model)
    model.base_model.encoder.layer = model.base_model.encoder.layer[:1]
    model.config.num_hidden_layers = 1
    shallow = replace(runs[0], label="shallow", saved=replace(runs[0].saved, model=model))
    for order in ([runs[0], shallow], [shallow, runs[0]]):
        (finding,) = ANALYSIS.find(order, Options(records=16))
        layers = {(row["run"], row["state"]): set() for row in finding.table.to_pylist()}
        for row in finding.table.to_pylist():
            layers[row["run"], row["state"]].add(row["layer"])
        assert layers["shallow", "tuned"] == {0, 1}
        drawn = [axes.get_title("left") for axes in finding.figure.axes if axes.get_visible()]
        assert drawn.count("layer 1") == 4
        assert drawn.count("layer 2") == 3
