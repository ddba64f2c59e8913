"""Intervals of a genome: how they are counted, what GTF says of them, and refusals of what lies outside."""

import pytest

from xdomain.core.recipe_sections import Columns
from xdomain.data.formats.intervals import with_sequences

pytest.importorskip("pyfaidx", reason="pip install pyfaidx")
GENOME = ">chr1\nAACCGGTTACGT\n"


@pytest.fixture
def cut(write):
    """The columns of a file of intervals."""
    genome = write(GENOME, "genome.fasta")

    def cut(content, name="a.csv", **options):
        table = with_sequences(write(content, name), genome, **options)
        return {name: table.column(name).to_pylist() for name in table.column_names}

    return cut


def test_a_table_is_counted_as_in_bed_unless_told(cut, said):
    table = "chrom,start,end\nchr1,1,4\nchr1,2,3\n"
    assert cut(table)["sequence"] == ["ACC", "C"]
    assert "counted from 0, the end left out, as in BED" in said[-1]
    assert cut(table, one_based=True)["sequence"] == ["AACC", "AC"]
    assert "counted from 1, the end included, as told" in said[-1]


@pytest.mark.parametrize(("width", "sequence"), [("4,2", "AACC"), ("3,1", "ACC")])
def test_a_column_of_widths_tells_how_a_table_is_counted(cut, said, width, sequence):
    one, two = width.split(",")
    assert cut(f"seqnames,start,end,width\nchr1,1,4,{one}\nchr1,2,3,{two}\n")["sequence"][0] == sequence
    assert "as column 'width' says" in said[-1]


@pytest.mark.parametrize(
    ("row", "options", "told"),
    [
        ("chr1,0,4", {"one_based": True}, ["row 1: chr1 from 0 to 4, where the first base is 1", "one_based=false"]),
        ("chr1,5,5", {}, ["row 1: chr1 from 5 to 5, where the first base is 0", "one_based=true"]),
        ("chr1,-1,5", {}, ["a start of 0 or more"]),
        ("chr1,5,13", {}, ["within the 12 bases of chr1"]),
        ("chr1,5,13", {"one_based": True}, ["within the 12 bases of chr1"]),
        ("chr1,9,5", {}, ["a start below its end"]),
    ],
)
def test_what_lies_outside_is_refused_with_the_row(cut, refusal, row, options, told):
    text = refusal(cut, f"chrom,start,end\n{row}\n", **options)
    assert all(part in text for part in told)


def test_attributes_of_gtf_are_columns(cut, said):
    row = 'chr1\thavana\t{}\t1\t4\t.\t+\t.\tgene_id "G1"; gene_type "{}"; tag "a"; tag "b; c"; level 2;\n'
    table = cut("#!genome-build x\n" + row.format("gene", "lncRNA") + row.format("exon", "protein_coding"), "a.gtf")
    assert table["gene_type"] == ["lncRNA", "protein_coding"]
    assert table["tag"] == ["a,b; c"] * 2
    assert table["level"] == ["2"] * 2
    assert table["sequence"] == ["AACC"] * 2
    assert "features: 1 gene, 1 exon; to take one kind alone, leave the other lines out of the file" in said


def test_attributes_of_gff3_are_columns(cut):
    row = "chr1\tx\tgene\t2\t3\t.\t-\t.\tID=gene:1;biotype=lncRNA;Note=a%20b%3Bc;source=own\n"
    table = cut("##gff-version 3\n" + row, "a.gff3")
    assert (table["biotype"], table["Note"], table["ID"]) == (["lncRNA"], ["a b;c"], ["gene:1"])
    assert table["source"] == ["x"]  # a column of its own comes first
    assert table["sequence"] == ["GT"]


def test_peaks_have_their_names(cut):
    table = cut("chr1\t0\t4\tp\t9\t.\t5.5\t-1\t0.2\t2\n", "a.narrowPeak")
    assert (table["signalValue"], table["qValue"], table["peak"]) == (["5.5"], ["0.2"], ["2"])


def test_as_a_task(learn, write, refusal):
    genome = write(GENOME, "genome.fasta")
    gtf = "".join(f'chr1\tx\tgene\t{1 + i}\t{4 + i}\t.\t+\t.\tgene_type "{"ab"[i % 2]}";\n' for i in range(4))
    table = learn(gtf, "a.gtf", genome=genome, columns=Columns(label="gene_type"))
    assert table.column("label").to_pylist() == list("abab")
    rows = "chrom,start,end,label\n" + "".join(f"chr1,{i},{i + 3},{'ab'[i % 2]}\n" for i in range(1, 5))
    table = learn(rows, genome=genome, overrides=["reader_options.one_based=true"])
    assert table.column("sequence").to_pylist() == ["AACC", "ACCG", "CCGG", "CGGT"]
    text = refusal(learn, gtf, "a.gtf", genome=genome, columns=Columns(label="gene_typ"))
    assert "a.gtf has no column 'gene_typ'" in text
    assert "did you mean: gene_type" in text
