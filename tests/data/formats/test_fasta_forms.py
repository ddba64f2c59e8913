"""FASTA and FASTQ as they are found: comments, wrapped lines, marks below sequences, labels after ids."""

import random

import pytest

from xdomain.core.recipe_sections import Columns
from xdomain.data.assemble import said as said_of
from xdomain.data.formats.fasta import raw_fasta
from xdomain.data.formats.registry import format_of
from xdomain.data.formats.sequence_files import raw_records


def column(table, name):
    return table.column(name).to_pylist()


def test_comments_blank_lines_and_windows_line_ends(learn, said):
    lines = ["; made up", ">a|pos", "; a comment", "ACGT", "", "ac", ">b|neg", "GG", ";another", "TT", ""]
    table = learn("\r\n".join(lines), "old.fasta")
    assert column(table, "sequence") == ["ACGTac", "GGTT"]
    assert column(table, "label") == ["pos", "neg"]
    assert "3 comment lines (;) left out" in said


def test_values_end_at_bars_where_keys_begin_behind_them(write):
    headers = ["s1 | class=enhancer | chr1", "s2 | class=gene silencer | organism=Mus musculus | chr2"]
    table = raw_fasta(write("".join(f">{header}\nACGT\n" for header in headers), "bars.fasta"))
    assert column(table, "id") == ["s1", "s2"]
    assert column(table, "class") == ["enhancer", "gene silencer"]
    assert column(table, "organism") == [None, "Mus musculus"]
    assert any("parts without a name are left out, such as 'chr1'" in line for line in said_of(table))
    table = raw_fasta(write(">s1 class=enhancer | silencer\nACGT\n>s2 class=gene\nAC\n", "labels.fasta"))
    assert column(table, "class") == ["enhancer | silencer", "gene"]  # several labels


def test_wrapped_fastq_whose_marks_begin_like_headers(write):
    path = write("@r1 x\nACGT\nAC\n+\n@III\n+I\n@r2\nGG\nT\n+r2\n@+\n@\n", "reads.txt")
    assert format_of(path) == "fastq"
    table = raw_records(path, "fastq")
    assert column(table, "id") == ["r1", "r2"]
    assert column(table, "sequence") == ["ACGTAC", "GGT"]


def test_reads_longer_than_what_is_looked_at(write):
    read = "ACGT" * 5000
    path = write(f"@r1\n{read}\n+\n{'I' * len(read)}\n", "long.fastq")
    assert format_of(path) == "fastq"
    assert column(raw_records(path, "fastq"), "sequence") == [read]


def test_labels_and_test_after_the_ids_as_in_deeploc(learn):
    labels = ["Nucleus-M", "Cytoplasm-S"] * 4
    fasta = "".join(
        f">Q{i} {label}{' test' if i < 2 else ''}\nMK{'AC'[i % 2] * i}W\n" for i, label in enumerate(labels)
    )
    table = learn(fasta, "deeploc.fasta", domain="protein")
    assert column(table, "id")[:2] == ["Q0", "Q1"]
    assert column(table, "label") == labels
    assert column(table, "split") == ["test"] * 2 + ["train"] * 6


def test_what_describes_records_is_no_label(learn, refusal):
    fasta = "".join(f">Q{i} Dermaseptin{i}\nMKAC\n" for i in range(8))
    assert "the headers hold no labels" in refusal(learn, fasta, "d.fasta", domain="protein")


def test_signalps_three_lines(learn):
    draw = random.Random(0)
    proteins = ["".join(draw.choices("ACDEFGHIKLMNPQRSTVWY", k=30)) for _ in range(9)]
    marks = ["S" * (9 + i) + "O" * (21 - i) for i in range(9)]
    fasta = "".join(
        f">P{i}|EUKARYA|{'SP' if i % 2 else 'NO_SP'}|{i % 3}\n{proteins[i]}\n{marks[i]}\n" for i in range(9)
    )
    table = learn(fasta, "signalp.fasta", domain="protein")
    assert column(table, "sequence") == proteins
    assert column(table, "tags") == [list(own) for own in marks]
    assert column(table, "id")[0] == "P0"
    for role, name, held in [("label", "type", {"SP", "NO_SP"}), ("fold", "partition", set("012"))]:
        table = learn(fasta, "signalp.fasta", domain="protein", columns=Columns(**{role: name}))
        assert set(column(table, role)) == held


def test_structures_in_dots_and_brackets_with_their_energy(learn, refusal):
    fasta = "".join(f">r{i}\nGGGAAACC{c}\n(((...)))  (-{i}.20)\n" for i, c in enumerate("ACGU"))
    table = learn(fasta, "rna.fasta")
    assert column(table, "sequence")[0] == "GGGAAACCA"
    assert column(table, "tags") == [list("(((...)))")] * 4
    text = refusal(learn, fasta * 3 + ">r9\nACGU\n(..\n", "rna.fasta")
    assert "record 13, '>r9', has 3 marks for 4 symbols" in text


@pytest.mark.parametrize("letters", ["ACGT", "ACDEFGHIKLMNPQRSTVWY"])
def test_a_wrapped_sequence_of_two_equal_lines_has_no_marks(learn, letters):
    draw = random.Random(1)
    lines = [["".join(draw.choices(letters, k=20)) for _ in range(2)] for _ in range(6)]
    fasta = "".join(f">s{i}|{'ab'[i % 2]}\n{one}\n{two}\n" for i, (one, two) in enumerate(lines))
    table = learn(fasta, "wrapped.fasta", domain="dna" if letters == "ACGT" else "protein")
    assert column(table, "sequence") == [one + two for one, two in lines]
