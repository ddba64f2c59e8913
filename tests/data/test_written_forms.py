"""Residues in three letters and strands between 5' and 3': rewritten and said so, and nothing else is touched."""

import pyarrow as pa
import pytest

from xdomain.core.errors import DataError
from xdomain.data.written_forms import in_plain_letters


def rewritten(cells, domain):
    ids = [f"r{i}" for i in range(len(cells))]
    table, said = in_plain_letters(pa.table({"id": ids, "sequence": cells}), domain)
    return table["sequence"].to_pylist(), said


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("Ala-Cys-Asp", "ACD"),
        ("AlaCysAsp", "ACD"),
        ("ALA CYS ASP", "ACD"),
        ("ala-cys-asp", "ACD"),
        (" H-Ala-Cys-Asp-OH ", "ACD"),
        ("Ac-Met-Sec-Glx-Xaa-NH2", "MUZX"),
        ("Trp-Ter", "W*"),
    ],
)
def test_residues_in_three_letters_become_one(written, plain):
    cells, (said,) = rewritten([written, "Gly", "", "Lys-Lys"], "protein")
    assert cells == [plain, "G", "", "KK"]
    assert "three letters" in said


@pytest.mark.parametrize("plain", ["ALACYS", "MKV LAE ACD", "Mkv", "ACDEFGHIK", "AlaCysAsq", "Ala-Cys-As"])
def test_residues_of_one_letter_stay(plain):
    cells = [plain, "MKVLAEGH"]
    assert rewritten(cells, "protein") == (cells, [])
    assert rewritten([plain], "dna") == ([plain], [])


def test_another_form_among_them_is_named():
    with pytest.raises(DataError, match=r"record 'r2': 'MKVL' among residues in three letters"):
        rewritten(["Ala-Cys", "Gly-Gly", "MKVL"], "protein")


@pytest.mark.parametrize(
    "written",
    ["5'-ACGT-3'", "5\N{PRIME}\N{EN DASH}ACGT\N{EN DASH}3\N{PRIME}", "5' ACGT 3'", "5-ACGT-3", "5'-p-ACGT-3'"],
)
def test_the_ends_of_strands_are_left_out(written):
    cells, (said,) = rewritten([written, "5'-AAC-3'", "ACGT"], "dna")
    assert cells == ["ACGT", "AAC", "ACGT"]
    assert "5' and 3'" in said


def test_a_strand_from_3_to_5_is_refused():
    with pytest.raises(DataError, match=r"record 'r1': .* from 3' to 5'"):
        rewritten(["5'-ACGT-3'", "3'-ACGT-5'"], "dna")


def test_what_is_written_as_most_decides():
    cells = ["ACGT", "ACGT", "5'-ACGT-3'"]
    assert rewritten(cells, "dna") == (cells, [])
    assert rewritten(["", ""], "dna") == (["", ""], [])
