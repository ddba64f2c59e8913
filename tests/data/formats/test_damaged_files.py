"""Files that are cut short or written by hand: each is refused with the place that is wrong."""

import json
import sys
import zipfile

import pytest

from xdomain.data.formats.datasets_folder import read_datasets_folder, read_hub
from xdomain.data.formats.registry import read

GOOD = '{"sequence": "ACGT", "label": "a"}\n'


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (GOOD + '{"sequence": "AC\n', "line 2 is no JSON"),
        (GOOD + '"ACGT"\n', "line 2 is no JSON object: '\"ACGT\"'"),
        ('[{"sequence": "ACGT",\n "label": }]', "line 2 is no JSON"),
        ('[{"sequence": "ACGT", "label": "a"}, "ACGT"]', "item 2 is no JSON object"),
    ],
)
def test_json(learn, refusal, content, told):
    message = refusal(learn, content, "data.jsonl")
    assert "data.jsonl" in message
    assert told in message


def workbook(path, *rows):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.title = "Peptides"
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def test_a_workbook_that_was_cut_short(tmp_path, learn, refusal):
    path = workbook(tmp_path / "data.xlsx", ("sequence", "label"), ("ACGT", "a"))
    path.write_bytes(path.read_bytes()[:-600])
    assert "data.xlsx is not a whole zip file" in refusal(learn, path)


def test_a_workbook_with_a_damaged_part(tmp_path, learn, refusal):
    whole = workbook(tmp_path / "whole.xlsx", ("sequence", "label"), ("ACGT", "a"))
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(tmp_path / "data.xlsx", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name)[: 90 if name == "xl/workbook.xml" else None])
    assert "data.xlsx cannot be read as an Excel workbook" in refusal(learn, tmp_path / "data.xlsx")


def test_a_sheet_without_records(tmp_path, learn, refusal):
    path = workbook(tmp_path / "data.xlsx", ("sequence", "label"))
    assert "the sheet 'Peptides' holds 1 rows" in refusal(learn, path)


def test_a_workbook_without_its_package(tmp_path, learn, refusal, monkeypatch):
    path = workbook(tmp_path / "data.xlsx", ("sequence", "label"), ("ACGT", "a"))
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    message = refusal(learn, path)
    assert "openpyxl is not installed" in message
    assert "pip install 'xdomain[excel]'" in message


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{'audio': 'b.wav', 'units': open('x')}", "neither JSON nor a Python dictionary"),
        ("[1, 2]", "no dictionary"),
        ('{"file_name": "b", "hours": 2}', "no units: its keys are file_name, hours"),
        ('{"units": [1, 2]}', "no name: its keys are units"),
        ('{"file_name": "b", "units": 7}', "units is neither a text nor a list"),
        ('{"file_name": "b", "units": [1, 2], "duration": [1]}', "2 units and 1 run lengths"),
        ('{"file_name": "b", "units": ["one"]}', "units that are no whole numbers"),
        ('{"file_name": "b", "units": []}', "no units"),
        ('{"file_name": "b", "units": [3, -1]}', "unit -1, which is negative"),
        ('{"file_name": "b", "units": [3], "duration": [0]}', "a unit of 0 frames"),
    ],
)
def test_units(write, refusal, line, told):
    path = write('{"file_name": "a", "units": [1, 2]}\n' + line + "\n", "units.txt")
    message = refusal(read, "units", {"data": path}, labelled=False)
    assert "units.txt, line 2: " in message
    assert told in message


def test_a_line_of_units_without_a_name(write, refusal):
    path = write("a|1 2\n3 4\n", "units.txt")
    assert "line 2: no tab or bar between a name and units" in refusal(read, "units", {"data": path}, labelled=False)


class TestDataSets:
    """Of the hub, as `datasets` saved them."""

    def test_without_data(self, write, refusal):
        folder = write("{}", "saved/state.json").parent
        assert "names no data files" in refusal(read_datasets_folder, folder)

    def test_with_a_part_that_is_no_json(self, write, refusal):
        folder = write('{"splits": ["tra', "saved/dataset_dict.json").parent
        assert "dataset_dict.json cannot be read" in refusal(read_datasets_folder, folder)

    def test_without_splits(self, write, refusal):
        folder = write("{}", "saved/dataset_dict.json").parent
        assert "holds no splits" in refusal(read_datasets_folder, folder)

    def test_with_a_split_of_another_name(self, tmp_path, refusal):
        datasets = pytest.importorskip("datasets")
        part = datasets.Dataset.from_dict({"sequence": ["ACGT"], "label": ["a"]})
        for name in ("train", "extra"):
            part.save_to_disk(tmp_path / "saved" / name)
        (tmp_path / "saved" / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "extra"]}))
        message = refusal(read_datasets_folder, tmp_path / "saved")
        assert "has a split 'extra'" in message
        assert "train, validation and test" in message

    def test_without_their_package(self, refusal, monkeypatch):
        monkeypatch.setitem(sys.modules, "datasets", None)
        assert "pip install 'xdomain[hub]'" in refusal(read_hub, "someone/something")
