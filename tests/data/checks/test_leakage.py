import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdomain.core.recipe_sections import Split
from xdomain.core.sequences import Ragged
from xdomain.data.checks.leakage import PAIRS, leakage
from xdomain.data.formats.registry import read_table
from xdomain.data.splits.assign import assign


def flip(text):
    return text[::-1].translate(str.maketrans("ACGTN", "TGCAN"))


def flip_ids(ids):
    return 3 - ids[::-1]


def as_ragged(texts):
    return Ragged.from_lists([["ACGT".index(symbol) for symbol in text] for text in texts])


def test_by_hand():
    rows = [
        ("AACC", "train"),  # 1
        ("aacc", "test"),  # 2: the same but for case
        ("GGTT", "test"),  # 3: the other strand of both
        ("AAAA", "train"),  # 4
        ("AAAA", "train"),  # 5
        ("TTTT", "valid"),  # 6: the other strand only
        ("ACGT", "valid"),  # 7: its own reverse complement
        ("ACGT", "test"),  # 8
        ("CCCC", ""),  # 9: left out
        ("CCCC", "train"),  # 10
    ]
    texts, splits = zip(*rows, strict=True)
    found = leakage(texts, None, splits, flip)
    assert [(o.first, o.second, o.exact, o.reverse_complement, o.records) for o in found.overlaps] == [
        ("train", "test", 1, 0, (1, 2)),
        ("train", "valid", 0, 1, (2, 1)),
        ("valid", "test", 1, 0, (1, 1)),
    ]
    assert found.between("valid", "train").examples == (("4", "6"),)
    assert found.lines()[1] == (
        "1 sequence is in both train and valid, 1 of them as reverse complement "
        "(2 records of train, 1 of valid; first: 4 = 6)"
    )
    assert found.as_dict()["train/test"] == {
        "sequences": 1,
        "exact": 1,
        "reverse_complement": 0,
        "records": {"train": 1, "test": 2},
        "examples": [["1", "2"]],
    }
    assert leakage(texts, None, splits).between("train", "valid").sequences == 0


def test_ids_name_the_examples_and_clean_data_says_nothing():
    assert leakage(["A", "A"], None, ["train", "test"], ids=["x", "y"]).overlaps[0].examples == (("x", "y"),)
    assert leakage(["A", "C"], None, ["train", "test"]).lines() == []


def test_pairs_count_as_pairs():
    splits = ["train", "test", "valid"]
    found = leakage(["AA", "AA", "AA"], ["CC", "CC", "AC"], splits)
    assert found.between("train", "test").exact == 1
    assert found.between("train", "valid").sequences == 0
    # text beside text: where one ends and the other begins matters
    assert leakage(["AB", "A"], ["C", "BC"], ["train", "test"]).lines() == []


sequences = st.lists(
    st.tuples(st.text("ACGT", min_size=1, max_size=3), st.sampled_from(["train", "valid", "test", ""]))
)


@given(sequences, st.booleans())
def test_as_a_slow_obvious_twin_has_it(rows, with_flip):
    texts, splits = [text for text, _ in rows], [split for _, split in rows]
    found = leakage(texts, None, splits, flip if with_flip else None)
    for overlap, (first, second) in zip(found.overlaps, PAIRS, strict=True):
        ours, theirs = ({text for text, split in rows if split == name} for name in (first, second))
        exact = {min(text, flip(text)) if with_flip else text for text in ours & theirs}
        either = {min(a, flip(a)) for a in ours for b in theirs if a in (b, flip(b))} if with_flip else exact
        assert (overlap.exact, overlap.sequences) == (len(exact), len(either))
        spread = {s for text in either for s in ((text, flip(text)) if with_flip else (text,))}
        records = tuple(sum(t in spread and s == name for t, s in rows) for name in (first, second))
        assert overlap.records == records


@given(sequences)
def test_symbols_leak_as_text_does(rows):
    texts, splits = [text for text, _ in rows], [split for _, split in rows]
    expected = leakage(texts, None, splits, flip)
    assert leakage(as_ragged(texts), None, np.asarray(splits, "<U5"), flip_ids).as_dict() == expected.as_dict()
    assert leakage(pa.chunked_array([texts], pa.string()), None, splits, flip) == expected


@pytest.mark.realdata
def test_the_42_of_prom_core_all():
    home = os.environ.get("XDOMAIN_DATA")
    if not home:
        pytest.skip("XDOMAIN_DATA is not set")
    folder = Path(home) / "dna/gue/prom/prom_core_all"
    if not folder.is_dir():
        pytest.skip(f"{folder} does not exist")
    table = read_table({"train": folder / "train.csv", "valid": folder / "dev.csv", "test": folder / "test.csv"})
    splits = assign(table, Split(rule="given"), "classification")
    assert [(splits == name).sum() for name in ("train", "valid", "test")] == [47356, 5920, 5920]
    found = leakage(table.column("sequence"), None, splits, flip).between("train", "test")
    assert (found.exact, found.reverse_complement, found.records) == (42, 0, (42, 43))


def test_a_pair_the_other_way_round_is_the_same_pair():
    rows = [
        ("AAA", "CCC", "train"),  # 1
        ("CCC", "AAA", "test"),  # 2: the same the other way round
        ("AAC", "GGA", "train"),  # 3
        ("GGA", "GTT", "test"),  # 4: the other way round, one of them on the other strand
        ("ACA", "AGA", "train"),  # 5
        ("AGA", "ACA", "train"),  # 6
        ("AGA", "ACA", "test"),  # 7: exact, although 5 is turned
        ("CCC", "AAA", "test"),  # 8: a second record of 2
    ]
    firsts, seconds, splits = zip(*rows, strict=True)
    found = leakage(firsts, seconds, splits, flip)
    between = found.between("train", "test")
    assert (between.exact, between.reverse_complement, between.other_way_round, between.records) == (1, 0, 2, (4, 4))
    assert between.examples == (("1", "2"), ("3", "4"), ("5", "7"))
    (line,) = found.lines()
    assert line.startswith("3 pairs are in both train and test, 2 of them the other way round (4 records of train, ")
    assert found.as_dict()["train/test"]["other_way_round"] == 2
    assert leakage(firsts, seconds, splits).between("train", "test").other_way_round == 1


def test_members_of_pairs_by_hand():
    rows = [("A", "C", "train"), ("G", "T", "train"), ("C", "G", "test"), ("T", "W", "test"), ("W", "S", "test"),
            ("W", "W", "valid"), ("A", "W", "")]  # fmt: skip
    firsts, seconds, splits = zip(*rows, strict=True)
    found = leakage(firsts, seconds, splits)
    assert found.lines() == []  # no pair is shared
    assert found.members_as_dict() == {
        "train/test": {"pairs": 3, "one_or_both": 2, "both": 1},
        "train/valid": {"pairs": 1, "one_or_both": 0, "both": 0},
        "valid/test": {"pairs": 3, "one_or_both": 2, "both": 0},
    }
    (line,) = found.member_lines()
    assert line.startswith("2 of 3 test pairs have a sequence that train has too, 1 of them both; ")
    assert "split.rule=entity" in line
    assert leakage(["A", "A"], None, ["train", "test"]).members_as_dict() == {}


def test_a_member_on_the_other_strand_is_known():
    (shared, *_) = leakage(["AAC", "GTT"], ["GGG", "GAA"], ["train", "test"], flip).members
    assert (shared.one_or_both, shared.both) == (1, 0)


letters = st.text("AC", min_size=1, max_size=2)


@given(st.lists(st.tuples(letters, letters, st.sampled_from(["train", "valid", "test", ""])), min_size=1))
def test_pairs_as_a_slow_obvious_twin_has_them(rows):
    found = leakage([a for a, *_ in rows], [b for _, b, _ in rows], [split for *_, split in rows])
    for overlap, members, (first, second) in zip(found.overlaps, found.members, PAIRS, strict=True):
        here, there = ([(a, b) for a, b, split in rows if split == name] for name in (first, second))
        exact = {frozenset(pair) for pair in here if pair in there}
        either = {frozenset(pair) for pair in here if pair in there or pair[::-1] in there}
        assert (overlap.exact, overlap.sequences, overlap.reverse_complement) == (len(exact), len(either), 0)
        assert overlap.records == tuple(sum(frozenset(p) in either for p in side) for side in (here, there))
        known = {member for pair in here for member in pair}
        assert members.one_or_both == sum(bool(known & set(pair)) for pair in there)
        assert members.both == sum(known >= set(pair) for pair in there)
