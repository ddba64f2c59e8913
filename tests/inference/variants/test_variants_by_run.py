"""Scores of variants by runs: equal to two predictions by hand; what cannot be scored says why."""

import gzip
import math
from pathlib import Path

import numpy as np
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from command_line import told
from extras import needs_genome

import xdomain
from xdomain.cli.main import main
from xdomain.core.errors import DataError, RecipeError
from xdomain.data.formats.genome import Genome
from xdomain.inference.variants import api

pytestmark = needs_genome


def by_hand(model, ref, alt):
    """Difference of log-odds, and the two probabilities of the second class."""
    chances = model.predict_proba([ref, alt])[:, 1]
    odds = np.log(chances / (1 - chances))
    return odds[1] - odds[0], *chances


def other(base):
    return "CATG"["ACGT".index(base)]


def test_equal_to_two_predictions_by_hand(run, genome, contigs, vcf):
    bases = contigs["chr1"]
    rows = [("chr1", 101, bases[100], other(bases[100])), ("chr1", 150, bases[149:153], bases[149]),
            ("chr1", 200, bases[199], bases[199] + "GATTA"), ("chr1", 2, bases[1], other(bases[1])),
            ("chr2", 20, contigs["chr2"][19], other(contigs["chr2"][19])),
            ("tiny", 5, contigs["tiny"][4], other(contigs["tiny"][4]))]  # fmt: skip
    found = xdomain.score_variants(run, vcf(*rows), genome=genome).to_pylist()
    low, tiny = contigs["chr2"].lower(), contigs["tiny"]
    windows = [  # of 30 nt, the median of training
        (bases[85:115], bases[85:100] + rows[0][3] + bases[101:115]),
        (bases[136:166], bases[136:150] + bases[153:169]),
        (bases[187:217], bases[187:200] + "GATTA" + bases[200:212]),
        (bases[:30], bases[0] + rows[3][3] + bases[2:30]),
        (low[4:34], low[4:19] + rows[4][3] + low[20:34]),
        (tiny, tiny[:4] + rows[5][3] + tiny[5:]),
    ]
    model = xdomain.load(run)
    for row, (ref, alt) in zip(found, windows, strict=True):
        score, p_ref, p_alt = by_hand(model, ref, alt)
        assert row["score"] == pytest.approx(score, abs=2e-6)
        assert (row["ref_p"], row["alt_p"]) == pytest.approx((p_ref, p_alt), abs=1e-6)
        assert row["p_difference"] == row["alt_p"] - row["ref_p"]
        assert row["error"] == ""
    assert max(abs(row["score"]) for row in found) > 1e-3
    assert [(r["chrom"], r["pos"], r["ref"], r["alt"]) for r in found] == rows


def test_a_value_and_one_of_three_classes(regression, counts, genome, contigs, vcf):
    bases = contigs["chr1"]
    file = vcf(("chr1", 101, bases[100], other(bases[100])))
    pair = [bases[90:110], bases[90:100] + other(bases[100]) + bases[101:110]]
    row = xdomain.score_variants(regression, file, genome=genome, window=20).to_pylist()[0]
    values = xdomain.load(regression).predict(pair)
    assert row["score"] == pytest.approx(values[1] - values[0], abs=1e-6)
    assert (row["ref_value"], row["alt_value"]) == pytest.approx(tuple(values), abs=1e-6)
    with pytest.raises(RecipeError, match="which of 3 classes"):
        xdomain.score_variants(counts, file, genome=genome, window=20)
    row = xdomain.score_variants(counts, file, genome=genome, window=20, of="b").to_pylist()[0]
    chances = xdomain.load(counts).predict_proba(pair)[:, 1]
    assert row["score"] == pytest.approx(np.log(chances[1] / (1 - chances[1])) - np.log(chances[0] / (1 - chances[0])))
    with pytest.raises(RecipeError, match="one of a, b, c"):
        xdomain.score_variants(counts, file, genome=genome, of="d")


def test_several_runs_and_both_strands(run, genome, contigs, vcf):
    bases = contigs["chr1"]
    file = vcf(("chr1", 101, bases[100], other(bases[100])))
    pair = [bases[85:115], bases[85:100] + other(bases[100]) + bases[101:115]]
    both = xdomain.score_variants([run, run], file, genome=genome, reverse_complement=True).to_pylist()[0]
    score, p_ref, _ = by_hand(xdomain.load(run, run, reverse_complement=True), *pair)
    assert both["score"] == pytest.approx(score, abs=1e-6)
    assert both["ref_p"] == pytest.approx(p_ref, abs=1e-6)
    one = xdomain.score_variants(run, file, genome=genome).to_pylist()[0]
    assert one["ref_p"] != both["ref_p"]
    table = xdomain.load(run).score_variants(file, genome=genome)
    rows = table.to_dict("records") if hasattr(table, "to_dict") else table.to_pylist()
    assert rows[0]["score"] == one["score"]


def test_each_allele_has_a_row_and_what_has_no_sequence_says_so(run, genome, contigs, vcf, said):
    bases = contigs["chr1"]
    first, second = other(bases[9]), bases[9] + "AC"
    rows = [("chr1", 10, bases[9], f"{first},{second},*"), ("chr1", 20, bases[19], "<DEL>"),
            ("x1", 10, bases[9], first), ("chr9", 10, bases[9], first), ("chr1", 301, "A", "C"),
            ("chr1", 10, other(bases[9]), bases[9]), ("chr1", 10, bases[9], "."), ("chr1", 0, "A", "C"),
            ("chr1", 10, bases[9], f"{bases[9]}]chr2:7]"), ("chr1", 10, bases[9], "A" * 40),
            ("chr1", 10, "x", "C"), ("chr1", 10, bases[9], "C?")]  # fmt: skip
    found = xdomain.score_variants(run, vcf(*rows), genome=genome).to_pylist()
    assert [row["alt"] for row in found[:3]] == [first, second, "*"]
    assert [row["score"] is None for row in found] == [False, False] + [True] * 12
    wanted = ["", "", "the allele * (deleted by another variant) has no sequence",
              "the symbolic allele <DEL> has no sequence", "genome.fa has no contig 'x1'",
              "genome.fa has no contig 'chr9' (did you mean chr2?)", "chr1 has 300 bases, none at 301",
              f"chr1 has {bases[9]} at 10, not {other(bases[9])}: another base", "no alternative allele",
              "chr1 has 300 bases, none at 0", f"the breakend {bases[9]}]chr2:7] has no sequence"]  # fmt: skip
    assert [row["error"] for row in found][:11] == wanted
    assert "more than the window of 30" in found[11]["error"]
    assert found[12]["error"] == "the reference allele 'x' is no sequence of A, C, G, T and N"
    assert found[13]["error"] == "the alternative allele 'C?' is no sequence of A, C, G, T and N"
    told = "score: the log-odds of class 'yes', ALT minus REF, in windows of 30 letters (the median of training)"
    assert told in said
    assert said[-1].startswith("warning: 12 of 14 variants have no score; the first: the allele *")


def test_names_that_differ_by_chr_alone_are_one(run, genome, contigs, vcf, said):
    bases = contigs["chr1"]
    rows = [(name, 10, bases[9], other(bases[9])) for name in ("chr1", "1", "Chr1", "01", "CHR1", "chrchr1", "1_alt")]
    found = xdomain.score_variants(run, vcf(*rows, ("2", 1, contigs["chr2"][0], "A" * 2)), genome=genome).to_pylist()
    assert found[1]["score"] == found[0]["score"]
    assert found[1]["chrom"] == "1"
    assert all("has no contig" in row["error"] for row in found[2:7])
    assert found[7]["error"] == ""
    assert [line for line in said if "contigs" in line] == [
        "contigs: '1' of v.vcf is 'chr1' of genome.fa, and so are others whose names differ by the prefix chr alone "
        "(M is MT)"
    ]


@pytest.mark.parametrize(
    ("named", "there", "found"),
    [("MT", ["chrM"], "chrM"), ("chrM", ["MT"], "MT"), ("chrX", ["X"], "X"), ("X", ["chrX", "X"], "X"),
     ("MT", ["chrM", "M"], None), ("X", ["Y"], None), ("chr", ["chr1"], None), ("23", ["chrX"], None)],
)  # fmt: skip
def test_the_contig_of_a_name(named, there, found):
    assert Genome(Path("g.fa"), dict.fromkeys(there, 9), None).contig(named) == found


def test_mutations_are_of_whole_sequences(run, tmp_path):
    table = tmp_path / "m.csv"
    table.write_text("name,seq,mutant\na,ACGTACGTAC,A1C\nb,ACGTACGTAC,A1c:C10G\nc,ACGTACGTAC,C2-\nd,ACGTACGTAC,T2A\n"
                     "e,ACGTACGTAC,2A\nf,ACGTACGTAC,C2Q\ng,,A1C\n")  # fmt: skip
    columns = xdomain.core.recipe.Columns(id="name")
    found = xdomain.score_variants(run, table, columns=columns).to_pylist()
    model = xdomain.load(run)
    for row, alt in zip(found, ["CCGTACGTAC", "CCGTACGTAG", "AGTACGTAC"], strict=False):
        assert row["score"] == pytest.approx(by_hand(model, "ACGTACGTAC", alt)[0], abs=2e-6)
    assert [row["id"] for row in found] == list("abcdefg")
    assert found[3]["error"] == "the sequence has C at 2, not T: another letter"
    assert found[4]["error"].startswith("'2A' is no mutation; expected the letter there")
    assert found[5]["error"] == "'Q' is no letter of dna"
    assert found[6]["error"] == "no sequence"
    assert all(row["score"] is None for row in found[3:])
    (tmp_path / "s.fa").write_text(">a\nACGTACGTAC\n")
    (tmp_path / "by_id.csv").write_text("id,mutation\na,A1C\nz,A1C\n")
    rows = xdomain.score_variants(run, tmp_path / "by_id.csv", sequences=tmp_path / "s.fa").to_pylist()
    assert rows[0]["score"] == pytest.approx(found[0]["score"], abs=1e-6)
    assert rows[1]["error"] == "s.fa has no 'z'"
    out = tmp_path / "scores.parquet"
    files = (run, tmp_path / "by_id.csv", "--sequences", tmp_path / "s.fa", "--out", out)
    with pytest.raises(SystemExit) as ended:
        main(["variants", *map(str, files)])
    assert not ended.value.code
    assert pq.read_table(out).to_pylist() == rows
    again = xdomain.load(run).score_variants(table, columns={"id": "name"}, window=4)
    assert len(again) == 7


def test_many_are_scored_in_parts(run, genome, contigs, vcf, monkeypatch):
    bases = contigs["chr1"]
    file = vcf(*[("chr1", i + 1, bases[i], other(bases[i])) for i in range(0, 300, 30)])
    whole = xdomain.score_variants(run, file, genome=genome).to_pylist()
    packed = file.with_name("v.vcf.gz")
    packed.write_bytes(gzip.compress(file.read_bytes()))
    monkeypatch.setattr(api, "AT_ONCE", 3)
    parts = xdomain.score_variants(run, packed, genome=genome).to_pylist()
    assert [row["score"] for row in parts] == pytest.approx([row["score"] for row in whole], abs=1e-5)


def test_the_command(capsys, run, genome, contigs, vcf, tmp_path):
    bases, out = contigs["chr1"], tmp_path / "scores.csv"
    file = vcf(("chr1", 101, bases[100], other(bases[100])), ("chr1", 10, other(bases[9]), bases[9]))
    options = ["--genome", genome, "--class", "no", "--window", "20", "--reverse-complement"]
    code, _, err = told(capsys, "variants", run, run, file, *options, "--out", out)
    assert code == 0, err
    rows = pa_csv.read_csv(out).to_pylist()
    wanted = xdomain.score_variants([run, run], file, genome=genome, of="no", window=20, reverse_complement=True)
    assert rows[0]["score"] == pytest.approx(wanted["score"][0].as_py())
    assert math.isnan(rows[1]["score"] or math.nan)
    assert "the log-odds of class 'no', ALT minus REF, in windows of 20 letters" in err
    assert told(capsys, "variants", run, file, *options, "--out", out)[0] == 2
    code, shown, err = told(capsys, "variants", run, vcf(("chr1", 10, other(bases[9]), "A")), "--genome", genome)
    assert code == 2
    assert shown.splitlines()[1].endswith('another base"')
    assert "no variant has a score" in err
    (tmp_path / "m.csv").write_text("key,text,change\na,ACGTACGTAC,A1C\n")
    code, shown, err = told(capsys, "variants", run, tmp_path / "m.csv", "--mutation", "change",
                            "--column", "sequence=text", "--column", "id=key")  # fmt: skip
    assert code == 0, err
    assert shown.splitlines()[1].startswith('"a","A1C",')


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["V"], "--genome GENOME.fasta"),
        (["M", "--genome", "G"], "is no VCF"),
        (["M"], "--column sequence=NAME; or --sequences"),
        (["V", "V", "--genome", "G"], "2 files of variants"),
        (["V", "--genome", "G", "--how", "masked-marginals"], "how for the run"),
        (["V", "--genome", "G", "--domain", "dna"], "domain for the run"),
        (["BAD", "--genome", "G"], "line 3: 'chr1 10'"),
        (["EMPTY", "--genome", "G"], "holds no variants"),
        (["V", "--genome", "nothing.fa"], "nothing.fa does not exist"),
    ],
)
def test_a_mistake_is_one_block(capsys, run, genome, vcf, tmp_path, options, expected):
    files = {"V": vcf(("chr1", 1, "A", "C")), "G": genome, "M": tmp_path / "m.csv", "BAD": tmp_path / "bad.vcf",
             "EMPTY": vcf(name="empty.vcf")}  # fmt: skip
    files["M"].write_text("mutation,label\nA1C,1\n")
    files["BAD"].write_text("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\nchr1 10\n")
    code, _, err = told(capsys, "variants", run, *(files.get(one, one) for one in options))
    assert code == 2
    assert expected in err
    assert "Traceback" not in err


def test_a_run_that_gives_no_one_number_is_refused(sequences, tiny_bert, genome, vcf, tmp_path):
    data = tmp_path / "pairs.csv"
    rows = [f"{a},{b},{i % 2}" for i, (a, b) in enumerate(zip(sequences, sequences[::-1], strict=True))]
    data.write_text("sequence,sequence_b,label\n" + "\n".join(rows) + "\n")
    pairs = xdomain.run(data=data, domain="dna", baseline="kmer", out=tmp_path / "pairs").folder
    with pytest.raises(RecipeError, match="one number for a sequence by a run for pair"):
        xdomain.score_variants(pairs, vcf(("chr1", 1, "A", "C")), genome=genome)


def test_a_run_that_does_not_tell_its_lengths_asks_for_a_window(counts, genome, contigs, vcf, tmp_path):
    import shutil

    older = tmp_path / "older"
    shutil.copytree(counts, older)
    (older / "training-data.safetensors").unlink()
    file = vcf(("chr1", 10, contigs["chr1"][9], "A" if contigs["chr1"][9] != "A" else "C"))
    with pytest.raises(RecipeError, match="how long is a window"):
        xdomain.score_variants(older, file, genome=genome, of="a")
    assert xdomain.score_variants(older, file, genome=genome, of="a", window=20)["error"][0].as_py() == ""
    with pytest.raises(DataError, match="does not exist"):
        xdomain.score_variants(older, tmp_path / "no.vcf", genome=genome, of="a")
