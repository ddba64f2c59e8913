"""Folders of sound and music files as tables: labels from subfolders or from a file, splits, and what is refused."""

import pytest

from xdomain.core.errors import DataError
from xdomain.data.formats.media_folder import table_of_folder

DIGITS = ["0_ann_0.wav", "0_bob_0.wav", "7_ann_0.wav", "7_bob_0.wav"]


@pytest.fixture
def folder(tmp_path):
    def made(*names):
        for name in names:
            path = tmp_path / "folder" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path / "folder"

    return made


@pytest.fixture
def labels(tmp_path):
    def made(content, name="labels.csv"):
        (tmp_path / name).write_text(content, "utf-8")
        return tmp_path / name

    return made


def test_a_subfolder_is_a_class(folder):
    where = folder("Bach/b.mid", "Bach/suite/a.MID", "Chopin/c.midi", "Chopin/notes.txt", "Bach/.hidden.mid", "x.csv")
    names = ["Bach/b.mid", "Bach/suite/a.MID", "Chopin/c.midi"]
    assert table_of_folder(where, (".mid", ".midi")).to_pydict() == {
        "id": names, "sequence": names, "label": ["Bach", "Bach", "Chopin"],
    }  # fmt: skip


@pytest.mark.parametrize("third", ["dev", "validation"])
def test_folders_of_splits_stand_above_those_of_classes(folder, third):
    names = ["Train/a/1.wav", "Train/b/2.wav", f"{third}/a/3.wav", "test/b/deep/4.wav"]
    found = table_of_folder(folder(*names), (".wav",)).sort_by("id").to_pydict()
    assert found["label"] == ["a", "b", *(["a", "b"] if third == "dev" else ["b", "a"])]
    assert found["split"] == ["train", "train", *(["valid", "test"] if third == "dev" else ["test", "valid"])]


def test_a_class_may_be_called_train(folder):
    found = table_of_folder(folder("train/1.wav", "bus/2.wav"), (".wav",)).to_pydict()
    assert found["label"] == ["bus", "train"]
    assert "split" not in found


@pytest.mark.parametrize(
    "content",
    [
        "file,digit\n0_ann_0.wav,0\n7_bob_0.wav,7\n0_bob_0.wav,0\n7_ann_0.wav,7\n",
        "digit\tname\n0\t0_ann_0\n7\t7_bob_0\n0\t0_bob_0\n7\t7_ann_0\n",
        "0_ann_0,0\n7_bob_0,7\n0_bob_0,0\n7_ann_0,7\n",  # without a header
        "path,label\n./0_ann_0.wav,0\n7_bob_0.wav,7\n0_bob_0.wav,0\n7_ann_0.wav,7\n",
    ],
)
def test_labels_from_a_file(folder, labels, content):
    found = table_of_folder(folder(*DIGITS), (".wav",), labels(content))
    assert found.to_pydict() == {"id": DIGITS, "sequence": DIGITS, "label": ["0", "0", "7", "7"]}


@pytest.mark.parametrize("start", ["folder/", "../folder/", "{whole}/folder/"])  # from the table, from here, whole
def test_paths_that_lead_to_the_files_name_them(folder, labels, tmp_path, monkeypatch, start):
    where = folder(*DIGITS)
    (tmp_path / "beside").mkdir()
    monkeypatch.chdir(tmp_path / "beside")
    rows = "".join(f"{start.format(whole=tmp_path)}{name},{name[0]}\n" for name in DIGITS)
    assert table_of_folder(where, (".wav",), labels("file,label\n" + rows)).to_pydict()["label"] == list("0077")


def test_further_columns_keep_their_names(folder, labels):
    content = "file,digit,speaker\n0_ann_0,0,ann\n7_bob_0,7,bob\n0_bob_0,0,bob\n7_ann_0,7,ann\n"
    found = table_of_folder(folder(*DIGITS), (".wav",), labels(content)).to_pydict()
    assert (found["digit"], found["speaker"]) == (["0", "0", "7", "7"], ["ann", "bob", "ann", "bob"])
    assert "label" not in found


def test_as_much_of_the_path_as_is_needed(folder, labels):
    where = folder("train/a/1.wav", "train/b/1.wav", "test/a/2.wav")
    content = "file,label\ntrain/a/1,x\ntrain/b/1.wav,y\n2,x\n"
    found = table_of_folder(where, (".wav",), labels(content))
    assert found.to_pydict()["label"] == ["x", "x", "y"]
    assert found.to_pydict()["split"] == ["test", "train", "train"]
    with pytest.raises(DataError, match=r"row 1: '1' could be train/a/1\.wav or train/b/1\.wav"):
        table_of_folder(where, (".wav",), labels("file,label\n1,x\n2,y\n"))


def test_file_names_are_no_labels(folder):
    with pytest.raises(DataError, match=r"4 of 4 files have no label, the first is 0_ann_0\.wav(?s:.*)labels=\"FILE\""):
        table_of_folder(folder(*DIGITS), (".wav",))
    with pytest.raises(DataError) as told:  # unless a table lies beside them
        table_of_folder(folder("who is it.csv"), (".wav",))
    assert "--labels '" in told.value.block()
    assert "who is it.csv': a table that names each file and its label" in told.value.block()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("file,label\n0_ann_0,0\n7_ann_0,7\n", r"2 of 4 files have no row, such as 0_bob_0\.wav"),
        (
            "file,label\n0_ann_0,0\n7_ann_0,7\n0_bob_0,0\n7_bub_0,7\n",
            r"1 rows name no file of .*, such as '7_bub_0'; 1 of 4 files have no row, such as 7_bob_0\.wav"
            r"(?s:.*)did you mean: 7_bob_0\.wav",
        ),
        ("file,label\n0_ann_0,0\n0_ann_0.wav,7\n", r"rows 1 and 2 both name 0_ann_0\.wav"),
        ("file,label\na,0\nb,7\n", r"names no file of .*, which holds 0_ann_0\.wav"),
    ],
)
def test_files_and_rows_must_match(folder, labels, content, told):
    with pytest.raises(DataError, match=told):
        table_of_folder(folder(*DIGITS), (".wav",), labels(content))


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["a.mid", "b/c.mid", "d.txt"], r"holds 2 of \.mid, 1 of \.txt\n  expected: files that end in \.wav"),
        (["train/a/1.wav", "test/a/2.wav", "tset/a/3.wav"], r"a folder 'tset' beside test, train(?s:.*)mean: test"),
        (["train/a/1.wav", "test/a/2.wav", "3.wav"], r"1 files in no split, the first is 3\.wav"),
        (["train/1.wav", "test/a/2.wav"], r"1 of 2 files have no label, the first is train/1\.wav"),
        (["a/1.wav", "2.wav"], r"1 of 2 files have no label, the first is 2\.wav"),
    ],
)
def test_other_folders_are_refused(folder, names, told):
    with pytest.raises(DataError, match=told):
        table_of_folder(folder(*names), (".wav",))


def test_speech_commands_lists_of_files(folder, said):
    names = [f"{word}/{who}_{i}.wav" for word in ("no", "yes") for who in "abc" for i in range(2)]
    path = folder(*names, "_background_noise_/hum.wav")
    (path / "validation_list.txt").write_text("".join(f"{name}\n" for name in names if "/b" in name))
    (path / "testing_list.txt").write_text("".join(f"{name}\n" for name in names if "/c" in name) + "no/d_0.wav\n")
    table = table_of_folder(path, [".wav"])
    assert table.column("id").to_pylist() == names
    assert table.column("label").to_pylist() == ["no"] * 6 + ["yes"] * 6
    assert table.column("split").to_pylist() == ["train", "train", "valid", "valid", "test", "test"] * 2
    assert "left out: 1 files of _background_noise_, which are no words" in said
    assert any("1 files of the lists are not there" in line for line in said)


def test_a_folder_above_all_is_passed_over(folder, said):
    path = folder(*(f"genres/{name}/{i}.wav" for name in ("blues", "jazz") for i in range(2)))
    (path / "features.csv").write_text("x\n")
    assert table_of_folder(path, [".wav"]).column("label").to_pylist() == ["blues", "blues", "jazz", "jazz"]
    assert any("for labels from features.csv: --data" in line for line in said)


def test_a_folder_above_those_of_splits(tmp_path):
    for split in ("train", "test"):
        for name in ("a", "b"):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            (tmp_path / "data" / split / name / "1.wav").touch()
    table = table_of_folder(tmp_path, [".wav"])
    assert table.column("split").to_pylist() == ["test", "test", "train", "train"]
    assert table.column("label").to_pylist() == list("abab")
