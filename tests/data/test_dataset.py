from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdomain.core.choices import Problem
from xdomain.core.errors import DataError
from xdomain.core.plugins import make_adapter
from xdomain.data.dataset import Examples, encode_examples, with_positive
from xdomain.data.known_labels import IGNORED

DNA = make_adapter("dna")  # A C G T N are 0 1 2 3 4


def encoded(problem: Problem = "classification", *, classes=None, split=None, adapter=DNA, **columns: Any):
    n = len(columns["sequence"])
    columns = {"id": [f"r{i}" for i in range(n)], **columns}
    split = np.array(split if split is not None else ["train"] * n)
    return encode_examples(pa.table(columns), adapter, problem, split, classes=classes)


def test_classification_by_hand():
    data = encoded(sequence=["ACGT", "nA", "U"], label=["yes", "no", "yes"], split=["train", "test", "train"])
    assert len(data) == 3
    assert data.ids == ("r0", "r1", "r2")
    assert [s.tolist() for s in data.symbols] == [[0, 1, 2, 3], [4, 0], [3]]
    assert data.classes == ("no", "yes")
    assert data.labels.tolist() == [1, 0, 1]
    assert data.labels.dtype == np.int64
    assert data.symbols.counts["u_to_t"] == 1
    assert data.symbols_b is None
    assert data.sizes() == {"train": 2, "valid": 0, "test": 1}
    assert data.indices("train").tolist() == [0, 2]
    assert data.labels_of(np.array([1, 0])).tolist() == [0, 1]


def test_regression_keeps_the_numbers():
    data = encoded("regression", sequence=["A", "C"], label=[-1.5, 2.25])
    assert data.labels.tolist() == [-1.5, 2.25]
    assert data.labels.dtype == np.float32
    assert data.classes == ()


def test_pairs_have_two_sequences_a_record():
    data = encoded("pair", sequence=["A", "CC"], sequence_b=["GGG", "TTTT"], label=["x", "y"])
    assert [s.tolist() for s in data.symbols] == [[0], [1, 1]]
    assert [s.tolist() for s in data.symbols_b] == [[2, 2, 2], [3, 3, 3, 3]]
    assert data.labels.tolist() == [0, 1]


def test_tags_lie_along_the_symbols_and_an_empty_one_is_not_scored():
    data = encoded("tagging", sequence=["A-C", "GT A"], tags=[["H", None], ["E", "H", "E"]])
    assert data.classes == ("E", "H")
    assert data.labels.tolist() == [1, IGNORED, 0, 1, 0]
    assert data.labels_of(np.array([1])).tolist() == [0, 1, 0]
    assert data.labels_of(np.array([1, 0])).tolist() == [0, 1, 0, 1, IGNORED]


def test_values_of_pairs_have_two_sequences_a_record():
    data = encoded("regression", sequence=["A", "CC"], sequence_b=["GGG", "T"], label=[0.5, 1.5])
    assert [s.tolist() for s in data.symbols_b] == [[2, 2, 2], [3]]
    assert data.labels.tolist() == [0.5, 1.5]


@pytest.fixture(scope="module")
def text(tiny_bert):
    return make_adapter("text", tokenizer=str(tiny_bert))


def test_the_tag_of_a_word_lies_on_its_first_piece(text):
    """wewe is two pieces, the comma is one of the word before it, and of the control character nothing is left."""
    data = encoded(
        "tagging", adapter=text, sequence=["the wewe, he", "\x7f we", "he"],
        tags=[["D", "N", "P"], ["X", "P"], [None]],
    )  # fmt: skip
    pieces = [[text.alphabet.symbols[i] for i in symbols] for symbols in data.symbols]
    assert pieces == [["the", "we", "##we", "[UNK]", "he"], ["we"], ["he"]]
    assert [heads.tolist() for heads in data.heads] == [[0, 1, 4], [1, 0], [0]]
    assert data.classes == ("D", "N", "P", "X")
    assert data.labels.tolist() == [0, 1, IGNORED, IGNORED, 2, 2, IGNORED]
    assert data.symbols.counts == {"unknown": 1, "words_without_symbols": 1}
    assert data.with_split(data.split).heads is data.heads
    unlabelled = encoded("tagging", adapter=text, sequence=["the wewe"], classes=("D", "N"))
    assert unlabelled.labels is None
    assert unlabelled.heads[0].tolist() == [0, 1]


def test_symbols_that_are_no_pieces_of_words_have_no_heads(text):
    assert encoded("tagging", sequence=["AC"], tags=[["x", "y"]]).heads is None
    assert encoded(adapter=text, sequence=["the wewe"], label=["x"]).heads is None


def test_tags_and_words_of_unequal_number(text):
    with pytest.raises(DataError) as told:
        encoded("tagging", adapter=text, sequence=["we", "the wewe"], tags=[["P"], ["D", "N", "N"]])
    assert "record 'r1' has 3 tags for 2 words" in str(told.value)
    assert "expected: one tag a word, words being what blanks part" in str(told.value)


def test_a_models_own_classes_decide_the_numbers():
    data = encoded(sequence=["A", "C"], label=["b", "a"], classes=("c", "b", "a"))
    assert data.classes == ("c", "b", "a")
    assert data.labels.tolist() == [1, 2]


@pytest.mark.parametrize("problem", ["classification", "tagging"])
def test_a_split_of_nothing_has_no_labels(problem):
    columns: dict[str, Any] = {"tags": [["x", "y", "x"]]} if problem == "tagging" else {"label": ["x"]}
    found = encoded(sequence=["ACG"], problem=problem, **columns)
    assert found.labels_of(found.indices("valid")).shape == (0,)


def test_records_without_labels():
    data = encoded(sequence=["A", "C"], classes=("x", "y"))
    assert data.labels is None
    assert data.classes == ("x", "y")
    with pytest.raises(ValueError, match="without labels"):
        data.labels_of(np.array([0]))


def test_another_split_of_the_same_records():
    data = encoded(sequence=["A", "C"], label=["x", "y"])
    other = data.with_split(np.array(["valid", ""]))
    assert data.sizes() == {"train": 2, "valid": 0, "test": 0}
    assert other.sizes() == {"train": 0, "valid": 1, "test": 0}
    assert other.labels is data.labels


def test_a_table_in_pieces_is_as_one_in_a_piece():
    columns = {
        "id": ["a", "b", "c", "d"], "sequence": ["AC", "G", "TTT", "A"],
        "tags": [["x", "y"], ["z"], ["x", "x", "y"], ["z"]],
    }  # fmt: skip
    whole, split = pa.table(columns), np.array(["train"] * 3)
    pieces = pa.concat_tables([whole.slice(1, 2), whole.slice(3)])
    same = pa.table({name: values[1:] for name, values in columns.items()})
    one, two = (encode_examples(table, DNA, "tagging", split) for table in (pieces, same))
    assert one.ids == two.ids == ("b", "c", "d")
    assert one.symbols.values.tolist() == two.symbols.values.tolist() == [2, 3, 3, 3, 0]
    assert one.classes == two.classes == ("x", "y", "z")
    assert one.labels.tolist() == two.labels.tolist() == [2, 0, 0, 1, 2]


records = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from("ACGTN"), st.sampled_from(["H", "E", "C", None])), min_size=1, max_size=6),
        st.sampled_from(["train", "valid", "test", ""]),
    ),
    min_size=1,
    max_size=12,
)


@given(records)
def test_tags_against_a_slow_obvious_twin(rows):
    sequences = ["".join(letter for letter, _ in row) for row, _ in rows]
    tags = [[tag for _, tag in row] for row, _ in rows]
    column = pa.array(tags, pa.list_(pa.string()))
    data = encoded("tagging", sequence=sequences, tags=column, split=[split for _, split in rows])
    classes = sorted({tag for row in tags for tag in row if tag})
    assert data.classes == tuple(classes)
    for split in ("train", "valid", "test"):
        wanted = [i for i, (_, name) in enumerate(rows) if name == split]
        assert data.indices(split).tolist() == wanted
        assert data.sizes()[split] == len(wanted)
        if wanted:
            numbers = [classes.index(tag) if tag else IGNORED for i in wanted for tag in tags[i]]
            assert data.labels_of(data.indices(split)).tolist() == numbers
    assert [DNA.decode(symbols) for symbols in data.symbols] == sequences


@given(st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=20))
def test_every_label_comes_back_from_its_number(labels):
    data = encoded(sequence=["A"] * len(labels), label=labels)
    assert [data.classes[i] for i in data.labels] == labels
    assert list(data.classes) == sorted(set(labels))


# refusals


@pytest.mark.parametrize(
    "name", ["chr1:5-90", r"a\b", r"\1", r"\g<0>", "Ünï", "it's", "a\u200bb", "a\u00a0b", "record 1"]
)
def test_a_bad_symbol_is_told_with_the_files_own_name(name):
    with pytest.raises(DataError) as told:
        encoded(sequence=["ACGT", "ACQT"], label=["x", "y"], id=["fine", name])
    text = told.value.block()
    assert f"record {name!r}" in text.splitlines()[0]
    assert "'Q' at position 3" in text
    assert "expected: nt letters: ACGTN" in text
    assert "to fix it: --set adapter.options.unknown=count" in text


def test_a_bad_symbol_in_the_second_of_a_pair():
    with pytest.raises(DataError, match=r"record 'r1': 'Q' at position 1"):
        encoded("pair", sequence=["A", "C"], sequence_b=["G", "Q"], label=["x", "y"])


def test_tags_and_symbols_of_unequal_number():
    with pytest.raises(DataError) as told:
        encoded("tagging", sequence=["AC", "G-T"], tags=[["H", "E"], ["H", "E", "H"]])
    assert "record 'r1' has 3 tags for 2 symbols" in str(told.value)
    assert "one tag a symbol, gaps and spaces left out of both" in str(told.value)


def test_k_mers_have_fewer_symbols_than_tags():
    with pytest.raises(DataError, match="record 'r0' has 4 tags for 2 symbols"):
        encoded(
            "tagging", sequence=["ACGT"], tags=[list("HHEE")], adapter=make_adapter("dna", {"tokens": "kmer", "k": 3})
        )


def test_examples_never_change():
    data = encoded(sequence=["A"], label=["x"])
    assert isinstance(data, Examples)
    with pytest.raises(AttributeError):
        setattr(data, "problem", "pair")  # noqa: B010


@pytest.mark.parametrize(("classes", "name"), [(("no", "yes"), False), (("0", "1"), 0), (("a", "b"), "a")])
def test_the_positive_class_is_the_second_whatever_yaml_makes_of_its_name(classes, name):
    data = encoded(sequence=["A", "C"], label=list(classes))
    turned = with_positive(data, name)
    assert turned.classes == classes[::-1]
    assert turned.labels.tolist() == [1, 0]
    assert with_positive(turned, name) is turned
    assert with_positive(data, None) is data
