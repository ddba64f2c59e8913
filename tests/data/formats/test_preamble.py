"""What stands above the header of a table: left out and said where that is clear, else refused."""

import io

import pytest

from xdomain.data.formats.preamble import rows_above_header
from xdomain.data.formats.tables import raw_table

BODY = "sequence,label\nACGT,pos\nTTGA,neg\nGGCA,pos\nCATG,neg\n"
TITLE = "Supplementary Table 1. Peptides"


@pytest.mark.parametrize(
    ("above", "first"),
    [
        (f"{TITLE}\n", TITLE),
        (f"{TITLE}\n\n", TITLE),
        (f"{TITLE},\n,\n", TITLE),
        (f'"{TITLE}, and more"\n', TITLE),
        (f"{TITLE}\nFrom our laboratory\n", TITLE),
        ("# made by tool 1.0\n# date, 2020\n", "# made by tool 1.0"),
        (f"# {TITLE}\n{TITLE}\n", f"# {TITLE}"),
    ],
)
@pytest.mark.parametrize("mark", [",", "\t"])
def test_titles_and_comments_are_left_out_and_said(learn, said, above, first, mark):
    if mark == "\t":
        above = above.replace(",\n", "\t\n")
    table = learn(above + BODY.replace(",", mark))
    assert table.column_names == ["id", "sequence", "label"]
    assert table.column("sequence").to_pylist() == ["ACGT", "TTGA", "GGCA", "CATG"]
    assert any(line.startswith("left out above the header:") and first in line for line in said)


@pytest.mark.parametrize(
    "content",
    [
        BODY,
        "text\nhello, world\nbye\n",  # one column, and a comma in a text
        ",sequence\n0,ACGT\n1,TTGA\n2,GGCA\n",  # pandas writes an index without a name
        ",sequence\na,ACGT\nb,TTGA\nc,GGCA\n",
        "#sequence,label\nACGT,pos\nTTGA,neg\n",
        "#id,note\na,first\nb,second\n",
        "sequence\nACGT\nTTGA\n",
        "sequence\tlabel\t\nACGT\tpos\tx\nTTGA\tneg\ty\n",
        "headline,kind\nAll is well,good\nNothing is,bad\n",
    ],
)
def test_the_first_row_stays_the_header_where_it_is_one(content):
    rows = [line.split("\t" if "\t" in content else ",") for line in content.splitlines()]
    assert rows_above_header(rows, "a.csv") == 0


def test_a_second_row_of_usual_names_is_not_guessed_at(learn, refusal):
    content = "Table 1, peptides and their activity\n" + BODY
    text = refusal(learn, content)
    assert "row 2 looks like the header (sequence, label)" in text
    assert "--set reader_options.skip=1" in text
    assert learn(content, overrides=["reader_options.skip=1"]).num_rows == 4
    assert learn(content, overrides=["reader_options.skip=0"]).num_rows == 5


def test_two_header_rows(learn, refusal, write):
    content = "Epitope,Epitope,Assay\nIRI,Description,Measure\ni1,MKVA,a\ni2,MKVC,b\n"
    assert "--set reader_options.skip=1" in refusal(learn, content)
    assert raw_table(write(content), skip=1).column_names == ["IRI", "Description", "Measure"]


def test_lines_to_leave_out_may_be_told(write, refusal):
    path = write("a;b\n\nx,y\r\n" + BODY)
    assert raw_table(path, skip=3).column_names == ["sequence", "label"]
    assert "more than the 99 that are to be left out" in refusal(raw_table, path, skip=99)


def test_rows_of_a_sheet(learn, said):
    openpyxl = pytest.importorskip("openpyxl", reason="pip install openpyxl")
    book = openpyxl.Workbook()
    for row in [[TITLE], [], *(line.split(",") for line in BODY.splitlines())]:
        book.active.append(row)
    sink = io.BytesIO()
    book.save(sink)
    assert learn(sink.getvalue(), "a.xlsx").num_rows == 4
    assert any(TITLE in line for line in said)
