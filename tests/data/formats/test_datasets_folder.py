"""Data sets as `datasets` itself writes and loads them."""

import pytest

from xdomain.core.errors import MissingError
from xdomain.data.formats.datasets_folder import read_datasets_folder, read_hub

pytest.importorskip("datasets", reason="pip install 'xdomain[hub]'")
COLUMNS = {"sequence": ["ACGT", "TTTT", "GGCC"], "label": [0, 1, 1]}


def _saved():
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"sequence": Value("string"), "label": ClassLabel(names=["no", "yes"])})
    return Dataset.from_dict(COLUMNS, features=features)


def test_one_split_with_names_of_classes(tmp_path):
    _saved().save_to_disk(tmp_path / "one")
    assert read_datasets_folder(tmp_path / "one").to_pydict() == COLUMNS | {"label": ["no", "yes", "yes"]}


def test_several_splits_of_several_files(tmp_path):
    from datasets import DatasetDict

    data = _saved()
    parts = DatasetDict({"train": data, "validation": data.select([2]), "test": data.filter(lambda row: row["label"])})
    parts.save_to_disk(tmp_path / "three", num_shards={"train": 2, "validation": 1, "test": 1})
    table = read_datasets_folder(tmp_path / "three")
    assert table.column("sequence").to_pylist() == [*COLUMNS["sequence"], "GGCC", "TTTT", "GGCC"]
    assert table.column("split").to_pylist() == ["train"] * 3 + ["validation"] + ["test"] * 2


def test_a_name_is_loaded_by_datasets(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "own"
    folder.mkdir()
    for part, letter in {"train": "A", "test": "C"}.items():
        (folder / f"{part}.csv").write_text(f"sequence,label\n{letter}GT,x\n{letter}CC,y\n")
    table = read_hub(str(folder))
    assert sorted(zip(*table.to_pydict().values(), strict=True)) == [
        ("ACC", "y", "train"),
        ("AGT", "x", "train"),
        ("CCC", "y", "test"),
        ("CGT", "x", "test"),
    ]


def test_a_name_that_cannot_be_loaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    with pytest.raises(MissingError, match="nobody/nothing cannot be loaded"):
        read_hub("nobody/nothing")
