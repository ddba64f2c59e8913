"""A run judged on another task: on its own it does as its result says, and permuted rows are no better than chance."""

import json

import numpy as np
import pytest
from command_line import told

import xdomain
from xdomain.core.errors import RecipeError
from xdomain.inference.zero_shot import permuted
from xdomain.model.token_mapping import TokenMapping

SMALL = ["train.max_steps=40", "train.learning_rate=0.003", "train.evaluations=1", "split.test=0.3"]


def write(path, first, second, names, *, seed=0, n=160):
    """Sequences made mostly of the letters `first`, or mostly of `second`."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        letters = [first, second][i % 2] * 4 + [second, first][i % 2]
        rows.append("".join(rng.choice(list(letters), 16)) + "," + names[i % 2])
    path.write_text("sequence,label\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def run(tiny_bert, tmp_path_factory):
    folder = tmp_path_factory.mktemp("transfer")
    data = write(folder / "dna.csv", "AT", "GC", ["at", "gc"])
    return xdomain.run(
        data=data, domain="dna", backbone=str(tiny_bert), mapping_seed=2, out=folder / "run", overrides=SMALL
    )


def test_on_its_own_task_and_mapping_a_run_does_as_its_result_says(run, tiny_bert):
    found = xdomain.transfer(run.folder, data=run.folder.parent / "dna.csv", domain="dna", mapping_seed=2, draws=1,
                             overrides=["split.test=0.3"])  # fmt: skip
    own = run.values["metrics"]["test"]["accuracy"]
    assert (found.metric, found.n) == ("accuracy", run.values["n"]["test"])
    assert found.each == (pytest.approx(own["value"]),)
    assert (found.value.low, found.value.high) == (pytest.approx(own["low"]), pytest.approx(own["high"]))
    assert found.majority == run.values["majority"]["test"]["accuracy"]
    assert found.classes == {"at": "at", "gc": "gc"}
    assert own["value"] > 0.9


def test_what_the_words_of_the_symbols_are_matters_to_this_run(run, tmp_path):
    """Proteins of four residues that get the words of A, T, G and C, and the same with these words permuted."""
    mapping = TokenMapping.load(run.folder / "mapping.json")
    table = dict(zip("MWKD", mapping.pieces[:4], strict=True))  # A C G T N is the order of the alphabet
    data = write(tmp_path / "protein.csv", "MD", "WK", ["neither", "nor"], seed=5)
    found = xdomain.transfer(
        run.folder, data=data, domain="protein", mapping="given", mapping_table=table, draws=6,
        overrides=["split.test=0.3"],
    )  # fmt: skip
    assert found.value.value > 0.9
    assert len(found.each) == 1
    assert len(found.each_permuted) == 6
    assert found.difference.value == pytest.approx(found.value.value - np.mean(found.each_permuted))
    assert found.classes == {"at": "neither", "gc": "nor"}


def test_a_mapping_that_is_drawn_is_drawn_anew(run):
    found = xdomain.transfer(run.folder, data=run.folder.parent / "dna.csv", domain="dna", mapping="random", draws=3)
    assert len(found.each) == len(found.each_permuted) == 3
    assert found.value.value == pytest.approx(np.mean(found.each))


def test_permuted_rows_are_the_same_rows_at_other_symbols():
    mapping = TokenMapping(tuple("ACG"), np.array([5, 6, 7]), ("x", "y", "z"), "random", 0, "")
    for seed in range(20):
        other = permuted(mapping, seed)
        assert sorted(other.ids) == [5, 6, 7]
        assert other.ids.tolist() != [5, 6, 7]
        assert dict(zip(other.ids.tolist(), other.pieces, strict=True)) == {5: "x", 6: "y", 7: "z"}


def test_the_command_prints_both_and_json(run, capsys, tmp_path):
    data = write(tmp_path / "other.csv", "AC", "GT", ["low", "high"], seed=3)
    command = ["transfer", run.folder, "--data", data, "--domain", "dna", "--mapping-seed", "1", "--draws", "2"]
    code, out, err = told(capsys, *command, "--mapping", "frequent")
    assert code == 0
    assert "by the mapping" in out
    assert "rows permuted" in out
    assert "classes by their order: at is taken for high, gc for low" in err
    code, out, _ = told(capsys, *command, "--json")
    assert code == 0
    assert json.loads(out)["classes"] == {"at": "high", "gc": "low"}


def test_records_of_one_class_get_negatives(run, capsys, tmp_path):
    one = tmp_path / "one.csv"
    one.write_text("sequence\n" + "".join(f"{'AATT' * 5}{'ACGT'[i % 4]}{'GTCA' * (i + 1)}\n" for i in range(40)))
    command = ["transfer", run.folder, "--data", one, "--domain", "dna", "--draws", "1", "--negatives", "shuffled"]
    code, out, _ = told(capsys, *command, "--json")
    assert code == 0
    assert json.loads(out)["n"] > 0


def test_what_does_not_fit_is_refused(run, tmp_path, tiny_bert):
    three = tmp_path / "three.csv"
    rows = [f"ACGT{'ACG'[i % 3]}{'ACGT'[i % 4] * i},{'abc'[i % 3]}\n" for i in range(60)]
    three.write_text("sequence,label\n" + "".join(rows))
    with pytest.raises(RecipeError, match="the same classes, or two in both"):
        xdomain.transfer(run.folder, data=three, domain="dna")
    with pytest.raises(RecipeError, match="is regression, and the run was trained for classification"):
        xdomain.transfer(run.folder, "toy/dna-regression")
    with pytest.raises(RecipeError, match="0 draws"):
        xdomain.transfer(run.folder, data=three, domain="dna", draws=0)
    kmers = xdomain.run(data=run.folder.parent / "dna.csv", domain="dna", baseline="kmer", out=tmp_path / "kmer")
    with pytest.raises(RecipeError, match="is a kmer baseline"):
        xdomain.transfer(kmers.folder, data=three, domain="dna")
