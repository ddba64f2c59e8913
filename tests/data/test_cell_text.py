"""Numbers as people write them in a column: read where all cells agree on one spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdomain.data.cell_text import is_quantity, numbers_of, spelling_of


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1,234.5", "12", "7,000"], [1234.5, 12, 7000]),
        (["1,234,567", "-12,000"], [1234567, -12000]),
        (["1,234", "12,000", "3,500", "80"], [1234, 12000, 3500, 80]),  # 80 is no number with three decimals
        (["1,234", "12,000", "3,500"], None),  # thousands, or three decimals
        (["1,234.5", "1200"], None),  # one with a comma, one without
        (["0,123.5", "1,234.5"], None),
        (["12,34.5"], None),
        (["12%", "7.5 %", "", "nan"], [12, 7.5]),
        (["12,5%", "7%"], [12.5, 7]),
        (["12%", "7"], None),
        (["1,5", "2"], [1.5, 2]),
        (["1.234,5", "12,25"], [1234.5, 12.25]),
        (["1", "-", "2.5"], [1, 2.5]),
        (["3.4 nM", "5 nM"], None),
    ],
)
def test_a_column_of_numbers(cells, numbers):
    assert numbers_of(cells) == numbers


@given(st.lists(st.floats(-1e12, 1e12).map(lambda x: round(x, 2)), min_size=1))
def test_numbers_grouped_by_python_come_back(numbers):
    cells = [f"{number:,.2f}" for number in numbers]
    assert numbers_of(cells) == numbers
    assert [float(spelling_of(cells).plain(cell)) for cell in cells] == numbers


@pytest.mark.parametrize("cell", ["3.4 nM", "3.4nM", ">10", "<= 5", "2 ± 1", "3 x 10^-3", "7 kDa", "5 mg/ml", "12%"])
def test_quantities(cell):
    assert is_quantity(cell)


@pytest.mark.parametrize("cell", ["1.5", "1e-3", "1ABC", "4HHB_A", "2nd", "class 1", "", "nan"])
def test_names_and_plain_numbers_are_no_quantities(cell):
    assert not is_quantity(cell)
