"""Several labels a record: read from a cell or from columns, as lists and as a matrix."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xdomain.core.errors import DataError
from xdomain.core.plugins import make_adapter
from xdomain.core.recipe_sections import Columns, columns_of
from xdomain.data.dataset import encode_examples
from xdomain.data.known_labels import IGNORED
from xdomain.data.label_sets import held_by, joint_of, lists_of
from xdomain.data.loading import load_table
from xdomain.data.own_data import own_recipe

DNA = ("ACGTTGCA", "TTGACGTA", "GGCATTAC", "CATGGTCA", "TTTTACGC", "GACGACGA")


@pytest.fixture
def learn(tmp_path):
    def load(content, **options):
        path = tmp_path / "a.csv"
        path.write_text(content)
        recipe = own_recipe(path, "dna", **options)
        return recipe, load_table(recipe)

    return load


def rows(cells):
    return "".join(f"{s},{cell}\n" for s, cell in zip(DNA, cells, strict=True))


def test_cells_of_several_labels(learn):
    recipe, table = learn("sequence,label\n" + rows(["b|a", "a", "", "b", "a|b", "b|c|a"]))
    assert (recipe.problem, recipe.reader_options) == ("multilabel", {"label_separator": "|"})
    assert table["label"].to_pylist() == [["b", "a"], ["a"], [], ["b"], ["a", "b"], ["b", "c", "a"]]
    examples = encode_examples(table, make_adapter("dna", {}), "multilabel", np.full(6, "train"))
    assert examples.classes == ("a", "b", "c")
    assert examples.labels.tolist() == [[1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0], [1, 1, 0], [1, 1, 1]]


def test_a_separator_of_ones_own(learn):
    content = "sequence,label\n" + rows(["a+b", "a", "b", "a+b", "b", "c"])
    _, table = learn(content, problem="multilabel", overrides=["reader_options.label_separator=+"])
    assert table["label"].to_pylist()[0] == ["a", "b"]
    assert learn(content)[0].problem == "classification"  # a plus sign parts nothing unless told


def test_a_column_for_each_label(learn):
    cells = ["1,0,1", "0,1,0", "1,1,0", "0,,1", "1,0,0", "0,1,"]
    recipe, table = learn("sequence,kinase,membrane,toxic\n" + rows(cells))
    assert recipe.columns.label == ["kinase", "membrane", "toxic"]
    assert table["label"].to_pylist()[:2] == [["kinase", "toxic"], ["membrane"]]
    assert table["unknown_labels"].to_pylist()[3:] == [["membrane"], [], ["toxic"]]
    examples = encode_examples(table, make_adapter("dna", {}), "multilabel", np.full(6, "train"))
    assert examples.labels.tolist()[3:] == [[0, IGNORED, 1], [1, 0, 0], [0, 1, IGNORED]]


@pytest.mark.parametrize("label", ["x,y", ["x", "y"]])
def test_columns_that_are_named(learn, label):
    content = "sequence,x,y,z\n" + rows(["yes,no,a", "no,yes,b", "YES,no,a", "no,no,b", "yes,yes,a", "no,no,b"])
    recipe, table = learn(content, columns=Columns(label=label))
    assert recipe.problem == "multilabel"
    assert table["label"].to_pylist() == [["x"], ["y"], ["x"], [], ["x", "y"], []]


def test_what_is_refused(learn):
    with pytest.raises(DataError, match=r"row 2: 'perhaps' in the column of the label 'y'"):
        learn("sequence,x,y\n" + rows(["1,0", "0,perhaps", "1,0", "0,1", "1,1", "0,0"]), columns=Columns(label="x,y"))
    with pytest.raises(DataError, match="has no column 'w' for the label"):
        learn("sequence,x,y\n" + rows(["1,0"] * 6), columns=Columns(label=["x", "w"]))
    with pytest.raises(DataError, match="2 columns of labels for classification"):
        learn("sequence,x,y\n" + rows(["1,0"] * 6), columns=Columns(label="x,y"), problem="classification")
    with pytest.raises(DataError, match="every label in each of 6 records"):
        learn("sequence,label\n" + rows(["a;b"] * 6), problem="multilabel")
    with pytest.raises(DataError, match=r"row 3: 'nan' among its labels"):
        learn("sequence,label\n" + rows(["a;b", "b", "nan", "a", "a;b", "b"]))


def test_labels_that_a_model_does_not_know(learn):
    _, table = learn("sequence,label\n" + rows(["a;b", "b", "a", "a", "a;b", "b"]))
    with pytest.raises(DataError, match="label 'b' is none that the model knows"):
        encode_examples(table, make_adapter("dna", {}), "multilabel", np.full(6, "test"), classes=("a", "c"))


def test_lists_and_matrix_are_each_others_inverse():
    held = np.random.default_rng(0).random((20, 5)) < 0.4
    names = list("vwxyz")
    np.testing.assert_array_equal(held_by(lists_of(held, names), names), held)
    assert not held_by(lists_of(held, names), ["other"]).any()


# as strangers write them


LOCATIONS = [["Cell membrane"], ["Nucleus"], ["Cell membrane", "Nucleus"], ["Mitochondrion, inner"], ['5\' "end"']]


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".parquet", "memory"])
def test_entries_of_a_list_are_labels_to_the_letter(ending, tmp_path):
    rows = [{"sequence": "MKV" + "ACDEF"[i % 5] * 5, "loc": LOCATIONS[i % 5]} for i in range(30)]
    path = tmp_path / f"l{ending}"
    if ending == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    elif ending == ".json":
        path.write_text(json.dumps(rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    data = pa.Table.from_pylist(rows) if ending == "memory" else path
    table = load_table(own_recipe(data, "protein"))
    assert table.column("label").to_pylist()[:5] == LOCATIONS


def test_columns_that_say_yes_or_nothing_are_refused_unless_nothing_means_no(tmp_path):
    path = tmp_path / "wide.csv"
    cells = ["TRUE,", ",TRUE", "TRUE,TRUE", ","]
    path.write_text(
        "sequence,Membrane,Nucleus\n" + "".join(f"MKV{'ACDE'[i % 4] * 4},{cells[i % 4]}\n" for i in range(20))
    )
    named = columns_of({"label": ["Membrane", "Nucleus"]})
    with pytest.raises(DataError, match="say yes or nothing, so that no record is known to lack a label") as told:
        load_table(own_recipe(path, "protein", columns=named))
    assert "--set reader_options.empty_is_no=true" in told.value.block()
    table = load_table(own_recipe(path, "protein", columns=named, overrides=["reader_options.empty_is_no=true"]))
    assert table.column("label").to_pylist()[:4] == [["Membrane"], ["Nucleus"], ["Membrane", "Nucleus"], []]
    assert "unknown_labels" not in table.column_names


@pytest.mark.parametrize(("names", "wanted", "joint"), [
    (["a", "b"], "", ";"), (["a", "b"], "|", "|"), (["a, b", "c"], ",", ";"), (["a;b", "c d"], ";", "|"),
    (["a;b|c", "d/e"], ";", "\t"), (["a b"], " ", ";"),
])  # fmt: skip
def test_what_joins_labels_occurs_in_none(names, wanted, joint):
    assert joint_of(names, wanted) == joint
