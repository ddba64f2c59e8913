"""Tables as Excel workbooks: what is read back, what stays text, and what a sheet does not hold."""

import math
import sys

import pyarrow as pa
import pytest

from xdomain.core.errors import MissingError, OutputError
from xdomain.data.formats import write_excel as module
from xdomain.data.formats.write import check_table_file, joined_by, write_tables

openpyxl = pytest.importorskip("openpyxl", reason="openpyxl, the extra excel, is not installed")


def rows_of(path):
    return list(openpyxl.load_workbook(path).active.iter_rows(values_only=True))


def test_pieces_are_read_back_below_one_header(tmp_path):
    out = tmp_path / "out.xlsx"
    pieces = [
        pa.table({"id": ["a", None], "score": [0.25, math.nan], "n": [1, 2]}),
        pa.table({"id": ["ö"], "score": [math.inf], "n": [3]}),
    ]
    assert write_tables(iter(pieces), out) == 3
    header, *rows = rows_of(out)
    assert header == ("id", "score", "n")
    assert rows == [("a", 0.25, 1), (None, None, 2), ("ö", None, 3)]


def test_lists_are_joined_and_text_is_never_a_formula(tmp_path):
    out = tmp_path / "out.xlsx"
    table = pa.table({"=name": ["=1+1", "@x", "bell \x07"], "tags": [["H", "E"], [], ["C"]]})
    write_tables([joined_by(table, ";")], out)
    cells = list(openpyxl.load_workbook(out).active.iter_rows())
    assert [cell.data_type for row in cells for cell in row if cell.value is not None] == ["s"] * 7
    assert rows_of(out)[1:] == [("=1+1", "H;E"), ("@x", None), ("bell \N{REPLACEMENT CHARACTER}", "C")]


@pytest.mark.parametrize(("column", "reason"), [(["x" * 32_768], "32,768 characters"), (["x"] * 4, "more than 3 rows")])
def test_what_a_sheet_does_not_hold_is_refused_and_nothing_is_left(column, reason, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ROWS", 4)
    with pytest.raises(OutputError, match=reason):
        write_tables([pa.table({"text": column})], tmp_path / "out.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_is_told_before_anything_is_computed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(MissingError) as told:
        check_table_file(tmp_path / "out.xlsx")
    assert "pip install 'xdomain[excel]'" in told.value.block()
    check_table_file(tmp_path / "out.csv")
