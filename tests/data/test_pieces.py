"""Files read in pieces: the same records as of the whole file, and the same messages."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdomain.core.errors import DataError
from xdomain.core.plugins import make_adapter
from xdomain.core.recipe_sections import Columns
from xdomain.data import pieces as module
from xdomain.data.formats.blocks import after_fasta, after_fastq, after_rows, text_blocks
from xdomain.data.loading import load_file
from xdomain.data.own_data import own_recipe
from xdomain.data.pieces import load_pieces


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "own.csv"
    path.write_text("name,seq,label\n" + "".join(f"n{i},ACGTACGT{'ACGT'[i % 4]},{i % 2}\n" for i in range(20)))
    return own_recipe(path, "dna")


@pytest.fixture
def small(monkeypatch):
    """Blocks of 64 bytes."""
    read = text_blocks
    monkeypatch.setattr(module, "text_blocks", lambda *a, **options: read(*a, **options, size=64))


def in_pieces(path, recipe, **options):
    tables = [piece.table for piece in load_pieces(path, recipe, make_adapter("dna", {}), **options)]
    return [row for table in tables for row in table.to_pylist()], len(tables)


def whole(path, recipe, **options):
    return load_file(path, recipe, make_adapter("dna", {}), **options).to_pylist()


SEQUENCES = ["ACGT" * (1 + i % 7) for i in range(40)]
FILES = {
    "ids.csv": "id,seq\n" + "".join(f"r{i},{s}\n" for i, s in enumerate(SEQUENCES)),
    "numbers.csv": "sequence\n" + "\n".join(SEQUENCES),
    "semicolon.csv": "sep=;\r\nsequence;note\r\n" + "".join(f'{s};"a;b\r\nc ""d"""\r\n' for s in SEQUENCES),
    "tab.tsv": "seq\tnote\n" + "".join(f'{s}\t5" wide\n' for s in SEQUENCES),
    "excel.tsv": "# one\nid\tseq\n" + "".join(f'"r{i}, of ""x"""\t{s}\n' for i, s in enumerate(SEQUENCES)),
    "old.csv": "seq,note\r" + "".join(f"{s},x\r" for s in SEQUENCES),
    "blank.csv": "id,seq\n" + "".join(f"{f'x{i}' if i % 3 else ''},{s}\n\n" for i, s in enumerate(SEQUENCES)),
    "title.csv": "Reads of Monday,\n\nid,seq\n" + "".join(f"r{i},{s}\n" for i, s in enumerate(SEQUENCES)),
    "comments.tsv": "# one\n# two\nid\tseq\n" + "".join(f"r{i}\t{s}\n" for i, s in enumerate(SEQUENCES)),
    "old.fasta": "; one\n" + "".join(f">r{i}\n; note\n{s}\n" for i, s in enumerate(SEQUENCES)),
    "one.fasta": "".join(f">r{i} key={i}\n{s}\nAC\n" for i, s in enumerate(SEQUENCES)),
    "twice.fasta": "".join(f">r{i % 7}\n{s}\n" for i, s in enumerate(SEQUENCES)),
    "reads.fastq": "".join(f"@r{i}\n{s}\n+\n{'@' * len(s)}\n" for i, s in enumerate(SEQUENCES)),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("zipped", [False, True])
def test_the_pieces_of_a_file_are_the_whole(name, zipped, recipe, small, tmp_path):
    path = tmp_path / (name + ".gz" * zipped)
    path.write_bytes(gzip.compress(FILES[name].encode()) if zipped else FILES[name].encode())
    rows, count = in_pieces(path, recipe)
    assert rows == whole(path, recipe)
    assert count > 5


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("r30,ACGT,x", "row 31 has 3 fields"),
        ("r30,", "row 31 (id 'r30'): empty sequence"),
        ("r2,ACGT", "rows 3 and 31 have the same id 'r2'"),
        ("r30,\0", "line 32) is zero"),
    ],
)
def test_a_fault_far_down_is_told_with_its_row_in_the_file(row, told, recipe, small, tmp_path):
    lines = FILES["ids.csv"].splitlines()
    lines[31] = row
    path = tmp_path / "odd.csv"
    path.write_text("\n".join(lines) + "\n")
    for read in (in_pieces, whole):
        with pytest.raises(DataError) as error:
            read(path, recipe)
        assert told in error.value.what


def test_a_quote_that_never_closes_is_told_with_its_row(recipe, small, tmp_path):
    lines = FILES["ids.csv"].splitlines()
    lines[31] = 'r30,"ACGT'
    (tmp_path / "odd.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match="the quote opened in row 31"):
        in_pieces(tmp_path / "odd.csv", recipe)


def test_a_header_without_sequence_is_told_with_its_record_and_line(recipe, small, tmp_path):
    text = FILES["one.fasta"].replace(f"{SEQUENCES[30]}\nAC\n>r31", ">r31")
    (tmp_path / "odd.fasta").write_text(text)
    with pytest.raises(DataError, match=r"record 31, '>r30 key=30' \(line 91\)"):
        in_pieces(tmp_path / "odd.fasta", recipe)


def test_a_key_that_some_headers_lack_may_be_asked_for(recipe, small, tmp_path):
    path = tmp_path / "some.fasta"
    path.write_text("".join(f">r{i}{' name=first' * (i < 3)}\nACGTACGT\n" for i in range(20)))
    rows, _ = in_pieces(path, recipe, columns=Columns(id="name", sequence="sequence"))
    assert [row["id"] for row in rows[:4]] == ["first", "first:2", "first:3", "4"]


@pytest.mark.parametrize("name", ["empty.csv", "empty.fasta", "empty.jsonl"])
@pytest.mark.parametrize("content", ["", "\n \n"])
def test_an_empty_file_is_refused(content, name, recipe, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=f"{name} is empty"):
        in_pieces(tmp_path / name, recipe)


def test_a_file_that_is_cut_off_is_refused(recipe, tmp_path):
    packed = gzip.compress((FILES["ids.csv"] * 50).encode(), 0)
    (tmp_path / "cut.csv.gz").write_bytes(packed[:-20])
    with pytest.raises(DataError, match="is not a whole gzip file"):
        in_pieces(tmp_path / "cut.csv.gz", recipe)


CELL = st.text('a",;\n', max_size=6).map(lambda text: '"' + text.replace('"', '""') + '"') | st.text("ab", max_size=3)


@given(st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=8), st.data())
def test_a_table_is_cut_between_rows_alone(rows, data):
    lines = [",".join(row) + "\n" for row in rows]
    ends = [len("".join(lines[:n]).encode()) for n in range(len(lines) + 1)]
    text = "".join(lines).encode()
    seen = data.draw(st.integers(0, len(text)))
    found = after_rows(text[:seen])
    assert found in ends
    assert found == max(end for end in ends if end <= seen)


def test_sequences_are_cut_between_records_alone():
    assert after_fasta(b">a\nAC\n>b\nA") == len(b">a\nAC\n")
    assert after_fasta(b">a\nAC\n") == 0
    assert after_fastq(b"@a\nAC\n+\n@@\n@b\nA") == len(b"@a\nAC\n+\n@@\n")
    assert after_fastq(b"@a\nAC\nAC\n+\n@@@@\n") == 0  # of more lines: read whole


def test_names_that_come_again_in_a_later_piece_are_numbered(tmp_path, recipe, small, said):
    assert recipe.columns.id == "name"
    path = tmp_path / "names.csv"
    path.write_text("name,seq\n" + "".join(f"g{i % 12},{s}\n" for i, s in enumerate(SEQUENCES)))
    rows, pieces = in_pieces(path, recipe)
    assert pieces > 3
    assert [row["id"] for row in rows[:14]] == [*(f"g{i}" for i in range(12)), "g0:2", "g1:2"]
    assert "ids: names of column 'name' that come again are numbered, as in A:2" in said


def test_rows_without_a_sequence_are_left_out_where_the_message_says_how(recipe, small, tmp_path, said):
    (tmp_path / "new.csv").write_text("id,seq\na,ACGT\nb,\nc,GGTT\n")
    for of in (recipe, recipe.model_copy(update={"reader": "toy_dna_classification", "reader_options": {}})):
        with pytest.raises(DataError) as error:
            in_pieces(tmp_path / "new.csv", of, columns=Columns(sequence="seq"))
        assert error.value.block().endswith("leave such rows out: --set reader_options.drop_incomplete=true")
        asked = of.model_copy(update={"reader_options": {"drop_incomplete": True}})
        rows, _ = in_pieces(tmp_path / "new.csv", asked, columns=Columns(sequence="seq"))
        assert [row["id"] for row in rows] == ["a", "c"]


def test_an_option_that_the_runs_own_format_does_not_have_holds_for_the_file(recipe, tmp_path):
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl, the extra excel, is not installed")
    book = openpyxl.Workbook()
    for name, sequence in (("one", "ACGT"), ("two", "GGTT")):
        sheet = book.create_sheet(name)
        sheet.append(("id", "seq"))
        sheet.append(("a", sequence))
    book.save(tmp_path / "new.xlsx")
    asked = recipe.model_copy(update={"reader_options": {"sheet": "two", "delimiter": ";"}})  # the latter is the run's
    rows, _ = in_pieces(tmp_path / "new.xlsx", asked)
    assert [row["id"] for row in rows] == ["a"]
    whole_rows = whole(tmp_path / "new.xlsx", asked)
    assert rows == whole_rows
    assert rows != whole(tmp_path / "new.xlsx", recipe)
