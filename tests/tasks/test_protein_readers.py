"""Readers of protein files, on small files of the same form."""

import pytest

from xdomain.core.errors import DataError
from xdomain.tasks.protein.readers import read_fluorescence, read_stability

GFP = "sequence,num_mutations,log_fluorescence,has_stop\nMKV,2,3.5,False\nMKL,5,1.25,False\nMK,1,0.5,True\n"
DESIGNS = "name\tsequence\tstabilityscore\na\tMKV\t0.5\na\tMKL\t\n"
SCAN = "name\tsequence\tconsensus_stability_score\na\tMKI\t1.5\n"


def written(folder, **texts):
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text)
    return {name: folder / f"{name}.txt" for name in texts}


def test_far_variants_of_gfp_are_for_test(tmp_path):
    rows = read_fluorescence(written(tmp_path, all=GFP)).to_pylist()
    assert [(row["sequence"], row["label"], row["split"]) for row in rows] == [
        ("MKV", 3.5, "train"), ("MKL", 1.25, "test"),
    ]  # fmt: skip


@pytest.mark.parametrize("column", ["sequence", "num_mutations", "log_fluorescence", "has_stop"])
def test_a_gfp_file_without_a_column(tmp_path, column):
    with pytest.raises(DataError, match=rf"all.txt has no column {column}\n"):
        read_fluorescence(written(tmp_path, all=GFP.replace(column, "other", 1)))


def test_designs_are_for_training_and_the_scan_for_test(tmp_path):
    rows = read_stability(written(tmp_path, round1=DESIGNS, test=SCAN)).to_pylist()
    assert [(row["id"], row["sequence"], row["label"], row["split"]) for row in rows] == [
        ("round1:a", "MKV", 0.5, "train"), ("test:a", "MKI", 1.5, "test"),
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "column"), [("round1", "stabilityscore"), ("round1", "name"), ("test", "sequence"),
                                              ("test", "consensus_stability_score")])  # fmt: skip
def test_a_stability_file_without_a_column(tmp_path, name, column):
    texts = {"round1": DESIGNS, "test": SCAN}
    texts[name] = texts[name].replace(column, "other", 1)
    with pytest.raises(DataError, match=f"{name}.txt has no column {column}\n"):
        read_stability(written(tmp_path, **texts))
