from pathlib import Path

import pyarrow as pa
import pytest

from xdomain.core.errors import DataError
from xdomain.core.recipe_sections import Columns
from xdomain.data.assemble import assemble
from xdomain.data.infer_columns import guess_columns
from xdomain.data.sample import are_parted, split_tags

DNA = ["ACGTACGTAC", "ACGTTCGTAC", "GGGTACGTAC", "ACGTACGGGG"]


def guess(columns, told=None, problem=None, **options):
    return guess_columns(pa.table(columns), Columns(**(told or {})), problem, where="my.csv", **options)


def test_by_name_and_every_guess_is_said():
    found = guess({"Id": list("abcd"), "Sequence": DNA, "CLASS": ["x", "y", "x", "y"]})
    assert found.columns == Columns(id="Id", sequence="Sequence", label="CLASS")
    assert found.problem == "classification"
    assert found.said == (
        "id: column 'Id', by its name (overrule with --column id=NAME)",
        "sequence: column 'Sequence', by its name (overrule with --column sequence=NAME)",
        "label: column 'CLASS', by its name (overrule with --column label=NAME)",
        "problem: classification, as 'CLASS' has 2 distinct values "
        "(overrule with --problem classification|multilabel|regression|multioutput|tagging|profile|pair|span|sequence)",
    )


def test_what_is_told_is_taken_and_not_said():
    told = {"sequence": "b", "label": "c"}
    found = guess({"a": DNA, "b": DNA, "c": list("xyxy"), "label": list("1212")}, told, "classification")
    assert found.columns == Columns(sequence="b", label="c")
    assert found.said == ()


def test_by_look():
    table = {
        "name": ["gene one", "gene two", "gene three", "gene four"],
        "notes": [
            f"Some quite long prose, with (many) different letters: {i} — WXYZ jkpqv 0123456789!" for i in "abcd"
        ],
        "region": DNA,
        "kind": ["p", "q", "p", "q"],
    }
    found = guess(table)
    assert (found.columns.sequence, found.columns.label) == ("region", "kind")
    assert "looks most like sequences" in found.said[0]
    assert "as no other could be" in found.said[1]


def test_two_columns_that_could_be_the_label_are_not_guessed_between():
    with pytest.raises(DataError, match="2 columns could be the label: p, q") as told:
        guess({"sequence": DNA, "p": list("1212"), "q": ["0.1", "0.2", "0.5", "0.1"]})
    assert "--column label=" in told.value.block()


def test_row_numbers_and_names_are_no_labels():
    found = guess({"column 1": list("0123"), "sequence": DNA, "name": ["a1", "a2", "a3", "a4"], "x": list("pqpq")})
    assert found.columns.label == "x"


def test_no_label():
    with pytest.raises(DataError, match=r"my\.csv has no column 'label'") as told:
        guess({"sequence": DNA})
    assert "--column label=NAME" in told.value.block()
    found = guess({"sequence": DNA}, labelled=False)
    assert (found.columns.label, found.problem) == (None, None)


def test_a_told_column_that_is_not_there():
    with pytest.raises(DataError, match=r"no column 'lable' for the label(?s:.*)did you mean: label"):
        guess({"sequence": DNA, "label": list("xyxy")}, {"label": "lable"})


def test_a_missing_header():
    with pytest.raises(DataError, match="the first line looks like a record") as told:
        guess({"ACGTACGTAA": DNA, "x": list("1212")})
    assert "reader_options.names=sequence,label" in str(told.value)
    with pytest.raises(DataError, match="the first line looks like a record"):
        guess({"gj04": ["a long sentence", "b", "c d", "e"], "1": list("1010"), "rest": list("abcd")})


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ([str(i / 7) for i in range(1, 30)], "regression"),
        ([str(i / 7) for i in range(1, 6)], "regression"),
        (["0.5", "1.5"] * 15, "classification"),
        # whole numbers: a quantity where there are too many for classes
        ([str(i) for i in range(0, 300, 3)], "regression"),
        ([str(i * i % 211) for i in range(1, 200)], "regression"),
        ([str(i) for i in range(0, 300, 3)] * 2, "classification"),
        ([f"{i}.0" for i in range(0, 300, 3)] + ["nan", ""], "regression"),
        ([f"family {i}" for i in range(0, 300, 3)] * 2, "classification"),
        (["0", "1", "2"] * 10, "classification"),
        (["0.0", "1.0"] * 10, "classification"),
        (["low", "high"] * 10, "classification"),
        ([str(i / 7) for i in range(1, 30)] + ["nan", ""], "regression"),
    ],
)
def test_the_problem(values, problem):
    found = guess({"sequence": ["ACGT" + "A" * i for i in range(len(values))], "label": values})
    assert found.problem == problem
    assert f"problem: {problem}" in found.said[-1]


@pytest.mark.parametrize(
    "values",
    [
        [str(i) for i in range(0, 150, 3)],
        [str(i) for i in range(1, 101)],  # they only count the rows
        [f"family {i}" for i in range(0, 300, 3)],
    ],
)
def test_a_label_that_is_another_in_every_row_is_no_class(values):
    with pytest.raises(DataError, match=r"distinct values in \d+ rows, such as"):
        guess({"sequence": ["ACGT" + "A" * i for i in range(len(values))], "label": values})


def test_a_word_among_numbers_is_named():
    values = [f"{i / 7:.2f}" for i in range(60)]
    values[41] = "BDL"
    with pytest.raises(DataError, match="row 42: 'BDL' among the numbers of 'label'"):
        guess({"sequence": ["ACGT"] * 60, "label": values})


def test_a_column_of_numbers_below_their_unit_is_the_label():
    values = ["(kcal/mol)", *(f"{i / 7:.2f}" for i in range(60))]
    with pytest.raises(DataError, match=r"row 1: '\(kcal/mol\)' among the numbers of 'ddG'"):
        guess({"sequence": ["ACGT" + "A" * (i % 7) for i in range(61)], "ddG": values})


def test_a_second_column_of_sequences_is_neither_tags_nor_passed_over():
    wild = ["MKVLADEGHI"[: i % 10] + "W" + "MKVLADEGHI"[i % 10 :] + "VL"[i // 10] for i in range(20)]
    mutant = [sequence.replace("D", "AEGHIKLMVW"[i % 10]) for i, sequence in enumerate(wild)]
    found = guess({"wt": wild, "mutant": mutant, "ddG": [f"{i / 7:.2f}" for i in range(20)]})
    assert (found.problem, found.columns.label, found.columns.tags) == ("regression", "ddG", None)
    assert any(line.startswith("not used: column") and "looks like sequences" in line for line in found.said)


def test_a_lower_case_sequence_among_others_does_not_hide_the_column():
    letters = "ACDEFGHIKLMNPQRSTVWY"
    sequences = [letters[i:] + letters[:i] + "ACDXKL*"[: i % 8] for i in range(20)]
    sequences[3] = sequences[3].lower()
    found = guess({"Nr": [f"Prot_{i:03d}" for i in range(20)], "Sequenz": sequences, "Aktiv": ["ja", "nein"] * 10},
                  {"label": "Aktiv"})  # fmt: skip
    assert found.columns.sequence == "Sequenz"


def test_what_describes_a_record_is_no_label():
    with pytest.raises(DataError, match="no column 'label'"):
        guess({"id": list("abcd"), "sequence": DNA, "PE": list("1212"), "length": list("1234"), "OX": list("1122")})


@pytest.mark.parametrize("name", ["fold", "is_train", "dataset"])
def test_columns_like_splits_are_named(name):
    found = guess({"sequence": DNA, "label": list("abab"), name: list("0101")})
    assert found.columns.split is None
    assert any(f"column {name!r} is not used" in line for line in found.said)


def test_why_whole_numbers_are_taken_for_a_quantity():
    found = guess({"sequence": ["ACGT"] * 100, "count": [str(i) for i in range(0, 300, 3)]})
    assert found.columns.label == "count"
    assert found.said[-1] == (
        "problem: regression, as 'count' holds whole numbers of 100 distinct values, too many for classes "
        "(overrule with --problem classification|multilabel|regression|multioutput|tagging|profile|pair|span|sequence)"
    )


def test_a_told_problem_picks_a_label_that_fits():
    table = {"sequence": DNA, "class": list("xyxy"), "score": ["0.1", "0.2", "0.3", "0.4"]}
    assert guess(table).columns.label == "class"
    assert guess(table, problem="regression").columns.label == "score"


def test_tags():
    tags = ["HHHHEEEEHH", "HHHEEEEEHH", "EHHHEEEEHH", "HHHHEEEEHE"]
    for name in ("tags", "ss3", "label", "odd"):
        found = guess({"sequence": DNA, name: tags})
        assert (found.problem, found.columns.tags) == ("tagging", name)
    found = guess({"text": ["the cat", "a dog ran"], "tags": ["DET NOUN", "DET NOUN VERB"]})
    assert (found.problem, found.columns.tags) == ("tagging", "tags")
    found = guess({"text": ["the cat", "hello"], "tags": ["DET NOUN", "INTJ"]})  # one word of five letters
    assert (found.problem, found.columns.tags) == ("tagging", "tags")
    found = guess({"sequence": DNA, "label": tags}, {"label": "label"}, "tagging")
    assert found.columns == Columns(sequence="sequence", tags="label")
    with pytest.raises(DataError, match="has no column 'tags'"):
        guess({"sequence": DNA, "x": list("abab")}, problem="tagging")


def test_what_only_looks_like_tags():
    mers = ["AAAA", "ACGT", "CCCC", "GGTT"]
    assert guess({"sequence": mers, "label": ["0.12", "0.25", "1.55", "0.77"]}).problem == "regression"
    assert guess({"sequence": ["AAA", "CCC"] * 8, "label": ["yes", "not"] * 8}).problem == "classification"
    quality = ["IIIIIFFFFF", "IIIIFFFFFF", "IIFFFFFFFF", "IIIIIIIIIF"]
    found = guess({"sequence": DNA, "quality": quality, "label": list("abab")})
    assert (found.problem, found.columns.label) == ("classification", "label")


def test_pairs():
    found = guess({"sentence1": ["a b", "c d"], "sentence2": ["e f", "g h"], "label": ["0", "1"]})
    assert found.columns == Columns(sequence="sentence1", sequence_b="sentence2", label="label")
    assert found.problem == "pair"
    with pytest.raises(DataError, match="has no column 'sequence_b'"):
        guess({"sequence": DNA, "label": list("abab")}, problem="pair")


@pytest.mark.parametrize(
    ("first", "second"),
    [("premise", "hypothesis"), ("question1", "question2"), ("text_1", "text_2"), ("Sentence A", "Sentence B")],
)
def test_pairs_by_the_names_that_are_usual(first, second):
    found = guess({first: ["a b", "c d"], second: ["e f", "g h"], "label": ["0", "1"]})
    assert (found.columns.sequence, found.columns.sequence_b, found.problem) == (first, second, "pair")


def test_pairs_with_a_measured_label_are_regression():
    table = {"sentence1": ["a b", "c d", "e f"], "sentence2": ["g h", "i j", "k l"], "score": ["0.2", "3.75", "5.0"]}
    found = guess(table)
    assert (found.columns.sequence_b, found.problem) == ("sentence2", "regression")
    assert "not all whole, of 3 distinct values, and there are two columns of sequences" in found.said[-1]
    assert guess(table, problem="regression").columns.sequence_b == "sentence2"
    assert guess(table, problem="classification").columns.sequence_b is None
    assert guess({**table, "score": ["1", "0", "1"]}).problem == "pair"


def test_a_column_called_set_that_tells_no_splits_is_none():
    assert guess({"sequence": DNA, "label": list("abab"), "set": ["train", "val", "test", ""]}).columns.split == "set"
    assert guess({"sequence": DNA, "label": list("abab"), "set": ["s1", "s1", "s2", "s2"]}).columns.split is None


def test_tags_in_a_cell():
    assert split_tags("HHE", parted=False) == ["H", "H", "E"]
    assert split_tags("DET  NOUN", parted=True) == ["DET", "NOUN"]
    assert split_tags("a,b, c", parted=True) == ["a", "b", "c"]
    assert split_tags("a,, c", parted=True) == ["a", "", "c"]
    assert split_tags("a b, c d", parted=True) == ["a", "b", "c", "d"]
    assert split_tags("INTJ", parted=True) == ["INTJ"]
    assert split_tags(" ", parted=True) == split_tags("", parted=False) == []
    assert are_parted(["INTJ", "DET NOUN"])
    assert are_parted(["a,b"])
    assert not are_parted(["HHE", "", " E "])


UNITS = {  # as `xdomain units encode` writes it
    "id": list("abcd"),
    "sequence": ["71:3 12", "12 0:14 5", "8:2 71", "3 12:4 0"],
    "rate": ["100.0"] * 4,
    "duration": ["0.51", "0.72", "0.51", "0.9"],
    "file": ["a.wav", "b.wav", "b.wav", "a.wav"],
    "codebook": ["0123456789abcdef"] * 4,
}


@pytest.mark.parametrize("own", [["ann", "bob", "ann", "bob"], ["1.5", "2.25", "0.75", "3.5"]])
def test_of_a_table_of_units_only_ones_own_column_is_a_label(own):
    assert guess(UNITS | {"spoken": own}).columns.label == "spoken"
    with pytest.raises(DataError, match=r"my\.csv has no column 'label'"):
        guess(UNITS)
    with pytest.raises(DataError, match="2 columns could be the label: spoken, room"):
        guess(UNITS | {"spoken": own, "room": list("xyyx")})
    assert guess(UNITS, {"label": "duration"}).problem == "regression"
    assert guess({"sequence": DNA, "duration": UNITS["duration"]}).columns.label == "duration"


@pytest.mark.parametrize(
    "header", ["Region name", "Protein ID", "protein_id", "Entry", "Name", "name", "gene", "Gene name", "UniProt ID"]
)
def test_a_column_of_names_holds_the_ids_if_all_differ(header):
    table = {header: ["P53", "BRCA2", "TTN", "MYC"], "sequence": DNA, "label": list("xyxy")}
    found = guess(table, all_ids=True)
    assert found.columns.id == header
    assert f"id: column {header!r}, by its name, and as all its cells differ (overrule with --column id=NAME)" in (
        found.said
    )
    assert guess(table).columns.id is None  # a recipe that is read again keeps its ids
    for other in ("P53", ""):
        repeated = guess(table | {header: ["P53", "BRCA2", "TTN", other]}, all_ids=True)
        assert repeated.columns.id is None
        assert not any(said.startswith("id") for said in repeated.said)


@pytest.mark.parametrize("role", ["sequence", "group", "label"])
def test_ids_are_not_taken_from_a_column_that_holds_something_else(role):
    table = {"name": DNA, "sequence": DNA[::-1], "label": list("xyxy")}
    problem = "regression" if role == "label" else None
    if role == "label":
        table["name"] = ["1.5", "2.5", "3.5", "4.5"]
    found = guess(table, {role: "name"}, problem, all_ids=True)
    assert found.columns.id is None
    assert getattr(found.columns, role) == "name"


def test_an_id_by_its_name_comes_first_and_none_is_said_where_one_could_be_named():
    table = {"name": list("abcd"), "id": list("efgh"), "sequence": DNA, "label": list("xyxy")}
    assert guess(table, all_ids=True).columns.id == "id"
    said = "ids: row numbers (--column id=NAME names a column)"
    other = {"clone": list("abcd"), "sequence": DNA, "label": list("xyxy")}
    assert guess(other, all_ids=True).said[-1] == said
    assert said not in guess(other | {"clone": list("abca")}, all_ids=True).said
    assert said not in guess(other, {"id": ""}, all_ids=True).said


def test_the_column_of_ids_that_a_model_knows_may_repeat_names_in_another_file():
    known = Columns(id="name", sequence="sequence", label="label")
    found = guess({"name": list("abca"), "sequence": DNA}, known=known, labelled=False, all_ids=True)
    assert found.columns.id is None
    assert found.said == ("ids: row numbers, as two cells of column 'name' are the same, or one is empty",)


def test_a_second_sequence_by_its_own_name_where_the_name_that_a_model_knows_is_absent():
    known = Columns(sequence="question", sequence_b="passage", start="start", end="end")
    objects = ['{"text": ["who"], "answer_start": [0]}'] * 2
    squad = {"question": ["who is it", "who was it"], "context": ["who knows", "who knew"], "answers": objects}
    found = guess(squad, problem="span", known=known, all_ids=True)
    assert (found.columns.sequence_b, found.columns.answer, found.columns.start) == ("context", "answers", None)
    assert "sequence_b: column 'context', by its name (overrule with --column sequence_b=NAME)" in found.said
    with pytest.raises(DataError, match="no column 'passage' for the sequence_b"):
        assemble({"data": Path("q.csv")}, lambda _: pa.table({"question": ["who is it", "who was it"]}), problem="span",
                 known=known, labelled=False)  # fmt: skip


def test_answers_that_are_given_by_their_text_alone():
    passages = ["Dora lives in Oslo", "Carl lives in Paris"]
    table = {"question": ["where is Dora", "where is Carl"], "context": passages, "answer": ["Oslo", "Paris"]}
    found = guess(table)
    assert (found.problem, found.columns.answer, found.columns.start) == ("span", "answer", None)
    assert guess({**table, "answer": ["yes", "no"]}).problem == "pair"  # a class, as in BoolQ
    named = {"q": table["question"], "p": passages, "a": table["answer"]}
    told = {"sequence": "q", "sequence_b": "p", "answer": "a"}
    assert guess(named, told).problem == "span"
    assert guess(named, told, "span").columns.answer == "a"
