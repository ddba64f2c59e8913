"""Files of units by plain options: how they are recognised, what they hold, and what is refused."""

import pyarrow as pa
import pytest

from xdomain.core.errors import DataError
from xdomain.data.formats.registry import format_of, read
from xdomain.data.formats.unit_lines import raw_units

FILES = {  # what a file holds, and its records
    "km": ("12 5 5 87\n3 3 3\n", [("units:1", "12 5:2 87"), ("units:2", "3:3")]),
    "bars": ("a|12 5 5\nb/c.wav|7\n", [("a", "12 5:2"), ("b/c.wav", "7")]),
    "tabs": ("a\t12 5 5\r\nb\t7 8\r\n", [("a", "12 5:2"), ("b", "7 8")]),
    "run lengths": ("a|71:3 12 12:2\n", [("a", "71:3 12:3")]),
    "a Python dictionary": ("{'audio': 'a.wav', 'hubert': '71 71 12'}\n", [("a.wav", "71:2 12")]),
    "JSON": ('{"file_name": "x", "units": [71, 12], "duration": [2, 1]}\n', [("x", "71:2 12")]),
    "JSON of tokens": ('{"file_name": "x", "audio_repr": "<Un3><Un4>"}\n', [("x", "3 4")]),
}
TABLES = [
    "sequence,label\n1 2 3,a\n",
    "id\tunits\na\t1 2\n",
    "1,2\n3,4\n",
    '{"units": "1 2", "label": "a"}\n',
    "1\n2\n",
]


@pytest.fixture
def write(tmp_path):
    def write(content, name="units.txt"):
        (tmp_path / name).write_text(content, "utf-8", newline="")
        return tmp_path / name

    return write


@pytest.mark.parametrize("case", FILES)
def test_units_are_recognised_and_read(write, case):
    content, records = FILES[case]
    path = write(content)
    assert format_of(path) == "units"
    table = read("units", {"data": path}, labelled=False)
    assert list(zip(table["id"].to_pylist(), table["sequence"].to_pylist(), strict=True)) == records


@pytest.mark.parametrize("content", TABLES)
def test_tables_stay_tables(write, content):
    assert format_of(write(content)) in ("table", "json")


def test_names_come_from_the_manifest_beside(write):
    path = write("1 2\n3 3\n", "train.km")
    write("/corpus/train\nann/1.flac\t16000\nbob/1.flac\t8000\n", "train.tsv")
    assert raw_units(path) == pa.table({"id": ["ann/1", "bob/1"], "sequence": ["1 2", "3:2"]})
    with pytest.raises(DataError, match=r"train\.tsv is a manifest of sound files(?s:.*)train\.km"):
        format_of(path.with_suffix(".tsv"))
    write("1 2\n", "train.km")
    with pytest.raises(DataError, match=r"train\.km has 1 lines of units, and .*train\.tsv beside it names 2 files"):
        raw_units(path)


def test_a_table_beside_units_is_no_manifest(write):
    path = write("1 2\n3 3\n", "train.km")
    write("id\tlabel\ntrain:1\ta\n", "train.tsv")
    assert raw_units(path).column("id").to_pylist() == ["train:1", "train:2"]


def test_names_that_come_again_are_numbered(write):
    table = read("units", {"data": write("a|1 2\na|3 4\n")}, labelled=False)
    assert table["id"].to_pylist() == ["a", "a:2"]


def test_what_is_wrong_is_named(write):
    with pytest.raises(DataError, match=r"units\.txt, line 2: units that are no whole numbers"):
        raw_units(write("1 2\n3 x\n"))
    with pytest.raises(DataError, match=r"line 1: a unit of 0 frames"):
        raw_units(write("1:0 2\n"))
    with pytest.raises(DataError, match=r"line 1: units that are no whole numbers"):
        raw_units(write("1:2:3 2\n"))
    for line in ("a|99999999999999999999 2\n", "a|2:99999999999999999999 3\n"):
        with pytest.raises(DataError, match=r"line 1: a number of 20 digits; the largest is 2,147,483,647"):
            raw_units(write(line))
    with pytest.raises(DataError, match="hold no labels"):
        read("units", {"data": write("a|1 2\n")})
