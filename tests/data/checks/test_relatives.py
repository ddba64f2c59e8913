"""Test records that resemble training records are counted."""

import numpy as np
import pytest

from xdomain.core.sequences import Ragged
from xdomain.data.checks.relatives import relatives
from xdomain.data.dataset import Examples
from xdomain.inspection import check


def changed(text, rng, places):
    letters = list(text)
    for place in rng.choice(len(letters), places, replace=False):
        letters[place] = "ACGT"[("ACGT".index(letters[place]) + 1) % 4]
    return "".join(letters)


def strand(text):
    return text[::-1].translate(str.maketrans("ACGT", "TGCA"))


@pytest.fixture
def texts():
    """Training and test sequences of 120 nt; the first ten of test are training sequences with six nt changed."""
    rng = np.random.default_rng(0)
    train, others = (["".join(rng.choice(list("ACGT"), 120)) for _ in range(number)] for number in (80, 10))
    near = [changed(text, rng, 6) for text in train[:10]]
    return train, [*near[:5], *map(strand, near[5:]), *others]


def examples(train, test, second=None):
    read = [["ACGT".index(letter) for letter in text] for text in (*train, *test)]
    pairs = Ragged.from_lists(read) if second else None
    return Examples(
        "pair" if second else "classification", tuple(map(str, range(len(read)))), Ragged.from_lists(read), pairs,
        np.zeros(len(read), np.int64), ("a",), np.array(["train"] * len(train) + ["test"] * len(test)),
    )  # fmt: skip


def test_changed_copies_on_either_strand_are_found_and_no_others(texts):
    found = relatives(examples(*texts), tuple("ACGT"))
    assert found is not None and (found.records, found.of) == (10, 20) and found.striking
    assert found.line().startswith("10 of 20 test records resemble a training record, by shared 8-mers")


def test_symbols_of_several_letters(texts):
    found = relatives(examples(*texts), ("u1", "u2", "u3", "u4"))
    assert found is not None and found.records == 5  # units have no opposite strand


def test_pairs_are_left_to_the_members(texts):
    assert relatives(examples(*texts, second=True), tuple("ACGT")) is None


def test_check_tells_of_them_unless_clusters_are_split(texts, tmp_path, caplog):
    train, test = texts
    rows = [(text, "train") for text in train] + [(text, "valid") for text in test[10:15]]
    rows += [(text, "test") for text in (*test[:10], *test[15:])]
    file = tmp_path / "near.csv"
    file.write_text("sequence,label,split\n" + "".join(f"{t},{'ab'[i % 2]},{s}\n" for i, (t, s) in enumerate(rows)))
    recipe = tmp_path / "near.yaml"
    recipe.write_text(
        "name: near\ntitle: Near\nadapter: {name: dna}\nproblem: classification\nsource: {files: {data: near.csv}}\n"
    )
    told = check(recipe, overrides=["columns.split=split", "split.rule=given"])
    assert told["relatives"]["records"] == 10 and told["relatives"]["of"] == 15
    assert "10 of 15 test records resemble a training record" in caplog.text
    assert "relatives" not in check(recipe, overrides=["split.rule=cluster"])
