"""DNA by hand, against slow twins, and against the `tokenizers` library."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from xdomain.adapters.bpe import train_bpe
from xdomain.adapters.dna import DNA
from xdomain.core.errors import DataError, OutputError, RecipeError
from xdomain.core.plugins import make_adapter
from xdomain.core.sequences import Adapter, Ragged, fingerprint

CLEAN = {"lower_case": 0, "u_to_t": 0, "folded": 0, "gaps_dropped": 0, "unknown": 0}
IUPAC = "RYSWKMBDHV"
DNA_TEXT = st.text(st.sampled_from("ACGTNUacgtnuRYKVrykv-. \n"), max_size=40)
ANY = st.text(st.one_of(st.characters(max_codepoint=127), st.sampled_from("ACGTNacgtué日𝄞")), max_size=30)
BASES = st.text(st.sampled_from("ACGTN"), max_size=40)


def ids_of(adapter, *texts):
    return [ids.tolist() for ids in adapter.encode(texts)]


def rows(adapter):
    """A vocabulary in which a symbol's row is not its id."""
    return {symbol: 5 + 2 * i for i, symbol in enumerate(adapter.alphabet.symbols)} | {"[UNK]": 1}


def agrees(adapter, text):
    vocabulary = rows(adapter)
    read = adapter.to_tokenizer_text(text)
    told = adapter.stock_tokenizer(vocabulary, "[UNK]").encode(read, add_special_tokens=False).ids
    return told == [vocabulary[adapter.alphabet.symbols[i]] for i in adapter.encode([text])[0]]


# Nucleotides.


def test_the_defaults():
    adapter = make_adapter("dna")
    assert isinstance(adapter, Adapter)
    assert (adapter.name, adapter.alphabet.symbols, adapter.alphabet.unit) == ("dna", tuple("ACGTN"), "nt")
    found = adapter.encode(["ACGTN", "", "TTA"])
    assert [ids.tolist() for ids in found] == [[0, 1, 2, 3, 4], [], [3, 3, 0]]
    assert found.counts == CLEAN


@pytest.mark.parametrize(
    ("options", "text", "reads", "counts"),
    [
        ({}, "acGU-tu", "ACGTTT", {"lower_case": 4, "u_to_t": 2, "gaps_dropped": 1}),
        ({}, "A.C--G\n T", "ACGT", {"gaps_dropped": 3}),
        ({}, "ARYrn", "ANNNN", {"folded": 3, "lower_case": 2}),
        ({"lower_case": "mask"}, "acGUnu", "NNGTNN", {"lower_case": 4, "u_to_t": 1}),
        ({"lower_case": "mask"}, "ArR", "ANN", {"lower_case": 1, "folded": 1}),
        ({"ambiguous": "keep"}, "ARyN", "ARYN", {"lower_case": 1}),
        ({"ambiguous": "keep", "lower_case": "mask"}, "ARyN", "ARNN", {"lower_case": 1}),
        ({"unknown": "count"}, "AXé日G", "ANNNG", {"unknown": 3}),
        ({"unknown": "count"}, "A-*x", "ANN", {"unknown": 2, "gaps_dropped": 1}),
    ],
)
def test_what_becomes_of_letters(options, text, reads, counts):
    adapter = DNA(**options)
    found = adapter.encode([text])
    assert adapter.decode(found[0]) == reads
    assert found.counts == CLEAN | counts
    assert agrees(adapter, text)


def test_keeping_iupac_letters_gives_them_symbols():
    assert DNA(ambiguous="keep").alphabet.symbols == tuple("ACGTN" + IUPAC)
    assert ids_of(DNA(ambiguous="keep"), "NR") == [[4, 5]]


@pytest.mark.parametrize(
    ("options", "texts", "what", "fix"),
    [
        ({}, ["ACGT", "ACEG"], "record 2: 'E' at position 3 is not in the alphabet", "unknown=count"),
        ({"ambiguous": "error"}, ["AR"], "record 1: 'R' at position 2 is not in the alphabet", "ambiguous=fold"),
        ({"ambiguous": "error"}, ["Ar"], "record 1: 'r' at position 2 is not in the alphabet", "ambiguous=fold"),
        ({"gaps": "error"}, ["", "A-C"], "record 2: '-' at position 2 is not in the alphabet", "gaps=drop"),
        ({"gaps": "error", "unknown": "count"}, ["EA."], "record 1: '.' at position 3", "gaps=drop"),
    ],
)
def test_errors_say_how_to_mend_them(options, texts, what, fix):
    with pytest.raises(DataError) as caught:
        DNA(**options).encode(texts)
    assert caught.value.what.startswith(what)
    assert caught.value.expected == "nt letters: ACGTN"
    assert caught.value.fix == f"--set adapter.options.{fix}, or fix the file"
    repaired = DNA(**options | dict([fix.split("=")]))
    assert len(repaired.encode(texts)) == len(texts)


@given(DNA_TEXT, st.sampled_from(["fold", "keep"]), st.sampled_from(["fold", "mask"]))
def test_the_plain_tokenizer_agrees_on_dna(text, ambiguous, lower_case):
    assert agrees(DNA(ambiguous=ambiguous, lower_case=lower_case), text)


@given(ANY, st.sampled_from(["fold", "keep"]), st.sampled_from(["fold", "mask"]))
def test_the_plain_tokenizer_agrees_on_anything(text, ambiguous, lower_case):
    assert agrees(DNA(unknown="count", ambiguous=ambiguous, lower_case=lower_case), text)


@given(BASES)
def test_decode_undoes_encode(text):
    assert DNA().decode(DNA().encode([text])[0]) == text


# K-mers.


def slow_kmers(text, k, stride):
    if not text:
        return []
    words = [text[i : i + k] for i in range(0, len(text) - k + 1, stride)] or ["N" * k]
    return [w if "N" not in w else "N" * k for w in words]


def test_dimers_by_hand():
    adapter = DNA(tokens="kmer", k=2)
    assert adapter.alphabet.symbols == (*("".join(p) for p in product("ACGT", repeat=2)), "NN")
    assert (adapter.alphabet.unit, adapter.alphabet.unknown) == ("2-mer", "NN")
    assert ids_of(adapter, "ACGT", "AANTT", "A", "", "uu") == [[1, 6, 11], [0, 16, 16, 15], [16], [], [15]]


@pytest.mark.parametrize("k", range(1, 9))
def test_every_k(k):
    adapter = DNA(tokens="kmer", k=k)
    assert len(adapter.alphabet) == 4**k + 1
    text = "GATTACAGATTACANTTTTTTTTTT"
    assert [adapter.alphabet.symbols[i] for i in adapter.encode([text])[0]] == slow_kmers(text, k, 1)


@given(st.lists(BASES, max_size=6), st.integers(1, 5), st.integers(1, 5))
def test_kmers_as_their_slow_twin(texts, k, stride):
    stride = min(k, stride)
    adapter = DNA(tokens="kmer", k=k, stride=stride)
    found = adapter.encode(texts)
    assert [[adapter.alphabet.symbols[i] for i in ids] for ids in found] == [slow_kmers(t, k, stride) for t in texts]
    tails = sum((len(t) - k) % stride for t in texts if len(t) >= k)
    assert found.counts == CLEAN | {"shorter_than_k": sum(0 < len(t) < k for t in texts), "tail_dropped": tails}


@given(BASES, st.integers(1, 5), st.integers(1, 5))
def test_kmers_decode_to_what_encodes_alike(text, k, stride):
    adapter = DNA(tokens="kmer", k=k, stride=min(k, stride))
    ids = adapter.encode([text])[0]
    assert adapter.encode([adapter.decode(ids)])[0].tolist() == ids.tolist()


def test_kmers_decode_by_hand():
    adapter = DNA(tokens="kmer", k=3)
    for text in ("ACGTAC", "NNACGT", "ACGNNN", "ACGNACG", ""):
        assert adapter.decode(adapter.encode([text])[0]) == text
    assert adapter.decode(adapter.encode(["ACNGT"])[0]) == "NNNNN"  # no k-mer knows any of it


@given(ANY, st.integers(1, 4))
def test_the_plain_tokenizer_reads_spaced_kmers(text, k):
    assert agrees(DNA(tokens="kmer", k=k, unknown="count"), text)


def test_spaced_kmers():
    assert DNA(tokens="kmer", k=3).to_tokenizer_text("acguN") == "ACG CGT NNN"
    assert DNA(tokens="kmer", k=3, stride=3).to_tokenizer_text("ACGTTTA") == "ACG TTT"
    assert DNA(tokens="kmer", k=3).to_tokenizer_text("") == ""
    assert DNA().to_tokenizer_text("ac-gu") == "ac-gu"


def test_the_plain_tokenizer_folds_kmers_written_by_hand():
    adapter = DNA(tokens="kmer", k=3)
    tokenizer = adapter.stock_tokenizer(rows(adapter), "[UNK]")
    assert tokenizer.encode("acg  CGU\nARC ACGT A-CG CXG").tokens == ["ACG", "CGT", "NNN", "[UNK]", "ACG", "[UNK]"]


# The other strand.


def test_reverse_complement_by_hand():
    adapter = DNA()
    flipped = adapter.reverse_complement(adapter.encode(["ACGTN"])[0])
    assert adapter.decode(flipped) == "NACGT"
    assert adapter.decode(adapter.reverse_complement(adapter.encode(["AACCG"])[0])) == "CGGTT"
    assert flipped.flags.c_contiguous  # torch refuses negative strides


def test_reverse_complement_of_iupac_letters():
    adapter = DNA(ambiguous="keep")
    assert adapter.decode(adapter.reverse_complement(adapter.encode(["ACGTN" + IUPAC])[0])) == "BDHVKMWSRYNACGT"


@given(BASES, st.integers(1, 5))
def test_reverse_complement_of_kmers_is_that_of_the_sequence(text, k):
    letters, kmers = DNA(), DNA(tokens="kmer", k=k)
    other = letters.decode(letters.reverse_complement(letters.encode([text])[0]))
    assert kmers.reverse_complement(kmers.encode([text])[0]).tolist() == kmers.encode([other])[0].tolist()


@given(BASES, st.sampled_from([DNA(), DNA(ambiguous="keep"), DNA(tokens="kmer", k=3, stride=2)]))
def test_the_other_strand_twice_is_the_first(text, adapter):
    ids = adapter.encode([text])[0]
    assert adapter.reverse_complement(adapter.reverse_complement(ids)).tolist() == ids.tolist()


# Byte-pair encoding.


@pytest.fixture(scope="module")
def merges(tmp_path_factory):
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("ACGT"), 60)) + "TATAAA" * 3 for _ in range(50)]
    return train_bpe([*texts, "acgu-RY"], 40, tmp_path_factory.mktemp("bpe") / "dna.json")


def test_a_trained_bpe(merges):
    adapter = DNA(tokens="bpe", merges=str(merges))
    assert len(adapter.alphabet) == 40
    assert set("ACGTN") <= set(adapter.alphabet.symbols)
    assert set("".join(adapter.alphabet.symbols)) == set("ACGTN")
    assert any("TATA" in piece for piece in adapter.alphabet.symbols)
    ids = adapter.encode(["TATAAATATAAA"])[0]
    assert len(ids) < 6
    assert adapter.decode(ids) == "TATAAATATAAA"


@settings(max_examples=50)
@given(DNA_TEXT)
def test_a_bpe_reads_every_nucleotide(merges, text):
    adapter = DNA(tokens="bpe", merges=str(merges))
    found = adapter.encode([text, ""])
    letters = DNA().encode([text, ""])
    assert adapter.decode(found[0]) == DNA().decode(letters[0])
    assert found.counts == letters.counts
    assert found[1].tolist() == []
    assert agrees(adapter, text)


@settings(max_examples=50)
@given(ANY)
def test_the_plain_bpe_agrees_on_anything(merges, text):
    assert agrees(DNA(tokens="bpe", merges=str(merges), unknown="count"), text)


def test_training_twice_gives_the_same_file(tmp_path):
    texts = ["ACGTTGCA" * 5, "TATATATA"]
    first, second = (train_bpe(texts, 12, tmp_path / name).read_bytes() for name in ("a.json", "b.json"))
    assert first == second


@given(st.text("ACGTN", max_size=40))
def test_a_bpe_reads_the_other_strand_anew(merges, text):
    adapter, letters = DNA(tokens="bpe", merges=str(merges)), DNA()
    other = letters.decode(letters.reverse_complement(letters.encode([text])[0]))
    assert adapter.reverse_complement(adapter.encode([text])[0]).tolist() == adapter.encode([other])[0].tolist()


def test_what_cannot_be_trained(tmp_path):
    with pytest.raises(RecipeError, match="a BPE of 4 pieces"):
        train_bpe(["ACGT"], 4, tmp_path / "x.json")
    with pytest.raises(OutputError, match=r"x\.json cannot be written \(No such file or directory\)"):
        train_bpe(["ACGT"], 9, tmp_path / "none" / "x.json")


def test_a_file_that_is_no_bpe(tmp_path):
    wordlevel, english, junk = (tmp_path / name for name in ("wordlevel.json", "english.json", "junk.json"))
    Tokenizer(models.WordLevel({"A": 0}, "A")).save(str(wordlevel))
    Tokenizer(models.BPE({"a": 0}, [])).save(str(english))
    junk.write_text("[1, 2]")
    for path, told in (
        (wordlevel, "holds a WordLevel tokenizer"),
        (english, "holds pieces of other letters than DNA's"),
        (junk, "holds no BPE"),
        (tmp_path / "missing.json", "holds no BPE .*No such file"),
    ):
        with pytest.raises(DataError, match=told) as caught:
            DNA(tokens="bpe", merges=str(path)).encode(["ACGT"])
        assert caught.value.expected == "a file that xdomain.adapters.bpe.train_bpe wrote"


# Options.


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"ambiguous": "flod"}, "unknown dna option ambiguous: 'flod'"),
        ({"tokens": "kmers"}, "did you mean: kmer"),
        ({"lower_case": True}, "unknown dna option lower_case: 'True'"),
        ({"k": 9}, "k=9, stride=1\n  expected: 1 ≤ stride ≤ k ≤ 8"),
        ({"k": 3, "stride": 4}, "k=3, stride=4"),
        ({"k": "six"}, "adapter dna"),
        ({"tokens": "kmer", "ambiguous": "keep"}, "only single nucleotides have symbols for R, Y"),
        ({"tokens": "bpe"}, "tokens=bpe and merges=FILE together, or neither"),
        ({"merges": "x.json"}, "tokens=bpe and merges=FILE together, or neither"),
        ({"strand": 1}, "unknown option of the dna adapter 'strand'"),
    ],
)
def test_impossible_options(options, told):
    with pytest.raises(RecipeError) as caught:
        make_adapter("dna", options)
    assert told in str(caught.value)


def test_options_decide_the_fingerprint():
    assert fingerprint(DNA()) == fingerprint(make_adapter("dna", {"k": 6}))
    assert (
        len({fingerprint(a) for a in (DNA(), DNA(lower_case="mask"), DNA(tokens="kmer"), DNA(tokens="kmer", k=5))}) == 4
    )


def test_symbols_survive_the_disk(tmp_path):
    found = DNA(tokens="kmer", k=8).encode(["ACGTACGTNACGTACGT", "acg"])
    found.save(tmp_path / "x.arrow")
    again = Ragged.load(tmp_path / "x.arrow")
    assert [ids.tolist() for ids in again] == [ids.tolist() for ids in found]
    assert again.counts == found.counts


@pytest.mark.parametrize("options", [{}, {"tokens": "kmer", "k": 3}])
def test_proteins_are_refused_or_recognized(options):
    proteins = ["MKTAYIAKQRQISFVKSHFSRQ", "GSHMWLDKLE"]
    with pytest.raises(DataError, match="not in the alphabet"):
        DNA(**options).encode(proteins)
    counting = DNA(**options, unknown="count")
    assert "--domain protein" in counting.other_domain(counting.encode(proteins))
    assert counting.other_domain(counting.encode(["ACGTNRYACGTNNNNNACGGT!", "ACGTACGU"])) is None
    assert counting.other_domain(counting.encode(["RYSWKM"])) is None  # a short primer


def test_a_k_mer_covers_the_characters_of_its_nucleotides():
    spans = DNA(tokens="kmer", k=3, stride=2).spans(["AC-GTAC", "AC"])
    assert spans.tolist() == [[0, 4], [3, 6], [0, 2]]  # the last nucleotide is reached by none; AC is shorter than k
    assert DNA().spans(["A-C"]).tolist() == [[0, 1], [2, 3]]


def test_the_pieces_of_a_bpe_tell_no_places(tmp_path):
    train_bpe(["ACGTACGT", "ACGGT"], 8, tmp_path / "merges.json")
    with pytest.raises(RecipeError, match="do not tell their places"):
        DNA(tokens="bpe", merges=str(tmp_path / "merges.json")).spans(["ACGT"])
