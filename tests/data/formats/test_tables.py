import gzip
import re
import time

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdomain.core.choices import Problem
from xdomain.core.errors import DataError, RecipeError
from xdomain.core.recipe_sections import Columns
from xdomain.data.assemble import posed, said
from xdomain.data.formats.registry import format_of, read_fasta, read_table
from xdomain.data.formats.tables import guess_delimiter, raw_table
from xdomain.data.loading import guess_file
from xdomain.data.validate import check_variety, validated

TWO = "sequence,label\nACGT,a\nCCGT,b\n"


@pytest.fixture
def write(tmp_path):
    def write(content, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def read(write):
    def read(content, name="data.csv", **options):
        return read_table({"data": write(content, name)}, **options)

    return read


@pytest.fixture
def fasta(write):
    def fasta(content, name="data.fasta", **options):
        return read_fasta({"data": write(content, name)}, **options)

    return fasta


def refusal(read, *args, **options):
    with pytest.raises(DataError) as told:
        read(*args, **options)
    return told.value.block()


# reading


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_delimiters_are_found(read, mark):
    table = read(TWO.replace(",", mark))
    assert table.to_pylist() == [
        {"id": "1", "sequence": "ACGT", "label": "a"},
        {"id": "2", "sequence": "CCGT", "label": "b"},
    ]
    assert table.schema.field("label").type == pa.string()
    assert posed(table) == "classification"
    assert any(sentence.startswith("label: column 'label'") for sentence in said(table))


def test_a_delimiter_inside_of_cells_does_not_mislead():
    assert guess_delimiter(["sequence;label", "A,C;1", "G,T;0"]) == ";"
    assert guess_delimiter(["sequence"]) == ","


def test_quotes_bom_line_ends_blank_lines_and_gzip(write):
    content = b'\xef\xbb\xbfid,sequence,label\r\n"x,1",ACGT,"a ""b"""\r\n\r\ny, CC ,c\r\n'
    for path in (write(content), write(gzip.compress(content), "data.csv.gz")):
        table = read_table({"data": path})
        assert table.column("id").to_pylist() == ["x,1", "y"]
        assert table.column("label").to_pylist() == ['a "b"', "c"]
        assert table.column("sequence").to_pylist() == ["ACGT", "CC"]


def test_blank_lines_before_the_header_and_old_line_ends(read):
    assert read("\n\nsequence,label\rAC,a\rAG,b\r").column("sequence").to_pylist() == ["AC", "AG"]


def test_a_bare_quote_is_no_quote_in_a_tsv(read):
    table = read('sequence\tlabel\n"hello there\tgood\nbye"\tbad\n', "data.tsv")
    assert table.column("sequence").to_pylist() == ['"hello there', 'bye"']


def test_a_single_column_is_parted_by_what_the_files_name_says(write):
    prose = "sentence\nthe cat, a dog\n"
    assert raw_table(write(prose, "a.tsv")).to_pylist() == [{"sentence": "the cat, a dog"}]
    assert raw_table(write(gzip.compress(prose.encode()), "a.tsv.gz")).num_rows == 1
    with pytest.raises(DataError, match="row 1 has 2 fields"):
        raw_table(write(prose, "a.csv"))
    assert raw_table(write(TWO, "b.tsv")).column_names == ["sequence", "label"]


def test_names_make_do_without_a_header(read):
    table = read("EI, x1 , ACGT\nIE,x2,CCGG\n", names=["label", "id", "sequence"])
    assert table.column("id").to_pylist() == ["x1", "x2"]
    assert table.column("sequence").to_pylist() == ["ACGT", "CCGG"]


def test_words_like_na_are_labels(read):
    assert read("sequence,label\nAC,NA\nAG,null\n").column("label").to_pylist() == ["NA", "null"]


def test_regression(read):
    table = read("sequence,score\nAC,1.5\nAG,-2e-1\nAT,3\n", problem="regression")
    assert table.column("label").to_pylist() == [1.5, -0.2, 3.0]
    assert table.schema.field("label").type == pa.float64()


def test_tagging(read):
    table = read("sequence,tags\nACG,HH-\nAT,EH\n", problem="tagging", unscored="-")
    assert table.column("tags").to_pylist() == [["H", "H", None], ["E", "H"]]
    table = read("sequence\ttags\nthe cat\tDET NOUN\n", "a.tsv", problem="tagging")
    assert table.column("tags").to_pylist() == [["DET", "NOUN"]]
    # one word of five letters, one tag of four
    table = read("text\ttags\nhello\tINTJ\nthe cat\tDET NOUN\n", "a.tsv", problem="tagging")
    assert table.column("tags").to_pylist() == [["INTJ"], ["DET", "NOUN"]]


def test_pairs(read):
    table = read("seq1,seq2,label\nAC,GG,0\nAT,GT,1\n", problem="pair")
    assert table.select(["sequence", "sequence_b"]).to_pylist() == [
        {"sequence": "AC", "sequence_b": "GG"},
        {"sequence": "AT", "sequence_b": "GT"},
    ]


def test_regression_may_be_on_pairs(read):
    made = "seq1,seq2,score\nAC,GG,0.5\nAT,GT,1.5\n"
    table = read(made, problem="regression")
    assert table.select(["sequence_b", "label"]).to_pylist() == [
        {"sequence_b": "GG", "label": 0.5},
        {"sequence_b": "GT", "label": 1.5},
    ]
    assert posed(read(made)) == "regression"
    assert read(made, problem="classification").column_names == ["id", "sequence", "label"]
    assert "row 2: empty sequence_b" in refusal(read, made.replace("GT", ""), problem="regression")


def test_files_named_by_split_decide_it_and_keep_ids_apart(write):
    files = {"train": write(TWO, "train.csv"), "test": write(TWO, "test.csv")}
    table = read_table(files)
    assert table.column("split").to_pylist() == ["train", "train", "test", "test"]
    assert table.column("id").to_pylist() == ["train:1", "train:2", "test:1", "test:2"]


def test_ids_that_differ_between_files_stay_as_they_are(write):
    one = write("id,sequence,label\nx,AC,a\n", "1.csv")
    two = write("id,sequence,label\ny,AC,b\n", "2.csv")
    assert read_table({"train": one, "test": two}).column("id").to_pylist() == ["x", "y"]


def test_files_of_other_names_are_joined(write):
    table = read_table({"a": write(TWO, "1.csv"), "b": write(TWO, "2.csv")})
    assert table.num_rows == 4
    assert "split" not in table.column_names


def test_mixed_names_of_files(write):
    path = write(TWO)
    with pytest.raises(RecipeError, match="names 'train' beside 'extra'"):
        read_table({"train": path, "extra": path})
    with pytest.raises(RecipeError, match="no train"):
        read_table({"valid": path, "test": path})
    with pytest.raises(RecipeError, match="names no files"):
        read_table({})


def test_a_column_of_splits_under_any_of_its_names(read):
    table = read("sequence,label,set\nAC,a,Train\nAG,b,dev\nAT,a,TEST\nAA,a,\n")
    assert table.column("split").to_pylist() == ["train", "valid", "test", ""]


def test_prediction_needs_no_label(read, fasta):
    assert read("sequence\nACGT\n", labelled=False).column_names == ["id", "sequence"]
    known = Columns(label="fitness", split="set")
    assert read(TWO, labelled=False, known=known).column_names == ["id", "sequence"]
    assert fasta(">x\nACGT\n", labelled=False, known=Columns(sequence="dna")).to_pylist() == [
        {"id": "x", "sequence": "ACGT"}
    ]


@given(
    rows=st.lists(st.tuples(st.text("ACGT", min_size=1), st.text('ab,;"\t|é', min_size=1)), min_size=2),
    mark=st.sampled_from([",", ";"]),
)
def test_whatever_is_written_as_csv_comes_back(tmp_path_factory, rows, mark):
    import csv

    path = tmp_path_factory.mktemp("csv") / "data.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=mark).writerows([("sequence", "label"), *rows])
    assert [tuple(row.values()) for row in raw_table(path, delimiter=mark).to_pylist()] == rows


# FASTA


def test_fasta_header_keys(fasta):
    table = fasta(
        ">s0 TARGET=1.5 SET=train VALIDATION=False\nAC\nGT\n>s1 TARGET=2.5 SET=train VALIDATION=True\nAA\n"
        ">s2 TARGET=-1 SET=test VALIDATION=False\nTT\n",
        problem="regression",
    )
    assert table.to_pylist() == [
        {"id": "s0", "sequence": "ACGT", "label": 1.5, "split": "train"},
        {"id": "s1", "sequence": "AA", "label": 2.5, "split": "valid"},
        {"id": "s2", "sequence": "TT", "label": -1.0, "split": "test"},
    ]


@pytest.mark.parametrize(
    ("headers", "options"),
    [
        (("x|pos", "y|neg"), {}),
        (("x label=pos", "y label=neg"), {}),
        (("x|label=pos", "y|label=neg"), {}),
        (("x [at=pos] [of=Homo sapiens]", "y [at=neg] [of=Mus musculus]"), {"label_key": "at"}),
        (("x kind=pos", "y kind=neg"), {"columns": Columns(label="kind")}),
    ],
)
def test_fasta_labels(fasta, headers, options):
    table = fasta("".join(f">{header}\nACGT\n" for header in headers), **options)
    assert table.column("label").to_pylist() == ["pos", "neg"]
    assert table.column("id").to_pylist() == [re.split(r"[ |]", header)[0] for header in headers]


def test_fasta_labels_with_their_split(fasta):
    table = fasta(">a|1|training\nAC\n>b|0|training\nAG\n>c|1|testing\nAT\n")
    assert table.column("label").to_pylist() == ["1", "0", "1"]
    assert table.column("split").to_pylist() == ["train", "train", "test"]


def test_a_plain_fasta_is_for_prediction_only(fasta):
    text = refusal(fasta, ">sp|P1|X\nACGT\n")
    assert "data.fasta: the headers hold no labels (the first record is 'sp|P1|X')" in text
    assert "predict" in text
    assert fasta(">sp|P1|X\nACGT\n", labelled=False).num_rows == 1


def test_fasta_without_the_told_key(fasta):
    text = refusal(fasta, ">x target=1\nAC\n", label_key="taget")
    assert "no key 'taget'" in text
    assert "did you mean: target" in text


def test_fasta_header_without_sequence(fasta):
    text = refusal(fasta, "\n>x|1\nACGT\n>y|0\n\n>z|1\nAC\n")
    assert "data.fasta: record 2, '>y|0' (line 4), has a header without sequence" in text
    assert "record 1, '>x' (line 1)" in refusal(fasta, ">x")


def test_text_before_the_first_header(fasta):
    text = refusal(fasta, "\nsequence,label\n>x|1\nACGT\n")
    assert "line 2 is before the first header: 'sequence,label'" in text


def test_which_reader_a_file_wants(write):
    assert format_of(write(">x\nAC\n", "odd.txt")) == "fasta"
    assert format_of(write(TWO)) == "table"
    name, guess = guess_file(write(">x|1\nAC\n>y|0\nAG\n", "a.fa"))
    assert (name, guess.problem, guess.columns.label) == ("fasta", "classification", "label")
    name, guess = guess_file(write(TWO))
    assert (name, guess.problem) == ("table", "classification")


# refusals, which are the same for both readers where they can be


@pytest.mark.parametrize("content", ["", "\n \n", b"\xef\xbb\xbf"])
def test_empty_file(read, fasta, content):
    for reader in (read, fasta):
        assert "is empty" in refusal(reader, content)


def test_header_alone(read):
    assert "data.csv holds a header but no records" in refusal(read, "sequence,label\n")
    assert "data.csv holds a header but no records" in refusal(read, "sequence,label")


def test_binary_file(read, fasta):
    for reader in (read, fasta):
        text = refusal(reader, b"sequence,label\nAC\0GT,1\n")
        assert "is a binary file: byte 17 (line 2) is zero" in text
    assert "is not a whole zip file" in refusal(read, b"PK\x03\x04....")
    assert read(TWO.encode("utf-16")).column("label").to_pylist() == ["a", "b"]
    assert "is not whole UTF-16" in refusal(read, TWO.encode("utf-16")[:-1])


def test_not_utf8(read, fasta):
    text = refusal(read, b"sequence,label\nACGT,caf\xe9\n")
    assert "data.csv: byte 23 (line 2) is not UTF-8; it looks like cp1252" in text
    assert "“CSV UTF-8”; or iconv -f cp1252 -t utf-8 " in text
    assert "not UTF-8" in refusal(fasta, b">caf\xe9\nAC\n")


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        ("Löslichkeit;Größe;geprüft", "cp1252"),
        ("nombre;año;señal;código", "cp1252"),
        ("příliš žluťoučký kůň úpěl ďábelské", "cp1250"),
        ("Привет мир, это данные", "cp1251"),
    ],
)
def test_the_encoding_of_another_language_is_named(read, words, encoding):
    content = f"sequence;label\n{'ACGTACGT;a' * 30}\n{words}\n".encode(encoding)
    assert f"it looks like {encoding}" in refusal(read, content)


def test_broken_gzip(read):
    assert "is not a whole gzip file" in refusal(read, gzip.compress(TWO.encode() * 100)[:-20], "a.csv.gz")


@pytest.mark.parametrize(("told", "named"), [(",", "comma"), ("comma", "comma")])
def test_wrong_delimiter(read, told, named):
    text = refusal(read, TWO.replace(",", "\t"), delimiter=told)
    assert f"data.csv: the first line is a single column when parted by {named}" in text
    assert "seem to be parted by tab" in text
    assert "--set reader_options.delimiter=tab" in text


def test_impossible_delimiter(read):
    assert "delimiter 'xx'" in refusal(read, TWO, delimiter="xx")
    assert read(TWO.replace(",", "\t"), delimiter="tab").num_rows == 2


def test_missing_column(read):
    text = refusal(read, "sequence,fitnes\nAC,1\n", columns=Columns(label="fitness"))
    assert "data.csv has no column 'fitness' for the label" in text
    assert "one of its columns: sequence, fitnes" in text
    assert "did you mean: fitnes" in text
    assert "--column label=NAME" in text
    assert "has no column 'label'" in refusal(read, "sequence\nACGT\nCCGT\n")


def test_a_column_that_one_of_the_files_lacks(write):
    files = {"train": write(TWO, "train.csv"), "test": write("sequence,class\nAC,a\n", "test.csv")}
    with pytest.raises(DataError, match=r"test\.csv has no column 'label'"):
        read_table(files)


def test_two_columns_of_one_name(read):
    assert "two columns are called 'a'" in refusal(read, "sequence,a,a\nAC,1,2\n")


def test_one_class_may_be_judged_but_not_learned(read):
    def learn(content, problem: Problem = "classification", **options):
        check_variety(read(content, problem=problem, **options), problem, "data.csv")

    text = refusal(learn, "sequence,label\nAC,a\nAG,a\n")
    assert "data.csv: only one class, 'a', in 2 records" in text
    assert "at least two different classes" in text
    assert "only one target, 2.0," in refusal(learn, "sequence,y\nAC,2\nAG,2\n", problem="regression")
    assert "only one tag, 'H'," in refusal(learn, "sequence,tags\nAC,HH\n", problem="tagging")
    assert "no tag in any" in refusal(learn, "sequence,tags\nAC,--\n", problem="tagging", unscored="-")


def test_each_class_in_its_own_file_is_fine(write):
    files = {"a": write("sequence,label\nAC,a\n", "a.csv"), "b": write("sequence,label\nAC,b\n", "b.csv")}
    assert read_table(files, problem="classification").column("label").to_pylist() == ["a", "b"]


@pytest.mark.parametrize(("cell", "shown"), [("inf", "'inf'"), ("high", "'high'")])
def test_targets_that_are_no_numbers(read, cell, shown):
    text = refusal(read, f"sequence,y\nAC,1\nAG,{cell}\n", problem="regression")
    assert f"data.csv: row 2: the target is {shown}" in text
    assert "a finite number" in text


def test_decimal_commas(read):
    table = read("sequence;y\nAC;1,5\nAG;-0,25\nAT;2\n", problem="regression")
    assert table.column("label").to_pylist() == [1.5, -0.25, 2.0]
    assert "label: 2 numbers written with decimal commas, such as 1,5, read as 1.5" in said(table)
    assert "a finite number" in refusal(read, "sequence;y\nAC;1,500\nAG;2,000\n", problem="regression")  # or thousands
    assert "did you mean: 1.5" in refusal(read, "sequence;y\nAC;1,5\nAG;2.5\n", problem="regression")


def test_duplicate_ids(read, fasta):
    text = refusal(read, "id,sequence,label\nx,AC,a\ny,AG,b\nx,AT,a\n")
    assert "data.csv: rows 1 and 3 have the same id 'x'" in text
    assert "3 different ids; there are 2" in text
    table = fasta(">x a=1\nAC\n>x:2 a=1\nAT\n>x a=2\nAC\n", label_key="a")  # headers cannot be numbered by hand
    assert table.column("id").to_pylist() == ["x", "x:2", "x:3"]
    assert any(sentence.startswith("id: 1 id of several records, such as 'x'") for sentence in said(table))


def test_rows_of_differing_length(read):
    text = refusal(read, "sequence,label\nAC,a\n\nAG,b,c\nAT\n")
    assert "data.csv: row 2 has 3 fields ('AG,b,c'); 2 rows differ from the header" in text
    assert "expected: 2, as in the header: sequence, label" in text
    assert "row 1 has 3 fields" in refusal(read, "AC,a,1\n", names=["sequence", "label"])


def test_empty_cells(read):
    text = refusal(read, "id,sequence,label\nx,AC,a\ny, ,b\nz,,b\n")
    assert "data.csv: row 2 (id 'y'): empty sequence, and 1 more" in text
    assert "row 1: empty label" in refusal(read, "sequence,label\nAC,\nAG,b\n")


def test_tags_of_another_length(read):
    text = refusal(read, "sequence,tags\nACG,HHH\nACGT,HH\n", problem="tagging")
    assert "data.csv: row 2: 2 tags for a sequence of 4 symbols" in text


def test_unknown_split(read):
    text = refusal(read, "sequence,label,part\nAC,a,train\nAG,b,tset\n", columns=Columns(split="part"))
    assert "data.csv: row 2: unknown split 'tset'" in text
    assert "did you mean: test" in text


def test_empty_group(read):
    assert "row 2: empty group" in refusal(read, "sequence,label,group\nAC,a,g\nAG,b,\n")


@pytest.mark.parametrize("content", ["sequence,label\nAC,a\n{},b\n", ">x|a\nAC\n>y|b\n{}\n"])
def test_ten_megabytes_in_a_line(read, fasta, content):
    reader = fasta if content.startswith(">") else read
    started = time.monotonic()
    text = refusal(reader, content.format("A" * 10_000_000))
    assert time.monotonic() - started < 5
    assert "row 2" in text
    assert "a sequence of 10,000,000 characters" in text
    assert "at most 1,000,000" in text
    assert len(text) < 1000
    assert reader(content.format("A" * 2_000_000), max_characters=3_000_000).num_rows == 2


def test_ten_megabytes_without_a_header(read):
    text = refusal(read, "A" * 10_000_000)
    assert "the first line has more than 100,000 characters" in text
    assert len(text) < 1000


def test_missing_file(write, tmp_path):
    write(TWO, "train.csv")
    for reader in (read_table, read_fasta):
        with pytest.raises(DataError, match=r"trian\.csv does not exist(?s:.*)did you mean: train\.csv"):
            reader({"data": tmp_path / "trian.csv"})
    with pytest.raises(DataError, match="is a folder"):
        read_table({"data": tmp_path})


# the checks, for a table from any reader


def test_checks_fill_in_ids_trim_and_drop_other_columns():
    table = pa.table({"sequence": [" AC ", "AG"], "label": [1, 0], "more": [1, 2]})
    assert validated(table, "classification", where="made").to_pylist() == [
        {"id": "1", "sequence": "AC", "label": "1"},
        {"id": "2", "sequence": "AG", "label": "0"},
    ]


def test_checks_of_a_chunked_table_with_nulls():
    part = pa.table({"id": ["a"], "sequence": ["AC"], "tags": [["H", None]]})
    other = pa.table({"id": ["b"], "sequence": ["AG"], "tags": [[None, "E"]]})
    table = validated(pa.concat_tables([part, other]), "tagging", where="made")
    assert table.column("tags").to_pylist() == [["H", None], [None, "E"]]
    assert validated(table, "tagging", where="made").equals(table)
    wrong = pa.table({"sequence": ["AC"], "tags": pa.array([None], pa.list_(pa.string()))})
    with pytest.raises(DataError, match="made: row 1: 0 tags for a sequence of 2 symbols"):
        validated(wrong, "tagging", where="made")
    with pytest.raises(DataError, match="made: the tags are of type string"):
        validated(pa.table({"sequence": ["AC"], "tags": ["HH"]}), "tagging", where="made")


def test_checks_of_tags_that_are_one_a_word():
    table = pa.table({"sequence": ["the cat", "hello", "a b"], "tags": [["DET", "NOUN"], ["INTJ"], ["X", "Y"]]})
    assert validated(table, "tagging", where="made").column("tags").to_pylist() == table.column("tags").to_pylist()
    with pytest.raises(DataError, match="made: row 2: 2 tags for a sequence of 5 symbols"):
        validated(table.set_column(1, "tags", [[["X", "Y"]] * 3]), "tagging", where="made")
    with pytest.raises(DataError, match="made: row 1: 1 tags for a sequence of 2 words or 7 symbols"):
        validated(table.set_column(1, "tags", [[["X"]] * 3]), "tagging", where="made")
    with pytest.raises(DataError, match="made: row 1: 1 tags for a sequence of 5 symbols"):  # no words anywhere
        validated(pa.table({"sequence": ["ACGTA"], "tags": [["X"]]}), "tagging", where="made")


def test_checks_of_a_null_target_and_no_records():
    with pytest.raises(DataError, match="made: row 2: the target is empty"):
        validated(pa.table({"sequence": ["A", "C"], "label": [1.0, None]}), "regression", where="made")
    with pytest.raises(DataError, match="made holds no records"):
        validated(pa.table({"sequence": pa.array([], pa.string())}), "regression", where="made")
    with pytest.raises(DataError, match="made has no column 'sequence'"):
        validated(pa.table({"seq": ["A"]}), "regression", where="made")


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (['"liver, adult"', "brain", '"a ""b"", c"'], ["liver, adult", "brain", 'a "b", c']),  # as Excel writes them
        (['"liver, adult"', "brain", '"Hello," he said'], ['"liver, adult"', "brain", '"Hello," he said']),
        (['"liver"', '"brain"', "x"], ['"liver"', '"brain"', "x"]),  # which need no quotes, so that these are meant
        (['"liver, adult"', "brain", "x"], ['"liver, adult"', "brain", "x"]),  # a single one is no evidence
    ],
)
def test_quotes_in_tab_separated_files(read, cells, labels):
    rows = "".join(f"ACGT\t{cell}\n" for cell in cells * 2)
    single = sum('"' in cell for cell in cells) == 1
    table = read(f"sequence\tlabel\n{rows[: len(rows) // 2] if single else rows}", "data.tsv")
    assert table.column("label").to_pylist() == labels * (1 if single else 2)
