"""How mutations are written: each form by hand, and what HGVS says in words is never scored as amino acids."""

import pytest

import xdomain
from xdomain.core.errors import DataError
from xdomain.inference.variants.notation import read_mutation
from xdomain.inference.variants.variant import Edit

READ = [
    ("K2R", "K", "R"), ("k2r", "K", "R"), ("Lys2Arg", "K", "R"), ("K2Arg", "K", "R"), ("Lys2R", "K", "R"),
    ("p.K2R", "K", "R"), ("p.Lys2Arg", "K", "R"), ("p.(Lys2Arg)", "K", "R"), (" p.[Lys2Arg] ", "K", "R"),
    ("K2X", "K", "X"), ("K2Xaa", "K", "X"), ("K2AGG", "K", "AGG"), ("Lys2ArgGly", "K", "RG"), ("KK2-", "KK", ""),
    ("K2del", "K", ""), ("p.Lys2del", "K", ""), ("K2DEL", "K", "DEL"), ("*2K", "*", "K"), ("Ter2Lys", "*", "K"),
]  # fmt: skip
REFUSED = {
    "K2fs": "'K2fs' is a shift of the frame", "Lys2ArgfsTer5": "is a shift of the frame", "K2Rfs*5": "shift of the",
    "K2dup": "is a duplication; write the letter twice", "K2_L3dup": "is a duplication", "K2ins": "is an insertion",
    "K2_L3insR": "is an insertion", "K2delinsRG": "is a deletion with an insertion", "K2_L4del": "change of a range",
    "K2=": "is no change", "p.=": "is no change", "p.Lys2=": "is no change", "p.?": "is an unknown change",
    "K2Ter": "is a stop: * is no letter of an amino acid", "K2*": "is a stop: * is no letter", "K2R*": "is a stop",
    "*9Lysext*7": "is an extension", "K2R_L3A": "is no mutation",
    "K2arg": "'arg' is no amino acid", "K2Del": "'Del' is no amino acid",
    "lys2Arg": "'lys' is no amino acid", "K2RArg": "'RArg' is no amino acid", "K2": "is no mutation; expected",
    "": "'' is no mutation; expected the letter there", "c.5A>G": "is no mutation", "K2R.": "'R.' is no amino acid",
}  # fmt: skip


@pytest.mark.parametrize(("text", "ref", "alt"), READ)
def test_forms_that_are_read(text, ref, alt):
    assert read_mutation(text, residues=True) == [Edit(1, ref, alt)]


@pytest.mark.parametrize("text", REFUSED)
def test_forms_that_are_refused(text):
    with pytest.raises(DataError) as told:
        read_mutation(text, residues=True)
    assert REFUSED[text] in told.value.what
    assert len(told.value.what) < 200


def test_several():
    wanted = [Edit(1, "K", "R"), Edit(3, "G", "A")]
    for text in ("K2R:G4A", "p.[Lys2Arg;Gly4Ala]", "p.Lys2Arg;p.Gly4Ala", "K2R, G4A"):
        assert read_mutation(text, residues=True) == wanted


def test_nucleotides_know_no_amino_acids():
    assert read_mutation("a2c", residues=False) == [Edit(1, "A", "C")]
    assert read_mutation("ac2gt", residues=False) == [Edit(1, "AC", "GT")]
    assert read_mutation("A2del", residues=False) == [Edit(1, "A", "")]
    for text, why in (("Tyr2Cys", "has an amino acid, Tyr"), ("p.A2G", "no mutation"), ("A2dup", "duplication")):
        with pytest.raises(DataError, match=why):
            read_mutation(text, residues=False)


@pytest.fixture(scope="module")
def protein(tmp_path_factory):
    sequences = [f"MK{'ACDEFGHIKL'[i % 10]}L{'AW'[i % 2] * 6}" for i in range(60)]
    out = tmp_path_factory.mktemp("protein") / "run"
    data = (sequences, ["no", "yes"] * 30)
    return xdomain.run(data=data, domain="protein", baseline="kmer", out=out).folder


def scored(run, path, sequence, mutations):
    path.write_text("sequence,mutation\n" + "".join(f"{sequence},{one}\n" for one in mutations))
    return xdomain.score_variants(run, path).to_pylist()


def test_words_have_no_score_and_codes_have_that_of_their_letters(protein, tmp_path):
    same = ["K2A", "Lys2Ala", "K2Ala", "p.Lys2Ala", "K2W", "K2X", "K2del", "K2-"]
    words = ["K2fs", "K2Ter", "K2dup", "K2ins", "K2=", "K2*", "K2B", "K2arg"]
    rows = scored(protein, tmp_path / "m.csv", "MKKLLAAA", same + words)
    assert all(row["error"] == "" for row in rows[: len(same)])
    scores = [row["score"] for row in rows]
    assert scores[1:4] == scores[:1] * 3
    assert scores[4] != scores[0]
    assert scores[6] == scores[7]
    assert scores[len(same) :] == [None] * len(words)
    assert rows[-2]["error"] == "'B' is no letter of protein, which reads it as an unknown one"


def test_letters_that_are_read_as_unknown_ones_have_no_score(tmp_path):
    data = ([f"ACGT{'AC'[i % 2] * 6}{'ACGT'[i % 4]}{'ACGT'[i // 4 % 4]}" for i in range(60)], ["no", "yes"] * 30)
    counts = ("adapter.options.unknown=count",)
    run = xdomain.run(data=data, domain="dna", baseline="kmer", out=tmp_path / "run", overrides=counts).folder
    rows = scored(run, tmp_path / "m.csv", "ACGTAC?RAC", ["A1C", "A1N", "A1U", "A1Q", "A1*", "A1R"])
    assert [row["score"] is None for row in rows] == [False] * 3 + [True] * 3
    assert rows[3]["error"] == "'Q' is no letter of dna, which reads it as an unknown one"
    assert rows[4]["error"].startswith("'*' is no letter of dna")
