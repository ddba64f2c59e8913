"""Labels beside sequences: without a header, and under ids that differ a little."""

import pytest

from xdomain.data.formats.labels_file import with_labels

PROTEINS = ["MKV", "MAA", "MCC", "MDD"]


def joined(write, ids, own, header="id,label\n", name="seqs.fasta"):
    fasta = write("".join(f">{one} x\n{s}\n" for one, s in zip(ids, PROTEINS, strict=True)), name)
    rows = "".join(f"{one},{'ab'[i % 2]}\n" for i, one in enumerate(own))
    return with_labels(fasta, write(header + rows, "labels.csv")).column("label").to_pylist()


@pytest.mark.parametrize(
    ("ids", "own", "told"),
    [
        ([f"E{i}" for i in range(4)], [f"E{i}" for i in range(4)], None),
        ([f"E{i}.{i}" for i in range(4)], [f"E{i}" for i in range(4)], "without their versions"),
        ([f"E{i}" for i in range(4)], [f"E{i}.2" for i in range(4)], "without their versions"),
        ([f"sp|P{i}|N_HUMAN" for i in range(4)], [f"P{i}" for i in range(4)], "by the accession between bars"),
        ([f"E{i}" for i in range(4)], [f"raw/E{i}.fasta" for i in range(4)], "without folders and suffixes"),
    ],
)
@pytest.mark.parametrize("header", ["Entry,place\n", ""])
def test_ids_match_in_one_way_or_another(write, said, ids, own, told, header):
    fasta = write("".join(f">{one} x\n{s}\n" for one, s in zip(ids, PROTEINS, strict=True)), "seqs.fasta")
    rows = [f"{one},{'ab'[i % 2]}\n" for i, one in enumerate(own)]
    table = with_labels(fasta, write(header + "".join(reversed(rows)), "labels.csv"))
    assert table.column("label" if not header else "place").to_pylist() == list("abab")
    assert any("has no header" in line for line in said) is (not header)
    assert any(told in line for line in said) if told else not any(line.startswith("ids of") for line in said)


def test_ids_that_are_one_without_their_versions_are_kept_apart(write, refusal):
    text = refusal(joined, write, ["E1.1", "E1.2", "E2.1", "E3.1"], ["E1", "E2", "E3", "E4"])
    assert "labels.csv has no row for 'E1.1', 'E1.2', 'E2.1' of" in text
    assert "and for 1 more" in text


def test_errors_name_both_files_and_not_the_copy(learn, write, refusal):
    fasta = write("".join(f">s{i}\nACGT{'ACGT'[i]}\n" for i in range(4)), "seqs.fasta")
    labels = write("id,label\ns0,a\ns1,\ns2,b\ns3,a\n", "labels.csv")
    text = refusal(learn, fasta, labels=labels)
    assert f"{fasta} with {labels}: row 2 (id 's1'): empty label" in text
    assert "in-memory" not in text
