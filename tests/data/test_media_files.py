"""Tables that name files, each a record of its own."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from xdomain.adapters.protein import Protein
from xdomain.core.errors import DataError, RecipeError
from xdomain.data.assemble import said
from xdomain.data.media_files import files_skipped, table_of_files, transcribed


@dataclass(frozen=True)
class Listening(Protein):
    """Proteins out of files."""

    media = (".pep",)

    def encode_files(self, paths):
        assert len(set(paths)) == len(paths)  # each is read once
        return [path.read_text() for path in paths]


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.pep").write_text(f"MK{name.upper()}")
    return tmp_path


def test_files_are_read_from_where_the_table_lies(folder):
    table = pa.table({"id": ["1", "2", "3"], "sequence": ["a.pep", "b.PEP", "a.pep"], "label": ["x", "y", "x"]})
    (folder / "b.PEP").write_text("MKB")
    read = transcribed(table, Listening(), folder)
    assert read.column("sequence").to_pylist() == ["MKA", "MKB", "MKA"]
    assert read.column("label").to_pylist() == ["x", "y", "x"]
    absolute = pa.table({"id": ["1"], "sequence": [str(folder / "a.pep")]})
    assert transcribed(absolute, Listening(), Path("elsewhere")).column("sequence").to_pylist() == ["MKA"]


def test_a_domain_without_files_reads_text():
    table = pa.table({"id": ["1"], "sequence": ["a.pep"]})
    assert transcribed(table, Protein(), Path()) is table


def test_a_missing_file_is_named(folder):
    with pytest.raises(DataError, match=r"c\.pep does not exist") as error:
        transcribed(pa.table({"id": ["1"], "sequence": ["c.pep"]}), Listening(), folder)
    assert "a.pep" in str(error.value) or "b.pep" in str(error.value)


def test_a_row_that_names_no_file_among_some_that_do_is_refused(folder):
    with pytest.raises(DataError, match=r"record '2', column sequence: 'MKV' is no file"):
        transcribed(pa.table({"id": ["1", "2"], "sequence": ["a.pep", "MKV"]}), Listening(), folder)


@dataclass(frozen=True)
class Skipping(Listening):
    """Leaves out what it cannot read."""

    def encode_files(self, paths):
        return [path.read_text() or None for path in paths]


def test_rows_of_files_that_were_left_out_are_counted(folder, caplog):
    (folder / "c.pep").touch()
    names = {"sequence": ["a.pep", "c.pep", "b.pep", "a.pep"], "sequence_b": ["b.pep", "b.pep", "a.pep", "c.pep"]}
    table = pa.table({"id": ["1", "2", "3", "4"], **names}).replace_schema_metadata({"said": "[]"})
    with caplog.at_level("WARNING", "xdomain"):
        read = transcribed(table, Skipping(), folder)
    assert read.to_pylist() == [{"id": "1", "sequence": "MKA", "sequence_b": "MKB"},
                                {"id": "3", "sequence": "MKB", "sequence_b": "MKA"}]  # fmt: skip
    assert (files_skipped(read), files_skipped(table)) == (2, 0)
    assert said(read) == []
    assert f"2 of 4 records are left out, as their files cannot be read, such as {folder / 'c.pep'}" in caplog.text
    with pytest.raises(DataError, match=r"not every file can be read: 2 cannot, the first is .*c\.pep"):
        transcribed(table, Skipping(), folder, every=True)
    with pytest.raises(DataError, match=r"none of the files can be read: 1 cannot"):
        transcribed(table.slice(1, 1), Skipping(), folder)


def test_a_question_and_a_passage_are_one_record(folder):
    files = [folder / "a.pep", folder / "b.pep"]
    read = transcribed(table_of_files(files, paired=True), Listening(), Path())
    assert read.to_pylist() == [{"id": "b.pep", "sequence": "MKA", "sequence_b": "MKB"}]
    with pytest.raises(RecipeError, match="reads two"):
        table_of_files(files[:1], paired=True)
