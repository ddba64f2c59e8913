"""Records that are handed over in Python: what is no such thing is refused by what it is."""

import pytest

from xdomain.core.errors import DataError, OutputError
from xdomain.data.in_memory import data_file, table_of_sequences
from xdomain.data.loading import load_table
from xdomain.data.own_data import own_recipe


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ((["ACGT", "TTTT"], ["a"]), "2 sequences and 1 labels"),
        ((["ACGT", 7], ["a", "b"]), "values of mixed types"),
        (["ACGT", 7], "data of type list"),
        (("ACGT", "a"), "data of type tuple"),
        (7, "data of type int"),
    ],
)
def test_records_to_learn_from(data, told, tmp_path, monkeypatch):
    monkeypatch.setenv("XDOMAIN_DATA", str(tmp_path))
    with pytest.raises(DataError, match=told):
        data_file(data)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("sequences", "paired", "told"),
    [
        ("ACGT", False, r"a single string(?s:.*)model\.predict\(\[sequence\]\)"),
        (b"ACGT", False, "a single string"),
        ([], False, "no sequences"),
        (["ACGT", ("AC", "GT")], False, "record 2: tuple(?s:.*)a string each"),
        ([("AC", "GT"), "ACGT"], True, "record 2: str(?s:.*)a pair of strings each"),
    ],
)
def test_sequences_to_predict(sequences, paired, told):
    with pytest.raises(DataError, match=told):
        table_of_sequences(sequences, paired=paired)


def test_sequences_are_numbered_from_one():
    one = {"id": ["1", "2"], "sequence": ["A", "C"]}
    assert table_of_sequences(["A", "C"], paired=False).to_pydict() == one
    assert table_of_sequences([("A", "G"), ("C", "T")], paired=True).to_pydict() == {**one, "sequence_b": ["G", "T"]}


def test_a_list_of_sequences_is_of_one_class(said):
    sequences = ["ACGTACGTAC", "GGGTTTACAC", "TTGACCATGA"]
    recipe = own_recipe(sequences, "dna", negatives="shuffled")
    assert load_table(recipe)["label"].to_pylist().count("positive") == 3
    with pytest.raises(DataError, match="a list of sequences, and no labels") as told:
        own_recipe(sequences, "dna")
    assert 'data=(sequences, labels); or, where all are of one class, negatives="shuffled"' in str(told.value)


def test_a_folder_that_cannot_be_written_is_told(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDOMAIN_DATA", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="cannot be written") as told:
        data_file((["ACGT"], ["a"]))
    assert told.value.fix == "export XDOMAIN_DATA=FOLDER, with a folder of your own"
