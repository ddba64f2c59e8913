"""Proteins by hand, and against the `tokenizers` library."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdomain.adapters.protein import Protein
from xdomain.core.errors import DataError, RecipeError
from xdomain.core.plugins import make_adapter
from xdomain.core.sequences import Adapter

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
CLEAN = {"lower_case": 0, "folded": 0, "gaps_dropped": 0, "stops_dropped": 0, "unknown": 0}
ANY = st.text(st.one_of(st.characters(max_codepoint=127), st.sampled_from(RESIDUES + "BZXé日𝄞")), max_size=30)


def agrees(adapter, text):
    vocabulary = {symbol: 5 + 2 * i for i, symbol in enumerate(adapter.alphabet.symbols)} | {"[UNK]": 1}
    told = adapter.stock_tokenizer(vocabulary, "[UNK]").encode(text, add_special_tokens=False).ids
    return told == [vocabulary[adapter.alphabet.symbols[i]] for i in adapter.encode([text])[0]]


def test_the_defaults():
    adapter = make_adapter("protein")
    assert isinstance(adapter, Adapter)
    assert (adapter.name, adapter.alphabet.unit) == ("protein", "aa")
    assert adapter.alphabet.symbols == tuple(RESIDUES + "X*")
    found = adapter.encode(["ACX*", "", "YW"])
    assert [ids.tolist() for ids in found] == [[0, 1, 20, 21], [], [19, 18]]
    assert found.counts == CLEAN


@pytest.mark.parametrize(
    ("options", "text", "reads", "counts"),
    [
        ({}, "MKbJzOu", "MKXXXXX", {"folded": 5, "lower_case": 3}),
        ({}, "mk-L.v\n*", "MKLV*", {"lower_case": 3, "gaps_dropped": 2}),
        ({}, "xX", "XX", {"lower_case": 1}),
        ({"ambiguous": "keep"}, "MBjZOu", "MBJZOU", {"lower_case": 2}),
        ({"stop": "drop"}, "M*K*", "MK", {"stops_dropped": 2}),
        ({"unknown": "count"}, "M1é日K", "MXXXK", {"unknown": 3}),
    ],
)
def test_what_becomes_of_letters(options, text, reads, counts):
    adapter = Protein(**options)
    found = adapter.encode([text])
    assert adapter.decode(found[0]) == reads
    assert found.counts == CLEAN | counts
    assert agrees(adapter, text)


@pytest.mark.parametrize(
    ("options", "symbols"),
    [
        ({"ambiguous": "keep"}, RESIDUES + "XBJOUZ*"),
        ({"stop": "drop"}, RESIDUES + "X"),
        ({"stop": "error"}, RESIDUES + "X"),
        ({"ambiguous": "error"}, RESIDUES + "X*"),
    ],
)
def test_the_alphabet(options, symbols):
    assert Protein(**options).alphabet.symbols == tuple(symbols)


@pytest.mark.parametrize(
    ("options", "texts", "what", "fix"),
    [
        ({}, ["MK", "M1K"], "record 2: '1' at position 2 is not in the alphabet", "unknown=count"),
        ({"ambiguous": "error"}, ["MKU"], "record 1: 'U' at position 3 is not in the alphabet", "ambiguous=fold"),
        ({"ambiguous": "error"}, ["MKu"], "record 1: 'u' at position 3 is not in the alphabet", "ambiguous=fold"),
        ({"stop": "error"}, ["MK*"], "record 1: '*' at position 3 is not in the alphabet", "stop=drop"),
    ],
)
def test_errors_say_how_to_mend_them(options, texts, what, fix):
    with pytest.raises(DataError) as caught:
        Protein(**options).encode(texts)
    assert caught.value.what == what
    assert caught.value.fix == f"--set adapter.options.{fix}, or fix the file"
    assert len(Protein(**options | dict([fix.split("=")])).encode(texts)) == len(texts)


@given(
    ANY,
    st.builds(
        Protein, ambiguous=st.sampled_from(["fold", "keep"]), stop=st.sampled_from(["keep", "drop"]),
        unknown=st.just("count"),
    ),
)  # fmt: skip
def test_the_plain_tokenizer_agrees_on_anything(text, adapter):
    assert agrees(adapter, text)


@given(st.text(st.sampled_from(RESIDUES + "X*"), max_size=40))
def test_decode_undoes_encode(text):
    assert Protein().decode(Protein().encode([text])[0]) == text
    assert agrees(Protein(), text)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"stop": "keeep"}, "did you mean: keep"),
        ({"unknown": "drop"}, "unknown protein option unknown: 'drop'\n  expected: one of count, error"),
    ],
)
def test_impossible_options(options, told):
    with pytest.raises(RecipeError) as caught:
        make_adapter("protein", options)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("texts", "strange"),
    [
        (["ACGTTGCAACGT", "acgnnattgcaa"], True),
        (["ACGUUGCAACGU", "UUGACACCAUGG"], True),  # RNA
        (["ACGTTGCAAC"] * 19 + ["MKLV"], True),  # 95 %
        (["ACGTTGCAAC"] * 9 + ["MKLV"], False),
        (["GAGAGAGAGA", "AGAGAGTGTG"], False),  # silk: no C
        (["ACGT", "CATTAG"], False),  # too few letters to tell
        (["MKLVACGTTGCAACGTTGCA"], False),
        ([""], False),
    ],
)
@pytest.mark.parametrize("ambiguous", ["fold", "keep"])
def test_nucleotides_are_recognized(texts, strange, ambiguous):
    adapter = Protein(ambiguous=ambiguous)
    told = adapter.other_domain(adapter.encode(texts))
    assert (told is not None) == strange
    assert not strange or "--domain dna" in told


def test_a_residue_covers_its_character():
    assert Protein().spans(["M-K", " A"]).tolist() == [[0, 1], [2, 3], [1, 2]]
