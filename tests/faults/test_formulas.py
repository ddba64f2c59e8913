"""Cells that a spreadsheet would run are marked in CSV and TSV; all else is written as it is."""

import csv
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line import told

from xdomain.data.formats.write import inert_text, joined_by, write_table
from xdomain.study.report.tables import _csv

RUN = ["=1+1", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "-cmd|' /C calc'!A0", "+ +cmd|'/C calc'!A0", "=",
       "=HYPERLINK(\"http://x\")", "＝1+1", "--1(", "-x", "+;a"]  # fmt: skip
INERT = ["-1", "+1", "-1.5", "+.5", "-1e-5", "1E+3", "-", "+", "- - H H", "+ - +", "a=1", "'=1", "", "x-1", " ", "ok"]


@pytest.mark.parametrize("text", RUN)
def test_a_formula_gets_an_apostrophe(text):
    assert inert_text(text) == "'" + text


@pytest.mark.parametrize("text", INERT)
def test_numbers_signs_and_words_stay(text):
    assert inert_text(text) == text


@pytest.mark.parametrize("ending", [".csv", ".tsv"])
def test_a_table_is_written_cell_by_cell_as_one_text_is(tmp_path, ending):
    cells = [*RUN, *INERT, None]
    table = pa.table({
        "id": cells,
        "score": [-1.5] * len(cells),
        "count": pa.array([-3] * len(cells), pa.int64()),
        "large": pa.array(cells, pa.large_string()),
        "=named": ["x"] * len(cells),
        "tags": pa.array([["=1", "+2"]] * len(cells)),
    })  # fmt: skip
    write_table(joined_by(table, ";"), tmp_path / f"out{ending}")
    with (tmp_path / f"out{ending}").open(newline="") as file:
        header, *rows = csv.reader(file, delimiter="\t" if ending == ".tsv" else ",")
    assert header == ["id", "score", "count", "large", "'=named", "tags"]
    wanted = [inert_text(cell or "") for cell in cells]
    assert [row[0] for row in rows] == wanted == [row[3] for row in rows]
    assert {tuple(row[1:3]) for row in rows} == {("-1.5", "-3")}
    assert {row[5] for row in rows} == {"'=1;+2"}


def test_parquet_and_json_lines_hold_the_texts_themselves(tmp_path):
    table = pa.table({"id": RUN})
    write_table(table, tmp_path / "out.parquet")
    write_table(table, tmp_path / "out.jsonl")
    assert pq.read_table(tmp_path / "out.parquet")["id"].to_pylist() == RUN
    assert [json.loads(line)["id"] for line in (tmp_path / "out.jsonl").read_text().split("\n")[:-1]] == RUN


def test_stdout_is_marked_as_files_are(capsys):
    write_table(pa.table({"id": ["=1+1", "-1"]}), None)
    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == [["id"], ["'=1+1"], ["-1"]]


def test_the_tables_of_reports_are_marked_too():
    rows = list(csv.reader(io.StringIO(_csv([{"arm": "=cmd", "value": -0.5, "worse": True}]))))
    assert rows == [["arm", "value", "worse"], ["'=cmd", "-0.5", "true"]]


def test_predictions_of_a_hostile_file(tmp_path, capsys):
    rows = "".join(f"s{i},{'ACGT'[i % 2] * 12},{'+-'[i % 2]}\n" for i in range(60))
    (tmp_path / "mine.csv").write_text("id,sequence,label\n" + rows)
    command = ("run", "--data", tmp_path / "mine.csv", "--domain", "dna", "--baseline", "kmer", "--out", tmp_path / "r")
    assert told(capsys, *command)[0] == 0
    (tmp_path / "new.csv").write_text("id,sequence\n=1+1,AAAAAAAAAAAA\n-7,CCCCCCCCCCCC\n")
    code, out, err = told(capsys, "predict", tmp_path / "r", tmp_path / "new.csv")
    assert code == 0, err
    written = list(csv.DictReader(io.StringIO(out)))
    assert [row["id"] for row in written] == ["'=1+1", "-7"]
    assert {row["prediction"] for row in written} <= {"+", "-"}
