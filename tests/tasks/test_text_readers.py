"""Text data sets that are no plain tables: what stands in a CoNLL-U file, and nothing else, is read."""

import gzip

import pytest

from xdomain.core.errors import DataError, RecipeError
from xdomain.core.plugins import readers
from xdomain.data.validate import validated

HAND_MADE = """\
# newdoc id = mail-1
# sent_id = mail-1-a
# text = I don't know #5.
1\tI\tI\tPRON\tPRP\t_\t4\tnsubj\t_\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdo\tdo\tAUX\tVBP\t_\t4\taux\t_\t_
3\tn't\tnot\tPART\tRB\t_\t4\tadvmod\t_\t_
4\tknow\tknow\tVERB\tVB\t_\t0\troot\t_\t_
5\t#5\t#5\tNUM\tCD\t_\t4\tobj\t_\tSpaceAfter=No
6\t.\t.\tPUNCT\t.\t_\t4\tpunct\t_\t_

# sent_id = mail-1-b
1\tOne\tone\tNUM\tCD\t_\t0\troot\t_\t_
1.1\tgone\tgo\tVERB\tVBN\t_\t_\t_\t1:orphan\t_
2\t10 000\t10000\t_\tCD\t_\t1\tdep\t_\t_


# newdoc
# a remark that is no pair
1\tHello\thello\tINTJ\tUH\t_\t0\troot\t_\t_
"""


@pytest.fixture
def read(tmp_path):
    def read(**contents):
        options = {name: contents.pop(name) for name in ("tags",) if name in contents}
        files = {split: tmp_path / f"{split}.conllu" for split in contents}
        for split, content in contents.items():
            files[split].write_bytes(content if isinstance(content, bytes) else content.encode())
        return readers()["conllu"](files, **options)

    return read


def test_by_hand(read):
    assert read(train=HAND_MADE).to_pylist() == [
        {
            "id": "mail-1-a",
            "sequence": "I do n't know #5 .",  # of "2-3 don't" its two words; "#5" begins no comment
            "tags": ["PRON", "AUX", "PART", "VERB", "NUM", "PUNCT"],
            "split": "train",
            "group": "mail-1",
        },
        {
            "id": "mail-1-b",
            "sequence": "One 10000",  # no empty node 1.1, no blank within a word
            "tags": ["NUM", None],  # "_" is not scored
            "split": "train",
            "group": "mail-1",  # the document goes on
        },
        {
            "id": "train:3",  # without sent_id its number
            "sequence": "Hello",
            "tags": ["INTJ"],
            "split": "train",
            "group": "line 18",  # a document without a name, by where it begins
        },
    ]


def test_a_sentence_has_as_many_words_as_tags_for_the_checks_too(read):
    table = validated(read(train=HAND_MADE), "tagging", where="made")
    assert table.column("tags").to_pylist()[2] == ["INTJ"]  # one word of five letters


def test_the_treebanks_own_tags(read):
    table = read(train=HAND_MADE, tags="xpos")
    assert table.column("tags").to_pylist() == [["PRP", "VBP", "RB", "VB", "CD", "."], ["CD", "CD"], ["UH"]]


def test_files_decide_the_split_and_documents_the_groups(read):
    word = "1\tHello\thello\tINTJ\tUH\t_\t0\troot\t_\t_\n"
    table = read(train=f"{word}\n{word}", test=f"# sent_id = a\n{word}\n# sent_id = a\n{word}")
    assert table.column("split").to_pylist() == ["train", "train", "test", "test"]
    assert table.column("id").to_pylist() == ["train:1", "train:2", "a", "a#2"]
    assert table.column("group").to_pylist() == ["train:1", "train:2", "a", "a"]  # no newdoc: each its own


@pytest.mark.parametrize(
    "made",
    [
        HAND_MADE.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + HAND_MADE.encode(),
        gzip.compress(HAND_MADE.encode()),
        HAND_MADE.rstrip("\n").encode(),  # the last sentence without its blank line
        HAND_MADE.replace("\n\n", "\n \t\n").encode(),
    ],
    ids=["crlf", "bom", "gzip", "no last line end", "blanks in blank lines"],
)
def test_how_the_lines_end_does_not_matter(read, made):
    assert read(train=made).equals(read(train=HAND_MADE))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("1\tHello\tINTJ\n", r"train\.conllu, line 1: 3 fields \('1\\tHello\\tINTJ'\)"),
        ("# text = Hello\nHello\n", r"line 2: 1 field \('Hello'\)"),
        ("one\tHello" + "\t_" * 8 + "\n", r"line 1: the word has the number 'one'"),
        ("1\t " + "\t_" * 8 + "\n", r"line 1: word 1 has no form"),
        ("# sent_id = a\n\n", r"train\.conllu holds no sentence"),
        ("1-2\tdon't" + "\t_" * 8 + "\n", r"holds no sentence"),
        ("", r"train\.conllu is empty"),
        (b"1\tcaf\xe9" + b"\t_" * 8, r"byte 5 \(line 1\) is not UTF-8"),
    ],
)
def test_a_bad_line_is_named(read, content, told):
    with pytest.raises(DataError, match=told):
        read(train=content)


def test_what_is_asked_for_must_exist(read):
    with pytest.raises(RecipeError, match=r"unknown column of tags 'upso'(?s:.*)did you mean: upos"):
        read(train=HAND_MADE, tags="upso")
    with pytest.raises(RecipeError, match=r"source.files names 'trian'(?s:.*)did you mean: train"):
        read(trian=HAND_MADE)
    with pytest.raises(RecipeError, match="the source names no files"):
        read()
