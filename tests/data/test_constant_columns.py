"""What is alike in all records of a file is told beside the table, once a file that differs."""

import pyarrow as pa

from xdomain.data.assemble import constants, constants_of, noted
from xdomain.data.formats.registry import read_table


def test_only_what_every_row_has():
    table = pa.table({"id": ["1", "2"], "made": ["x", "x"], "empty": ["", ""], "long": ["A" * 201] * 2})
    assert constants(table) == {"made": "x"}
    assert constants(table.slice(0, 0)) == {}


def test_files_that_differ_are_both_told():
    table = noted(pa.table({"id": ["1"]}), [{"made": "x", "rate": "50"}, {"made": "y"}, {"made": "x"}])
    assert constants_of(table) == {"made": ["x", "y"], "rate": ["50"]}
    assert constants_of(pa.table({"id": ["1"]})) == {}


def test_a_reader_of_tables_tells(tmp_path):
    files = {}
    for name, made in (("train", "x"), ("test", "y")):
        files[name] = tmp_path / f"{name}.csv"
        files[name].write_text(f"sequence,label,made\nACGT,a,{made}\nAACC,b,{made}\n")
    table = read_table(files)
    assert constants_of(table)["made"] == ["x", "y"]
    assert "made" not in table.column_names
