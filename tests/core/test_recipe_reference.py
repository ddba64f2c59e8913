"""docs/recipe.md is the page that the schema of a recipe gives."""

import re
from pathlib import Path

from xdomain.core.recipe_reference import recipe_page
from xdomain.core.train_options import Train

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
