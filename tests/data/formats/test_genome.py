"""A genome on the disk: stretches as they are written, and files whose places cannot be found."""

import pytest
from extras import needs_genome

from xdomain.core.errors import DataError
from xdomain.data.formats.genome import open_genome

pytestmark = needs_genome


def test_stretches_as_they_are_written(tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(">chr1 first\nACGTA\nCGTnn\nAc\n\n>chr2\nTTTTT\nGGGGG\n>chr3\nA")
    genome = open_genome(path, "a test")
    assert genome.lengths == {"chr1": 12, "chr2": 10, "chr3": 1}
    assert genome.part("chr1", 3, 12) == "TACGTnnAc"
    assert genome.part("chr2", 4, 6) == "TG"
    assert genome.part("chr3", 0, 1) == "A"
    assert genome.lacks("1").nearest == "chr1"


@pytest.mark.parametrize("lines", ["ACGT\nACGTACG\n", "AC\nACGT\n", "ACGT\nACGTACGTA\n>chr2\nACGT\n"])
def test_lines_of_different_lengths_are_refused(tmp_path, lines):
    path = tmp_path / "g.fa"
    path.write_text(f">chr0\nACGT\n>chr1\n{lines}>chr3\nACGTACGTACGTACGT\n")
    with pytest.raises(DataError, match=r"lines of 'chr1' have different lengths|cannot be indexed"):
        open_genome(path, "a test")


@pytest.mark.parametrize("odd", [b"\xef\xbb\xbf", "\u00e9".encode()])
def test_what_is_no_text_within_a_contig_is_refused(tmp_path, odd):
    path = tmp_path / "genome.fa"
    path.write_bytes(b">chr1\n" + b"ACGT" * 5 + odd + b"ACGT" * 5 + b"\n")
    genome = open_genome(path, "intervals")
    assert genome.part("chr1", 0, 20) == "ACGT" * 5
    with pytest.raises(DataError, match=r"genome\.fa: chr1 cannot be read from 10 to 30"):
        genome.part("chr1", 10, 30)
