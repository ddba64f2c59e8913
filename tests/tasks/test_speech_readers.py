"""Units as others write them, and NMSQA's answers in units: what is read, and what is refused."""

import json
import os
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdomain.core.errors import DataError, MissingError, RecipeError
from xdomain.core.plugins import readers
from xdomain.data.assemble import said
from xdomain.data.run_length import merged, units_as_text
from xdomain.tasks.speech.nmsqa import read_questions

UNITS_CSV = """\
id,sequence,rate,duration,file,codebook
0_george_0,71:3 12 0:14,100,0.18,wavs/0_george_0.wav,ab
1_jackson_7,5,100,0.01,wavs/1_jackson_7.wav,ab
0_jackson_12,5 6:2,100,0.03,wavs/0_jackson_12.wav,ab
"""


@pytest.fixture
def read(tmp_path):
    def read(reader, contents, **options):
        for name, text in contents.items():
            (tmp_path / name).write_text(text, "utf-8")
        return readers()[reader]({Path(name).stem: tmp_path / name for name in contents}, **options)

    return read


@pytest.mark.parametrize(
    ("units", "runs", "text"),
    [
        ([71, 71, 71, 12, 0], None, "71:3 12 0"),
        ([71, 12, 12], [2, 1, 4], "71:2 12:5"),
        ([0], None, "0"),
        ([], None, ""),
    ],
)
def test_a_payload_by_hand(units, runs, text):
    assert units_as_text(units, runs) == text


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), min_size=1))
def test_merging_keeps_every_frame(pairs):
    units, runs = merged([u for u, _ in pairs], [r for _, r in pairs])
    frames = [u for u, r in pairs for _ in range(r)]
    assert [u for u, r in zip(units, runs, strict=True) for _ in range(r)] == frames
    assert all(a != b for a, b in pairwise(units))


def test_labels_and_splits_out_of_names(read):
    table = read("labelled_units", {"all.csv": UNITS_CSV}, label=r"^(\d)_", group=r"_(\w+)_", test=r"_[0-4]$")
    assert table.to_pylist() == [
        {"id": "0_george_0", "sequence": "71:3 12 0:14", "label": "0", "group": "george", "split": "test"},
        {"id": "1_jackson_7", "sequence": "5", "label": "1", "group": "jackson", "split": "train"},
        {"id": "0_jackson_12", "sequence": "5 6:2", "label": "0", "group": "jackson", "split": "train"},
    ]
    by_file = read("labelled_units", {"all.csv": UNITS_CSV}, label=r"/\d_(\w+)_", by="file")
    assert by_file.column("label").to_pylist() == ["george", "jackson", "jackson"]
    assert "split" not in by_file.column_names


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"label": r"^(1)_"}, DataError, r"the label, '\^\(1\)_', is not in '0_george_0'"),
        ({"label": r"^\d_"}, RecipeError, r"0 groups"),
        ({"label": r"^(\d"}, RecipeError, r"regular expression"),
        ({"test": r"_9$"}, DataError, r"test, '_9\$', is in none of 3 names"),
        ({"by": "name"}, DataError, r"no column 'name'"),
    ],
)
def test_a_pattern_that_does_not_fit(read, options, error, told):
    with pytest.raises(error, match=told):
        read("labelled_units", {"all.csv": UNITS_CSV}, **options)


LINES = {
    "speech-resynthesis": "{'audio': 'a/p225_001.wav', 'hubert': '71 71 12 0', 'duration': 0.08}",
    "SlamKit, features": json.dumps({"units": [71, 12, 0], "duration": [2, 1, 1], "file_name": "a/p225_001.wav"}),
    "textlesslib, bar": "a/p225_001.wav|71 71 12 0",
    "textlesslib, tab": "a/p225_001.wav\t71 71 12 0",
}


@pytest.mark.parametrize("form", LINES)
def test_lines_of_units(read, form):
    table = read("unit_lines", {"train.txt": f"{LINES[form]}\n\n"}, label=r"(p\d+)_")
    assert table.to_pylist() == [
        {"id": "a/p225_001.wav", "sequence": "71:2 12 0", "split": "train", "label": "p225"},
    ]


def test_lines_without_runs_or_names(read):
    tokens = json.dumps({"file_name": "x.flac", "audio_repr": "<Un3><Un49><Un7>"})
    assert read("unit_lines", {"a.jsonl": tokens}).to_pylist() == [{"id": "x.flac", "sequence": "3 49 7"}]
    found = read("unit_lines", {"valid.km": "1 1 2\n\n3\n", "train.km": "4\n"}).to_pylist()
    assert [(row["id"], row["sequence"], row["split"]) for row in found] == [
        ("valid:1", "1:2 2", "valid"),
        ("valid:3", "3", "valid"),
        ("train:1", "4", "train"),
    ]


def test_labels_of_a_file_of_their_own(read):
    table = read("unit_lines", {"all.txt": "a|1 2\nb|3", "labels.txt": "b\tno\na\tyes\n"})
    assert table.column("label").to_pylist() == ["yes", "no"]
    with pytest.raises(DataError, match=r"no label for 'b'"):
        read("unit_lines", {"all.txt": "a|1 2\nb|3", "labels.txt": "a\tyes\n"})


@pytest.mark.parametrize(
    ("content", "options", "told"),
    [
        ("a|1 2\nb 3", {}, r"all\.txt, line 2: no tab or bar"),
        ("a|1 x", {}, r"line 1: units that are no whole numbers"),
        ("a|1 -2", {}, r"line 1: unit -2, which is negative"),
        ("a|", {}, r"line 1: no units"),
        ("{'audio': __import__('os')}", {}, r"neither JSON nor a Python dictionary"),
        ("{'audio': 'a'}", {}, r"no units: its keys are audio"),
        ('{"units": [1]}', {}, r"no name: its keys are units"),
        ('{"units": [1, 2], "duration": [1], "file_name": "a"}', {}, r"2 units and 1 run lengths"),
        ('{"units": 3, "file_name": "a"}', {}, r"units is neither a text nor a list"),
        ("a|1", {"form": "dict"}, r"line 1: neither JSON"),
        ("1 2", {"form": "named"}, r"line 1: no tab or bar"),
    ],
)
def test_a_bad_line_is_named(read, content, options, told):
    with pytest.raises(DataError, match=told):
        read("unit_lines", {"all.txt": content}, **options)


def test_what_is_asked_for_must_exist(read):
    with pytest.raises(RecipeError, match=r"unknown form 'dcit'(?s:.*)did you mean: dict"):
        read("unit_lines", {"all.txt": "1"}, form="dcit")
    with pytest.raises(RecipeError, match="no files of units"):
        readers()["unit_lines"]({})
    with pytest.raises(RecipeError, match="labels from a file and from names"):
        read("unit_lines", {"all.txt": "a|1", "labels.txt": "a|b"}, label="(a)")


def a_question(name, *, segment, full, within, spoken="question-0_0_0", **more):
    """A row as NMSQA has it: the answer is "two" in "one two three"; seconds in the passage and in the segment."""
    answers = {
        "answer_start": [4, 4],
        "text": ["two", "two"],
        "audio_full_answer_start": full and [a for a, _ in full],
        "audio_full_answer_end": full and [b for _, b in full],
        "audio_segment_answer_start": within and [a for a, _ in within],
        "audio_segment_answer_end": within and [b for _, b in within],
    }
    return {
        "id": name, "title": "T", "context": "one two three", "question": "Which?", "answers": answers,
        "content_segment_audio_path": f"context-0_0_{segment}.mp3", "content_full_audio_path": "context-0_0.mp3",
        "question_audio_path": f"{spoken}.mp3", **more,
    }  # fmt: skip


def parquet(path, *rows):
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


def codes(folder, name, units, runs):
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.code").write_text("\n".join(map(str, units)))
    (folder / f"{name}.cnt").write_text("\n".join(map(str, runs)))


@pytest.fixture
def published(tmp_path):
    """A question on the first segment, one on the second, and one whose answer nobody found."""
    return parquet(
        tmp_path / "dev.parquet",
        a_question("first", segment=0, full=[(0.02, 0.04)], within=[(0.02, 0.04)]),
        a_question("second", segment=1, full=[(0.0, 0.02), (0.0, 0.04)], within=[(0.0, 0.02), (0.0, 0.04)]),
        a_question("nowhere", segment=0, full=None, within=None),
    )


def test_questions_of_nmsqa(published):
    first, second, nowhere = read_questions(published)
    assert first.characters == ((4, 7), (4, 7))
    assert (second.seconds, second.in_segment) == (((0.0, 0.02), (0.0, 0.04)), True)
    assert (second.segment, second.recording, second.spoken) == ("context-0_0_1", "context-0_0", "question-0_0_0")
    assert nowhere.seconds == ()


def test_units_of_dual_put_answers_of_later_segments_where_they_are(published, tmp_path):
    codes(tmp_path / "codes", "context-0_0_0", [1, 2], [2, 1])
    codes(tmp_path / "codes", "context-0_0_1", [2, 3], [1, 4])
    codes(tmp_path / "codes", "context-0_0", [9], [9])  # what was merged from the segments is not needed
    codes(tmp_path / "codes", "question-0_0_0", [7], [3])
    table = readers()["dual_units"]({"valid": published})
    assert table.to_pylist() == [
        {"id": "first", "sequence": "7:3", "sequence_b": "1:2 2:2 3:4", "split": "valid", "group": "T",
         "answers": [{"start": 0.02, "end": 0.04}]},
        {"id": "second", "sequence": "7:3", "sequence_b": "1:2 2:2 3:4", "split": "valid", "group": "T",
         "answers": [{"start": 0.06, "end": 0.08}, {"start": 0.06, "end": 0.1}]},
    ]  # fmt: skip
    assert said(table) == ["1 questions left out: without an answer in the recording"]


def test_with_merged_passages_alone_later_segments_are_left_out(published, tmp_path):
    codes(tmp_path / "codes", "context-0_0", [1, 2, 3], [2, 2, 4])
    codes(tmp_path / "codes", "question-0_0_0", [7], [3])
    table = readers()["dual_units"]({"all": published})
    assert table.column("id").to_pylist() == ["first"]
    assert "1 questions left out: whose answer cannot be placed in its passage" in said(table)


def test_seconds_that_count_from_the_passages_beginning_stand(tmp_path):
    made = parquet(tmp_path / "test.parquet", a_question("q", segment=1, full=[(0.1, 0.14)], within=[(0.0, 0.04)]))
    codes(tmp_path / "c", "context-0_0", [1, 2, 3], [2, 2, 4])
    codes(tmp_path / "c", "question-0_0_0", [7], [3])
    (row,) = readers()["dual_units"]({"test": made}, codes="c").to_pylist()
    assert row["answers"] == [{"start": 0.1, "end": 0.14}]


def test_bad_code_files_are_named(published, tmp_path):
    with pytest.raises(MissingError, match=r"codes is no folder"):
        readers()["dual_units"]({"all": published})
    codes(tmp_path / "codes", "context-0_0", [1, 2], [2])
    with pytest.raises(DataError, match=r"context-0_0\.code holds 2 units and its \.cnt 1"):
        readers()["dual_units"]({"all": published})
    codes(tmp_path / "codes", "context-0_0", [1, "x"], [2, 1])
    with pytest.raises(DataError, match=r"context-0_0\.code holds something else"):
        readers()["dual_units"]({"all": published})
    codes(tmp_path / "codes", "context-0_0", [1], [2])
    with pytest.raises(DataError, match=r"question-0_0_0\.code does not exist"):
        readers()["dual_units"]({"all": published})


def coded(*frames):
    return json.dumps([{"code": list(frames), "merged_code": []}])


def test_nmsqa_code(tmp_path):
    sides = {"hubert_100_question_unit": coded(7, 7), "hubert_100_context_unit": coded(1, 1, 2, 3)}
    seconds = [(0.02, 0.04)]
    made = parquet(
        tmp_path / "dev.parquet",
        a_question("good", segment=0, full=seconds, within=seconds, **sides),
        a_question("later", segment=1, full=seconds, within=seconds, **sides),
        a_question("placed", segment=1, full=seconds, within=[(0.0, 0.02)], **sides),
        a_question("mute", segment=0, full=seconds, within=seconds, **(sides | {"hubert_100_question_unit": ""})),
    )
    table = readers()["nmsqa_code"]({"valid": made})
    assert [(row["id"], row["sequence"], row["sequence_b"]) for row in table.to_pylist()] == [
        ("good", "7:2", "1:2 2 3"),
        ("placed", "7:2", "1:2 2 3"),
    ]
    assert said(table) == [
        "1 questions left out: without units",
        "1 questions left out: whose answer cannot be placed in its passage",
    ]
    with pytest.raises(DataError, match=r"no column 'q'(?s:.*)hubert_100_question_unit"):
        readers()["nmsqa_code"]({"valid": made}, question="q")
    with pytest.raises(DataError, match=r"record 'good': its units cannot be read"):
        readers()["nmsqa_code"]({"valid": made}, frames="beam_code")


def test_what_is_no_nmsqa_is_refused(tmp_path):
    (tmp_path / "a.parquet").write_text("no parquet")
    with pytest.raises(DataError, match=r"a\.parquet cannot be read"):
        read_questions(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"b\.parquet, row 1: KeyError"):
        read_questions(parquet(tmp_path / "b.parquet", {"id": "x"}))
    backwards = a_question("q", segment=0, full=[(2.0, 1.0)], within=[(2.0, 1.0)])
    with pytest.raises(DataError, match=r"row 1 \(id 'q'\): an answer from 2 to 1 seconds"):
        read_questions(parquet(tmp_path / "c.parquet", backwards))


@pytest.mark.realdata
def test_real_files():
    home = os.environ.get("XDOMAIN_DATA")
    if not home:
        pytest.skip("XDOMAIN_DATA is not set")
    speech = Path(home) / "speech"
    questions = read_questions(speech / "nmsqa/dev.parquet")
    assert len(questions) == 10_570
    assert sum(bool(question.seconds) for question in questions) == 10_493
    assert all(question.in_segment for question in questions if question.seconds)  # though the field says full
    folder = speech / "ljspeech_hubert100"
    lines = readers()["unit_lines"]({"val": folder / "val.txt", "test": folder / "test.txt"}, label=r"(LJ\d+)-")
    assert lines.num_rows == 1_965
    frames = sum(int(unit.partition(":")[2] or 1) for text in lines["sequence"].to_pylist() for unit in text.split())
    assert frames / 1_965 == pytest.approx(332.8, abs=0.1)
