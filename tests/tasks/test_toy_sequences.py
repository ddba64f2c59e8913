"""Generated records: the same for ever, as results on them are published, and drawn as their descriptions say."""

import hashlib
import json

import numpy as np
import pytest
from Bio.Seq import translate

from xdomain.tasks.toy import spans
from xdomain.tasks.toy.sequences import DONOR, LENGTH, NT, READERS, _dna_tags, _drawn

WRITTEN = {
    "toy_dna_classification": "1c52f6cd8bff5d46",
    "toy_dna_motif_order": "21b380c8ddbe681a",
    "toy_dna_regression": "f6e71d36e07ff665",
    "toy_dna_tagging": "af8f6f2854fecf5f",
    "toy_dna_pair": "3343e6b89454f954",
    "toy_dna_translation": "3364f1d43c77b00b",
    "toy_protein_classification": "05676fd25fb1f6b3",
    "toy_protein_regression": "9df11231fd341fb5",
    "toy_protein_tagging": "e466b34cccbb0fe1",
    "toy_protein_pair": "a5a72cf99c0dca38",
    "toy_text_classification": "19d0231030a4ce50",
    "toy_text_regression": "0fd95764a2ecebf8",
    "toy_text_pair": "493c5096dc1276a4",
    "toy_tokens_classification": "2e1da27ee14557dc",
}


@pytest.mark.parametrize("name", READERS)
def test_records_never_change(name):
    rows = READERS[name]({}, records=40, seed=3).to_pylist()
    assert hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16] == WRITTEN[name]


def test_codons_are_translated_as_biopython_does():
    for row in READERS["toy_dna_translation"]({}, records=200, seed=3).to_pylist():
        assert 24 <= len(row["sequence"]) <= 36
        assert translate(row["sequence"]) == row["label"]


SPANS = {
    "toy_dna_span": "8ab6f5e802e9922b",
    "toy_speech_span": "a116c7776b0b80dd",
    "toy_text_span": "3ec29eba958c184d",
}


@pytest.mark.parametrize("name", SPANS)
def test_questions_never_change(name):
    rows = spans.READERS[name]({}, records=40, seed=3).to_pylist()
    assert hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16] == SPANS[name]


def test_a_share_of_questions_asks_for_a_person_who_is_not_there():
    read = spans.READERS["toy_text_span"]
    before = read({}, records=300, seed=3).to_pylist()
    rows = read({}, records=300, seed=3, unanswerable=0.3).to_pylist()
    changed = [row for row, old in zip(rows, before, strict=True) if row != old]
    assert 60 < len(changed) < 120
    assert all(row["answers"] == [] for row in changed)
    assert [row["sequence_b"] for row in rows] == [row["sequence_b"] for row in before]
    for row in rows:
        person = row["sequence"].removeprefix("where was ").removesuffix("?")
        assert (person in row["sequence_b"]) == bool(row["answers"])


def rng(seed):
    return np.random.Generator(np.random.PCG64(seed))


@pytest.mark.parametrize("seed", range(20))
def test_nucleotides_are_drawn_one_by_one_by_their_shares(seed):
    one, two = rng(seed), rng(seed)
    assert _drawn(one, DONOR).tolist() == [two.choice(NT, p=row / row.sum()) for row in DONOR]
    assert one.random() == two.random()


@pytest.mark.parametrize("seed", range(20))
def test_islands_are_left_and_entered_six_times_in_a_hundred(seed):
    drawn = rng(seed)
    island, letters, tags = drawn.random() < 0.5, [], []
    for _ in range(LENGTH):
        island ^= drawn.random() < 0.06
        letters.append(drawn.choice(NT, p=[0.1, 0.4, 0.4, 0.1] if island else [0.35, 0.15, 0.15, 0.35]))
        tags.append("I" if island else "B")
    assert _dna_tags(rng(seed)) == {"sequence": "".join(letters), "tags": tags}
