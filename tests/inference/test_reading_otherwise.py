"""Files that are read otherwise than the data that a run was trained on: other headers, other letters."""

import numpy as np
import pytest
from command_line import told
from extras import needs_genome

import xdomain
from xdomain.core.errors import DataError, RecipeError

NAMED = "reader_options.names=sequence,label,split"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of k-mer counts on a table without a header: sequence, label, split."""
    folder = tmp_path_factory.mktemp("otherwise")
    rng = np.random.default_rng(0)
    rows = [
        ("".join(rng.choice(list("ACGT" + 4 * "AG"[i % 2]), 20)), i % 2, ["train", "test"][i > 60]) for i in range(80)
    ]
    (folder / "plain.csv").write_text("".join(f"{s},{label},{split}\n" for s, label, split in rows))
    run = xdomain.run(data=folder / "plain.csv", domain="dna", baseline="kmer", out=folder / "run", overrides=[NAMED])
    return run.folder


def predicted(folder, text, **options):
    (folder.parent / "new.csv").write_text(text)
    return xdomain.predict(folder, folder.parent / "new.csv", **options).column("prediction").to_pylist()


def test_a_file_without_labels_needs_no_names_for_them(folder):
    whole = predicted(folder, "AAAACAAATAAA,0,test\nGGGGTGGGCGGG,1,test\n")
    assert whole == ["0", "1"]
    assert predicted(folder, "AAAACAAATAAA\nGGGGTGGGCGGG\n") == whole
    assert (
        predicted(folder, "AAAACAAATAAA,0\nGGGGTGGGCGGG,1\n", overrides=["reader_options.names=sequence,label"])
        == whole
    )


def test_a_first_line_of_the_names_is_a_header(folder):
    assert predicted(folder, "Sequence,label,split\nAAAACAAATAAA,0,test\n") == ["0"]
    many = "sequence,label,split\n" + "AAAACAAATAAA,0,test\n" * 10_000
    assert predicted(folder, many) == ["0"] * 10_000  # in several blocks


@needs_genome
def test_letters_may_be_read_otherwise(folder, capsys, tmp_path):
    text = "sequence\nAAAAXAAATAAA\n"
    with pytest.raises(DataError, match="unknown=count"):
        predicted(folder, text, overrides=["reader_options.names=null"])
    options = ["reader_options.names=null", "adapter.options.unknown=count"]
    assert predicted(folder, text, overrides=options) == ["0"]
    assert xdomain.load(folder, overrides=options).predict(["AAAAXAAATAAA"]).tolist() == ["0"]
    (tmp_path / "new.csv").write_text(text)
    given = [part for option in options for part in ("--set", option)]
    code, out, _ = told(capsys, "predict", folder, tmp_path / "new.csv", *given)
    assert (code, out.splitlines()[1].split(",")[1]) == (0, '"0"')
    (tmp_path / "labelled.csv").write_text("sequence,label\nAAAAXAAATAAA,0\nGGGGTGGGCGGG,1\n")
    found = xdomain.evaluate(folder, tmp_path / "labelled.csv", overrides=options)
    assert found.metrics["accuracy"].value == 1
    (tmp_path / "genome.fa").write_text(">c\nAAAAXAAATAAA\n")
    code, _, err = told(capsys, "predict", folder, tmp_path / "genome.fa", "--windows", 6, "--out", tmp_path / "a.bed")
    assert code == 2
    command = ("predict", folder, tmp_path / "genome.fa", "--windows", 6, "--out", tmp_path / "a.bed", *given[2:])
    code, _, err = told(capsys, *command)
    assert code == 0, err
    assert len((tmp_path / "a.bed").read_text().splitlines()) == 2


def test_the_symbols_of_a_model_stay(folder):
    with pytest.raises(RecipeError, match="has learned 5 symbols"):
        predicted(folder, "AAAA,0,test\n", overrides=["adapter.options.tokens=kmer"])
    with pytest.raises(RecipeError, match="adapter cannot be another"):
        predicted(folder, "AAAA,0,test\n", overrides=["adapter.name=protein"])
