"""The tutorials do what they say, from an empty folder, with the commands as they are printed."""

import pytest
from pages import DOCS, blocks, execute

PAGES = sorted(f"tutorials/{path.name}" for path in (DOCS / "tutorials").glob("*.md"))
EXECUTED = [page for page in PAGES if page not in ("tutorials/index.md", "tutorials/install.md")]


@pytest.mark.slow
@pytest.mark.parametrize("page", EXECUTED)
def test_a_tutorial(page, tmp_path):
    execute(page, tmp_path, slow=True)


@pytest.mark.parametrize("page", EXECUTED)
def test_each_tutorial_shows_what_its_commands_print(page):
    ran = [block for block in blocks(page) if not block.file]
    assert len(ran) >= 2
    assert sum(bool(block.shown) for block in ran) >= len(ran) - 1
