import logging
import time

import numpy as np
import pyarrow as pa
import pytest

from xdomain.core.errors import DataError
from xdomain.core.recipe_sections import Split
from xdomain.data.splits import clusters
from xdomain.data.splits.assign import assign
from xdomain.data.splits.clusters import clustered, clusters_of
from xdomain.data.splits.kmer_clusters import KmerSets, kmer_clusters

AMINO_ACIDS, NUCLEOTIDES, UNITS = list("ACDEFGHIKLMNPQRSTVWY"), list("ACGT"), [str(i) for i in range(100)]


@pytest.fixture
def without_mmseqs(monkeypatch):
    monkeypatch.setattr(clusters.shutil, "which", lambda _: None)


def families(alphabet, *, length, rate, number=30, size=10, seed=0, between=""):
    """Sequences of `number` families in random order, each symbol mutated at `rate`; and the family of each."""
    rng = np.random.default_rng(seed)
    found = []
    for family in range(number):
        ancestor = rng.choice(alphabet, length)
        for _ in range(size):
            mutated = np.where(rng.random(length) < rate, rng.choice(alphabet, length), ancestor)
            found.append((between.join(mutated), family))
    rng.shuffle(found)
    sequences, own = zip(*found, strict=True)
    return list(sequences), np.array(own, int)


def same(one, other):
    """Whether two clusterings are the same but for the numbers of clusters."""
    return (
        len(set(zip(one.tolist(), other.tolist(), strict=True))) == len(set(one.tolist())) == len(set(other.tolist()))
    )


@pytest.mark.parametrize(
    ("alphabet", "length", "rate", "identity", "between"),
    [
        (AMINO_ACIDS, 300, 0.15, 0.5, ""),
        (AMINO_ACIDS, 60, 0.1, 0.5, ""),
        (AMINO_ACIDS, 300, 0.05, 0.8, ""),
        (NUCLEOTIDES, 300, 0.05, 0.8, ""),
        (NUCLEOTIDES, 60, 0.03, 0.8, ""),
        (NUCLEOTIDES, 300, 0.05, 0.5, ""),
        (UNITS, 150, 0.15, 0.5, " "),
    ],
)
def test_mutated_families_are_found(alphabet, length, rate, identity, between):
    for seed in range(2):
        sequences, own = families(alphabet, length=length, rate=rate, seed=seed, between=between)
        assert same(kmer_clusters(sequences, identity)[0], own)


def test_identity_decides():
    sequences, own = families(AMINO_ACIDS, length=300, rate=0.2)
    assert same(kmer_clusters(sequences, 0.5)[0], own)
    assert len(set(kmer_clusters(sequences, 0.9)[0].tolist())) == len(sequences)


def test_the_estimate_of_identity():
    """Mutated at one place in five: identity .8, so that .8^k of the k-mers are shared."""
    rng = np.random.default_rng(0)
    ancestors = rng.integers(20, size=(200, 300))
    mutated = (ancestors + (rng.random((200, 300)) < 0.2) * rng.integers(1, 20, size=(200, 300))) % 20
    found = KmerSets.of(["".join(AMINO_ACIDS[i] for i in row) for row in [*ancestors, *mutated]])
    shared = found.shared(np.column_stack([np.arange(200), np.arange(200, 400)]))
    assert (shared.sum() / found.sizes[:200].sum()) ** (1 / found.k) == pytest.approx(0.8, abs=0.005)


def test_shared_kmers_by_hand():
    found = KmerSets.of(["EFLIPQEFLI", "QEFLIP", "WYWWY"])
    assert found.k > 4 and found.strands == 1
    assert KmerSets.of(["ACGTN", "UUU"]).strands == 2
    for first, second in ((0, 1), (0, 2), (1, 2)):
        texts = ["EFLIPQEFLI", "QEFLIP", "WYWWY"]
        sets = [{texts[i][j : j + found.k] for j in range(len(texts[i]) - found.k + 1)} for i in (first, second)]
        assert found.shared(np.array([[first, second]])).tolist() == [len(sets[0] & sets[1])]


def test_a_pair_is_linked_as_in_comparing_all_pairs():
    sequences, _ = families(AMINO_ACIDS, length=100, rate=0.25, number=10, size=6)
    found = KmerSets.of(sequences)
    n = len(sequences)
    slow = np.arange(n)
    for i in range(n):
        for j in range(i):
            needed = found.needed(found.sizes[[i]], found.sizes[[j]], 0.5)[0]
            if found.shared(np.array([[i, j]]))[0] >= needed:
                slow[slow == slow[i]] = slow[j]
    assert same(kmer_clusters(sequences, 0.5)[0], slow)


def test_fragments_and_other_strands_stay_with_the_whole():
    rng = np.random.default_rng(0)
    whole = ["".join(rng.choice(NUCLEOTIDES, 300)) for _ in range(20)]
    other = [text[::-1].translate(str.maketrans("ACGT", "TGCA")) for text in whole]
    fragments = [text[50:150] for text in whole]
    assert same(kmer_clusters([*whole, *other, *fragments], 0.8)[0], np.tile(np.arange(20), 3))


def test_odd_sequences():
    assert kmer_clusters(["A", "C", "ACG"], 0.5)[0].tolist() == [0, 1, 2]
    assert len(set(kmer_clusters(["AAAAAAAAAAAA", "CCCCCCCCCCCC", "é", "a b"], 0.5)[0].tolist())) == 4


@pytest.mark.parametrize("alphabet", [AMINO_ACIDS, NUCLEOTIDES])
@pytest.mark.parametrize("number", [1500, 1])
def test_thousands_take_seconds(alphabet, number):
    """Unrelated, and all alike: no pile of k-mers is compared pair by pair."""
    sequences, _ = families(alphabet, length=300, rate=0.1, number=number, size=1500 // number)
    started = time.process_time()
    found, _ = kmer_clusters(sequences, 0.5)
    assert time.process_time() - started < 20
    assert abs(len(set(found.tolist())) - number) <= 2


# as a rule of splits


def table(sequences, sequences_b=None):
    n = len(sequences)
    columns = {"id": [str(i) for i in range(n)], "sequence": sequences, "label": (["a", "b"] * n)[:n]}
    return pa.table(columns | ({"sequence_b": sequences_b} if sequences_b else {}))


def test_no_family_is_in_two_splits(without_mmseqs, caplog):
    sequences, own = families(AMINO_ACIDS, length=100, rate=0.1, number=50)
    with caplog.at_level(logging.INFO, "xdomain"):
        grouped = clustered(table(sequences), Split(rule="cluster"))
        names = assign(grouped, Split(rule="cluster"), "classification")
    assert len(set(zip(own.tolist(), names.tolist(), strict=True))) == 50
    assert [(names == name).sum() for name in ("train", "valid", "test")] == [400, 50, 50]
    assert "50 clusters of 500 sequences by shared 4-mers" in caplog.text
    assert "the largest has 10 of 500 records" in caplog.text


def test_clusters_and_groups_that_share_records_are_one(without_mmseqs):
    sequences, family = families(AMINO_ACIDS, length=100, rate=0.1, number=6)
    patients = [f"p{number // 2}" if number < 4 else str(row) for row, number in enumerate(family.tolist())]
    grouped = table(sequences).append_column("group", [patients])
    names = clustered(grouped, Split(rule="cluster")).column("group").to_pylist()
    found = {number: {name for name, one in zip(names, family, strict=True) if one == number} for number in range(6)}
    assert all(len(some) == 1 for some in found.values())
    assert found[0] == found[1] != found[2] == found[3]
    assert len(set(names)) == 4
    assert clustered(grouped, Split(rule="group")) is grouped


def test_the_same_sequence_twice_is_one(without_mmseqs):
    found = clusters_of(table(["acdefghikl", "ACDEFGHIKL ", "WYWYTTWYWY"]), 0.5)
    assert found[0] == found[1] != found[2]


def test_pairs_join_the_clusters_of_their_members(without_mmseqs, caplog):
    sequences, own = families(AMINO_ACIDS, length=100, rate=0.1, number=20, size=6)
    order = np.argsort(own, kind="stable")
    one, other = [sequences[i] for i in order[:60]], [sequences[i] for i in order[60:]]
    with caplog.at_level(logging.INFO, "xdomain"):
        found = clusters_of(table(one, other), 0.5)  # family f beside family f + 10
    assert same(found, np.repeat(np.arange(10), 6))
    assert "20 clusters" in caplog.text and "10 once pairs join them" in caplog.text
    clusters_of(table(one, one[1:] + one[:1]), 0.5)
    assert "split.rule=entity parts them" in caplog.text


# MMseqs2, by a stand-in

STAND_IN = """#!/bin/sh
[ "$1" = easy-cluster ] && [ "$5" = --min-seq-id ] && [ "$6" = 0.4 ] && [ "$7" = -c ] && [ "$8" = 0.8 ] || exit 9
grep -q '^>2$' "$2" || exit 8
{
"""


@pytest.fixture
def mmseqs(tmp_path, monkeypatch):
    def make(body):
        program = tmp_path / "mmseqs"
        program.write_text(STAND_IN.replace("{\n", body + "\n"))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    return make


def test_mmseqs_is_used_where_it_is(mmseqs, caplog):
    mmseqs(r"printf '0\t0\n0\t2\n1\t1\n' > $3_cluster.tsv")
    with caplog.at_level(logging.INFO, "xdomain"):
        found = clusters_of(table(["ACDEF", "GHIKL", "ACDEW", "acdef"]), 0.4)
    assert same(found, np.array([0, 1, 0, 0]))
    assert (
        "2 clusters of 3 sequences by MMseqs2 (identity 0.4, coverage 0.8); the largest has 3 of 4 records"
        in caplog.text
    )


def test_units_are_not_for_mmseqs(mmseqs):
    mmseqs("exit 1")
    assert len(set(clusters_of(table(["1 2 3", "4 5 6"]), 0.4).tolist())) == 2


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("echo; echo 'out of disk' >&2; exit 1", "failed: out of disk"),
        ("exit 3", "failed: exit status 3"),
        ("exit 0", "failed: exit status 0"),
        (r"printf '0\t0\n' > $3_cluster.tsv", "its table has 1 of 3 sequences"),
        (r"printf 'seq one\n' > $3_cluster.tsv", "its table has the line 'seq one'"),
        (r"printf '0\t7\n' > $3_cluster.tsv", "its table has the line"),
    ],
)
def test_failures_of_mmseqs_are_named(mmseqs, body, said):
    mmseqs(body)
    with pytest.raises(DataError) as told:
        clusters_of(table(["ACDEF", "GHIKL", "ACDEW"]), 0.4)
    assert said in str(told.value)
    assert "take it off PATH" in str(told.value)
