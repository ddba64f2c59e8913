"""docs/recipe.md is the page that the schema of a recipe gives."""

import re
from pathlib import Path

import pytest

from xdomain.core import recipe_reference
from xdomain.core.recipe import Recipe, Train
from xdomain.core.recipe_reference import MEANINGS, recipe_page

PAGE = Path(__file__).parents[2] / "docs" / "recipe.md"


def test_the_committed_page_is_up_to_date():
    assert PAGE.read_text("utf-8") == recipe_page(), "python -m xdomain.core.recipe_reference > docs/recipe.md"


def test_each_option_of_training_has_a_row():
    (section,) = re.findall(r"## `train`\n(.*?)\n## ", recipe_page(), re.DOTALL)
    assert re.findall(r"(?m)^\| `(\w+)` \|", section) == list(Train.model_fields)


def test_a_row_has_the_type_the_range_and_the_default():
    page = recipe_page()
    assert "| `batch_size` | whole number > 0 | `16` | Records per step, over all devices together. |" in page
    assert "| `seed` | whole number ≥ 0, < 2^32 | `0` | Seed of head, batches and dropout. |" in page
    assert '| `too_long` | `error`, `truncate` | `"error"` |' in page
    assert "| `at` | whole number ≥ 0 | *required* |" in page
    assert "## `source.downloads.NAME`\n" in page


def test_a_key_without_a_meaning_is_an_error(monkeypatch):
    monkeypatch.setattr(recipe_reference, "MEANINGS", {k: v for k, v in MEANINGS.items() if k != "run.seed"})
    with pytest.raises(KeyError, match=r"run\.seed"):
        recipe_page()


def test_no_meaning_is_left_over():
    page = recipe_page()
    unused = [key for key, meaning in MEANINGS.items() if f"| {meaning} |" not in page]
    assert not unused
    assert not [key for key in MEANINGS if "." not in key and Recipe.model_fields[key].description]
